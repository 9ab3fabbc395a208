"""Self-attention against the oracle, head by head."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core.attention import SelfAttention, alibi_bias, attention, padding_bias
from bert_core.layers import Initializer, kept_by_dropout
from tests import oracles
from tests.small_bert import MODES, assert_close, random_inputs, randomise, small_config

# Heads and their sizes: odd, one wide head, heads of size 1.
SHAPES = pytest.mark.parametrize(("heads", "size"), [(3, 5), (1, 7), (4, 1), (2, 8)])


def attention_of(heads, size, slopes=()):
    """A layer with random weights, an input [4, 9, H] and a mask, for it and its oracle."""
    config = small_config(
        hidden_size=heads * size, num_attention_heads=heads, alibi_slopes=slopes
    )
    layer = SelfAttention(Initializer(0, 0.02), config)
    parameters = randomise(layer, scale=0.4)
    _, mask, _ = random_inputs(config)
    x = np.random.default_rng(1).standard_normal((*mask.shape, config.hidden_size))
    return layer, parameters, x.astype(np.float32), mask


def flat(x):
    return x.reshape(-1, x.shape[-1])


@pytest.mark.parametrize("mode", ["eager", "function"])
@SHAPES
def test_attention_with_padding(mode, heads, size):
    layer, parameters, x, mask = attention_of(heads, size)
    actual = MODES[mode](lambda x: layer(x, len(mask), padding_bias(mask)))(flat(x))
    expected = oracles.attention(parameters, x.astype(np.float64), mask, heads)
    assert_close(actual, flat(expected))


@pytest.mark.parametrize("mode", ["eager", "function"])
def test_attention_with_padding_and_slopes(mode):
    slopes = (1.0, 0.25, 0.0)
    layer, parameters, x, mask = attention_of(3, 5, slopes)

    def run(x):
        return layer(x, len(mask), padding_bias(mask) + alibi_bias(slopes, x.shape[0] // 4))

    expected = oracles.attention(parameters, x.astype(np.float64), mask, 3, slopes)
    assert_close(MODES[mode](run)(flat(x)), flat(expected))


def test_attention_where_all_is_visible():
    layer, parameters, x, mask = attention_of(3, 5)
    expected = oracles.attention(parameters, x.astype(np.float64), np.ones_like(mask), 3)
    assert_close(layer(flat(x), len(mask), None), flat(expected))


@SHAPES
def test_attention_maps(heads, size):
    slopes = tuple(0.5 / (i + 1) for i in range(heads))
    layer, parameters, x, mask = attention_of(heads, size, slopes)
    bias = padding_bias(mask) + alibi_bias(slopes, mask.shape[1])
    maps = layer.probabilities(flat(x), len(mask), bias).numpy()
    expected = oracles.attention_maps(parameters, x.astype(np.float64), mask, heads, slopes)
    assert_close(maps, np.stack(expected, axis=1))
    assert_close(maps.sum(-1), np.ones(maps.shape[:-1]))
    hidden_keys = np.broadcast_to((mask == 0)[:, None, None, :], maps.shape)
    assert not maps[hidden_keys].any()  # exactly 0


def test_biases():
    np.testing.assert_array_equal(
        padding_bias(np.array([[1, 1, 0], [1, 0, 0]])),
        np.array([[[[0, 0, -1e9]]], [[[0, -1e9, -1e9]]]], np.float32),
    )
    np.testing.assert_array_equal(
        alibi_bias((1.0, 0.5), 3),
        [
            [
                [[0, -1, -2], [-1, 0, -1], [-2, -1, 0]],
                [[0, -0.5, -1], [-0.5, 0, -0.5], [-1, -0.5, 0]],
            ]
        ],
    )


def test_a_row_of_padding_alone_stays_finite():
    layer, _, x, mask = attention_of(3, 5)
    mask[-1] = 0
    assert np.isfinite(layer(flat(x), len(mask), padding_bias(mask))).all()


def test_dropout_falls_on_the_attention_maps():
    # With values of 1 and the identity for output, a position reads the sum of its map.
    config = small_config(
        hidden_size=4, num_attention_heads=1, attention_probs_dropout_prob=0.5
    )
    layer = SelfAttention(Initializer(0, 0.02), config)
    layer.qkv.kernel.assign(tf.zeros_like(layer.qkv.kernel))
    layer.qkv.bias.assign([0.0] * 8 + [1.0] * 4)
    layer.output.kernel.assign(tf.eye(4))
    x = np.zeros((2 * 6, 4), np.float32)
    assert_close(layer(x, 2, None), np.ones((12, 4)))
    y = layer(x, 2, None, [1, 2]).numpy()
    assert (y == y[:, :1]).all()  # one weight for a whole value
    sixths = y[:, 0] * 6 * 0.5  # how many of the six keys were kept
    assert_close(sixths, np.round(sixths))
    assert len(set(np.round(sixths))) > 2


@pytest.mark.parametrize("rate", [0.0, 0.3])
@pytest.mark.parametrize("has_bias", [False, True])
def test_the_gradient_is_that_of_the_formula(rate, has_bias):
    """Against TensorFlow's own gradient of softmax and products."""
    random = np.random.default_rng(2)
    inputs = [tf.constant(random.standard_normal((2, 3, 7, 5)), tf.float32) for _ in range(3)]
    weights = tf.constant(random.standard_normal((2, 3, 7, 5)), tf.float32)
    bias = alibi_bias((1.0, 0.3, 0.0), 7) if has_bias else None
    kept = kept_by_dropout([2, 3, 7, 7], rate, [4, 5])
    assert (kept is None) == (rate == 0.0)

    def formula(query, key, value):
        scores = tf.matmul(query, key, transpose_b=True)
        probabilities = tf.nn.softmax(scores if bias is None else scores + bias)
        used = 1.0 if kept is None else tf.cast(kept, tf.float32)
        return tf.matmul(probabilities * used, value)

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            context = function(*inputs)
            loss = tf.reduce_sum(context * weights)
        return [context, *tape.gradient(loss, inputs)]

    expected = gradients(formula)
    for ours, theirs in zip(
        gradients(lambda *x: attention(*x, bias, kept)), expected, strict=True
    ):
        assert_close(ours, theirs)
