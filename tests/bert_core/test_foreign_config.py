"""Configurations of Google's and Hugging Face's, in and out."""

import dataclasses

import pytest

from bert_core.errors import UserError
from bert_core.foreign_config import (
    architecture,
    check_exportable,
    check_for_google,
    from_google,
    from_huggingface,
    labels_of,
    to_google,
    to_huggingface,
)
from tests.small_bert import small_config

CONFIG = small_config(hidden_act="gelu_new", type_vocab_size=3)
THEIRS = to_huggingface(CONFIG, ("encoder",), (), 0)


def test_huggingface_there_and_back():
    config = dataclasses.replace(CONFIG, layer_norm_eps=1e-5)
    values = to_huggingface(config, ("encoder", "pooler", "output"), ("no", "yes"), 7)
    assert from_huggingface(values, "x") == config
    assert values["model_type"] == "bert"
    assert values["pad_token_id"] == 7
    assert values["architectures"] == ["BertForSequenceClassification"]
    assert labels_of(values, 2, "x") == ("no", "yes")
    ours = {"alibi_slopes", "attention_window", "neighbour_offsets", "pooling"}
    assert not ours & set(values)


def test_google_there_and_back():
    values = to_google(CONFIG)
    assert from_google(values, "x") == CONFIG
    # modeling.py's BertConfig has these and no others.
    assert set(values) == {
        *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
        *("intermediate_size", "hidden_act", "hidden_dropout_prob", "type_vocab_size"),
        *("attention_probs_dropout_prob", "max_position_embeddings", "initializer_range"),
    }


def test_googles_later_fields_are_read_over():
    later = {"directionality": "bidi", "pooler_fc_size": 768, "pooler_type": "first_token"}
    assert from_google({**to_google(CONFIG), **later}, "x") == CONFIG
    without = {k: v for k, v in to_google(CONFIG).items() if k != "type_vocab_size"}
    assert from_google(without, "x").type_vocab_size == 16


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("encoder",), "BertModel"),
        (("encoder", "pooler"), "BertModel"),
        (("encoder", "head"), "BertForMaskedLM"),
        (("encoder", "head", "pooler"), "BertForMaskedLM"),
        (("encoder", "pooler", "output"), "BertForSequenceClassification"),
    ],
)
def test_architecture(parts, expected):
    assert architecture(parts) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "roberta"},
        {"model_type": None},
        {"position_embedding_type": "relative_key"},
        {"hidden_act": "silu"},
        {"hidden_act": ["gelu"]},
        {"is_decoder": True},
        {"add_cross_attention": True},
        {"architectures": "BertModel"},
        {"hidden_size": 16},
        {"hidden_size": "15"},
        {"num_hidden_layers": 0},
        {"layer_norm_eps": float("nan")},
        {"vocab_size": None},
    ],
    ids=str,
)
def test_what_is_not_bert_is_named(change):
    with pytest.raises(UserError, match=next(iter(change))) as caught:
        from_huggingface({**THEIRS, **change}, "dir/config.json")
    assert str(caught.value).startswith("dir/config.json: ")
    assert "\n" not in str(caught.value)


def test_directionality_is_named():
    with pytest.raises(UserError, match="directionality"):
        from_google({**to_google(CONFIG), "directionality": "left"}, "x")


def test_labels_nobody_named():
    assert labels_of({}, 3, "x") == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert labels_of({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, 0, "x") == ()


@pytest.mark.parametrize(
    "names",
    [
        {"0": "a"},
        {"0": "a", "2": "b"},
        {"0": "a", "1": "a"},
        {"0": "a", "1": ""},
        {"0": "a", "1": "b\nc"},
        ["a", "b"],
    ],
    ids=str,
)
def test_labels_that_cannot_be_kept(names):
    with pytest.raises(UserError, match="x: id2label"):
        labels_of({"id2label": names}, 2, "x")


def test_what_cannot_be_exported_is_named():
    parts = ("encoder", "pooler", "output")
    check_for_google(CONFIG, parts, "x")
    slopes = dataclasses.replace(CONFIG, alibi_slopes=(1.0, 0.5, 0.1))
    with pytest.raises(UserError, match="alibi_slopes"):
        check_exportable(slopes, parts, "x")
    beside = dataclasses.replace(CONFIG, neighbour_offsets=(1,))
    with pytest.raises(UserError, match="neighbour_offsets"):
        check_exportable(beside, parts, "x")
    mean = dataclasses.replace(CONFIG, pooling="mean")
    check_exportable(mean, ("encoder", "head"), "x")
    with pytest.raises(UserError, match="pooling"):
        check_exportable(mean, ("encoder", "output"), "x")
    with pytest.raises(UserError, match="layer_norm_eps"):
        check_for_google(dataclasses.replace(CONFIG, layer_norm_eps=1e-5), parts, "x")
