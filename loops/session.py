"""Opening a run: new or resumed, with everything the loop needs.

The order matters: weights, then the run's files, run.json last, then the newest
checkpoint, then logs cut back to it.
"""

import dataclasses

from bert_core.errors import UserError
from bert_core.schedule import Schedule
from loops import length, startup
from loops.checkpoints import Checkpoints
from loops.console import Progress, format_bytes, format_seconds
from loops.metrics_log import MetricsLog, read_metrics
from loops.options import LoopOptions
from loops.peers import Team
from loops.plan import (
    MakeBatches,
    Plan,
    build,
    identity,
    measured,
    record_of,
    schedule,
    settled,
)
from loops.profiler import Profiler
from loops.run_directory import RunDirectory, flat
from loops.tensorboard import TensorBoard
from loops.train_step import TrainState, TrainSteps


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
    team: Team
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
    """Starts a run in `run`, or resumes the one that is there.

    Raises UserError if that one was made with other settings or is damaged. Of several
    workers only the chief calls this; the others follow in loops/follower.py.
    """
    options, team = plan.training, plan.replicas.team
    team.check_same(identity(plan))
    micro_batch_size, drift = (None, []) if run.is_new else _check_drift(run, plan)
    state, steps = build(plan, team.from_chief(micro_batch_size))
    restored = None
    if run.is_new:
        checkpoints = Checkpoints(run.checkpoints, state, options.loop.max_to_keep)
        num_train_steps = _start(run, plan, state, steps)
    else:
        _check_precision(run, options.runtime.precision)
        num_train_steps = _num_steps(run, plan, state, steps)
        checkpoints = Checkpoints(run.checkpoints, state, options.loop.max_to_keep)
        restored = checkpoints.restore_latest()
        _check_complete(run, restored)
        if drift:
            _check_ahead(run, restored or 0, num_train_steps)
            _record_drift(run, plan, steps, drift, restored or 0, num_train_steps)
        run.write("flags.txt", plan.files["flags.txt"])  # it may have been moved since
        print("\n".join(startup.header(options.runtime, run.path, restored or 0)))
    team.from_chief(num_train_steps)
    plan.replicas.spread(state.variables)
    recorder = _recorder(run, plan, restored, num_train_steps)
    if options.profile_steps:
        first, end = options.profile_steps
        done = restored or 0
        if first >= num_train_steps or end <= done < num_train_steps:
            print(f"warning: --profile_steps={first}:{end}: not ahead; nothing is traced")
    return Session(
        run=run,
        team=team,
        state=state,
        steps=steps,
        checkpoints=checkpoints,
        recorder=recorder,
        profiler=Profiler(run.logs, options.profile_steps, recorder.progress.note),
        make_batches=plan.make_batches,
        schedule=schedule(options.schedule, num_train_steps),
        peak_rate=options.schedule.learning_rate,
        loop=settled(options.loop, plan, num_train_steps),
        num_train_steps=num_train_steps,
    )


def _check_precision(run: RunDirectory, precision: str) -> None:
    """UserError where checkpoints have a loss scale and the run has none, or vice versa."""
    recorded = run.recorded()["precision"]
    if recorded != precision and "float16" in (recorded, precision):
        raise UserError(
            f"--precision={precision}: {run.path} is a run in {recorded}, and only checkpoints "
            "of float16 hold a loss scale; name another --output_dir, and start there from "
            f"--init_checkpoint={run.path}"
        )


def _check_drift(run: RunDirectory, plan: Plan) -> tuple[int | None, list[str]]:
    """The size of micro-batches to go on with, and all that differs from the run's record.

    Without the flag, the size is what the run began with, if the present devices can share
    such micro-batches.
    """
    options, count = plan.training, plan.replicas.count
    recorded = run.recorded().get("micro_batch_size")
    record = record_of(plan, options.micro_batch_size or recorded)
    drift = run.check_same(record, options.runtime.allow_drift)
    size = options.micro_batch_size or recorded or plan.batch_size
    if plan.batch_size % (size * count) == 0:
        return size, drift
    share = plan.batch_size // count
    return share, [*drift, f"micro_batch_size: {size} then, {share} now, to be shared evenly"]


