"""Opening a run: new or resumed, with everything the loop needs.

The order matters: weights, then the run's files, run.json last, then the newest
checkpoint, then logs cut back to it.
"""

import dataclasses
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from loops import startup
from loops.checkpoints import Checkpoints
from loops.console import Progress, format_bytes, format_seconds
from loops.metrics_log import MetricsLog
from loops.options import LengthOptions, RuntimeOptions
from loops.run_directory import RunDirectory
from loops.tensorboard import TensorBoard
from loops.train_loop import MakeBatches, Recorder, seconds_a_step
from loops.train_step import TrainState, TrainSteps


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a program wants to train; `record` is what its numbers depend on."""

    model: tf.Module
    adamw: AdamWOptions
    length: LengthOptions
    runtime: RuntimeOptions
    record: Mapping[str, Any]
    files: Mapping[str, str]  # of the run directory, name -> text
    seed: int
    max_to_keep: int
    items_a_step: int
    unit: str  # of the items, for "tokens/s"
    steps_an_epoch: int
    make_batches: MakeBatches


@dataclasses.dataclass(frozen=True)
class Session:
    """An opened run."""

    run: RunDirectory
    state: TrainState
    steps: TrainSteps
    checkpoints: Checkpoints
    recorder: Recorder
    num_train_steps: int


def open_session(run: RunDirectory, plan: Plan) -> Session:
    """Starts a run in `run`, or takes up the one that is there.

    Raises UserError when that one was made with other settings or is damaged.
    """
    state = TrainState(plan.model, plan.adamw)
    steps = TrainSteps(state, plan.seed, plan.runtime.xla)
    is_new = run.is_new
    record = {**plan.record, **startup.runtime_record(plan.runtime)}
    record["length"] = dataclasses.asdict(plan.length)
    if is_new:
        run.clear_unrecorded()
    else:
        for difference in run.check_same(record, plan.runtime.allow_drift):
            print(f"warning: going on although {difference}")
    checkpoints = Checkpoints(run.checkpoints, state, plan.max_to_keep)
    restored = None if is_new else checkpoints.restore_latest()
    for line in startup.header(plan.runtime, run.path, None if is_new else restored or 0):
        print(line)
    if is_new:
        num_train_steps = _settle(run, plan, state, steps, record)
    else:
        num_train_steps = run.recorded()["num_train_steps"]
    last_step = -1 if restored is None else restored
    tensorboard = TensorBoard(run.logs, last_step)
    if restored is None:
        tensorboard.hparams(_flat(plan.record))
    recorder = Recorder(
        MetricsLog(run.metrics, last_step),
        tensorboard,
        Progress(num_train_steps, max(last_step, 0), plan.items_a_step, plan.unit),
    )
    return Session(run, state, steps, checkpoints, recorder, num_train_steps)


def _settle(
    run: RunDirectory,
    plan: Plan,
    state: TrainState,
    steps: TrainSteps,
    record: dict[str, Any],
) -> int:
    """Measures a step, fixes the number of steps, writes the run's files."""
    seconds = seconds_a_step(state, steps, plan.make_batches)
    num_train_steps = _num_steps(plan, seconds)
    parameters = sum(int(tf.size(v)) for v in plan.model.trainable_variables)
    # Parameters and two moments, float32, in each checkpoint kept and the next one.
    disk = 12 * parameters * (plan.max_to_keep + 1)
    print(
        f"{parameters:,} parameters; {num_train_steps:,} steps = "
        f"{num_train_steps / plan.steps_an_epoch:.1f} epochs; about "
        f"{format_seconds(seconds * num_train_steps)}, {format_bytes(peak_memory())} of "
        f"memory, {format_bytes(disk)} of disk",
        flush=True,
    )
    for name, text in plan.files.items():
        run.write(name, text)
    run.record({**record, "num_train_steps": num_train_steps})
    return num_train_steps


def _num_steps(plan: Plan, seconds: float) -> int:
    length: Callable[[float], int] = lambda steps: max(1, round(steps))  # noqa: E731
    if plan.length.num_train_steps is not None:
        return plan.length.num_train_steps
    if plan.length.num_epochs is not None:
        return length(plan.length.num_epochs * plan.steps_an_epoch)
    assert plan.length.max_minutes is not None
    return length(60 * plan.length.max_minutes / seconds)


def peak_memory() -> int:
    """The most bytes this process has held so far; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"mlm": {"seed": 0}} -> {"mlm.seed": 0}, numbers, texts and truths only."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, bool | int | float | str):
            flat[prefix + name] = value
    return flat
