"""Hugging Face's directories: what they may look like, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bert_core.errors import UserError
from loops import huggingface_files
from loops.safetensors_file import SafetensorsFile
from tests.conversions import GOLDEN, bits, edit, edit_tensors, transform, zeros


def test_half_precision_comes_in_as_float32(theirs: Path, tmp_path: Path) -> None:
    path = theirs / "model.safetensors"
    model = huggingface_files.read(theirs, None)
    header, data, end = {}, b"", 0
    file = SafetensorsFile(path)
    for name, shape in file.shapes.items():
        value = file.read(name).astype(np.float16).tobytes()
        header[name] = {
            "dtype": "F16",
            "shape": shape,
            "data_offsets": [end, end + len(value)],
        }
        data, end = data + value, end + len(value)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    half = huggingface_files.read(theirs, None)
    for name, value in model.variables.items():
        expected = value.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(half.variables[name], expected)


def test_bias_under_its_other_name(theirs: Path) -> None:
    path = theirs / "model.safetensors"
    bias = SafetensorsFile(path).read("cls.predictions.bias")
    edit_tensors(path, cls__predictions__bias=None, cls__predictions__decoder__bias=bias)
    assert bits(huggingface_files.read(theirs, None)) == bits(
        huggingface_files.read(GOLDEN, None)
    )


def test_embeddings_padded_beyond_the_vocabulary(theirs: Path) -> None:
    lines = (theirs / "vocab.txt").read_text().splitlines()
    (theirs / "vocab.txt").write_text("\n".join([*lines[:60], "[unused-61]"]) + "\r\n")
    tokens = huggingface_files.read(theirs, None).tokens
    assert len(tokens) == len(set(tokens)) == 69
    assert tokens[:61] == (*lines[:60], "[unused-61]")


def test_vocabulary_of_a_fast_tokeniser(theirs: Path) -> None:
    tokens = (theirs / "vocab.txt").read_text().splitlines()
    (theirs / "vocab.txt").unlink()
    (theirs / "tokenizer_config.json").unlink()
    ids = {token: index for index, token in enumerate(tokens)}
    bert = {"type": "BertNormalizer", "lowercase": False}
    fast: dict[str, Any] = {
        "model": {"type": "WordPiece", "vocab": ids},
        "normalizer": bert,
        "added_tokens": [{"id": 0, "content": "[PAD]"}],
    }
    file = theirs / "tokenizer.json"
    file.write_text(json.dumps(fast))
    model = huggingface_files.read(theirs, None)
    assert model.tokens == tuple(tokens)
    assert model.lower_case is False
    for said, change in {
        "WordPiece": {"model": {"type": "BPE", "vocab": ids}},
        "no vocabulary": {"model": {"type": "WordPiece"}},
        "0, 1, 2": {"model": {"type": "WordPiece", "vocab": {**ids, "a": 999}}},
        "lowercase is None": {"normalizer": {"type": "BertNormalizer"}},
        "type is 'NFKC'": {"normalizer": {"type": "NFKC"}},
        "type is None": {"normalizer": None},
        "strip_accents is True": {"normalizer": {**bert, "strip_accents": True}},
        "handle_chinese_chars": {"normalizer": {**bert, "handle_chinese_chars": False}},
        "prefix is '@@'": {"model": {**fast["model"], "continuing_subword_prefix": "@@"}},
        "two lines": {"model": {"type": "WordPiece", "vocab": {**ids, "a\nb": 69}}},
        "not JSON": {"added_tokens": [{"id": 69, "content": "\ud800"}]},
    }.items():
        file.write_text(json.dumps({**fast, **change}))
        with pytest.raises(UserError, match=said):
            huggingface_files.read(theirs, None)


HUGGINGFACE_ERRORS: dict[str, tuple[str, dict[str, Any], str]] = {
    # file changed, the changes, what the line says
    "other model": ("config.json", {"model_type": "albert"}, "model_type is 'albert'"),
    "activation": ("config.json", {"hidden_act": "silu"}, "hidden_act"),
    "positions": ("config.json", {"position_embedding_type": "relative_key"}, "position_emb"),
    "decoder": ("config.json", {"is_decoder": True}, "is_decoder is True"),
    "fewer layers": ("config.json", {"num_hidden_layers": 1}, "layer.1."),
    "more layers": (
        "config.json",
        {"num_hidden_layers": 10**9},
        "has no bert.encoder.layer.2.",
    ),
    "giant": (
        "config.json",
        {"vocab_size": 10**8},
        "word_embeddings.weight has shape [69, 30]",
    ),
    "labels": ("config.json", {"id2label": {"0": "a"}}, "id2label"),
    "tokeniser": ("tokenizer_config.json", {"tokenizer_class": "T5Tokenizer"}, "tokenizer_cl"),
    "accents": ("tokenizer_config.json", {"strip_accents": False}, "strip_accents is False"),
    "casing": ("tokenizer_config.json", {"do_lower_case": "yes"}, "do_lower_case"),
    "no tensor": (
        "model.safetensors",
        {"bert__encoder__layer__1__attention__self__key__bias": None},
        "has no bert.encoder.layer.1.attention.self.key.bias",
    ),
    "part of a pooler": (
        "model.safetensors",
        {"bert__pooler__dense__bias": None},
        "has no bert",
    ),
    "part of a head": (
        "model.safetensors",
        {"cls__predictions__bias": None},
        "has no cls.pred",
    ),
    "shape": (
        "model.safetensors",
        {"bert__pooler__dense__bias": zeros(31)},
        "bert.pooler.dense.bias has shape [31], its configuration asks for [30]",
    ),
    "relative positions": (
        "model.safetensors",
        {"bert__encoder__layer__0__attention__self__distance_embedding__weight": zeros(9, 6)},
        "distance_embedding.weight has no place in a BERT",
    ),
    "untied": (
        "model.safetensors",
        {"cls__predictions__decoder__weight": zeros(69, 30)},
        "tied",
    ),
    "untied bias": (
        "model.safetensors",
        {"cls__predictions__decoder__bias": zeros(69)},
        "tied",
    ),
    "two spellings": ("model.safetensors", {"pooler__dense__bias": zeros(30)}, "has both"),
}


@pytest.mark.parametrize("case", HUGGINGFACE_ERRORS)
def test_what_cannot_be_read_is_one_line(case: str, theirs: Path, tmp_path: Path) -> None:
    name, changes, said = HUGGINGFACE_ERRORS[case]
    (edit_tensors if name.endswith(".safetensors") else edit)(theirs / name, **changes)
    with pytest.raises(UserError) as caught:
        transform("huggingface", "run", theirs, tmp_path / "out")
    assert said in str(caught.value)
    assert str(theirs) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", "config.json: cannot be read"),
        ("vocab.txt", "vocab.txt: cannot be read"),
        ("model.safetensors", "has no model.safetensors"),
    ],
)
def test_missing_files_are_named(name: str, said: str, theirs: Path) -> None:
    (theirs / name).unlink()
    with pytest.raises(UserError, match=said):
        huggingface_files.read(theirs, None)


def test_pickles_are_not_opened(theirs: Path) -> None:
    (theirs / "model.safetensors").rename(theirs / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model.bin instead .*save_pretrained"):
        huggingface_files.read(theirs, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[]", "a JSON object"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 9**5, "JSON"),
    ],
)
def test_damaged_configurations(content: bytes, said: str, theirs: Path) -> None:
    (theirs / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=said):
        huggingface_files.read(theirs, None)


def test_vocabulary_longer_than_the_embeddings(theirs: Path) -> None:
    with (theirs / "vocab.txt").open("a") as file:
        file.write("more\n")
    with pytest.raises(UserError, match="has 70 tokens, the configuration's vocab_size is 69"):
        huggingface_files.read(theirs, None)
