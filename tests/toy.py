"""The smallest task the loops can run: a linear model, with steps that can go wrong."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from loops.options import (
    LengthOptions,
    LoopOptions,
    RuntimeOptions,
    ScheduleOptions,
    TrainingOptions,
)
from loops.run_directory import RunDirectory
from loops.session import Plan, Session, open_session

BATCH_SIZE = 4


class Batch(NamedTuple):
    input_ids: tf.Tensor  # [B, 2] int32
    targets: tf.Tensor  # [B] float32


class Linear(tf.Module):
    """Loss (w x - y)^2; "accuracy" is the share of rows."""

    def __init__(self) -> None:
        super().__init__(name="linear")
        self.w = tf.Variable([[0.5], [-0.5]], name="w")

    def sums(self, batch: Batch, seed: tf.Tensor | None = None) -> dict[str, Any]:
        predicted = tf.cast(batch.input_ids, tf.float32) @ self.w
        error = tf.square(predicted[:, 0] - batch.targets)
        count = tf.cast(tf.shape(error)[0], tf.float32)
        return {"loss": (tf.reduce_sum(error), count), "accuracy": (count, count)}


def make_batches(bad_steps: tuple[int, ...] = ()) -> Any:
    """(first, end) -> batches; the targets of bad steps are not numbers."""

    def batch(step: tf.Tensor) -> Batch:
        ids = tf.random.stateless_uniform([BATCH_SIZE, 2], [7, step], 0, 5, tf.int32)
        is_bad = tf.reduce_any(step == tf.constant([-1, *bad_steps], tf.int64))
        scale = tf.where(is_bad, float("nan"), 1.0)
        return Batch(ids, tf.cast(ids[:, 0] - ids[:, 1], tf.float32) * scale)

    return lambda first, end: tf.data.Dataset.range(first, end).map(batch)


def options(steps: int | None = 40, runtime: RuntimeOptions | None = None, **more: Any):
    """`more`: fields of TrainingOptions or of LoopOptions."""
    of_training = {field.name for field in dataclasses.fields(TrainingOptions)}
    training = {name: more.pop(name) for name in of_training & set(more)}
    values = {"steps_per_loop": 5, "eval_steps": 20, "checkpoint_steps": 10, **more}
    training = {"adamw": AdamWOptions(), "schedule": ScheduleOptions(0.01), **training}
    return TrainingOptions(
        length=LengthOptions(num_train_steps=steps)
        if steps
        else LengthOptions(max_minutes=0.001),
        loop=LoopOptions(**values),
        runtime=runtime or RuntimeOptions(),
        **training,
    )


def plan(training: TrainingOptions, bad_steps: tuple[int, ...] = (), **record: Any) -> Plan:
    return Plan(
        model=Linear(),
        make_batches=make_batches(bad_steps),
        steps_per_epoch=10,
        batch_size=BATCH_SIZE,
        seq_length=2,
        unit="texts",
        training=training,
        evaluate_each_epoch=True,
        seed=0,
        record={"program": "toy", **record},
        files={"vocab.txt": "zero\none\ntwo\nthree\nfour\n", "flags.txt": "--seed=0\n"},
    )


_owned: dict[Path, RunDirectory] = {}


def own(path: Path) -> RunDirectory:
    """A run directory, as if the process that had it before were dead."""
    if path in _owned:
        _owned.pop(path)._lock.close()
    _owned[path] = RunDirectory(path)
    return _owned[path]


def open_toy(path: Path, bad_steps: tuple[int, ...] = (), **more: Any) -> Session:
    return open_session(own(path), plan(options(**more), bad_steps))


def evaluate_with(session: Session) -> Any:
    """An evaluation that says how often it was called."""
    calls: list[int] = []

    def evaluate(step: int) -> dict[str, float]:
        calls.append(step)
        return {"loss": float(tf.reduce_sum(session.state.model.w))}

    evaluate.calls = calls  # type: ignore[attr-defined]
    return evaluate


def weights(session: Session) -> Iterator[bytes]:
    state = session.state
    for variable in (state.model.w, *state.optimizer.m, *state.optimizer.v, state.step):
        yield variable.numpy().tobytes()
