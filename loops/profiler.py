"""Traces some steps for TensorBoard's profiler. Without steps to trace it does nothing."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from loops.failures import disk_errors


class Profiler:
    """Traces whole host calls: those that the steps [first, end) fall into.

    So the calls, and the means logged of them, are the same with and without tracing.
    """

    def __init__(self, logs: Path, steps: tuple[int, int] | None, note: Callable[[str], None]):
        self._logs, self._steps, self._note = logs, steps, note
        self._traced: tuple[int, int] | None = None  # steps so far, while it is on

    @contextlib.contextmanager
    def watching(self, step: int, stop_at: int) -> Iterator[None]:
        """Around a call that runs the steps [step, stop_at)."""
        first, end = self._steps or (0, 0)
        if step < end and stop_at > first:
            if self._traced is None:
                with disk_errors(self._logs):
                    tf.profiler.experimental.start(str(self._logs))
                self._traced = step, stop_at
            self._traced = self._traced[0], stop_at
        yield
        if stop_at >= end:
            self.stop()

    def stop(self) -> None:
        """Writes what has been traced, if anything; also called when training ends early."""
        if self._traced is None:
            return
        (first, end), self._traced = self._traced, None
        with disk_errors(self._logs):
            tf.profiler.experimental.stop()
        where = self._logs / "plugins" / "profile"
        self._note(f"profile of steps {first:,} to {end - 1:,} in {where}")
