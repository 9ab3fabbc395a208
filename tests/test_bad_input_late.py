"""Bad input that only TensorFlow can find: still one line, exit code 2, no run directory."""

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import pytest

from tests.programs import Ended, Zygote, finetune_command, pretrain_command


@pytest.fixture(scope="module")
def start(zygote: Zygote, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretrained run."""
    directory = tmp_path_factory.mktemp("start")
    run, cache = directory / "run", directory / "cache"
    command = pretrain_command(data, run, cache, "--num_train_steps=2", "--vocab_size=5000")
    ended = zygote.run(*command)
    assert ended.status == 0, ended.output
    # A vocabulary larger than the text can fill: said, and done with fewer.
    assert "word pieces, not 5,000: the text has no more" in ended.output
    return run


@pytest.fixture
def copy(start: Path, tmp_path: Path) -> Path:
    shutil.copytree(start, tmp_path / "start")
    return tmp_path / "start"


def check(ended: Ended, *says: str) -> None:
    last = ended.output.splitlines()[-1]
    assert ended.status == 2, ended.output
    assert "Traceback" not in ended.output
    assert last.startswith("run_")
    for text in says:
        assert text in last


def forge(start: Path, suffix: str, content: bytes) -> None:
    """Replaces a file of the newest checkpoint, and its hash in the marker."""
    marker = start / "checkpoints" / "ckpt-2.json"
    values = json.loads(marker.read_text())
    (name,) = (name for name in values["files"] if suffix in name)
    (start / "checkpoints" / name).write_bytes(content)
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    marker.write_text(json.dumps({**values, "files": {**values["files"], name: entry}}))


def test_text_that_the_vocabulary_does_not_know(
    zygote: Zygote, data: Path, start: Path, tmp_path: Path
) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("слово abc\nabc\n", encoding="utf-8")
    ended = zygote.run(
        "run_pretrain.py",
        f"--corpus_dir={tmp_path / 'corpus'}",
        f"--init_checkpoint={start}",
        f"--output_dir={tmp_path / 'run'}",
        f"--cache_dir={tmp_path / 'cache'}",
    )
    check(ended, "--max_unknown_rate=0.05", "Cyrillic letters", "--extend_vocab_file")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("suffix", ["index", "data"])
def test_a_pickle_for_a_checkpoint_is_refused_and_not_run(
    zygote: Zygote, data: Path, copy: Path, tmp_path: Path, suffix: str
) -> None:
    pickled = pickle.dumps(_Touches(tmp_path / "executed")).ljust(300_000, b"\0")
    forge(copy, suffix, pickled)
    ended = zygote.run(*finetune_command(data, copy, tmp_path / "run"))
    check(ended, "ckpt-2: ", "cannot be read (")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "executed").exists()


class _Touches:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def test_a_checkpoint_that_claims_more_than_it_holds(
    zygote: Zygote, data: Path, copy: Path, tmp_path: Path
) -> None:
    forge(copy, "data", b"\0" * 10)
    (copy / "checkpoints" / "ckpt-2.data-fill").write_bytes(b"\0" * 70_000)  # config.json fits
    (copy / "checkpoints" / "ckpt-2.data-fill").rename(copy / "checkpoints" / "ckpt-1.data-0")
    ended = zygote.run(*finetune_command(data, copy, tmp_path / "run"))
    check(ended, "claims", "bytes of variables, holds 10")
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_architecture(
    zygote: Zygote, data: Path, copy: Path, tmp_path: Path
) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "intermediate_size": 16}))
    ended = zygote.run(*finetune_command(data, copy, tmp_path / "run"))
    check(ended, "intermediate/bias has shape [32], the model needs [16]")
    assert not (tmp_path / "run").exists()


def test_a_text_longer_than_the_model(zygote: Zygote, start: Path) -> None:
    text = "--fill_mask=[MASK]" + " ab" * 40
    check(zygote.run("run_predict.py", f"--checkpoint={start}", text), "takes 16; shorten it")


def test_more_words_than_there_are_is_fine(zygote: Zygote, start: Path) -> None:
    arguments = (f"--checkpoint={start}", "--fill_mask=[MASK]", "--top_k=1000000")
    assert zygote.run("run_predict.py", *arguments).status == 0


def test_a_corpus_shorter_than_a_sequence(zygote: Zygote, data: Path, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("one two\nthree four\n")
    shutil.copy(data / "model.json", tmp_path)
    ended = zygote.run(*pretrain_command(tmp_path, tmp_path / "run", tmp_path / "cache"))
    check(ended, "--seq_length=16; give a lower --seq_length or a larger --dev_fraction")
    assert not (tmp_path / "run").exists()