def _start(run: RunDirectory, plan: Plan, state: TrainState, steps: TrainSteps) -> int:
    """Measures a step, fixes the number of steps, writes the run's files."""
    print("\n".join(startup.header(plan.training.runtime, run.path, None)), flush=True)
    seconds = measured(plan, state, steps, plan.replicas.team.from_chief(True))
    num_train_steps = length.num_steps(plan.training.length, plan.steps_per_epoch, seconds)
    parameters = length.num_parameters(plan.model)
    # Parameters and two moments, float32, in each checkpoint kept and the next one.
    disk = 12 * parameters * (plan.training.loop.max_to_keep + 1)
    print(
        f"{parameters:,} parameters; {num_train_steps:,} steps = "
        f"{num_train_steps / plan.steps_per_epoch:.1f} epochs; about "
        f"{format_seconds(seconds * num_train_steps)}, "
        f"{format_bytes(length.peak_memory())} of memory, {format_bytes(disk)} of disk",
        flush=True,
    )
    for name, text in plan.files.items():
        run.write(name, text)
    record = record_of(plan, steps.micro_batch_size)
    run.record({**record, "num_train_steps": num_train_steps})
    return num_train_steps


def _num_steps(run: RunDirectory, plan: Plan, state: TrainState, steps: TrainSteps) -> int:
    """As recorded, unless drift to another length is allowed."""
    recorded, wanted = run.recorded(), plan.training.length
    is_same = recorded.get("length") == dataclasses.asdict(wanted)
    must_measure = not is_same and wanted.max_minutes is not None
    seconds = measured(plan, state, steps, plan.replicas.team.from_chief(must_measure))
    if is_same:
        return recorded["num_train_steps"]
    return length.num_steps(wanted, plan.steps_per_epoch, seconds)


def _check_complete(run: RunDirectory, restored: int | None) -> None:
    """UserError where checkpoints or figures are gone.

    Step 0 is saved before anything is logged, and figures tell which weights were best.
    """
    lines = read_metrics(run.metrics)
    if restored and not lines:
        raise UserError(
            f"{run.metrics}: is gone, or empty, though {run.checkpoints} holds step "
            f"{restored:,}; bring it back, or start again in another directory"
        )
    if restored is None and lines:
        raise UserError(
            f"{run.checkpoints}: the checkpoints are gone, though {run.metrics} tells of "
            "steps; bring them back, or start again in another directory"
        )


def _check_ahead(run: RunDirectory, step: int, num_train_steps: int) -> None:
    """UserError if the run is already past the length asked for, and that is a new one."""
    is_another_length = num_train_steps != run.recorded()["num_train_steps"]
    if is_another_length and step >= num_train_steps:
        raise UserError(
            f"{run.path}: is at step {step:,}, and the length asked for is {num_train_steps:,} "
            "steps; ask for more, or name another --output_dir"
        )


def _record_drift(
    run: RunDirectory,
    plan: Plan,
    steps: TrainSteps,
    drift: list[str],
    step: int,
    num_train_steps: int,
) -> None:
    """The run goes on under other settings: they are its settings now."""
    for difference in drift:
        print(f"warning: going on although {difference}")
    for name, text in plan.files.items():
        run.write(name, text)
    earlier = run.recorded().get("drift", [])
    record = {**record_of(plan, steps.micro_batch_size), "num_train_steps": num_train_steps}
    run.record({**record, "drift": [*earlier, {"step": step, "differences": drift}]})


def _recorder(
    run: RunDirectory, plan: Plan, restored: int | None, num_train_steps: int
) -> Recorder:
    """Logs cut back to the step training goes on from."""
    last_step = -1 if restored is None else restored
    metrics = MetricsLog(run.metrics, last_step)
    tensorboard = TensorBoard(run.logs, last_step)
    if restored is None:
        shown = (bool, int, float, str)
        settings = flat(record_of(plan, plan.training.micro_batch_size)).items()
        name = "/".join(run.path.absolute().parts[-2:])  # so that seed-0 says of which run
        tensorboard.hparams(name, {k: x for k, x in settings if isinstance(x, shown)})
    items = plan.batch_size * (plan.seq_length if plan.unit == "tokens" else 1)
    progress = Progress(num_train_steps, max(last_step, 0), items, plan.unit)
    return Recorder(metrics, tensorboard, progress)
