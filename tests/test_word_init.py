"""Word embeddings that begin as co-occurrence says, and nothing else that differs."""

from pathlib import Path

import numpy as np
import pytest

from loops.checkpoint_reader import read_variables
from loops.run_directory import read_record
from pipelines.word_vectors import LENGTH
from tests.programs import Zygote, pretrain_command

SHORT = (
    *("--locality=neighbours", "--num_train_steps=1"),
    *("--checkpoint_steps=1", "--eval_steps=1"),
)
COUNTED = {
    "encoder/embeddings/word",
    "encoder/embeddings/neighbours/tables/0",
    "encoder/embeddings/neighbours/tables/1",
}


def _start(
    zygote: Zygote, data: Path, here: Path, *more: str
) -> tuple[Path, dict[str, np.ndarray], str]:
    """The run, its variables before the first step, and the screen."""
    command = pretrain_command(data, here / "run", here / "cache", *SHORT, *more)
    ended = zygote.run(*command)
    assert ended.status == 0, ended.output
    return here / "run", read_variables(here / "run" / "checkpoints" / "ckpt-0"), ended.output


@pytest.fixture(scope="module")
def random(
    zygote: Zygote, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    here = tmp_path_factory.mktemp("random")
    run, variables, screen = _start(zygote, data, here, "--word_init=random")
    assert read_record(run)["word_init"] == "random"
    assert "co-occurrence" not in screen
    # One step leaves it on the plateau, and the warning names this flag.
    assert "train with --word_init=cooccurrence" in screen
    return variables


@pytest.fixture(scope="module")
def counted(
    zygote: Zygote, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, np.ndarray], str]:
    return _start(zygote, data, tmp_path_factory.mktemp("counted"))


def test_small_models_begin_as_co_occurrence_says(
    random: dict[str, np.ndarray], counted: tuple[Path, dict[str, np.ndarray], str]
) -> None:
    run, variables, screen = counted
    assert read_record(run)["word_init"] == "cooccurrence"
    assert "word embeddings begin from co-occurrence counts" in screen
    assert "--word_init" not in screen
    assert set(variables) == set(random)
    for name in set(variables) - COUNTED:
        np.testing.assert_array_equal(variables[name], random[name], err_msg=name)
    for name in COUNTED:
        added = variables[name] - random[name]
        lengths = np.linalg.norm(added, axis=1) / np.sqrt(added.shape[1])
        assert not added[[0, 2, 3, 4]].any()  # [PAD], [CLS], [SEP], [MASK]
        told = lengths > 0
        assert told.mean() > 0.5
        np.testing.assert_allclose(lengths[told], LENGTH, rtol=1e-4)


def test_a_run_goes_on_with_the_words_it_began_with(
    zygote: Zygote, data: Path, counted: tuple[Path, dict[str, np.ndarray], str]
) -> None:
    run = counted[0]
    command = pretrain_command(data, run, run.parent / "cache", *SHORT)
    ended = zygote.run(*command, "--word_init=random")
    assert ended.status == 2
    assert "word_init: 'cooccurrence' then, 'random' now" in ended.output
    again = zygote.run(*command)
    assert again.status == 0, again.output
    assert "co-occurrence" not in again.output
