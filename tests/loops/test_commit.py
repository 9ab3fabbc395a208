"""A checkpoint is whole and on the disk before it counts: seen from the system calls."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from loops.checkpoints import Checkpoints
from tests.programs import Program, Zygote
from tests.save_program import State

CALLS = (
    "open,openat,creat,write,writev,pwrite64,ftruncate,fsync,fdatasync,"
    "rename,renameat,renameat2,mkdir,mkdirat,rmdir,unlink,unlinkat"
)


class Place(NamedTuple):
    """The `count`-th system call of one name."""

    call: str
    count: int


def save_traced(zygote: Zygote, directory: Path, *options: str) -> int:
    """Saves once more into `directory` under strace; returns how the process ended."""
    program = zygote.start("tests/save_program.py", str(directory))
    program.until(lambda: _status(program, "State").startswith("T"))
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", f"--trace={CALLS}", "-p", str(program.pid), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    while tracer.poll() is None and _status(program, "TracerPid") == "0":
        time.sleep(0.002)
    traced = tracer.poll() is None
    program.send(signal.SIGCONT)
    status = program.end().status
    _, errors = tracer.communicate()
    if not traced:
        pytest.skip(f"strace cannot attach: {errors.splitlines()[0]}")
    return status


def _status(program: Program, field: str) -> str:
    text = Path(f"/proc/{program.pid}/status").read_text()
    return re.search(rf"^{field}:\s*(.*)$", text, re.MULTILINE)[1]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A directory with the checkpoints 10 and 20, full for max_to_keep=2."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    state = State()
    checkpoints = Checkpoints(tmp_path / "checkpoints", state, max_to_keep=2)
    for step in (10, 20):
        state.set(step)
        checkpoints.save(step)
    return tmp_path / "checkpoints"


def calls_of_a_save(zygote: Zygote, saved: Path) -> list[str]:
    """The lines of strace, one a call, of the next save."""
    log = saved.parent / "strace.txt"
    assert save_traced(zygote, saved, "-o", str(log)) == 0
    lines = [x for x in log.read_text().splitlines() if re.match(r"\d+ +\w+\(", x)]
    # What the interpreter does when it ends is not part of the save.
    last = max(i for i, line in enumerate(lines) if str(saved) in line)
    thread = lines[last].split()[0]  # strace counts the calls of each thread apart
    return [line for line in lines[: last + 1] if line.split()[0] == thread]


def test_synced_before_the_marker_is_renamed(zygote: Zygote, saved: Path) -> None:
    calls = calls_of_a_save(zygote, saved)

    def places(pattern: str) -> list[int]:
        found = [i for i, call in enumerate(calls) if re.search(pattern, call)]
        assert found, pattern
        return found

    (marked,) = places(r'rename\(.*, "[^"]*/ckpt-30\.json"\)')
    for name in (r"ckpt-30\.data-00000-of-00001", r"ckpt-30\.index"):
        in_place = max(places(rf'(rename\(.*, "|O_CREAT|write\().*{name}'))
        (synced,) = places(rf"fsync\(\d+<[^>]*/{name}>\)")
        assert in_place < synced < marked
    (marker_synced,) = places(r"fsync\(\d+<[^>]*/ckpt-30\.json\.tmp>\)")
    assert max(places(r"write\(\d+<[^>]*/ckpt-30\.json\.tmp>")) < marker_synced < marked
    directory_synced = places(r"fsync\(\d+<[^>]*/checkpoints>\)")
    assert directory_synced[0] < marked < directory_synced[-1]


def killed_at(zygote: Zygote, saved: Path, places: Sequence[Place]) -> set[int]:
    """Kills a save at each of these calls; the steps that could be restored afterwards."""
    found = set()
    for place in places:
        directory = saved.parent / f"killed-{place.call}-{place.count}"
        shutil.copytree(saved, directory)
        inject = f"--inject={place.call}:signal=SIGKILL:when={place.count}"
        log = str(saved.parent / "log.txt")
        assert save_traced(zygote, directory, inject, "-o", log) == -signal.SIGKILL, place
        state = State()
        checkpoints = Checkpoints(directory, state, max_to_keep=2)
        step = checkpoints.restore_latest()
        assert step in (20, 30), place
        assert state.step == step, place
        stray = [p.name for p in directory.iterdir() if "temp" in p.name or ".tmp" in p.name]
        assert not stray, place
        # The next save must work too, whatever was left behind.
        state.set(step + 10)
        checkpoints.save(step + 10)
        assert Checkpoints(directory, State(), 2).restore_latest() == step + 10, place
        found.add(step)
    return found


def places_of_a_save(zygote: Zygote, saved: Path) -> list[Place]:
    """Where a save can be killed: strace also counts the calls of each name apart."""
    copy = saved.parent / "untouched"
    shutil.copytree(saved, copy)
    names = [line.split()[1].partition("(")[0] for line in calls_of_a_save(zygote, copy)]
    return [Place(name, names[: i + 1].count(name)) for i, name in enumerate(names)]


def test_killed_at_some_calls(zygote: Zygote, saved: Path) -> None:
    places = places_of_a_save(zygote, saved)
    some = [*places[:: len(places) // 3], places[-1]]
    assert killed_at(zygote, saved, some) == {20, 30}


@pytest.mark.soak
def test_killed_at_every_call(
    zygote: Zygote, saved: Path, capsys: pytest.CaptureFixture
) -> None:
    places = places_of_a_save(zygote, saved)
    assert killed_at(zygote, saved, places) == {20, 30}
    with capsys.disabled():
        print(f"\nkilled a save at each of its {len(places)} calls, lost 0")
