"""TensorFlow's exceptions, in terms of what they mean to the user."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from bert_core.errors import RunError


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what is raised while writing `path` into OSError: the disk is full or gone."""
    try:
        yield
    # A full disk is ResourceExhaustedError, a limit on file sizes OutOfRangeError, ...
    except tf.errors.OpError as error:
        raise OSError(f"{path}: cannot be written ({_first_line(error)})") from error


@contextlib.contextmanager
def memory_errors(
    rows: int, remedy: str = "--micro_batch_size={} --allow_drift"
) -> Iterator[None]:
    """Turns lack of memory into RunError, which says what to try.

    rows: computed at a time.
    remedy: the flags for {} rows. A run has recorded its number, hence --allow_drift.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        smaller = next((n for n in (2, 3, 5, 7) if rows % n == 0), rows)
        advice = (
            "take a smaller model or shorter sequences"
            if rows == 1
            else f"{remedy.format(rows // smaller)} takes less memory"
        )
        raise RunError(
            f"out of memory with {rows} sequences at a time ({_first_line(error)}); {advice}"
        ) from error


def _first_line(error: tf.errors.OpError) -> str:
    lines = [line.strip() for line in error.message.splitlines()]
    told = [line for line in lines if line and line != "Graph execution error:"]
    return told[0] if told else type(error).__name__
