"""Disks that fill up or become read-only, under the programs and under each writer."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bert_core.errors import UserError
from loops.checkpoints import Checkpoints
from loops.metrics_log import MetricsLog, read_metrics
from loops.tensorboard import TensorBoard
from pipelines.token_store import SPLITS, open_store
from pipelines.token_store_builder import build_store
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.programs import Runs, Zygote, error_of, pretrain_command, variables_of
from tests.save_program import State

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *"abcdef"), True)


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
    assert re.search(
        r"the last good checkpoint is \S*/ckpt-\d+\. Once .* go on with: python", line
    )
    filler.unlink()
    assert zygote.run(*command).status == 0
    assert (run / "metrics.jsonl").read_bytes() == (
        untouched.pretrain / "metrics.jsonl"
    ).read_bytes()
    ends = [variables_of(r / "checkpoints" / "ckpt-60") for r in (run, untouched.pretrain)]
    assert ends[0] == ends[1]


def test_a_signal_for_which_there_is_no_room_to_save(
    zygote: Zygote, data: Path, untouched: Runs, small_disk: Path
) -> None:
    run = small_disk / "run"
    program = zygote.start(*pretrain_command(data, run, untouched.pretrain.parent / "cache"))
    assert program.until((run / "checkpoints" / "ckpt-20.json").exists)
    program.send(signal.SIGSTOP)
    fill(small_disk)
    program.send(signal.SIGTERM)
    program.send(signal.SIGCONT)
    assert "the last good checkpoint is" in error_of(program.end(), 1)


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


def test_a_token_store_that_the_disk_does_not_take(small_disk: Path) -> None:
    """Hundreds of thousands of tokens in: nothing is left, and later it goes well."""
    store = small_disk / "entry" / "store"

    def build(number: int) -> None:
        build_store(
            (" ".join("abcdef"[(i + j) % 6] for j in range(40)) for i in range(number)),
            Tokenizer(VOCABULARY),
            store,
            corpus_fingerprint="x",
            dev_fraction=0.1,
            report=lambda counts: {},
            shard_tokens=100_000,
        )

    with pytest.raises(UserError, match=r"-0001\d\.npy: cannot be written \(.*disk full\?"):
        build(80_000)
    assert not store.exists()
    build(1000)
    opened = open_store(store, VOCABULARY.sha256, "x", 0.1)
    assert sum(opened.split(name).statistics.documents for name in SPLITS) == 1000
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match=r"cannot be written \(Read-only"):
        build(2000)
    assert open_store(store, VOCABULARY.sha256, "x", 0.1).manifest == opened.manifest


def test_logs_that_the_disk_does_not_take(small_disk: Path) -> None:
    """Numbers that could not be written are missing, and nothing before them."""
    metrics, path = MetricsLog(small_disk / "metrics.jsonl", -1), small_disk / "metrics.jsonl"
    metrics.add("train", 1, {"loss": 2.0})
    tensorboard = TensorBoard(small_disk / "logs", -1)
    tensorboard.scalars("train", 1, {"loss": 2.0})
    tensorboard.sync()
    filler = fill(small_disk)

    def log_on() -> None:
        for step in range(2, 1000):
            metrics.add("train", step, {"loss": 1.0 / step})

    def chart_on() -> None:
        for step in range(2, 1000):
            tensorboard.scalars("train", step, {"loss": 1.0 / step})
            tensorboard.sync()

    with pytest.raises(OSError, match=r"No space left on device.*metrics\.jsonl"):
        log_on()
    with pytest.raises(OSError, match=r"train.* cannot be written"):
        chart_on()
    filler.unlink()
    steps = [line["step"] for line in read_metrics(path)]
    assert steps == list(range(1, 1 + len(steps)))
    MetricsLog(path, 1).add("train", 2, {"loss": 1.5})
    assert [line["loss"] for line in read_metrics(path)] == [2.0, 1.5]


def test_a_disk_that_becomes_read_only(small_disk: Path) -> None:
    state = State()
    checkpoints = Checkpoints(small_disk / "checkpoints", state)
    state.set(1)
    checkpoints.save(1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OSError, match=r"cannot be written .*Read-only"):
        checkpoints.save(2)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert Checkpoints(small_disk / "checkpoints", state).restore_latest() == 1
