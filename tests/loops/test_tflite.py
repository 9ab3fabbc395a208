"""The quantised classifier: near the one it is made of, and no kernels but TFLite's."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core.batch import ClassificationBatch
from bert_core.models import Classifier
from loops import tflite
from tests.small_bert import randomise, small_config

PAD, SEP = 0, 3


@pytest.fixture(scope="module", params=[("mean", 0), ("cls", 0), ("detectors", 4)])
def model(request: pytest.FixtureRequest) -> Classifier:
    pooling, window = request.param
    ours = {"alibi_slopes": (1.0, 0.5, 0.1), "neighbour_offsets": (-1, 1)}
    ours |= {"pooling": pooling, "attention_window": window}
    model = Classifier(small_config(hidden_size=48, vocab_size=90, **ours), 3)
    randomise(model, scale=0.15)
    return model


@pytest.fixture(scope="module")
def content(model: Classifier) -> bytes:
    return tflite.quantised(model, PAD, SEP)


def rows() -> list[np.ndarray]:
    """Token ids of texts and of pairs, of several lengths."""
    rng = np.random.default_rng(0)
    found = []
    for length in (5, 9, 3, 9, 11, 2):
        ids = rng.integers(4, 90, length).astype(np.int32)
        ids[0], ids[-1] = 2, SEP
        found.append(ids)
    found[4][4] = SEP  # a pair
    return found


def expected(model: Classifier, ids: np.ndarray) -> np.ndarray:
    second = np.cumsum(ids == SEP) - (ids == SEP) > 0
    batch = ClassificationBatch(
        ids[None], np.ones_like(ids)[None], second.astype(np.int32)[None], None, None
    )
    return tf.nn.softmax(model.logits(batch)).numpy()[0]


def test_probabilities_are_near_those_before(model: Classifier, content: bytes) -> None:
    before = np.stack([expected(model, ids) for ids in rows()])
    after = tflite.run(content, rows(), num_threads=1)
    assert after.shape == (6, 3)
    assert np.ptp(before, axis=0).max() > 0.1  # so that a mix-up of rows shows
    np.testing.assert_allclose(after, before, rtol=0, atol=0.03)
    assert np.abs(after - before).max() > 1e-5  # the weights are really of 8 bits


def test_padding_changes_little(content: bytes) -> None:
    ids = rows()[0]
    padded = np.concatenate([ids, np.full(4, PAD, np.int32)])
    short, long = tflite.run(content, [ids, padded], num_threads=1)
    np.testing.assert_allclose(short, long, rtol=0, atol=0.03)


def test_only_kernels_of_tflite_itself(content: bytes) -> None:
    interpreter = tf.lite.Interpreter(model_content=content)
    names = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert "FULLY_CONNECTED" in names
    assert not [name for name in names if "Flex" in name or "CUSTOM" in name]
    floats = {x["name"] for x in interpreter.get_tensor_details() if x["dtype"] == np.int8}
    assert floats  # weights of 8 bits


def test_what_quantising_costs() -> None:
    after = np.array([[0.4, 0.6], [0.3, 0.7], [0.9, 0.1]])
    before = np.array([[0.6, 0.4], [0.3, 0.7], [0.9, 0.1]])
    compared = tflite.comparison(after, np.array([0, 1, 1]), before)
    assert compared.line() == (
        "accuracy 0.3333 quantised, 0.6667 before (-0.3333); 1 of 3 texts get another "
        "label; probabilities change by at most 0.200"
    )
