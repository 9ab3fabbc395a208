"""What a program wants to train, and the setup that all workers share."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from bert_core.compute import set_compute
from bert_core.schedule import Schedule, warmup_then_decay
from loops import length, startup
from loops.distribution import Replicas
from loops.options import LoopOptions, ScheduleOptions, TrainingOptions
from loops.run_directory import flat
from loops.train_step import TrainState, TrainSteps

MakeBatches = Callable[[int, int], Iterable[Any]]  # (first step, end step)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a program wants to train; `record` is what its numbers depend on."""

    model: tf.Module
    make_batches: MakeBatches
    steps_per_epoch: float
    batch_size: int  # sequences per step
    seq_length: int  # tokens per sequence, at most
    unit: str  # of speed: "tokens" or "texts"
    training: TrainingOptions
    evaluate_each_epoch: bool  # or ten times a run, if --eval_steps is not given
    seed: int
    record: Mapping[str, Any]
    files: Mapping[str, str]  # of the run directory, name -> text
    replicas: Replicas = dataclasses.field(default_factory=Replicas)  # the model is theirs


def build(plan: Plan, micro_batch_size: int | None) -> tuple[TrainState, TrainSteps]:
    """What is trained, and how; a `micro_batch_size` given here overrides the flag."""
    options, runtime, replicas = plan.training, plan.training.runtime, plan.replicas
    set_compute(plan.model, runtime.precision, runtime.recompute)
    with replicas.scope():
        state = TrainState(plan.model, options.adamw, options.optimizer, runtime.precision)
    micro_batch_size = micro_batch_size or options.micro_batch_size
    steps = TrainSteps(
        state, plan.seed, options.runtime.xla, plan.batch_size, micro_batch_size, replicas
    )
    return state, steps


def identity(plan: Plan) -> dict[str, Any]:
    """What must be the same on all workers."""
    record = flat(record_of(plan, plan.training.micro_batch_size))
    return {name: value for name, value in record.items() if name != "num_threads"}


def record_of(plan: Plan, micro_batch_size: int | None) -> dict[str, Any]:
    """What the run's numbers depend on; a resume must agree with it."""
    options = plan.training
    record = {**plan.record, **startup.runtime_record(options.runtime)}
    record["micro_batch_size"] = micro_batch_size
    record["optimizer"] = options.optimizer
    for part in ("adamw", "schedule", "length", "loop"):
        record[part] = dataclasses.asdict(getattr(options, part))
    # These two affect no logged number, and may differ from start to start.
    del record["loop"]["max_to_keep"], record["loop"]["max_bad_steps"]
    return record


def measured(plan: Plan, state: TrainState, steps: TrainSteps, must_measure: bool) -> float:
    """The seconds a step takes; 0 if that need not be known."""
    if not must_measure:
        return 0.0
    window = getattr(getattr(plan.model, "config", None), "attention_window", 0)
    return length.seconds_per_step(state, steps, plan.make_batches, window)


def settled(options: LoopOptions, plan: Plan, num_train_steps: int) -> LoopOptions:
    """The options, with what depends on the task and the model filled in."""
    every = round(plan.steps_per_epoch) if plan.evaluate_each_epoch else num_train_steps // 10
    tokens = plan.batch_size * plan.seq_length
    a_call = length.steps_per_call(length.num_parameters(plan.model), tokens)
    return dataclasses.replace(
        options,
        eval_steps=options.eval_steps or max(1, every),
        steps_per_loop=options.steps_per_loop or a_call,
    )


def schedule(options: ScheduleOptions, num_train_steps: int) -> Schedule:
    warmup = int(options.warmup_share * num_train_steps)
    return warmup_then_decay(
        options.learning_rate, num_train_steps, warmup, options.decay_power
    )
