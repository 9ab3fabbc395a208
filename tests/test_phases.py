"""Training on from the weights of a run: longer sequences, more tokens, a fresh schedule."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from loops.checkpoint_reader import read_variables
from loops.checkpoints import latest_whole
from loops.metrics_log import read_metrics
from loops.run_directory import read_record
from tests.programs import Runs, Zygote, finetune_command, pretrain_command, variables_of

STEPS = 8
POSITIONS, WORD, BIAS = "encoder/embeddings/position", "encoder/embeddings/word", "head/bias"


def command(data: Path, start: Path, run: Path, *more: str) -> list[str]:
    usual = pretrain_command(data, run, start.parent / "cache", f"--num_train_steps={STEPS}")
    theirs = ("--model_config", "--vocab_size")  # come from the run
    usual = [argument for argument in usual if not argument.startswith(theirs)]
    return [*usual, f"--init_checkpoint={start}", "--seq_length=48", *more]


@pytest.fixture(scope="module")
def second(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str], str]:
    """A second phase, its command, and what was on the screen."""
    here = tmp_path_factory.mktemp("phase")
    old = (untouched.pretrain / "vocab.txt").read_text().splitlines()
    words = (data / "corpus" / "a.txt").read_text().split()
    new = list(dict.fromkeys(word for word in words if word not in old))[:3]
    (here / "new.txt").write_text("\n".join([*new, old[7], "Two-Words"]) + "\n")
    extension = f"--extend_vocab_file={here / 'new.txt'}"
    argv = command(data, untouched.pretrain, here / "run", extension)
    ended = zygote.run(*argv)
    assert ended.status == 0, ended.output
    return here / "run", argv, ended.output


def test_old_rows_are_kept_and_the_rest_is_fresh(
    second: tuple[Path, list[str], str], untouched: Runs
) -> None:
    run, _, screen = second
    old = read_variables(latest_whole(untouched.pretrain / "checkpoints"))
    new = read_variables(run / "checkpoints" / "ckpt-0")  # before the first step
    assert set(old) == set(new)
    for name, value in new.items():
        np.testing.assert_array_equal(value[: len(old[name])], old[name])
        if name not in (POSITIONS, WORD, BIAS):
            assert value.shape == old[name].shape
    assert {name: len(new[name]) - len(old[name]) for name in (POSITIONS, WORD, BIAS)} == {
        POSITIONS: 16,
        WORD: 4,
        BIAS: 4,
    }
    assert 0.01 < new[POSITIONS][32:].std() < 0.03
    assert 0.01 < new[WORD][200:].std() < 0.03
    assert not new[BIAS][200:].any()
    assert f"{POSITIONS}: 32 rows loaded, 16 newly initialised" in screen
    assert "positions from 16 on have never been trained" in screen
    assert "vocabulary: 200 tokens as they were, 4 new" in screen
    assert "1 of the new tokens will not be found in any text: 'Two-Words'" in screen
    before, after = ((x / "vocab.txt").read_text() for x in (untouched.pretrain, run))
    assert after.startswith(before)
    config = json.loads((run / "config.json").read_text())
    assert (config["vocab_size"], config["max_position_embeddings"]) == (204, 48)


def test_schedule_and_moments_begin_anew(second: tuple[Path, list[str], str]) -> None:
    run, _, _ = second
    start = variables_of(run / "checkpoints" / "ckpt-0")
    moments = [x for name, x in start.items() if "optimizer" in name]
    assert moments
    assert not any(any(x) for x in moments)
    lines = read_metrics(run / "metrics.jsonl")
    rates = [x["learning_rate"] for x in lines if x["split"] == "train"]
    assert [x["step"] for x in lines if x["split"] == "train"] == [5, STEPS]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(2e-3 / STEPS)  # the end of a schedule of its own


def test_the_same_command_goes_on_with_the_second_phase(
    second: tuple[Path, list[str], str], zygote: Zygote
) -> None:
    run, argv, _ = second
    before = (run / "metrics.jsonl").read_bytes()
    ended = zygote.run(*argv)
    assert ended.status == 0, ended.output
    assert f"resuming at step {STEPS}" in ended.output
    assert (run / "metrics.jsonl").read_bytes() == before


def test_fine_tuning_reads_as_far_as_the_second_phase(
    second: tuple[Path, list[str], str], zygote: Zygote, data: Path, tmp_path: Path
) -> None:
    more = ("--max_seq_length=48", "--num_train_steps=2")
    ended = zygote.run(*finetune_command(data, second[0], tmp_path / "run", *more))
    assert ended.status == 0, ended.output


def test_runs_of_before_there_were_phases_go_on(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path
) -> None:
    """Their run.json says nothing of a checkpoint to start from: there was none."""
    shutil.copytree(untouched.pretrain, tmp_path / "run")
    record = read_record(tmp_path / "run")
    assert record.pop("init_checkpoint") is None
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    cache = untouched.pretrain.parent / "cache"
    ended = zygote.run(*pretrain_command(data, tmp_path / "run", cache))
    assert ended.status == 0, ended.output
