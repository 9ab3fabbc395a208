"""Signatures of small models, saved, loaded again, and against the models themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bert_core.models import Classifier, MaskedLanguageModel, Regressor, SentenceEncoder
from loops import export, exported
from loops.warmup import FILE
from pipelines.examples import Example
from pipelines.graph_batches import MaskedBatcher, TextBatcher
from pipelines.masked_text import masked_batch
from pipelines.options import TextOptions
from pipelines.text_batches import batch_of_all
from pipelines.tokenized import tokenize_examples
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.small_bert import randomise, small_config

TOKENS = (*SPECIAL_TOKENS, *"abcdefghijklmn")  # small_config's 19
TOKENIZER = Tokenizer(Vocabulary(TOKENS, True))
OPTIONS = TextOptions(max_seq_length=9)
TEXTS = ["a b c", "", "d e f g h i j k l m n", "é ￿ x"]
PAIRS = ["b b", "c", "a b c d e f g", ""]
TOLERANCE = 1e-6


def saved(directory: Path, model: tf.Module, *parts: Any) -> Any:
    """Signatures that have been to the disk and back."""
    batchers, signatures = parts
    export.save(directory, "m", exported.Exported(model, batchers), signatures, ["a"])
    assert (directory / FILE).stat().st_size > 0
    return tf.saved_model.load(str(directory)).signatures


def classes_of(model: Classifier, pairs: list[str] | None) -> np.ndarray:
    examples = [Example(x, pairs[i] if pairs else None, None) for i, x in enumerate(TEXTS)]
    rows = tokenize_examples(examples, TOKENIZER, OPTIONS.max_seq_length)
    batch = batch_of_all(rows, TOKENIZER.vocabulary, OPTIONS)
    return tf.nn.softmax(model.logits(batch)).numpy()


@pytest.mark.parametrize(("has_pairs", "pooling"), [(False, "mean"), (True, "cls")])
def test_classes(tmp_path: Path, has_pairs: bool, pooling: str) -> None:
    model = Classifier(small_config(pooling=pooling), 3)
    randomise(model)
    to_batch = TextBatcher(TOKENIZER, OPTIONS)
    labels = ["näh", "so so", "yes"]
    signatures = exported.classifying(model, to_batch, labels, has_pairs)
    classify = saved(tmp_path / "m", model, [to_batch], signatures)["serving_default"]
    inputs = {"text": tf.constant(TEXTS), "text_pair": tf.constant(PAIRS)}
    found = classify(**inputs) if has_pairs else classify(text=inputs["text"])
    expected = classes_of(model, PAIRS if has_pairs else None)
    assert np.ptp(expected[:, 0]) > 0.01  # the texts are not all alike
    np.testing.assert_allclose(found["probabilities"], expected, rtol=0, atol=TOLERANCE)
    best = [labels[i].encode() for i in expected.argmax(axis=1)]
    assert found["label"].numpy().tolist() == best
    assert found["labels"].numpy().tolist() == [[x.encode() for x in labels]] * len(TEXTS)


def test_numbers(tmp_path: Path) -> None:
    model = Regressor(small_config(), 1)
    randomise(model)
    to_batch = TextBatcher(TOKENIZER, OPTIONS)
    signatures = exported.regressing(model, to_batch, (2451545.0, 0.3), pairs=False)
    regress = saved(tmp_path / "m", model, [to_batch], signatures)["serving_default"]
    rows = tokenize_examples([Example(x, None, None) for x in TEXTS], TOKENIZER, 9)
    answers = model.logits(batch_of_all(rows, TOKENIZER.vocabulary, OPTIONS)).numpy()[:, 0]
    assert np.ptp(answers) > 0.01
    found = regress(text=tf.constant(TEXTS))["predicted"]
    expected = 2451545 + 0.3 * answers.astype(np.float64)  # Julian days: float32 has quarters
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_words_for_masks(tmp_path: Path) -> None:
    model = MaskedLanguageModel(small_config())
    randomise(model)
    to_batch = MaskedBatcher(TOKENIZER, 11)
    signatures = exported.filling_masks(model, to_batch, TOKENS, top_k=4)
    fill = saved(tmp_path / "m", model, [to_batch], signatures)["serving_default"]
    texts = ["a [MASK] b [MASK] c", "none", "[MASK]"]
    found = {name: value.numpy() for name, value in fill(text=tf.constant(texts)).items()}
    assert found["words"].shape == found["probabilities"].shape == (3, 2, 4)
    assert fill(text=tf.constant(["none"]))["words"].shape == (1, 0, 4)
    for row, text in enumerate(texts):
        masks = text.count("[MASK]")
        if masks:
            batch = masked_batch(text, TOKENIZER, 11)
            values, ids = tf.math.top_k(tf.nn.softmax(model.logits(batch)), 4)
            odds = found["probabilities"][row, :masks]
            np.testing.assert_allclose(odds, values, rtol=0, atol=TOLERANCE)
            words = [[TOKENS[i].encode() for i in guesses] for guesses in ids.numpy()]
            assert found["words"][row, :masks].tolist() == words
        assert (found["words"][row, masks:] == b"").all()
        assert not found["probabilities"][row, masks:].any()


def test_vectors_are_the_means_of_the_tokens(tmp_path: Path) -> None:
    model = SentenceEncoder(small_config())
    randomise(model)
    to_batch = TextBatcher(TOKENIZER, OPTIONS)
    signatures = exported.embedding(model.encoder, to_batch)
    embed = saved(tmp_path / "m", model, [to_batch], signatures)["embed"]
    found = embed(text=tf.constant(TEXTS))["vectors"].numpy()
    for text, vector in zip(TEXTS, found, strict=True):
        ids = [2, *TOKENIZER.encode([text])[0][:7], 3]
        states = model.encoder(tf.constant([ids]))
        np.testing.assert_allclose(vector, np.mean(states, axis=0), rtol=0, atol=TOLERANCE)


def test_signatures_are_described() -> None:
    model = Classifier(small_config(), 2)
    to_batch = TextBatcher(TOKENIZER, OPTIONS)
    signatures = exported.embedding(model.encoder, to_batch)
    signatures |= exported.classifying(model, to_batch, ["a", "b"], True)
    assert export.described(signatures) == [
        "  serving_default: text [n] string, text_pair [n] string -> label [n] string, "
        "labels [n, 2] string, probabilities [n, 2] float32",
        "  embed: text [n] string -> vectors [n, 15] float32",
    ]
