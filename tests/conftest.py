"""What tests of several rooms share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import Runs, Zygote, finetune_command, pretrain_command, write_corpus

# Of the time of tests a third would go to LLVM, optimising expressions that run a few times.
# TensorFlow reads this when it is imported, and programs inherit it. `make soak` tests them as
# they are.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Starts programs without the price of importing TensorFlow."""
    process = Zygote(tmp_path_factory.mktemp("zygote"))
    yield process
    process.close()


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """corpus/, model.json, train.jsonl."""
    directory = tmp_path_factory.mktemp("data")
    write_corpus(directory)
    return directory


@pytest.fixture(scope="session")
def untouched(zygote: Zygote, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A pretraining and a fine-tuning run that nobody disturbed."""
    directory = tmp_path_factory.mktemp("untouched")
    pretrain, finetune = directory / "pretrain", directory / "finetune"
    first = zygote.run(*pretrain_command(data, pretrain, directory / "cache"))
    assert first.status == 0, first.output
    second = zygote.run(*finetune_command(data, pretrain, finetune))
    assert second.status == 0, second.output
    return Runs(pretrain, finetune, max(first.seconds, second.seconds))
