"""Killed at any moment and started again, a run ends as if it had never been touched."""

import contextlib
import hashlib
import itertools
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
    """Of a campaign of kills."""

    killed: int
    corrupted: int  # runs that could not go on
    diverged: int  # runs that ended differently
    halfway: int  # kills that left a checkpoint or a token store half written


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


def half_written(run: Path, cache: Path) -> set[tuple[Path, int]]:
    """Files of checkpoints without a marker, and token stores under way, with their times."""
    found = [path for path in run.glob("checkpoints/ckpt-*") if ".json" not in path.name]
    steps = {path: path.name.split("_")[0].split(".")[0] for path in found}
    parts = [p for p in found if not (p.parent / f"{steps[p]}.json").exists()]
    parts += cache.glob("*/store.partial")
    times = set()
    for path in parts:
        with contextlib.suppress(FileNotFoundError):  # being renamed
            times.add((path, path.stat().st_mtime_ns))
    return times


def writing(run: Path, cache: Path) -> Condition:
    """A moment at which more is half written than an earlier kill has left."""
    before = half_written(run, cache)
    return lambda: bool(half_written(run, cache) - before)


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
    chooser, seconds = random.Random(kills), untouched.seconds
    killed = corrupted = diverged = halfway = rounds = 0
    while killed < kills:
        rounds += 1
        run, cache = directory / f"run-{rounds}", directory / f"cache-{rounds}"
        command = pretrain_command(data, run, cache)
        if task == "finetune":
            command = finetune_command(data, untouched.pretrain, run)
        for start in itertools.count():
            before = half_written(run, cache)
            at_write = start == 0 or chooser.random() < 0.3
            moment = writing(run, cache) if at_write else at_random(chooser, run, seconds)
            program = zygote.start(*command)
            if killed == kills or not program.until(moment):
                ended = program.end()
                break
            killed += program.kill().status == -signal.SIGKILL
            halfway += bool(half_written(run, cache) - before)
        if ended.status:
            print(ended.output)
            corrupted += 1
        elif result_of(run) != result_of(getattr(untouched, task)):
            diverged += 1
    return Tally(killed, corrupted, diverged, halfway)


def test_kills(zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path) -> None:
    """Of pretraining; tests/test_tasks.py kills what is fine-tuned."""
    tally = campaign(zygote, data, untouched, tmp_path, "pretrain", 4)
    assert tally[:3] == (4, 0, 0)
    assert tally.halfway


@pytest.mark.soak
def test_two_hundred_kills(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    tallies = [
        campaign(zygote, data, untouched, tmp_path / task, task, 100)
        for task in ("pretrain", "finetune")
    ]
    killed, corrupted, diverged, halfway = (sum(x) for x in zip(*tallies, strict=True))
    with capsys.disabled():
        print(f"\nkilled {killed}, corrupted {corrupted}, diverged {diverged}")
        print(f"({halfway} of them while a checkpoint or a token store was half written)")
    assert (killed, corrupted, diverged) == (200, 0, 0)
