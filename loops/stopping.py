"""SIGTERM and Ctrl-C: finish what must be finished, save, leave with 143 or 130.

Signals belong to the process, so this module holds the process's one request.
"""

import contextlib
import os
import signal
import types
from collections.abc import Iterator

_requested = 0
_deferred = False


class Stopped(Exception):
    """The run has been brought to a clean stop on request."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def install() -> None:
    """From now on a signal raises Stopped in the main thread, or waits in `deferred()`."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _handle)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Inside, a signal is only remembered; `check()` raises where it is safe."""
    global _deferred
    _deferred = True
    try:
        yield
    finally:
        _deferred = False


def requested() -> bool:
    """Whether a signal has come."""
    return _requested != 0


def check() -> None:
    """Raises Stopped when a signal has come."""
    if _requested:
        raise Stopped(_requested)


def _handle(number: int, frame: types.FrameType | None) -> None:
    global _requested
    if _requested and number == signal.SIGINT:
        os._exit(128 + number)  # the second Ctrl-C does not wait for anything
    _requested = number
    if not _deferred:
        raise Stopped(number)
