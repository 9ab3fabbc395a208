"""Workers that are killed, stopped, stall or never come: the others end in bounded time, name
the missing one, and the same command resumes as if nothing had happened. Slow: `make soak`."""

import random
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from loops.lines import BEAT
from loops.peers import SILENCE
from tests.programs import Ended, Zygote, pretrain_command
from tests.test_resume import result_of
from tests.workers import Workers

PATIENCE = 60.0  # --peer_timeout
SLACK = 30.0  # of a shared and busy machine
FLAGS = ("--micro_batch_size=1", "--num_train_steps=200", "--eval_steps=100")
# Signals, and how long the others may take to notice.
HARM = {
    "killed": (signal.SIGKILL, 2 * BEAT),
    "stopped": (signal.SIGSTOP, SILENCE + 2 * BEAT),
    "stalled": (signal.SIGUSR1, PATIENCE + 2 * BEAT),
    "asked to stop": (signal.SIGTERM, SLACK),
}
KINDS = (*HARM, "dead before it comes", "never comes")


class Run(NamedTuple):
    zygote: Zygote
    command: list[str]
    path: Path  # the run's
    outputs: Path

    def workers(self, name: str, size: int = 2, only: tuple[int, ...] | None = None) -> Workers:
        return Workers(self.zygote, self.outputs / name, self.command, size, only)

    def logged(self) -> int:
        """Bytes of metrics."""
        log = self.path / "metrics.jsonl"
        return log.stat().st_size if log.exists() else 0


def suffer(run: Run, name: str, kind: str, victim: int, chooser: random.Random) -> None:
    """Starts two workers, harms one, and checks how the other ends."""
    other, seconds = 1 - victim, PATIENCE + 2 * BEAT
    if kind == "never comes":
        workers = run.workers(name, only=(other,))
        ended = workers.end()
    elif kind == "dead before it comes":
        workers = run.workers(name)
        workers.send(victim, signal.SIGKILL)
        ended = workers.end()
    else:
        number, seconds = HARM[kind]
        workers, before = run.workers(name), run.logged()
        workers.until(lambda: run.logged() > before + chooser.randint(1, 1000))
        workers.send(victim, number)
        ended = workers.end(but=(victim,) if kind == "stopped" else ())
    check(ended[other], kind, victim, seconds)
    if kind == "asked to stop":
        check(ended[victim], kind, victim, seconds)
        assert ended[0].output.count("saved at step") == 1


def check(ended: Ended, kind: str, victim: int, seconds: float) -> None:
    assert ended.seconds < seconds + SLACK, ended
    assert "Traceback" not in ended.output
    if kind == "asked to stop":
        assert ended.status == 143, ended.output
        return
    assert ended.status == 75, ended.output
    last = ended.output.rstrip().splitlines()[-1]
    assert last.startswith(f"run_pretrain.py: worker {victim} (127.0.0.1:"), ended.output
    assert last.endswith("the same command resumes from the last checkpoint")


def campaign(
    zygote: Zygote, data: Path, directory: Path, faults: list[tuple[str, int]]
) -> None:
    """One run that suffers all of them, and ends, on one process, as an untouched one."""
    cache, chooser = directory / "cache", random.Random(len(faults))
    path = directory / "run"
    run = Run(
        zygote,
        pretrain_command(data, path, cache, *FLAGS, f"--peer_timeout={PATIENCE}"),
        path,
        directory,
    )
    for number, (kind, victim) in enumerate(faults):
        suffer(run, f"fault-{number}", kind, victim, chooser)
    ended = zygote.run(*run.command)
    assert ended.status == 0, ended.output
    untouched = pretrain_command(data, directory / "untouched", cache, *FLAGS)
    ended = zygote.run(*untouched)
    assert ended.status == 0, ended.output
    assert result_of(path) == result_of(directory / "untouched")


@pytest.mark.soak
def test_twenty_faults(zygote: Zygote, data: Path, tmp_path: Path) -> None:
    faults = [(kind, victim) for kind in KINDS for victim in (0, 1)]
    faults += [(kind, victim) for kind in HARM for victim in (0, 1)]
    random.Random(7).shuffle(faults)
    assert len(faults) == 20
    campaign(zygote, data, tmp_path, faults)
