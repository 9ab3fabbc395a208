"""Lines for a terminal, a log, a pipe nobody reads any more, a screen without umlauts."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loops import console
from loops.console import Progress, format_bytes, format_seconds, format_values
from tests.programs import ROOT


class Clock:
    """Monotonic seconds, set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        raise AssertionError("the clock on the wall may be set back")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    return clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_now_and_then(clock: Clock, capsys: pytest.CaptureFixture) -> None:
    progress = Progress(100, 0, 32, "texts")
    for step in range(1, 101):
        clock.now += 1
        progress.update(step, {"loss": 2.5, "learning_rate": 1e-4})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6  # the first, one every 20 seconds, and the last
    assert lines[0] == (
        "step 1/100  loss 2.500  learning rate 1.0e-04  32 texts/s  1 min 39 s left"
    )
    assert lines[-1].startswith("step 100/100")


def test_a_terminal_gets_one_line_rewritten(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    progress = Progress(3, 0, 1, "texts")
    for step in (1, 2, 3):
        clock.now += 1
        progress.update(step, {})
    progress.note("a note")
    text = terminal.getvalue()
    assert text.count("\n") == 2  # after the last step and the note
    assert text.count("\r\x1b[2Kstep") == 3
    assert text.endswith("\r\x1b[2Ka note\n")


def test_pauses_are_no_part_of_the_speed(clock: Clock, capsys: pytest.CaptureFixture) -> None:
    progress = Progress(20, 10, 10, "texts")
    with progress.paused():
        clock.now += 1000
    clock.now += 5
    progress.update(15, {})
    assert "10 texts/s  5 s left" in capsys.readouterr().out


def test_formats() -> None:
    assert [format_seconds(x) for x in (0.4, 59, 61, 3600, 36125)] == [
        "0 s", "59 s", "1 min 1 s", "1 h 0 min", "10 h 2 min",
    ]  # fmt: skip
    assert [format_bytes(x) for x in (5e5, 3.2e8, 1.5e9)] == ["0 MB", "320 MB", "1.5 GB"]
    assert list(format_values({"gradient_norm": 1.0})) == ["gradient norm 1.000"]


def test_text_does_not_command_the_terminal(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "a\x1b[2J\x1b]0;title\x07\rb\u202ec\x9b1m\x7f"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    console.harden_output()
    Progress(3, 0, 1, "texts").note(hostile)
    print(hostile, "tab\tstays", "\u00fc \U0001f469\u200d\U0001f52c")
    lines = terminal.getvalue().split("\n")
    shown = r"a\x1b[2J\x1b]0;title\x07\rb\u202ec\x9b1m\x7f"
    assert lines[0] == "\r\x1b[2K" + shown
    assert lines[1] == shown + " tab\tstays \u00fc \U0001f469\u200d\U0001f52c"


PRINTS = """
import sys, time
from loops import console
console.harden_output()
for i in range(2000):
    print("line", i, "a\\u0308 \\u00b1", flush=i % 2 == 0)
print("done", file=sys.stderr)
"""


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_a_reader_that_goes_away(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PRINTS],
        cwd=ROOT,
        env={**os.environ, "PYTHONCOERCECLOCALE": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line.startswith(b"line 0 a")
    process.stdout.close()
    assert process.stderr.read() == b"done\n"
    assert process.wait() == 0


def test_a_terminal_that_is_gone() -> None:
    master, slave = os.openpty()
    os.close(master)
    with os.fdopen(slave, "w") as terminal:
        screen = console._Hardened(terminal)
        for _ in range(2):
            print("nobody reads this", file=screen, flush=True)
        assert screen.broken


def test_a_disk_that_fails_is_no_terminal(tmp_path: Path) -> None:
    class Failing(io.TextIOWrapper):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    with (tmp_path / "out.txt").open("wb") as file, pytest.raises(OSError, match="Input/out"):
        console._Hardened(Failing(file)).write("a line")


HOLDS_BACK = """
import os
from loops import console
with console.stderr_held_back():
    os.write(2, b"noise of a library")
    console.print_error("worker 1 has gone")
console.print_error("and so on")
"""


def test_an_error_is_seen_while_libraries_are_not() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOLDS_BACK], cwd=ROOT, capture_output=True, check=True
    )
    assert done.stderr == b"worker 1 has gone\nand so on\n"


ASKS = """
import itertools
from loops import console
console.harden_output()
for i in itertools.count():
    print(i, flush=True)
    if console.reader_is_gone():
        break
"""


def test_work_without_end_can_stop_when_nobody_reads() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ASKS], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"0\n"
    process.stdout.close()
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_no_screen_at_all(closed: str) -> None:
    code = (
        "from loops import console\n"
        "console.harden_output()\n"
        "with console.stderr_held_back(): print('a')\n"
        "console.print_error('b')\n"
        "open('/dev/fd/1'), open('/dev/fd/2')"
    )
    shell = f'"{sys.executable}" -c "{code}" {closed}'
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, check=False)
    shown = (b"" if ">&-" in closed.split() else b"a\n", b"b\n" if closed == ">&-" else b"")
    assert (done.returncode, done.stdout, done.stderr) == (0, *shown)


def test_help_piped_to_head(tmp_path: Path) -> None:
    shell = f"set -o pipefail; {sys.executable} run_pretrain.py --help | head -n 1"
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
