"""Signals: a clean stop within seconds wherever they come, a second Ctrl-C at once."""

import json
import signal
from pathlib import Path

import pytest

from loops import stopping
from tests.programs import (
    Program,
    Runs,
    Zygote,
    finetune_command,
    pretrain_command,
    write_corpus,
)

SECONDS = 60.0  # of a shared and busy machine; a second or two on a quiet one


@pytest.fixture(autouse=True)
def no_signal() -> None:
    stopping._requested = 0


def test_a_signal_waits_where_it_is_deferred() -> None:
    with stopping.deferred():
        stopping.check()
        stopping._handle(signal.SIGTERM, None)
        assert stopping.requested()
        with pytest.raises(stopping.Stopped, match="stopped by SIGTERM"):
            stopping.check()
    with pytest.raises(stopping.Stopped):
        stopping._handle(signal.SIGINT, None)
    stopping._handle(signal.SIGTERM, None)  # what is being cleaned up is not disturbed
    assert stopping.exit_code() == 143  # the first one counts


def test_nothing_that_handles_errors_eats_it() -> None:
    assert not issubclass(stopping.Stopped, Exception)


@pytest.fixture(scope="module")
def long_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough text for preparation to take seconds."""
    directory = tmp_path_factory.mktemp("long")
    write_corpus(directory, 30_000)
    return directory


def expect_stop(program: Program, number: int) -> str:
    program.send(number)
    ended = program.end()
    assert ended.status == 128 + number, ended.output
    assert ended.seconds < SECONDS
    assert "Traceback" not in ended.output
    assert f"stopped by {signal.Signals(number).name}" in ended.output
    return ended.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_during_preparation(
    zygote: Zygote, long_data: Path, tmp_path: Path, number: int
) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    program = zygote.start(*pretrain_command(long_data, run, cache))
    learning = number == signal.SIGTERM
    pattern = "*/.lock" if learning else "*/store.partial"
    assert program.until(lambda: any(cache.glob(pattern)))
    expect_stop(program, number)
    assert not run.exists()
    assert not list(cache.glob("*/store*/*"))


def test_during_training(zygote: Zygote, data: Path, tmp_path: Path) -> None:
    run, cache = tmp_path / "run", tmp_path / "cache"
    command = pretrain_command(
        data, run, cache, "--num_train_steps=100000", "--checkpoint_steps=50000",
        "--eval_steps=50000",
    )  # fmt: skip
    # nohup, under which somebody may run this, has SIGHUP ignored by all below it.
    hang_up = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else set()
    for number in (signal.SIGTERM, signal.SIGINT, *hang_up):
        program = zygote.start(*command)
        log = run / "metrics.jsonl"
        before = log.stat().st_size if log.exists() else 0
        assert program.until(lambda log=log, n=before: log.exists() and log.stat().st_size > n)
        output = expect_stop(program, number)
        last = json.loads(log.read_text().splitlines()[-1])["step"]
        assert f"saved at step {last:,}; the same command resumes the run" in output
        assert (run / "checkpoints" / f"ckpt-{last}.json").exists()
    assert "resuming at step" in output


def test_during_evaluation(zygote: Zygote, long_data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    program = zygote.start(
        *pretrain_command(
            long_data, run, long_data / "cache", "--num_train_steps=10", "--eval_steps=5",
            "--dev_fraction=0.4", "--eval_sequences=10000000",
        )
    )  # fmt: skip
    log = run / "metrics.jsonl"
    assert program.until(lambda: log.exists() and log.stat().st_size > 0)
    output = expect_stop(program, signal.SIGTERM)
    assert "saved at step 5" in output
    assert [json.loads(line)["split"] for line in log.read_text().splitlines()] == ["train"]


def test_a_second_interrupt_does_not_wait(zygote: Zygote, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    program = zygote.start(
        *pretrain_command(
            data, run, tmp_path / "cache", "--num_train_steps=1000000",
            "--steps_per_loop=1000000", "--checkpoint_steps=1000000", "--eval_steps=1000000",
        )
    )  # fmt: skip
    assert program.until((run / "checkpoints" / "ckpt-0.json").exists)
    program.send(signal.SIGINT)
    assert program.until(lambda: "Ctrl-C now stops at once" in program.output)
    program.send(signal.SIGINT)
    ended = program.end()
    assert ended.status == 130
    assert ended.seconds < 10  # of a training without end


def test_after_training(zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path) -> None:
    """Stopped at the last step, the same command does what is left to do."""
    run = tmp_path / "run"
    command = finetune_command(data, untouched.pretrain, run, "--num_train_steps=5")
    program = zygote.start(*command)
    assert program.until((run / "checkpoints" / "ckpt-5.json").exists)
    program.send(signal.SIGTERM)
    ended = program.end()
    assert ended.status in (0, 143), ended.output
    assert "Traceback" not in ended.output
    ended = zygote.run(*command)
    assert ended.status == 0, ended.output
    assert (run / "predictions.tsv").exists()
    splits = [json.loads(x)["split"] for x in (run / "metrics.jsonl").read_text().splitlines()]
    assert splits == ["train", "dev", "test"]


def test_during_the_start(zygote: Zygote, data: Path, tmp_path: Path) -> None:
    """While TensorFlow starts, traces and measures there is nothing to save."""
    run = tmp_path / "run"
    program = zygote.start(*pretrain_command(data, run, tmp_path / "cache"))
    assert program.until((run / ".lock").exists)
    expect_stop(program, signal.SIGINT)
