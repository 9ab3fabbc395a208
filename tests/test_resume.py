"""Killed at any moment and started again, a run ends as if it had never been touched."""

import hashlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.programs import (
    Runs,
    Zygote,
    finetune_command,
    pretrain_command,
    scalar_steps,
    variables_of,
)

Condition = Callable[[], bool]


class Tally(NamedTuple):
    """Of a campaign of kills: runs that could not go on, and that ended differently."""

    killed: int
    corrupted: int
    diverged: int


class Result(NamedTuple):
    """What must not differ between two runs."""

    weights: dict[str, str]
    metrics: bytes
    charts: list
    predictions: bytes


def result_of(run: Path) -> Result:
    """Also checks that each step stands once in what was logged."""
    (last,) = {max(path.name for path in run.glob("checkpoints/ckpt-*.index"))}
    prefixes = [run / "checkpoints" / last.removesuffix(".index")]
    prefixes += sorted(path.with_suffix("") for path in run.glob("best/ckpt-*.index"))[-1:]
    weights = {
        f"{prefix.parent.name}/{name}": hashlib.sha256(value).hexdigest()
        for prefix in prefixes
        for name, value in variables_of(prefix).items()
    }
    charts = list(scalar_steps(run / "logs"))
    for split, tag, steps in charts:
        assert steps == sorted(set(steps)), (split, tag, steps)
    predictions = run / "predictions.tsv"
    return Result(
        weights,
        (run / "metrics.jsonl").read_bytes(),
        charts,
        predictions.read_bytes() if predictions.exists() else b"",
    )


def saving(run: Path) -> Condition:
    """Whether a checkpoint is being written: files of one that has no marker yet."""

    def condition() -> bool:
        return any(
            not (path.parent / f"{path.name.split('_')[0].split('.')[0]}.json").exists()
            for path in run.glob("checkpoints/ckpt-*")
            if ".json" not in path.name
        )

    return condition


def preparing(cache: Path) -> Condition:
    """Whether a token store is being written."""
    return lambda: any(cache.glob("*/store.partial"))


def at_random(chooser: random.Random, run: Path, seconds: float) -> Condition:
    """A moment of the whole process, or of its training: when some more is logged."""
    if chooser.random() < 0.3:
        moment = time.monotonic() + chooser.random() * seconds
        return lambda: time.monotonic() > moment
    log = run / "metrics.jsonl"
    size = log.stat().st_size if log.exists() else 0
    changes, wanted, delay = 0, chooser.randint(1, 5), chooser.random() * 0.01

    def condition() -> bool:
        nonlocal changes, size
        new = log.stat().st_size if log.exists() else 0
        changes, size = changes + (new != size), new
        if changes < wanted:
            return False
        time.sleep(delay)
        return True

    return condition


def campaign(
    zygote: Zygote, data: Path, untouched: Runs, directory: Path, task: str, kills: int
) -> Tally:
    """Runs of `task`, killed and started again until they end, `kills` kills in all."""
    chooser = random.Random(kills)
    killed = corrupted = diverged = rounds = 0
    while killed < kills:
        rounds += 1
        run, cache = directory / f"run-{rounds}", directory / f"cache-{rounds}"
        if task == "pretrain":
            command = pretrain_command(data, run, cache)
            moments: list[Condition] = [preparing(cache)]
        else:
            command = finetune_command(data, untouched.pretrain, run)
            moments = []
        while True:
            program = zygote.start(*command)
            moment = moments.pop() if moments else None
            if moment is None:
                at_save = chooser.random() < 0.3
                moment = saving(run) if at_save else at_random(chooser, run, untouched.seconds)
            if killed == kills or not program.until(moment):
                ended = program.end()
                break
            killed += program.kill().status == -signal.SIGKILL
        if ended.status:
            print(ended.output)
            corrupted += 1
        elif result_of(run) != result_of(getattr(untouched, task)):
            diverged += 1
    return Tally(killed, corrupted, diverged)


@pytest.mark.parametrize("task", ["pretrain", "finetune"])
def test_ten_kills(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path, task: str
) -> None:
    assert campaign(zygote, data, untouched, tmp_path, task, 10) == Tally(10, 0, 0)


@pytest.mark.soak
def test_two_hundred_kills(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    tallies = [
        campaign(zygote, data, untouched, tmp_path / task, task, 100)
        for task in ("pretrain", "finetune")
    ]
    killed, corrupted, diverged = (sum(counts) for counts in zip(*tallies, strict=True))
    with capsys.disabled():
        print(f"\nkilled {killed}, corrupted {corrupted}, diverged {diverged}")
    assert (killed, corrupted, diverged) == (200, 0, 0)
