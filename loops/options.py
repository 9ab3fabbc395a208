"""The options of training, as frozen dataclasses. No TensorFlow here."""

import dataclasses
import math

from bert_core.adamw_options import AdamWOptions
from bert_core.errors import UserError
from loops.cluster import Cluster


@dataclasses.dataclass(frozen=True)
class ScheduleOptions:
    """Learning rate over a run (bert_core/schedule.py)."""

    learning_rate: float
    warmup_share: float = 0.06  # of all steps
    decay_power: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise UserError(f"--learning_rate={self.learning_rate}: must be above 0 and finite")
        if not 0 <= self.warmup_share < 1:
            raise UserError(
                f"--warmup_share={self.warmup_share}: must be at least 0 and below 1, "
                "or training would end before the warmup does"
            )
        if not 0 <= self.decay_power < math.inf:
            raise UserError(f"--decay_power={self.decay_power}: must be at least 0 and finite")


@dataclasses.dataclass(frozen=True)
class LengthOptions:
    """How long to train: steps, epochs or minutes; if minutes are given with one of the
    others, whichever is over first."""

    num_train_steps: int | None = None
    num_epochs: float | None = None
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        given = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        if not given or {"num_train_steps", "num_epochs"} <= given.keys():
            raise UserError(
                "give --num_train_steps or --num_epochs, not both, or --max_minutes, alone or "
                f"with one of them; given: {', '.join(given) or 'none'}"
            )
        for name, value in given.items():
            if not 0 < value < 1e15:
                raise UserError(f"--{name}={value}: must be above 0 and finite")


@dataclasses.dataclass(frozen=True)
class LoopOptions:
    """When to do what, in optimiser steps."""

    steps_per_loop: int | None = None  # steps per host call; None: depends on the model
    eval_steps: int | None = None  # between evaluations; None: depends on the task
    checkpoint_steps: int = 500  # between checkpoints
    max_to_keep: int = 3  # checkpoints
    max_bad_steps: int = 0  # steps with a loss that is not finite to skip before stopping

    def __post_init__(self) -> None:
        for name in ("steps_per_loop", "eval_steps", "checkpoint_steps"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UserError(f"--{name}={getattr(self, name)}: must be at least 1")
        if self.max_to_keep < 2:
            raise UserError(
                f"--max_to_keep={self.max_to_keep}: must be at least 2, so that one whole "
                "checkpoint stays while the next is written"
            )
        if self.max_bad_steps < 0:
            raise UserError(f"--max_bad_steps={self.max_bad_steps}: must be at least 0")

    def next_stop(self, step: int, num_train_steps: int) -> int:
        """Where the host call that starts at `step` ends.

        A function of the step alone, so an interrupted run makes the same calls and
        logs the same means as one that was not.
        """
        intervals = (self.steps_per_loop, self.eval_steps, self.checkpoint_steps)
        ends = [(step // every + 1) * every for every in intervals if every is not None]
        return min([num_train_steps, *ends])


PRECISIONS = ("float32", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class RuntimeOptions:
    """The process, not the model."""

    num_threads: int = 0  # 0: as many as the cores this process may use
    xla: bool = False
    verbose: bool = False
    allow_drift: bool = False
    precision: str = "float32"  # of matrix products, of PRECISIONS
    recompute: bool = False  # blocks, for their gradients

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UserError(
                f"--precision={self.precision}: must be auto or one of {', '.join(PRECISIONS)}"
            )
        if not 0 <= self.num_threads <= 4096:
            raise UserError(f"--num_threads={self.num_threads}: must be 0 (all cores) or more")


DISTRIBUTIONS = ("auto", "one_device", "mirrored", "multi_worker")
_PORTS_APART = 1000  # between TensorFlow's port and the one for loops/peers.py


@dataclasses.dataclass(frozen=True)
class DistributionOptions:
    """The devices to train on."""

    kind: str = "auto"  # of DISTRIBUTIONS
    cluster: Cluster | None = None  # several workers, of which this process is one
    batch_size: int = 0  # rows per step, to be shared
    micro_batch_size: int | None = None
    peer_timeout: float = 300.0  # seconds that workers wait for each other
    peer_port: int | None = None  # of the chief; None: 1000 above TensorFlow's

    def __post_init__(self) -> None:
        if self.kind not in DISTRIBUTIONS:
            raise UserError(
                f"--distribution={self.kind}: must be one of {', '.join(DISTRIBUTIONS)}"
            )
        if not 1 <= self.peer_timeout < 1e6:
            raise UserError(f"--peer_timeout={self.peer_timeout}: must be 1 or more seconds")
        if self.cluster and not 0 < self.port < 2**16:
            raise UserError(f"--peer_port={self.port}: must be a port, 1 to 65535")
        workers = len(self.cluster.addresses) if self.cluster else 1
        if self.batch_size % workers:
            raise UserError(
                f"--batch_size={self.batch_size}: the {workers} workers of TF_CONFIG cannot "
                f"share it evenly; name a multiple of {workers}"
            )

    @property
    def port(self) -> int:
        """The chief's, for loops/peers.py."""
        if self.peer_port is not None:
            return self.peer_port
        chiefs = self.cluster.host_and_port(0)[1] if self.cluster else 0
        return chiefs + (_PORTS_APART if chiefs + _PORTS_APART < 2**16 else -_PORTS_APART)


OPTIMIZERS = ("adamw", "lamb")


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """All options that every task shares."""

    adamw: AdamWOptions
    schedule: ScheduleOptions
    length: LengthOptions
    loop: LoopOptions
    runtime: RuntimeOptions
    micro_batch_size: int | None = None  # rows of a batch taken at a time; None: all
    profile_steps: tuple[int, int] | None = None  # [first, end) to trace
    optimizer: str = "adamw"  # of OPTIMIZERS

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise UserError(
                f"--optimizer={self.optimizer}: must be one of {', '.join(OPTIMIZERS)}"
            )
