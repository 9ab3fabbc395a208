"""Opening a run: new or resumed, with everything the loop needs.

The order matters: weights, then the run's files, run.json last, then the newest
checkpoint, then logs cut back to it.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from bert_core.compute import set_compute
from bert_core.errors import UserError
from bert_core.schedule import Schedule, warmup_then_decay
from loops import length, startup
from loops.checkpoints import Checkpoints
from loops.console import Progress, format_bytes, format_seconds
from loops.metrics_log import MetricsLog, read_metrics
from loops.options import LoopOptions, ScheduleOptions, TrainingOptions
from loops.profiler import Profiler
from loops.run_directory import RunDirectory, flat
from loops.tensorboard import TensorBoard
from loops.train_step import TrainState, TrainSteps

MakeBatches = Callable[[int, int], Iterable[Any]]  # (first step, end step)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a program wants to train; `record` is what its numbers depend on."""

    model: tf.Module
    make_batches: MakeBatches
    steps_an_epoch: int
    batch_size: int  # sequences a step
    seq_length: int  # tokens a sequence, at most
    unit: str  # of speed: "tokens" or "texts"
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
        self.tensorboard.sync()


@dataclasses.dataclass(frozen=True)
class Session:
    """An opened run."""

    run: RunDirectory
    state: TrainState
    steps: TrainSteps
    checkpoints: Checkpoints
    recorder: Recorder
    profiler: Profiler
    make_batches: MakeBatches
    schedule: Schedule
    peak_rate: float
    loop: LoopOptions  # with nothing left open
    num_train_steps: int


def open_session(run: RunDirectory, plan: Plan) -> Session:
    """Starts a run in `run`, or takes up the one that is there.

    Raises UserError when that one was made with other settings or is damaged.
    """
    options = plan.training
    runtime = options.runtime
    set_compute(plan.model, runtime.precision, runtime.recompute)
    state = TrainState(plan.model, options.adamw, options.optimizer, runtime.precision)
    steps = TrainSteps(state, plan.seed, runtime.xla, plan.batch_size, options.micro_batch_size)
    if run.is_new:
        run.clear_unrecorded()
        checkpoints = Checkpoints(run.checkpoints, state, options.loop.max_to_keep)
        restored, num_train_steps = None, _start(run, plan, state, steps)
    else:
        drift = run.check_same(_record(plan), runtime.allow_drift)
        _check_precision(run, runtime.precision)
        num_train_steps = _num_steps(run, plan, state, steps)
        checkpoints = Checkpoints(run.checkpoints, state, options.loop.max_to_keep)
        restored = checkpoints.restore_latest()
        if restored is None:
            _check_never_saved(run)
        if drift:
            _record_drift(run, plan, drift, restored or 0, num_train_steps)
        print("\n".join(startup.header(runtime, run.path, restored or 0)))
    recorder = _recorder(run, plan, restored, num_train_steps)
    return Session(
        run=run,
        state=state,
        steps=steps,
        checkpoints=checkpoints,
        recorder=recorder,
        profiler=Profiler(run.logs, options.profile_steps, recorder.progress.note),
        make_batches=plan.make_batches,
        schedule=_schedule(options.schedule, num_train_steps),
        peak_rate=options.schedule.learning_rate,
        loop=_settled(options.loop, plan, num_train_steps),
        num_train_steps=num_train_steps,
    )


def _check_precision(run: RunDirectory, precision: str) -> None:
    """UserError where checkpoints have a loss scale and the run has none, or vice versa."""
    recorded = run.recorded().get("precision", "float32")
    if recorded != precision and "float16" in (recorded, precision):
        raise UserError(
            f"--precision={precision}: {run.path} is a run in {recorded}, and only checkpoints "
            "of float16 hold a loss scale; name another --output_dir, and start there from "
            f"--init_checkpoint={run.path}"
        )


def _record(plan: Plan) -> dict[str, Any]:
    """What the run's numbers depend on; a resume must agree with it."""
    options = plan.training
    record = {**plan.record, **startup.runtime_record(options.runtime)}
    record["micro_batch_size"] = options.micro_batch_size
    record["optimizer"] = options.optimizer
    for part in ("adamw", "schedule", "length", "loop"):
        record[part] = dataclasses.asdict(getattr(options, part))
    # These two change no number that is logged, and may change from start to start.
    del record["loop"]["max_to_keep"], record["loop"]["max_bad_steps"]
    return record


