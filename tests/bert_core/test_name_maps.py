"""The tables of names against the models here, and against the originals' names."""

import numpy as np
import pytest

from bert_core import google_names, huggingface_names
from bert_core.models import Classifier, MaskedLanguageModel
from bert_core.name_map import PARTS, Row, to_ours, to_theirs
from bert_core.names import named_variables
from tests.small_bert import small_config

CONFIG = small_config(num_hidden_layers=1, type_vocab_size=4)
TABLES = {"google": google_names, "huggingface": huggingface_names}
LAYER = "bert/encoder/layer_0"
GOOGLE = {
    # Written down from google-research/bert, shapes for V 19, H 15, F 22, 11 positions.
    "bert/embeddings/word_embeddings": (19, 15),
    "bert/embeddings/position_embeddings": (11, 15),
    "bert/embeddings/token_type_embeddings": (4, 15),
    "bert/embeddings/LayerNorm/gamma": (15,),
    "bert/embeddings/LayerNorm/beta": (15,),
    f"{LAYER}/attention/self/query/kernel": (15, 15),
    f"{LAYER}/attention/self/query/bias": (15,),
    f"{LAYER}/attention/self/key/kernel": (15, 15),
    f"{LAYER}/attention/self/key/bias": (15,),
    f"{LAYER}/attention/self/value/kernel": (15, 15),
    f"{LAYER}/attention/self/value/bias": (15,),
    f"{LAYER}/attention/output/dense/kernel": (15, 15),
    f"{LAYER}/attention/output/dense/bias": (15,),
    f"{LAYER}/attention/output/LayerNorm/gamma": (15,),
    f"{LAYER}/attention/output/LayerNorm/beta": (15,),
    f"{LAYER}/intermediate/dense/kernel": (15, 22),
    f"{LAYER}/intermediate/dense/bias": (22,),
    f"{LAYER}/output/dense/kernel": (22, 15),
    f"{LAYER}/output/dense/bias": (15,),
    f"{LAYER}/output/LayerNorm/gamma": (15,),
    f"{LAYER}/output/LayerNorm/beta": (15,),
    "bert/pooler/dense/kernel": (15, 15),
    "bert/pooler/dense/bias": (15,),
    "cls/predictions/transform/dense/kernel": (15, 15),
    "cls/predictions/transform/dense/bias": (15,),
    "cls/predictions/transform/LayerNorm/gamma": (15,),
    "cls/predictions/transform/LayerNorm/beta": (15,),
    "cls/predictions/output_bias": (19,),
    "output_weights": (3, 15),
    "output_bias": (3,),
}


def rows(table: str, parts: tuple[str, ...] = PARTS) -> list[Row]:
    return list(TABLES[table].rows(CONFIG, parts, 3))


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_the_variables_of_the_models(table):
    models = (MaskedLanguageModel(CONFIG), Classifier(CONFIG, 3))
    variables = {k: tuple(v.shape) for m in models for k, v in named_variables(m).items()}
    assert {row.ours: row.our_shape for row in rows(table)} == variables
    assert len(rows(table)) == len(variables)


def test_google_names_and_shapes():
    assert {name: row.shape for row in rows("google") for name in row.theirs} == GOOGLE


def test_huggingface_respells_each_of_googles():
    theirs = [name for row in rows("huggingface") for name in row.theirs]
    assert len(set(theirs)) == len(theirs) == len(GOOGLE)
    assert "bert.encoder.layer.0.attention.self.query.weight" in theirs
    assert "bert.embeddings.token_type_embeddings.weight" in theirs
    assert "bert.encoder.layer.0.output.LayerNorm.bias" in theirs
    assert {"cls.predictions.bias", "classifier.weight", "classifier.bias"} < set(theirs)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("parts", [(), ("head",), ("pooler",), ("pooler", "output")])
def test_parts_are_whole_or_absent(table, parts):
    found = {row.ours.split("/")[0] for row in rows(table, parts)}
    assert found == {"encoder", *parts}
    for part, prefix in TABLES[table].PREFIXES.items():
        has = any(name.startswith(prefix) for row in rows(table, parts) for name in row.theirs)
        assert has == (part in parts)


@pytest.mark.parametrize("table", TABLES)
def test_there_and_back_is_the_same(table):
    rng = np.random.default_rng(0)
    for row in rows(table):
        value = rng.standard_normal(row.our_shape).astype(np.float32)
        parts = to_theirs(row, value)
        assert [part.shape for part in parts] == [row.shape] * len(row.theirs)
        np.testing.assert_array_equal(to_ours(row, parts), value)


def test_query_key_and_value_lie_side_by_side_and_turned():
    row = next(r for r in rows("huggingface") if r.ours.endswith("qkv/kernel"))
    query, key, value = (np.arange(225.0).reshape(15, 15) + 1000 * i for i in range(3))
    ours = to_ours(row, [query, key, value])
    np.testing.assert_array_equal(ours[:, :15], query.T)
    np.testing.assert_array_equal(ours[:, 15:30], key.T)
    np.testing.assert_array_equal(ours[:, 30:], value.T)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.weight"),
        ("bert.encoder.layer.1.output.LayerNorm.beta", None),
        ("pooler.dense.weight", "bert.pooler.dense.weight"),
        ("bert.pooler.dense.weight", "bert.pooler.dense.weight"),
        ("cls.predictions.transform.LayerNorm.gamma", None),
        ("classifier.weight", "classifier.weight"),
    ],
)
def test_canonical_names(name, expected):
    expected = expected or name.replace("gamma", "weight").replace("beta", "bias")
    assert huggingface_names.canonical(name) == expected


CLASSIFIER = {"architectures": ["BertForSequenceClassification"]}


@pytest.mark.parametrize(
    ("config", "has_pooler", "num_outputs", "skipped"),
    [
        ({}, True, 2, False),
        (CLASSIFIER, True, 2, False),
        (CLASSIFIER, False, 2, True),
        (CLASSIFIER, True, 1, True),
        ({"architectures": ["BertForTokenClassification"]}, True, 2, True),
        ({**CLASSIFIER, "problem_type": "single_label_classification"}, True, 2, False),
        ({**CLASSIFIER, "problem_type": "regression"}, True, 2, True),
    ],
)
def test_which_classifiers_are_taken(config, has_pooler, num_outputs, skipped):
    reason = huggingface_names.why_skipped("classifier.weight", config, has_pooler, num_outputs)
    assert (reason is not None) == skipped


def test_why_others_are_skipped():
    for name in ("global_step", "bert/pooler/dense/bias/adam_v", "cls/seq_relationship/x"):
        assert google_names.why_skipped(name)
    assert google_names.why_skipped("bert/pooler/dense/bias") is None
    for name in ("cls.seq_relationship.bias", "bert.embeddings.position_ids"):
        assert huggingface_names.why_skipped(name, {}, True, 0)
    assert huggingface_names.why_skipped("bert.pooler.dense.bias", {}, True, 0) is None
