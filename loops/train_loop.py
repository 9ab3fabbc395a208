"""The loop around the step: log, evaluate, save, stop. The same for every task."""

import dataclasses
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bert_core.schedule import Schedule
from loops import stopping
from loops.checkpoints import Checkpoints
from loops.console import Progress
from loops.metrics_log import MetricsLog
from loops.options import LoopOptions
from loops.tensorboard import TensorBoard
from loops.train_step import TrainState, TrainSteps

MakeBatches = Callable[[int, int], Iterable[Any]]  # (first step, number of steps)


class NotFinite(Exception):
    """A loss or gradient was not finite more often than allowed."""

    def __init__(self, step: int):
        super().__init__(f"step {step:,}: loss or gradient is not finite")
        self.step = step


@dataclasses.dataclass(frozen=True)
class Recorder:
    """Where numbers go: file, charts, screen."""

    metrics: MetricsLog
    tensorboard: TensorBoard
    progress: Progress

    def add(self, split: str, step: int, values: dict[str, float]) -> None:
        self.metrics.add(split, step, values)
        self.tensorboard.scalars(split, step, values)


def train(
    state: TrainState,
    steps: TrainSteps,
    schedule: Schedule,
    make_batches: MakeBatches,
    evaluate: Callable[[int], dict[str, float]],
    checkpoints: Checkpoints,
    recorder: Recorder,
    options: LoopOptions,
    num_train_steps: int,
) -> None:
    """Trains from `state.step` to `num_train_steps`.

    evaluate(step) gives the dev figures. Raises NotFinite, or Stopped after saving.
    """
    step = int(state.step.numpy())
    iterator = iter(make_batches(step, num_train_steps - step))
    with stopping.deferred():
        while step < num_train_steps:
            stop_at = options.next_stop(step, num_train_steps)
            rates = [schedule(s) for s in range(step, stop_at)]
            window = steps(iterator, rates)
            values = _summary(window, rates)
            _check_finite(window, step, recorder.metrics, values, options.max_bad_steps)
            step = stop_at
            recorder.add("train", step, values)
            recorder.progress.update(step, values)
            started = time.monotonic()
            last = step == num_train_steps
            if last or step % options.eval_steps == 0:
                recorder.add("dev", step, evaluate(step))
            if last or step % options.checkpoint_steps == 0 or stopping.requested():
                recorder.metrics.sync()
                recorder.tensorboard.flush()
                checkpoints.save(step)
            recorder.progress.pause(time.monotonic() - started)
            if stopping.requested():
                recorder.progress.note(f"saved at step {step:,}; the same command goes on")
            stopping.check()


def seconds_a_step(
    state: TrainState, steps: TrainSteps, make_batches: MakeBatches, timed_steps: int = 4
) -> float:
    """Measures the step at learning rate 0, then resets: nothing is changed by it."""
    iterator = iter(make_batches(0, timed_steps + 2))
    steps(iterator, [0.0, 0.0])  # traces, and warms up
    started = time.monotonic()
    steps(iterator, [0.0] * timed_steps)
    elapsed = time.monotonic() - started
    state.optimizer.reset()
    state.step.assign(0)
    return elapsed / timed_steps


def _summary(window: dict[str, np.ndarray], rates: list[float]) -> dict[str, float]:
    """Means over the finite steps of a call, summed in float64."""
    finite = np.isfinite(window["gradient_norm"])
    values = {}
    for name in (n.removesuffix("_sum") for n in window if n.endswith("_sum")):
        total = window[f"{name}_sum"][finite].sum(dtype=np.float64)
        weight = window[f"{name}_weight"][finite].sum(dtype=np.float64)
        values[name] = float(total / weight) if weight else float("nan")
    values["learning_rate"] = rates[-1]
    if finite.any():
        values["gradient_norm"] = float(window["gradient_norm"][finite].mean(dtype=np.float64))
    return values


def _check_finite(
    window: dict[str, np.ndarray],
    first_step: int,
    metrics: MetricsLog,
    values: dict[str, float],
    allowed: int,
) -> None:
    """Counts skipped steps over the whole run; raises NotFinite at one too many."""
    bad = np.flatnonzero(~np.isfinite(window["gradient_norm"]))
    if not bad.size:
        return
    before = sum(line.get("skipped_steps", 0) for line in metrics.lines)
    if before + bad.size > allowed:
        raise NotFinite(first_step + int(bad[max(0, allowed - before)]))
    values["skipped_steps"] = float(bad.size)


def write_bad_batch(directory: Path, step: int, text: str) -> Path:
    """Keeps the batch of a step that was not finite, for a person to read."""
    path = directory / f"bad_batch-{step}.txt"
    path.write_text(text, encoding="utf-8")
    return path
