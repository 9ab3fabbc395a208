"""SIGTERM, Ctrl-C and a closed terminal: finish what must be finished, save, leave with
143, 130 or 129.

Signals belong to the process, so this module holds the process's one request.
"""

import contextlib
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator

_requested = 0
_deferred = 0  # how deeply nested
_raised = False
_checked = time.monotonic()


class Stopped(BaseException):  # not Exception: no error handler may swallow it
    """The run has been brought to a clean stop on request."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")


def install() -> None:
    """From now on a signal raises Stopped in the main thread, or waits in `deferred()`.

    A Ctrl-C after another signal ends the process at once.
    """
    handle_signals()
    # Python calls `_handle` between two bytecodes of the main thread, so not before a
    # long TensorFlow call is over. Through this pipe a signal is noticed at once.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()


def handle_signals() -> None:
    """Part of `install`; called again after TensorFlow has taken SIGTERM for itself."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        ignored = signal.getsignal(number) == signal.SIG_IGN
        if number != signal.SIGHUP or not ignored:  # nohup ignores it
            signal.signal(number, _handle)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Inside, a signal is only remembered; `check()` raises where it is safe.

    In Python that TensorFlow calls back, an exception would be printed and dropped.
    """
    global _deferred
    _deferred += 1
    try:
        yield
    finally:
        _deferred -= 1


def requested() -> bool:
    """Whether a signal has come."""
    return _requested != 0


def signal_number() -> int:
    """The signal that has come, 0 for none."""
    return _requested


def adopt(number: int) -> None:
    """Treats a signal to another process (0: none) as one to this process."""
    global _requested
    _requested = _requested or number


def exit_code() -> int:
    """As a shell would report the signal that has come."""
    return 128 + _requested


def check() -> None:
    """Raises Stopped when a signal has come. Each call is a sign of life."""
    global _checked
    _checked = time.monotonic()
    if _requested:
        raise Stopped(_requested)


def idle_seconds() -> float:
    """How long ago `check` was last called."""
    return time.monotonic() - _checked


def _handle(number: int, frame: types.FrameType | None) -> None:
    global _requested, _raised
    _requested = _requested or number
    if not _deferred and not _raised:  # a second would interrupt what the first set off
        _raised = True
        raise Stopped(_requested)


def _watch(reader: int) -> None:
    os.read(reader, 1)
    with contextlib.suppress(OSError):  # a terminal that is gone
        os.write(sys.stderr.fileno(), b"\nstopping; Ctrl-C now stops at once\n")
    while os.read(reader, 1)[0] != signal.SIGINT:
        pass
    os._exit(128 + signal.SIGINT)
