"""The small parts against the oracle and against tabulated values."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core.layers import Dense, Initializer, LayerNorm, activation, dropout, fold_in, gelu
from tests import oracles
from tests.small_bert import MODES, assert_close, randomise

MODE = pytest.mark.parametrize("mode", ["eager", "function"])


def normal(*shape, scale=1.0, seed=0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@MODE
def test_dense(mode):
    layer = Dense(Initializer(0, 0.02), 7, 5, "dense")
    parameters, x = randomise(layer), normal(6, 7)
    assert_close(MODES[mode](layer)(x), oracles.dense(parameters, x.astype(np.float64)))


@MODE
@pytest.mark.parametrize("epsilon", [1e-12, 0.3])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_layer_norm(mode, epsilon, offset):
    layer = LayerNorm(Initializer(0, 0.02), 13, epsilon, "norm")
    parameters, x = randomise(layer), normal(6, 13) + np.float32(offset)
    expected = oracles.layer_norm(parameters, x.astype(np.float64), epsilon)
    assert_close(MODES[mode](layer)(x), expected)


def test_layer_norm_of_a_constant_is_beta():
    layer = LayerNorm(Initializer(0, 0.02), 4, 1e-12, "norm")
    parameters = randomise(layer)
    assert_close(layer(tf.fill([2, 4], 0.5)), [parameters["beta"]] * 2)


@MODE
@pytest.mark.parametrize("name", ["gelu", "gelu_new", "relu"])
def test_activations(mode, name):
    x = np.concatenate([np.linspace(-6, 6, 241), [-1e4, -30, 30, 1e4]]).astype(np.float32)
    actual = MODES[mode](activation(name))(x)
    expected = oracles.ACTIVATIONS[name](x.astype(np.float64))
    # In float32 1 + erf(x) is 1.2e-7 at the finest, and XLA's erf need not end at -1.
    np.testing.assert_array_less(np.abs(actual - expected), 1e-6 + 2e-7 * np.abs(x))


@MODE
def test_the_slope_of_gelu(mode):
    x, step = np.linspace(-6, 6, 241), 1e-5
    expected = 3.0 * (oracles.gelu(x + step) - oracles.gelu(x - step)) / (2 * step)

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = 3.0 * gelu(x)
        return tape.gradient(y, x)

    assert_close(MODES[mode](slope)(tf.constant(x, tf.float32)), expected, 3e-6)


def test_the_oracle_agrees_with_tables():
    # Phi(1) and Phi(-2) of the normal distribution; BERT's own gelu(1) in tanh form.
    assert oracles.gelu(np.array([1.0]))[0] == pytest.approx(0.8413447460685429, abs=1e-15)
    assert oracles.gelu(np.array([-2.0]))[0] == pytest.approx(-2 * 0.02275013194817921)
    assert oracles.gelu_new(np.array([1.0]))[0] == pytest.approx(0.8411919906082768, abs=1e-15)
    # The two forms are not the same function.
    x = np.linspace(-4, 4, 101)
    assert 1e-4 < np.abs(oracles.gelu(x) - oracles.gelu_new(x)).max() < 1e-3
    assert_close(oracles.softmax(np.log([[1.0, 2, 5]])), [[0.125, 0.25, 0.625]], 1e-15)
    assert oracles.cross_entropy(
        np.log([[1.0, 3], [1, 1]]), np.array([1, 0]), np.array([2.0, 1])
    ) == pytest.approx((2 * np.log(4 / 3) + np.log(2), 3))


def test_initial_values():
    values = Initializer(3, 0.02).normal("kernel", [200, 300]).numpy()
    assert np.abs(values).max() <= 0.04
    # A normal cut at two deviations has 0.8796 of its deviation left.
    assert values.std() == pytest.approx(0.02 * 0.8796, rel=0.02)
    assert abs(values.mean()) < 4 * 0.02 / np.sqrt(values.size)
    init = Initializer(3, 0.02)
    np.testing.assert_array_equal(init.normal("kernel", [200, 300]), values)
    assert np.abs(init.normal("kernel", [200, 300]) - values).max() > 0.01
    assert np.abs(Initializer(4, 0.02).normal("kernel", [200, 300]) - values).max() > 0.01
    assert not init.zeros("bias", [3]).numpy().any()
    assert (init.ones("gamma", [3]).numpy() == 1).all()


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_zeroes_its_share_and_scales_the_rest(rate):
    x = np.full((300, 401), 2.0, np.float32)  # not a multiple of the four bytes of a word
    y = dropout(x, rate, [1, 2]).numpy()
    rate = round(256 * rate) / 256
    dropped = y == 0
    np.testing.assert_allclose(y[~dropped], 2.0 / (1 - rate), rtol=1e-6)
    deviation = np.sqrt(rate * (1 - rate))
    assert abs(dropped.mean() - rate) < 4 * deviation / np.sqrt(x.size)
    # Each place on its own: no row and no column falls out together.
    assert np.abs(dropped.mean(0) - rate).max() < 5 * deviation / np.sqrt(300)
    assert np.abs(dropped.mean(1) - rate).max() < 5 * deviation / np.sqrt(401)
    assert y.mean() == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(("rate", "lowest", "highest"), [(1e-4, 0, 0.01), (0.9999, 0.99, 1)])
def test_dropout_never_drops_nothing_or_all(rate, lowest, highest):
    dropped = np.mean(dropout(np.ones(100_000, np.float32), rate, [3, 4]) == 0)
    assert lowest < dropped < highest


def test_dropout_passes_the_gradient_of_what_it_kept():
    x = tf.ones([50, 20])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = dropout(x, 0.4, [5, 6])
    np.testing.assert_allclose(tape.gradient(y, x), y)


def test_dropout_is_a_function_of_its_seed():
    x = normal(40, 30)

    def draw(seed):
        return dropout(x, 0.3, seed).numpy()

    np.testing.assert_array_equal(draw([1, 2]), draw([1, 2]))
    np.testing.assert_array_equal(draw([1, 2]), MODES["function"](draw_tensor)(x, [1, 2]))
    others = [[1, 3], [2, 2], fold_in([1, 2], 0), fold_in([1, 2], 1)]
    masks = [draw(seed) == 0 for seed in ([1, 2], *others)]
    for i, mask in enumerate(masks):
        for other in masks[:i]:
            # Two independent masks agree in 0.3^2 + 0.7^2 of all places.
            assert np.mean(mask == other) == pytest.approx(0.58, abs=0.07)


def draw_tensor(x, seed):
    return dropout(x, 0.3, seed)


def test_dropout_without_seed_or_rate_is_the_identity():
    x = normal(4, 5)
    np.testing.assert_array_equal(dropout(x, 0.3, None), x)
    np.testing.assert_array_equal(dropout(x, 0.0, [1, 2]), x)
