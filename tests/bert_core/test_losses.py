"""Cross-entropy and accuracy against the oracle, and at their edges."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core.losses import cross_entropy, squared_error, tied_cross_entropy
from tests import oracles
from tests.small_bert import MODES, TOLERANCE, assert_close


@pytest.mark.parametrize("mode", ["eager", "function"])
@pytest.mark.parametrize("classes", [2, 7])
def test_cross_entropy_and_accuracy(mode, classes):
    rng = np.random.default_rng(0)
    logits = (3 * rng.standard_normal((40, classes))).astype(np.float32)
    labels = rng.integers(0, classes, 40).astype(np.int32)
    weights = rng.choice([0.0, 1.0, 0.5], 40).astype(np.float32)
    loss, accuracy = MODES[mode](cross_entropy)(logits, labels, weights)
    total, weight = oracles.cross_entropy(logits.astype(np.float64), labels, weights)
    assert_close(loss[0] / loss[1], total / weight)
    assert float(loss[1]) == weight
    assert tuple(map(float, accuracy)) == oracles.accuracy(logits, labels, weights)
    assert 0 < accuracy[0] < accuracy[1]


def test_by_hand():
    # p = 3/4 for the first label and 1/2 for the second; the second is a tie: right.
    logits = np.log(np.array([[1, 3], [2, 2], [9, 1]], np.float32))
    loss, accuracy = cross_entropy(logits, np.array([1, 0, 1]), np.array([2.0, 1, 1], "f4"))
    assert float(loss[0]) == pytest.approx(2 * np.log(4 / 3) + np.log(2) + np.log(10))
    assert [float(x) for x in (loss[1], *accuracy)] == [4, 3, 4]


def test_great_logits_do_not_overflow():
    logits = np.array([[1e4, 0, -1e4]] * 3, np.float32)
    loss, accuracy = cross_entropy(logits, np.arange(3), np.ones(3, np.float32))
    assert [float(x) for x in (*loss, *accuracy)] == [3e4, 3, 1, 3]


def test_rows_of_weight_0_count_for_nothing():
    rng = np.random.default_rng(1)
    logits = rng.standard_normal((5, 4)).astype(np.float32)
    labels, weights = np.array([0, 1, 2, 3, 0]), np.array([1, 1, 1, 0, 0], np.float32)
    whole = cross_entropy(logits, labels, weights)
    part = cross_entropy(logits[:3], labels[:3], weights[:3])
    assert_close(whole, part, 1e-6)


@pytest.mark.parametrize("mode", ["eager", "function"])
@pytest.mark.parametrize(
    ("spread", "size"),
    # 60: most probabilities are 0 in float32; 1024: tokens nobody has are added.
    [(1.0, 11), (60.0, 11), (1.0, 1024)],
)
def test_tied_cross_entropy_is_the_plain_one_with_its_gradients(mode, spread, size):
    rng = np.random.default_rng(2)
    x, table = spread * rng.standard_normal((9, 6)), rng.standard_normal((size, 6))
    bias = rng.standard_normal(size)
    labels = np.array([0, 3, 3, 10, 7, 1, 0, 5, 3], np.int32)
    weights = np.array([1, 1, 0.5, 0, 1, 2, 1, 1, 1], np.float32)

    def values(loss_of, *inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss, accuracy = loss_of(*inputs)
        # Of half the loss, as the gradient must carry what comes down to it.
        return [*loss, *accuracy, *tape.gradient(loss, inputs, [0.5, 0.0])]

    def plain(x, table, bias):
        logits = tf.matmul(x, table, transpose_b=True) + bias
        return cross_entropy(logits, labels, weights)

    def tied(x, table, bias):
        return tied_cross_entropy(x, table, bias, labels, weights)

    inputs = [tf.constant(a, tf.float32) for a in (x, table, bias)]
    wanted = values(plain, *inputs)
    got = MODES[mode](lambda *inputs: values(tied, *inputs))(*inputs)
    for one, other in zip(got, wanted, strict=True):
        # A sum in the thousands is within a few of its last bits, not within 1e-5.
        assert_close(one, other, TOLERANCE * max(1.0, 0.1 * np.abs(other).max()))


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_in_16_bits_a_gradient_vanishes_with_the_loss(dtype):
    rng = np.random.default_rng(4)
    table = rng.standard_normal((40, 32)).astype(np.float32)
    labels = np.arange(16, dtype=np.int32)
    x, weights = tf.constant(0.6 * table[:16]), np.ones(16, np.float32)

    def gradients(dtype):
        inputs = [x, tf.constant(table), tf.zeros(40)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss, _ = tied_cross_entropy(*inputs, labels, weights, dtype)
        return float(loss[0] / loss[1]), tape.gradient(loss[0], inputs)

    loss, exact = gradients(tf.float32)
    assert loss < 0.01  # of nearly all tokens it is sure
    _, found = gradients(dtype)
    for one, other in zip(found[:2], exact[:2], strict=True):
        assert np.linalg.norm(one - other) < 0.1 * np.linalg.norm(other)


def test_tied_cross_entropy_of_logits_beyond_exp():
    x = np.array([[1e4], [-1e4]], np.float32)
    table, bias = np.array([[1.0], [0.0], [-1.0]], np.float32), np.zeros(3, np.float32)
    loss, accuracy = tied_cross_entropy(x, table, bias, np.array([2, 2]), np.ones(2, "f4"))
    assert [float(v) for v in (*loss, *accuracy)] == [2e4, 2, 1, 2]


def test_squared_error_by_hand():
    numbers, targets = np.array([1.0, 2, 3], "f4"), np.array([3.0, 2, 1], "f4")
    total, weight = squared_error(numbers, targets, np.array([1, 1, 0.5], "f4"))
    assert (float(total), float(weight)) == (6.0, 2.5)
