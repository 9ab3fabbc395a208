"""The loop around the step: log, evaluate, save, stop. The same for every task."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from loops import stopping
from loops.metrics_log import MetricsLog
from loops.session import Session


class NotFinite(Exception):
    """A loss or gradient was not finite more often than allowed."""

    def __init__(self, step: int):
        super().__init__(f"step {step:,}: loss or gradient is not finite")
        self.step = step


def train(session: Session, evaluate: Callable[[int], dict[str, float]]) -> None:
    """Trains from `state.step` to `num_train_steps`; evaluate(step) gives dev figures.

    Raises NotFinite, or Stopped after saving.
    """
    options, recorder, total = session.loop, session.recorder, session.num_train_steps
    step = int(session.state.step.numpy())
    iterator = iter(session.make_batches(step, total))
    with stopping.deferred():
        while step < total:
            stop_at = options.next_stop(step, total)
            rates = [session.schedule(s) for s in range(step, stop_at)]
            window = session.steps(iterator, rates)
            values = _summary(window, rates)
            _check_finite(window, step, recorder.metrics, values, options.max_bad_steps)
            step = stop_at
            recorder.add("train", step, values)
            recorder.progress.update(step, values)
            with recorder.progress.paused():
                if step == total or step % (options.eval_steps or total) == 0:
                    recorder.add("dev", step, evaluate(step))
                if (
                    step == total
                    or step % options.checkpoint_steps == 0
                    or stopping.requested()
                ):
                    recorder.sync()
                    session.checkpoints.save(step)
            if stopping.requested() and step < total:
                recorder.progress.note(f"saved at step {step:,}; the same command goes on")
                stopping.check()


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
