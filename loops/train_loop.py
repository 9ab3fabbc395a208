"""The loop around the step: log, evaluate, save, stop. The same for every task."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bert_core.errors import RunError
from bert_core.escapes import escaped
from loops import stopping
from loops.checkpoints import marked_steps
from loops.loss_scale import MOST_SKIPPED
from loops.portable import read_lines
from loops.session import Session

Evaluate = Callable[[int], dict[str, float]]


class _NotFinite(Exception):
    """A loss or gradient was not finite more often than allowed."""

    def __init__(self, step: int, what: str, advice: str):
        super().__init__(f"step {step:,}: {what}")
        self.step, self.advice = step, advice


def train(session: Session, evaluate: Evaluate) -> None:
    """Trains from `state.step` to `num_train_steps`; evaluate(step) gives dev figures.

    Raises Stopped after saving, and RunError for whatever else ended training.
    """
    with stopping.deferred():
        try:
            _train(session, evaluate)
        except _NotFinite as error:
            path = _write_bad_batch(session, error.step)
            raise RunError(
                f"{error}, see {path}; {_last_saved(session)}. {error.advice} and name "
                "another --output_dir"
            ) from None
        except (OSError, RunError) as error:
            raise RunError(
                f"{error}; {_last_saved(session)}. Once that is fixed, go on with: "
                f"{session.run.command()}"
            ) from error
        finally:
            session.profiler.stop()


def _train(session: Session, evaluate: Evaluate) -> None:
    loop, recorder, total = session.loop, session.recorder, session.num_train_steps
    step = int(session.state.step.numpy())
    iterator = iter(session.make_batches(step, total))
    while True:
        # The log decides, not the step alone: a run stopped during an evaluation is saved
        # without its figures, and gets them when it is resumed.
        due = step > 0 and (step == total or step % (loop.eval_steps or total) == 0)
        if due and not recorder.metrics.has("dev", step):
            with recorder.progress.paused(), contextlib.suppress(stopping.Stopped):
                recorder.add("dev", step, evaluate(step))
        is_asked_to_stop = session.team.asked_to_stop()
        # Step 0 too: a disk that is too small shows now, not after hours.
        if step >= total or step % loop.checkpoint_steps == 0 or is_asked_to_stop:
            with recorder.progress.paused():
                recorder.sync()
                session.checkpoints.save(step)
        if is_asked_to_stop:
            recorder.progress.note(f"saved at step {step:,}; the same command resumes the run")
            stopping.check()
        if step >= total:
            return
        step = _run_window(session, iterator, step)


def _run_window(session: Session, iterator: Any, step: int) -> int:
    """One host call: all steps until the next stop. Returns the step after it."""
    recorder, total = session.recorder, session.num_train_steps
    stop_at = session.loop.next_stop(step, total)
    rates = [session.schedule(s) for s in range(step, stop_at)]
    with session.profiler.watching(step, stop_at):
        window = session.steps(iterator, rates)
    finite = np.isfinite(window["gradient_norm"]) & np.isfinite(window["loss_sum"])
    values = _means({name: column[finite] for name, column in window.items()})
    values["learning_rate"] = rates[-1]
    if "loss_scale" in window:
        values["loss_scale"] = float(window["loss_scale"][-1])
    bad = np.flatnonzero(~finite)
    if bad.size:
        values["skipped_steps"] = float(bad.size)
        _check_skipped(session, step, window, bad)
    recorder.add("train", stop_at, values)
    recorder.progress.update(stop_at, values)
    return stop_at


def _check_skipped(
    session: Session, step: int, window: dict[str, np.ndarray], bad: np.ndarray
) -> None:
    """Raises _NotFinite if there were more bad steps than a run may have."""
    if "skipped_in_a_row" in window:  # float16: some are normal, until the scale is found
        hopeless = np.flatnonzero(window["skipped_in_a_row"] >= MOST_SKIPPED)
        if hopeless.size:
            last = int(hopeless[0])
            raise _NotFinite(
                step + last,
                f"{MOST_SKIPPED} steps in a row are not finite in float16, with a loss scale "
                f"of {window['loss_scale'][last]:g} at the end",
                "Take --precision=bfloat16, or lower --learning_rate,",
            )
        return
    so_far = session.recorder.metrics.num_skipped + bad.size
    if so_far > session.loop.max_bad_steps:
        command = session.run.command(f"--max_bad_steps={so_far}")
        raise _NotFinite(
            step + int(bad[0]),
            "loss or gradient is not finite",
            f"To skip it: {command}; or lower --learning_rate",
        )


def _means(window: dict[str, np.ndarray]) -> dict[str, float]:
    """Means over the steps of a call, summed in float64; without a step there are none."""
    values = {}
    for name in (n.removesuffix("_sum") for n in window if n.endswith("_sum")):
        weight = window[f"{name}_weight"].sum(dtype=np.float64)
        if weight:
            values[name] = float(window[f"{name}_sum"].sum(dtype=np.float64) / weight)
    if window["gradient_norm"].size:
        values["gradient_norm"] = float(window["gradient_norm"].mean(dtype=np.float64))
    return values


def _last_saved(session: Session) -> str:
    steps = marked_steps(session.run.checkpoints)
    if not steps:
        return "nothing has been saved yet"
    return f"the last good checkpoint is {session.run.checkpoints / f'ckpt-{steps[-1]}'}"


def _write_bad_batch(session: Session, step: int) -> str:
    """Writes the batch of a step, made again from its number, for a person to read."""
    batch = next(iter(session.make_batches(step, step + 1)))
    name = f"bad_batch-{step}.txt"
    session.run.write(name, batch_as_text(batch, read_lines(session.run.path / "vocab.txt")))
    return str(session.run.path / name)


def batch_as_text(batch: Any, tokens: Sequence[str]) -> str:
    """Each row of a batch as its word pieces, and its other fields as numbers."""
    lines = []
    for row in range(len(batch.input_ids)):
        fields = {name: field[row].numpy() for name, field in batch._asdict().items()}
        words = " ".join(tokens[i] for i in fields.pop("input_ids"))
        lines += [f"row {row}", f"  {escaped(words)}"]
        lines += [f"  {name} {np.array2string(x, 10**6)}" for name, x in fields.items()]
    return "\n".join(lines) + "\n"
