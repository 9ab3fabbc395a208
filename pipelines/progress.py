"""A line of progress now and then, from work that takes a while."""

import functools
import sys
import time
from collections.abc import Callable

_BAR = 20  # characters
_ERASE = "\r\x1b[2K"  # the line the cursor is on


class Progress:
    """Shows a message now and then: with a bar and the time left, where the share is known.

    share: how much is done, from 0 to 1; None: not known.
    say: prints a line, or text with another `end`. In a terminal one line is overwritten.
    """

    def __init__(
        self,
        share: Callable[[], float] | None = None,
        say: Callable[..., None] | None = None,
    ) -> None:
        self._share = share
        self._say = say or functools.partial(print, flush=True)
        self._terminal = sys.stdout.isatty()
        self._interval = 0.2 if self._terminal else 3.0
        self._started = self._last = time.monotonic()

    def __call__(self, message: Callable[[], str]) -> None:
        """The message is a function, called only when its line is due."""
        now = time.monotonic()
        if now - self._last < self._interval:
            return
        self._last = now
        line = f"  {message()} {self._how_far(now - self._started)}"
        if self._terminal:
            self._say(_ERASE + line, end="")
        else:
            self._say(line)

    def close(self) -> None:
        """Leaves the line to others."""
        if self._terminal:
            print(_ERASE, end="", flush=True)

    def _how_far(self, seconds: float) -> str:
        share = self._share() if self._share else 0.0
        if not share:
            return f"({seconds:.0f} s)"
        bar = "#" * round(_BAR * share)
        left = seconds * (1 - share) / share
        return f"[{bar:{_BAR}}] {share:.0%}, {left:.0f} s left"