def _start(run: RunDirectory, plan: Plan, state: TrainState, steps: TrainSteps) -> int:
    """Measures a step, fixes the number of steps, writes the run's files."""
    print("\n".join(startup.header(plan.training.runtime, run.path, None)), flush=True)
    seconds = length.seconds_a_step(state, steps, plan.make_batches)
    num_train_steps = length.num_steps(plan.training.length, plan.steps_an_epoch, seconds)
    parameters = length.num_parameters(plan.model)
    # Parameters and two moments, float32, in each checkpoint kept and the next one.
    disk = 12 * parameters * (plan.training.loop.max_to_keep + 1)
    print(
        f"{parameters:,} parameters; {num_train_steps:,} steps = "
        f"{num_train_steps / plan.steps_an_epoch:.1f} epochs; about "
        f"{format_seconds(seconds * num_train_steps)}, "
        f"{format_bytes(length.peak_memory())} of memory, {format_bytes(disk)} of disk",
        flush=True,
    )
    for name, text in plan.files.items():
        run.write(name, text)
    run.record({**_record(plan), "num_train_steps": num_train_steps})
    return num_train_steps


def _num_steps(run: RunDirectory, plan: Plan, state: TrainState, steps: TrainSteps) -> int:
    """As recorded, unless drift to another length is allowed."""
    recorded, wanted = run.recorded(), plan.training.length
    if recorded.get("length") == dataclasses.asdict(wanted):
        return recorded["num_train_steps"]
    measured = wanted.max_minutes is not None
    seconds = length.seconds_a_step(state, steps, plan.make_batches) if measured else 0.0
    return length.num_steps(wanted, plan.steps_an_epoch, seconds)


def _check_never_saved(run: RunDirectory) -> None:
    """UserError where there is no checkpoint: step 0 is saved before anything is logged."""
    if read_metrics(run.metrics):
        raise UserError(
            f"{run.checkpoints}: the checkpoints are gone, though {run.metrics} tells of "
            "steps; bring them back, or start again in another directory"
        )


def _record_drift(
    run: RunDirectory, plan: Plan, drift: list[str], step: int, num_train_steps: int
) -> None:
    """The run goes on under other settings: they are its settings now."""
    for difference in drift:
        print(f"warning: going on although {difference}")
    for name, text in plan.files.items():
        run.write(name, text)
    earlier = run.recorded().get("drift", [])
    record = {**_record(plan), "num_train_steps": num_train_steps}
    run.record({**record, "drift": [*earlier, {"step": step, "differences": drift}]})


def _settled(options: LoopOptions, plan: Plan, num_train_steps: int) -> LoopOptions:
    """With what is left to the task and the model filled in."""
    every = plan.steps_an_epoch if plan.evaluate_each_epoch else num_train_steps // 10
    tokens = plan.batch_size * plan.seq_length
    a_call = length.steps_a_call(length.num_parameters(plan.model), tokens)
    return dataclasses.replace(
        options,
        eval_steps=options.eval_steps or max(1, every),
        steps_per_loop=options.steps_per_loop or a_call,
    )


def _recorder(
    run: RunDirectory, plan: Plan, restored: int | None, num_train_steps: int
) -> Recorder:
    """Logs cut back to the step training goes on from."""
    last_step = -1 if restored is None else restored
    metrics = MetricsLog(run.metrics, last_step)
    tensorboard = TensorBoard(run.logs, last_step)
    if restored is None:
        shown = (bool, int, float, str)
        settings = flat(_record(plan)).items()
        name = "/".join(run.path.absolute().parts[-2:])  # so that seed-0 says of what
        tensorboard.hparams(name, {k: x for k, x in settings if isinstance(x, shown)})
    items = plan.batch_size * (plan.seq_length if plan.unit == "tokens" else 1)
    progress = Progress(num_train_steps, max(last_step, 0), items, plan.unit)
    return Recorder(metrics, tensorboard, progress)


def _schedule(options: ScheduleOptions, num_train_steps: int) -> Schedule:
    warmup = int(options.warmup_share * num_train_steps)
    return warmup_then_decay(
        options.learning_rate, num_train_steps, warmup, options.decay_power
    )
