"""Google's directories: its checkpoints both ways, and what is refused."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bert_core.errors import UserError
from loops import google_files, huggingface_files
from tests.conversions import GOLDEN, bits, google_tensors, save_google, zeros


def test_google_checkpoint_has_plain_names(converted: dict[str, Path]) -> None:
    prefix = str(converted["google"] / "bert_model.ckpt")
    shapes = tf.train.load_checkpoint(prefix).get_variable_to_shape_map()
    assert shapes["bert/encoder/layer_1/attention/self/key/kernel"] == [30, 30]
    assert shapes["cls/predictions/output_bias"] == [69]
    assert all(not name.startswith("state/") for name in shapes)


def test_google_checkpoint_is_restored_by_a_saver(converted: dict[str, Path]) -> None:
    """As google-research/bert does it, in a graph of TensorFlow 1."""
    name = "bert/encoder/layer_0/output/dense/kernel"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable(name, [44, 30])
        saver = tf.compat.v1.train.Saver([variable])
        saver.restore(session, str(converted["google"] / "bert_model.ckpt"))
        restored = session.run(variable)
    model = huggingface_files.read(GOLDEN, None)
    np.testing.assert_array_equal(restored, model.variables["encoder/layers/0/output/kernel"])


def test_what_google_leaves_of_its_training_is_skipped(
    converted: dict[str, Path], tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(converted["google"], tmp_path / "google"))
    tensors = google_tensors(directory)
    extra: dict[str, Any] = {f"{name}/adam_m": value for name, value in tensors.items()}
    extra |= {f"{name}/adam_v": value for name, value in tensors.items()}
    extra["global_step"] = np.int64(7)
    extra["cls/seq_relationship/output_weights"] = np.ones((2, 30), np.float32)
    extra["cls/squad/output_bias"] = np.ones(2, np.float32)
    save_google(directory, tensors | extra, "model.ckpt-7")  # as run_classifier.py names it
    model = google_files.read(directory, None)
    assert bits(model) == bits(huggingface_files.read(GOLDEN, None))
    for name in extra:
        assert any(line.startswith(f"skipped {name}: ") for line in model.report)


def test_google_without_what_its_layout_lacks(
    converted: dict[str, Path], tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(converted["google"], tmp_path / "google"))
    for name in ("labels.txt", "tokenizer_config.json"):
        (directory / name).unlink()
    model = google_files.read(directory, None)
    assert model.labels == ("0", "1", "2")
    assert model.lower_case is True  # no capital letter in its vocabulary
    assert google_files.read(directory, False).lower_case is False
    tokens = (directory / "vocab.txt").read_text().replace("cat", "Cat")
    (directory / "vocab.txt").write_text(tokens)
    assert google_files.read(directory, None).lower_case is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bert/pooler/dense/kernel": None}, "has no bert/pooler/dense/kernel"),
        ({"bert/embeddings/LayerNorm/beta": zeros(29)}, "LayerNorm/beta has shape [29]"),
        ({"bert/encoder/layer_2/output/dense/bias": zeros(30)}, "has no place in a BERT"),
        ({"output_bias": np.zeros(3, np.int32)}, "output_bias is int32"),
    ],
)
def test_google_checkpoints_that_do_not_fit(
    change: dict[str, Any], said: str, converted: dict[str, Path], tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(converted["google"], tmp_path / "google"))
    tensors = google_tensors(directory) | change
    tensors = {name: value for name, value in tensors.items() if value is not None}
    save_google(directory, tensors, "bert_model.ckpt")
    with pytest.raises(UserError) as caught:
        google_files.read(directory, None)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["index", "data-00000-of-00001"])
@pytest.mark.parametrize("kept", [0, 0.5])
def test_damaged_google_checkpoints(
    name: str, kept: float, converted: dict[str, Path], tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(converted["google"], tmp_path / "google"))
    file = directory / f"bert_model.ckpt.{name}"
    file.write_bytes(file.read_bytes()[: int(kept * file.stat().st_size)])
    with pytest.raises(UserError) as caught:
        google_files.read(directory, None)
    problem = "bytes of variables, holds" if name != "index" else "cannot be read"
    assert f"bert_model.ckpt: {'claims' if name != 'index' else problem}" in str(caught.value)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_or_two_google_checkpoints(converted: dict[str, Path], tmp_path: Path) -> None:
    directory = Path(shutil.copytree(converted["google"], tmp_path / "google"))
    (directory / "bert_model.ckpt.index").unlink()
    with pytest.raises(UserError, match="no other checkpoint"):
        google_files.read(directory, None)
    for step in (1, 2):
        (directory / f"model.ckpt-{step}.index").touch()
    with pytest.raises(UserError, match="2 other checkpoints"):
        google_files.read(directory, None)
