"""Opening a run: new or resumed, with everything the loop needs.

The order matters: weights, then the run's files, run.json last, then the newest
checkpoint, then logs cut back to it.
"""

import dataclasses
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from bert_core.schedule import Schedule, warmup_then_decay
from loops import startup
from loops.checkpoints import Checkpoints
from loops.console import Progress, format_bytes, format_seconds
from loops.metrics_log import MetricsLog
from loops.options import LoopOptions, ScheduleOptions, TrainingOptions
from loops.run_directory import RunDirectory
from loops.tensorboard import TensorBoard
from loops.train_step import TrainState, TrainSteps

MakeBatches = Callable[[int, int], Iterable[Any]]  # (first step, end step)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a program wants to train; `record` is what its numbers depend on."""

    model: tf.Module
    make_batches: MakeBatches
    steps_an_epoch: int
    items_a_step: int
    unit: str  # of the items, for "tokens/s"
    training: TrainingOptions
    evaluate_each_epoch: bool  # or ten times a run, where --eval_steps is not given
    seed: int
    record: Mapping[str, Any]
    files: Mapping[str, str]  # of the run directory, name -> text


@dataclasses.dataclass(frozen=True)
class Recorder:
    """Where numbers go: file, charts, screen."""

    metrics: MetricsLog
    tensorboard: TensorBoard
    progress: Progress

    def add(self, split: str, step: int, values: dict[str, float]) -> None:
        self.metrics.add(split, step, values)
        self.tensorboard.scalars(split, step, values)

    def sync(self) -> None:
        """Waits until numbers are on the disk; due before a checkpoint is marked."""
        self.metrics.sync()
        self.tensorboard.flush()


@dataclasses.dataclass(frozen=True)
class Session:
    """An opened run."""

    run: RunDirectory
    state: TrainState
    steps: TrainSteps
    checkpoints: Checkpoints
    recorder: Recorder
    make_batches: MakeBatches
    schedule: Schedule
    peak_rate: float
    loop: LoopOptions
    num_train_steps: int


def open_session(run: RunDirectory, plan: Plan) -> Session:
    """Starts a run in `run`, or takes up the one that is there.

    Raises UserError when that one was made with other settings or is damaged.
    """
    options = plan.training
    state = TrainState(plan.model, options.adamw)
    steps = TrainSteps(state, plan.seed, options.runtime.xla)
    record = {**plan.record, **startup.runtime_record(options.runtime)}
    record |= {
        part: dataclasses.asdict(getattr(options, part))
        for part in ("adamw", "schedule", "length", "loop")
    }
    if run.is_new:
        run.clear_unrecorded()
        restored = None
        checkpoints = Checkpoints(run.checkpoints, state, options.loop.max_to_keep)
        print("\n".join(startup.header(options.runtime, run.path, None)))
        num_train_steps = _settle(run, plan, state, steps, record)
    else:
        for difference in run.check_same(record, options.runtime.allow_drift):
            print(f"warning: going on although {difference}")
        checkpoints = Checkpoints(run.checkpoints, state, options.loop.max_to_keep)
        restored = checkpoints.restore_latest()
        print("\n".join(startup.header(options.runtime, run.path, restored or 0)))
        num_train_steps = run.recorded()["num_train_steps"]
    every = plan.steps_an_epoch if plan.evaluate_each_epoch else num_train_steps // 10
    return Session(
        run=run,
        state=state,
        steps=steps,
        checkpoints=checkpoints,
        recorder=_recorder(run, plan, restored, num_train_steps),
        make_batches=plan.make_batches,
        schedule=_schedule(options.schedule, num_train_steps),
        peak_rate=options.schedule.learning_rate,
        loop=dataclasses.replace(
            options.loop, eval_steps=options.loop.eval_steps or max(1, every)
        ),
        num_train_steps=num_train_steps,
    )


def _recorder(
    run: RunDirectory, plan: Plan, restored: int | None, num_train_steps: int
) -> Recorder:
    """Logs cut back to the step training goes on from."""
    last_step = -1 if restored is None else restored
    tensorboard = TensorBoard(run.logs, last_step)
    if restored is None:
        tensorboard.hparams(_flat(plan.record))
    first = max(last_step, 0)
    progress = Progress(num_train_steps, first, plan.items_a_step, plan.unit)
    return Recorder(MetricsLog(run.metrics, last_step), tensorboard, progress)


def _schedule(options: ScheduleOptions, num_train_steps: int) -> Schedule:
    warmup = int(options.warmup_share * num_train_steps)
    return warmup_then_decay(
        options.learning_rate, num_train_steps, warmup, options.decay_power
    )


def _settle(
    run: RunDirectory,
    plan: Plan,
    state: TrainState,
    steps: TrainSteps,
    record: dict[str, Any],
) -> int:
    """Measures a step, fixes the number of steps, writes the run's files."""
    seconds = _seconds_a_step(state, steps, plan.make_batches)
    num_train_steps = _num_steps(plan, seconds)
    parameters = sum(int(tf.size(v)) for v in plan.model.trainable_variables)
    # Parameters and two moments, float32, in each checkpoint kept and the next one.
    disk = 12 * parameters * (plan.training.loop.max_to_keep + 1)
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


def _seconds_a_step(state: TrainState, steps: TrainSteps, make_batches: MakeBatches) -> float:
    """Measures the step at learning rate 0, then resets: nothing is changed by it."""
    iterator = iter(make_batches(0, 11))
    steps(iterator, [0.0, 0.0])  # traces, and warms up
    times = []
    for _ in range(3):
        started = time.monotonic()
        steps(iterator, [0.0, 0.0, 0.0])
        times.append((time.monotonic() - started) / 3)
    state.optimizer.reset()
    state.step.assign(0)
    return sorted(times)[1]


def _num_steps(plan: Plan, seconds: float) -> int:
    """`seconds` is what a step takes."""
    length = plan.training.length
    if length.num_train_steps is not None:
        return length.num_train_steps
    if length.num_epochs is not None:
        return max(1, round(length.num_epochs * plan.steps_an_epoch))
    return max(1, round(60 * (length.max_minutes or 0) / seconds))


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
