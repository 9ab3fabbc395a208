"""What a person sees during a run: one progress line.

On a terminal the line is rewritten in place; in a log it is a plain line now and then.
"""

import contextlib
import errno
import io
import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import Any

from bert_core.escapes import escaped

_REDRAW = "\r\x1b[2K"  # clears the line the cursor is on
_LOG_SECONDS = 20.0  # between plain lines
_TERMINAL_SECONDS = 0.2


def harden_output() -> None:
    """Keeps a screen that is missing, or lacks some characters, from ending a run.

    Characters that the screen's encoding lacks are shown escaped, and so is what would
    command a terminal; once the reader of a pipe is gone (`| head`), output is dropped.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # After >&- or 2>&-. A new file gets the lowest free number, so each gets its own.
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stdout = _Hardened(sys.stdout)


def reader_is_gone() -> bool:
    """Whether nobody reads what is printed any more."""
    return isinstance(sys.stdout, _Hardened) and sys.stdout.broken


_terminal: int | None = None  # where stderr goes, while it is held back


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Holds back what is written to stderr, and shows it only if an exception is raised.

    TensorFlow's libraries print while they are loaded, whatever TF_CPP_MIN_LOG_LEVEL
    says (tensorflow/tensorflow#100442).
    """
    global _terminal
    sys.stderr.flush()
    terminal = _terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            _terminal = None
            os.dup2(terminal, 2)
            os.close(terminal)


def print_error(line: str) -> None:
    """A line on standard error, held back or not."""
    if _terminal is None:
        print(line, file=sys.stderr, flush=True)
    else:
        os.write(_terminal, f"{line}\n".encode(errors="backslashreplace"))


class _Hardened:
    """Standard output that copes with any text, and with having no reader.

    Control characters in other people's texts are escaped; once the reader or the
    terminal is gone, it is silent.
    """

    def __init__(self, stream: Any):
        self._stream = stream
        self.broken = False

    def write(self, text: str) -> int:
        ours = _REDRAW if text.startswith(_REDRAW) else ""
        with self._silent_when_broken():
            self._stream.write(ours + escaped(text[len(ours) :], kept="\t\n"))
        return len(text)

    def flush(self) -> None:
        with self._silent_when_broken():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _silent_when_broken(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # EIO means that the terminal is gone, or for a file, a disk error.
            on_disk = stat.S_ISREG(os.fstat(self._stream.fileno()).st_mode)
            if error.errno not in (errno.EPIPE, errno.EIO) or on_disk:
                raise
            self.broken = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class Progress:
    """step/total, some values, tokens/s, time left."""

    def __init__(self, total: int, first: int, items_per_step: int, unit: str):
        self._total, self._items, self._unit = total, items_per_step, unit
        self._terminal = sys.stdout.isatty()
        self._shown = 0.0
        self._start_time, self._start_step = time.monotonic(), first
        self._paused = 0.0

    def update(self, step: int, values: dict[str, float]) -> None:
        """Shows the line when it is due, and at the last step."""
        now = time.monotonic()
        due = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        if now - self._shown < due and step < self._total:
            return
        self._shown = now
        done = step - self._start_step
        seconds_per_step = (now - self._start_time - self._paused) / max(done, 1)
        left = (self._total - step) * seconds_per_step
        parts = [self._place(step), *format_values(values)]
        parts.append(f"{self._items / max(seconds_per_step, 1e-9):,.0f} {self._unit}/s")
        parts.append(f"{format_seconds(left)} left")
        line = "  ".join(parts)
        if self._terminal:
            print(f"{_REDRAW}{line}", end="" if step < self._total else "\n", flush=True)
        else:
            print(line, flush=True)

    def _place(self, step: int) -> str:
        return f"step {step:,}/{self._total:,}"

    def note(self, text: str) -> None:
        """A line of its own, above the progress line."""
        print(f"{_REDRAW}{text}" if self._terminal else text, flush=True)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Keeps time that is not training (evaluation, saving) out of the speed."""
        started = time.monotonic()
        yield
        self._paused += time.monotonic() - started


class Bar(Progress):
    """The same with a bar, for work counted in texts or words, not steps."""

    def __init__(self, total: int, unit: str = "texts"):
        super().__init__(total, 0, 1, unit)

    def _place(self, step: int) -> str:
        filled = "#" * (20 * step // self._total)
        return f"[{filled:<20}] {step:,}/{self._total:,}"


def format_values(values: dict[str, float]) -> Iterable[str]:
    """ "loss 5.123", with rates in short scientific form."""
    for name, value in values.items():
        words = name.replace("_", " ")
        yield f"{words} {value:.1e}" if name == "learning_rate" else f"{words} {value:.3f}"


def format_seconds(seconds: float) -> str:
    """42 s, 3 min 20 s, 5 h 7 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_bytes(count: float) -> str:
    """1.5 GB, 320 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
