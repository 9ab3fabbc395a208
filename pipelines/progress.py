"""A line of progress now and then, from work that takes long."""

import time
from collections.abc import Callable


class Progress:
    """Prints a message at most every `interval` seconds, counted from the first call.

    The message is a function, called only when its line is due.
    """

    def __init__(self, interval: float = 3.0, say: Callable[[str], None] | None = None) -> None:
        self._interval = interval
        self._say = say or (lambda line: print(line, flush=True))
        self._started = self._last = 0.0

    def __call__(self, message: Callable[[], str]) -> None:
        now = time.monotonic()
        if not self._started:
            self._started = self._last = now
        if now - self._last >= self._interval:
            self._last = now
            self._say(f"  {message()} ({now - self._started:.0f} s)")
