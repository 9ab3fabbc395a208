"""The faults of machines and people, on the programs themselves."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loops.metrics_log import last_of
from loops.run_directory import RunDirectory
from tests.programs import (
    ROOT,
    Ended,
    Runs,
    Zygote,
    pretrain_command,
    variables_of,
)


def error_of(ended: Ended, status: int) -> str:
    """The one line that says what is wrong."""
    assert ended.status == status, ended.output
    assert "Traceback" not in ended.output
    (line,) = re.findall(r"^run_\w+\.py: .*$", ended.output, re.MULTILINE)
    assert ended.output.rstrip().endswith(line)
    return line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_the_disk_fills_up_while_training(
    zygote: Zygote, data: Path, untouched: Runs, small_disk: Path, tmp_path: Path
) -> None:
    run = small_disk / "run"
    cache = untouched.pretrain.parent / "cache"
    command = pretrain_command(data, run, cache)
    program = zygote.start(*command)
    assert program.until((run / "checkpoints" / "ckpt-20.json").exists)
    program.send(signal.SIGSTOP)
    filler = fill(small_disk)
    program.send(signal.SIGCONT)
    line = error_of(program.end(), 1)
    assert re.search(r"the last good checkpoint is \S*/ckpt-\d+\. Then go on by: python", line)
    filler.unlink()
    assert zygote.run(*command).status == 0
    assert (run / "metrics.jsonl").read_bytes() == (
        untouched.pretrain / "metrics.jsonl"
    ).read_bytes()
    ends = [variables_of(r / "checkpoints" / "ckpt-60") for r in (run, untouched.pretrain)]
    assert ends[0] == ends[1]


def test_a_disk_that_is_full_from_the_start(
    zygote: Zygote, data: Path, untouched: Runs, small_disk: Path, tmp_path: Path
) -> None:
    fill(small_disk)
    store = pretrain_command(data, tmp_path / "run", small_disk / "cache")
    assert "cache" in error_of(zygote.run(*store), 2)
    cache = untouched.pretrain.parent / "cache"
    run = pretrain_command(data, small_disk / "run", cache)
    ended = zygote.run(*run)
    assert ended.status in (1, 2)
    assert "No space left" in error_of(ended, ended.status)
    (small_disk / "filler").unlink()
    assert zygote.run(*run).status == 0
    assert not list((small_disk / "cache").glob("*/store"))


def test_a_disk_that_becomes_read_only(small_disk: Path) -> None:
    from loops.checkpoints import Checkpoints
    from tests.save_program import State

    state = State()
    checkpoints = Checkpoints(small_disk / "checkpoints", state)
    state.set(1)
    checkpoints.save(1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OSError, match=r"cannot be written .*Read-only"):
        checkpoints.save(2)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert Checkpoints(small_disk / "checkpoints", state).restore_latest() == 1


def test_a_run_directory_of_another_process(
    zygote: Zygote, data: Path, untouched: Runs
) -> None:
    owned = RunDirectory(untouched.pretrain)
    cache = untouched.pretrain.parent / "cache"
    command = pretrain_command(data, untouched.pretrain, cache)
    line = error_of(zygote.run(*command), 2)
    assert f"process {os.getpid()} is writing to it" in line
    owned._lock.close()


def test_a_cache_that_another_process_prepares(
    zygote: Zygote, data: Path, tmp_path: Path, untouched: Runs
) -> None:
    (entry,) = (untouched.pretrain.parent / "cache").iterdir()
    with (entry / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711 ")
        lock.flush()
        command = pretrain_command(data, tmp_path / "run", entry.parent, "--prepare_only")
        program = zygote.start(*command)
        assert program.until(lambda: "process 4711" in program.output)
        assert program.alive()
    ended = program.end()
    assert ended.status == 0
    assert f"{entry}; waiting for it" in ended.output


def test_a_run_of_other_settings(zygote: Zygote, data: Path, untouched: Runs) -> None:
    cache = untouched.pretrain.parent / "cache"
    command = pretrain_command(
        data, untouched.pretrain, cache, "--batch_size=8", "--dropout=0.2", "--num_threads=2"
    )
    before = (untouched.pretrain / "run.json").read_bytes()
    line = error_of(zygote.run(*command), 2)
    for difference in (
        "mlm.batch_size: 4 then, 8 now",
        "model.hidden_dropout_prob: 0.1 then, 0.2 now",
        "num_threads: 1 then, 2 now",
    ):
        assert difference in line
    assert "--allow_drift" in line
    assert (untouched.pretrain / "run.json").read_bytes() == before


def test_other_settings_on_purpose(zygote: Zygote, untouched: Runs, tmp_path: Path) -> None:
    """Allowed once, recorded, and from then on the settings of the run."""
    run = tmp_path / "run"
    shutil.copytree(untouched.pretrain, run)
    flagfile = run / "flags.txt"
    flagfile.write_text(flagfile.read_text().replace(str(untouched.pretrain), str(run)))
    command = ["run_pretrain.py", f"--flagfile={flagfile}"]
    more = ["--num_train_steps=65", "--allow_drift"]
    ended = zygote.run(*command, *more)
    assert ended.status == 0, ended.output
    assert "warning: going on although length.num_train_steps: 60 then, 65 now" in ended.output
    record = json.loads((run / "run.json").read_text())
    assert [entry["step"] for entry in record["drift"]] == [60]
    assert record["num_train_steps"] == 65
    assert last_of(run / "metrics.jsonl", "dev")["step"] == 65
    ended = zygote.run(*command)
    assert ended.status == 0, ended.output
    assert "warning: going on" not in ended.output


def test_a_rate_at_which_training_explodes(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path
) -> None:
    cache = untouched.pretrain.parent / "cache"
    exploding = ("--learning_rate=1e30", "--clip_norm=0")
    run = tmp_path / "run"
    line = error_of(zygote.run(*pretrain_command(data, run, cache, *exploding)), 1)
    step = int(re.search(r"step (\d+): loss or gradient is not finite", line)[1])
    text = (run / f"bad_batch-{step}.txt").read_text()
    assert text.startswith("row 0\n  [CLS] ")
    assert f"To skip it: python run_pretrain.py --flagfile={run}/flags.txt" in line


def test_locale_c_and_a_reader_that_leaves(data: Path, untouched: Runs, tmp_path: Path) -> None:
    """As in `LC_ALL=C python run_pretrain.py ... | head -n 1`, with a path in German."""
    run = tmp_path / "L\u00e4ufe"
    cache = untouched.pretrain.parent / "cache"
    process = subprocess.Popen(
        [sys.executable, *pretrain_command(data, run, cache)],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "LANG": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"token store ")
    process.stdout.close()
    errors = process.stderr.read().decode()
    assert process.wait() == 0, errors
    assert errors == ""
    assert (run / "metrics.jsonl").read_bytes() == (
        untouched.pretrain / "metrics.jsonl"
    ).read_bytes()
