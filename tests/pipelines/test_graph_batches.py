"""Batches made in a graph against the ones made in Python, text by text."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bert_core.batch import ClassificationBatch
from pipelines.examples import Example
from pipelines.graph_batches import MaskedBatcher, TextBatcher
from pipelines.masked_text import masked_batch
from pipelines.options import TextOptions
from pipelines.text_batches import batch_of_all
from pipelines.tokenized import tokenize_examples
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import Vocabulary
from tests.pipelines.test_tokenizer_golden import GOLDEN

ODD = [
    "",
    " ",
    "[MASK]",
    "a [MASK] b[MASK]",
    "[CLS] [SEP] [PAD]",
    "x" * 401,
    "\0\x01",
    "\ufeff",
]


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tokenizer(golden: dict[str, Any]) -> Tokenizer:
    return Tokenizer(Vocabulary(tuple(golden["tokens"]), True))


@pytest.fixture(scope="module")
def texts(golden: dict[str, Any]) -> list[str]:
    return [*golden["texts"], *ODD]


def in_graph(function: Callable[..., Any], *texts: list[str]) -> Any:
    """What the function makes of them when it is traced for any number of strings."""
    spec = tf.TensorSpec([None], tf.string)
    traced = tf.function(function, input_signature=[spec] * len(texts), autograph=False)
    tensors = [tf.constant(column, tf.string) for column in texts]
    return tf.nest.map_structure(lambda x: x.numpy(), traced(*tensors))


def assert_rows(batch: ClassificationBatch, expected: ClassificationBatch) -> None:
    """Equal; the expected batch is padded further, to a multiple of 32."""
    length = batch.input_ids.shape[1]
    assert batch.input_mask.sum(axis=1).max() == length  # as long as the longest
    for name in ("input_ids", "input_mask", "segment_ids"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(expected, name)[:, :length])
    assert not expected.input_mask[:, length:].any()
    np.testing.assert_array_equal(batch.label_ids, expected.label_ids)
    np.testing.assert_array_equal(batch.example_weights, expected.example_weights)


@pytest.mark.parametrize(("length", "truncation"), [(9, "head_tail"), (200, "head")])
def test_texts(tokenizer: Tokenizer, texts: list[str], length: int, truncation: str) -> None:
    options = TextOptions(max_seq_length=length, truncation=truncation)
    examples = [Example(text, None, None) for text in texts]
    rows = tokenize_examples(examples, tokenizer, length, truncation)
    assert rows.num_truncated > 5
    batch = in_graph(TextBatcher(tokenizer, options), texts)
    assert_rows(batch, batch_of_all(rows, tokenizer.vocabulary, options))


@pytest.mark.parametrize(("length", "truncation"), [(9, "head"), (24, "head_tail")])
def test_pairs(tokenizer: Tokenizer, texts: list[str], length: int, truncation: str) -> None:
    options = TextOptions(max_seq_length=length, truncation=truncation)
    others = texts[::-1]
    examples = [Example(*pair, None) for pair in zip(texts, others, strict=True)]
    rows = tokenize_examples(examples, tokenizer, length, truncation)
    batch = in_graph(TextBatcher(tokenizer, options), texts, others)
    assert_rows(batch, batch_of_all(rows, tokenizer.vocabulary, options))


def test_masked_texts(tokenizer: Tokenizer, texts: list[str]) -> None:
    masked = [f"{text} [MASK]{text[:3]}" for text in texts] + [
        "[MASK]",
        "[MASK][MASK] a [MASK]",
    ]
    batch, input_mask = in_graph(MaskedBatcher(tokenizer, 1000), masked)
    for row, text in enumerate(masked):
        expected = masked_batch(text, tokenizer, 1000)
        tokens = input_mask[row].sum()
        np.testing.assert_array_equal(batch.input_ids[row, :tokens], expected.input_ids[0])
        assert set(batch.input_ids[row, tokens:]) <= {tokenizer.vocabulary.pad_id}
        masks = int(batch.masked_lm_weights[row].sum())
        positions = batch.masked_lm_positions[row, :masks]
        np.testing.assert_array_equal(positions, expected.masked_lm_positions[0])
    assert batch.masked_lm_positions.shape[1] >= 3


def test_masks_beyond_the_models_positions_are_lost(tokenizer: Tokenizer) -> None:
    text = "[MASK] a a a a a [MASK] a a [MASK]"
    batch, input_mask = in_graph(MaskedBatcher(tokenizer, 9), [text, "no mask"])
    assert input_mask[0].sum() == 9
    assert batch.masked_lm_positions.tolist() == [[1, 7], [0, 0]]
    assert batch.masked_lm_weights.tolist() == [[1, 1], [0, 0]]
    assert batch.input_ids[0, 8] == tokenizer.vocabulary.sep_id


def test_no_texts_at_all(tokenizer: Tokenizer) -> None:
    options = TextOptions(max_seq_length=20)
    assert in_graph(TextBatcher(tokenizer, options), []).input_ids.shape[0] == 0
    assert in_graph(TextBatcher(tokenizer, options), [], []).input_ids.shape[0] == 0
    batch, _ = in_graph(MaskedBatcher(tokenizer, 20), [])
    assert batch.masked_lm_positions.shape[0] == 0
