"""Embeddings, blocks and whole encoders against the oracle."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core import attention, layers
from bert_core.attention import padding_bias
from bert_core.config import preset, steep_slopes
from bert_core.encoder import Block, Embeddings, Encoder
from bert_core.layers import Initializer
from tests import oracles
from tests.small_bert import (
    MODES,
    architecture,
    assert_close,
    random_inputs,
    randomise,
    small_config,
)

INIT = Initializer(0, 0.02)
CONFIGS = {
    "odd heads": small_config(),
    "tanh gelu": small_config(hidden_act="gelu_new", num_attention_heads=5),
    "relu": small_config(hidden_act="relu", num_attention_heads=1),
    "slopes": small_config(alibi_slopes=(1.0, 0.3, 0.0)),
    "neighbours": small_config(neighbour_offsets=(-1, 1)),
    "three segments": small_config(type_vocab_size=3, layer_norm_eps=1e-3),
}
CONFIG = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
MODE = pytest.mark.parametrize("mode", ["eager", "function"])


def assert_states_close(actual, expected):
    assert len(actual) == len(expected)
    for state, right in zip(actual, expected, strict=True):
        assert_close(state, right.reshape(-1, right.shape[-1]))


@MODE
@pytest.mark.parametrize("offsets", [(), (-1, 1), (3,), (8, -2)])
def test_embeddings(mode, offsets):
    config = small_config(type_vocab_size=3, neighbour_offsets=offsets)
    layer = Embeddings(INIT, config)
    parameters = randomise(layer)
    input_ids, mask, segment_ids = random_inputs(config)
    run = MODES[mode](lambda *inputs: layer(*inputs, None))

    def right(*inputs):
        states = oracles.embeddings(parameters, architecture(config), *inputs)
        return states.reshape(-1, config.hidden_size)

    all_visible, segment_0 = np.ones_like(mask), np.zeros_like(segment_ids)
    assert_close(run(input_ids, mask, segment_ids), right(input_ids, mask, segment_ids))
    # What is left out is all visible and segment 0.
    assert_close(run(input_ids, None, None), right(input_ids, all_visible, segment_0))


def test_neighbours_learn_by_their_own_rows():
    config = small_config(neighbour_offsets=(-2,))
    layer = Embeddings(INIT, config)
    randomise(layer)
    [table] = layer.neighbours.tables
    with tf.GradientTape() as tape:
        x = layer(np.array([[4, 7, 4, 9]], np.int32), None, None, None)
        loss = tf.reduce_sum(x[3] * np.arange(15, dtype=np.float32))  # beside token 1
    gradient = tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
    assert list(np.flatnonzero(np.abs(gradient).max(axis=1) > 1e-4)) == [7]


@MODE
@CONFIG
def test_block(mode, config):
    layer = Block(INIT, config)
    parameters = randomise(layer)
    _, mask, _ = random_inputs(config)
    x = np.random.default_rng(0).standard_normal((*mask.shape, 15)).astype(np.float32)
    bias = padding_bias(mask)
    if config.alibi_slopes:
        bias += attention.alibi_bias(config.alibi_slopes, mask.shape[1])
    run = MODES[mode](lambda x: layer(x, len(mask), bias, None))
    expected = oracles.block(parameters, x.astype(np.float64), mask, architecture(config))
    assert_close(run(x.reshape(-1, 15)), expected.reshape(-1, 15))


@MODE
@CONFIG
def test_hidden_states(mode, config):
    check_hidden_states(mode, config)


def test_hidden_states_under_xla():
    check_hidden_states("xla", CONFIGS["slopes"])


def check_hidden_states(mode, config):
    model = Encoder(INIT, config)
    parameters, inputs = randomise(model), random_inputs(config)
    states = MODES[mode](lambda *inputs: model.hidden_states(*inputs))(*inputs)
    assert_states_close(
        states, oracles.hidden_states(parameters, architecture(config), *inputs)
    )
    np.testing.assert_array_equal(model(*inputs), model.hidden_states(*inputs)[-1])


@pytest.mark.parametrize("mode", MODES)
def test_the_last_block_for_some_positions(mode):
    """Values and gradients are those of these rows of the whole, whatever else is there."""
    config = small_config(alibi_slopes=(1.0, 0.3, 0.0))
    model = Encoder(INIT, config)
    parameters, inputs = randomise(model), random_inputs(config)
    positions = np.array([[0, 3, 8], [5, 0, 5], [1, 0, 1], [0, 0, 0]], np.int32)
    weights = np.random.default_rng(0).standard_normal((12, 15)).astype(np.float32)

    def with_gradients(vectors):
        with tf.GradientTape() as tape:
            x = vectors()
            loss = tf.reduce_sum(x * weights)
        gradients = tape.gradient(loss, model.trainable_variables)
        return x, [tf.convert_to_tensor(g) for g in gradients]

    x, gradients = MODES[mode](
        lambda: with_gradients(lambda: model(*inputs, positions=positions))
    )()
    expected = oracles.hidden_states(parameters, architecture(config), *inputs)[-1]
    assert_close(x, np.take_along_axis(expected, positions[:, :, None], 1).reshape(12, 15))
    rows = (np.arange(4)[:, None] * 9 + positions).reshape(-1)
    _, whole = with_gradients(lambda: tf.gather(model(*inputs), rows))
    for gradient, right in zip(gradients, whole, strict=True):
        assert_close(gradient, right, 1e-4)


def test_some_positions_of_windows():
    config = small_config(attention_window=4)
    model, inputs = Encoder(INIT, config), random_inputs(config)
    randomise(model)
    some = model(*inputs, positions=np.array([[8], [5], [1], [0]], np.int32))
    np.testing.assert_array_equal(some, tf.gather(model(*inputs), [8, 14, 19, 27]))


def test_what_is_left_out_is_all_visible_and_segment_0():
    config = small_config()
    model = Encoder(INIT, config)
    parameters, (input_ids, mask, _) = randomise(model), random_inputs(config)
    expected = oracles.hidden_states(
        parameters, architecture(config), input_ids, np.ones_like(mask), np.zeros_like(mask)
    )
    assert_states_close(model.hidden_states(input_ids), expected)


def test_shapes_unknown_when_traced():
    config = small_config(alibi_slopes=(1.0, 0.3, 0.0))
    model = Encoder(INIT, config)
    parameters = randomise(model)
    ids = tf.TensorSpec([None, None], tf.int32)
    run = tf.function(model.hidden_states, input_signature=[ids] * 3)
    for lengths in ((9, 6, 2, 1), (4, 5)):
        inputs = random_inputs(config, lengths)
        expected = oracles.hidden_states(parameters, architecture(config), *inputs)
        assert_states_close(run(*inputs), expected)


def test_the_published_tiny_shape_at_all_512_positions():
    config = preset("tiny", 300)
    model = Encoder(INIT, config)
    parameters = randomise(model, scale=0.05)
    inputs = random_inputs(config, (512, 100))
    expected = oracles.hidden_states(parameters, architecture(config), *inputs)
    assert_states_close(model.hidden_states(*inputs), expected)


def test_slopes_see_neighbours_first():
    # With queries and keys of 0 the slopes alone decide: e^-slope from key to key.
    config = small_config(alibi_slopes=steep_slopes(3))
    model = Encoder(INIT, config)
    first = model.layers[0].attention
    first.qkv.kernel.assign(tf.zeros_like(first.qkv.kernel))
    bias = model.attention_bias(6, None)
    maps = first.probabilities(tf.zeros([6, 15]), 1, bias)[0].numpy()
    for head_map, slope in zip(maps, (1.0, 0.3162, 0.1), strict=True):
        assert_close(head_map[0, 1:] / head_map[0, :-1], [np.exp(-slope)] * 5)
        assert_close(head_map[5, :-1] / head_map[5, 1:], [np.exp(-slope)] * 5)


@MODE
@pytest.mark.parametrize(
    "fields",
    [{}, {"alibi_slopes": (1.0, 0.3, 0.1)}, {"neighbour_offsets": (-1, 1)}],
    ids=["plain", "slopes", "neighbours"],
)
def test_padding_changes_nothing_at_all(mode, fields):
    config = small_config(**fields)
    model = Encoder(INIT, config)
    randomise(model)
    run = MODES[mode](lambda *inputs: model(*inputs))
    input_ids, mask, segment_ids = random_inputs(config)
    visible = mask.reshape(-1) == 1
    before = run(input_ids, mask, segment_ids).numpy()
    for row, place in zip(*np.nonzero(mask == 0), strict=True):
        input_ids[row, place] = (input_ids[row, place] + 1) % config.vocab_size
        segment_ids[row, place] = 1 - segment_ids[row, place]
    after = run(input_ids, mask, segment_ids).numpy()
    np.testing.assert_array_equal(before[visible], after[visible])  # bit by bit
    assert (before[~visible] != after[~visible]).any(axis=1).all()


def test_a_visible_token_changes_its_own_row_everywhere_and_no_other():
    config = small_config()
    model = Encoder(INIT, config)
    randomise(model)
    input_ids, mask, segment_ids = random_inputs(config)
    before = model(input_ids, mask, segment_ids).numpy().reshape(4, 9, -1)
    for changed in (input_ids, segment_ids):
        changed[1, 5] = 1 - changed[1, 5] if changed is segment_ids else 18 - changed[1, 5]
        after = model(input_ids, mask, segment_ids).numpy().reshape(4, 9, -1)
        moved = np.abs(after - before).max(-1) > 1e-4
        np.testing.assert_array_equal(moved, np.arange(4)[:, None] == [1] * 9)
        before = after


@pytest.mark.parametrize("window", [0, 4])
def test_every_place_of_dropout_has_its_own_seed_and_rate(window, monkeypatch):
    config = small_config(
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.2, attention_window=window
    )
    calls = []

    def spy(shape, rate, seed):
        calls.append((len(shape), rate, None if seed is None else tuple(seed.numpy())))

    monkeypatch.setattr(attention, "kept_by_dropout", spy)
    monkeypatch.setattr(layers, "kept_by_dropout", spy)
    model, inputs = Encoder(INIT, config), random_inputs(config)
    model(*inputs, seed=tf.constant([1, 2]))
    # Embeddings; then of each block the attention maps and the two sublayers.
    assert [(rank, rate) for rank, rate, _ in calls] == [
        (2, 0.1),
        *[(4, 0.2), (2, 0.1), (2, 0.1)] * 2,
    ]
    assert len({seed for *_, seed in calls}) == 7
    calls.clear()
    model(*inputs)
    assert {seed for *_, seed in calls} == {None}


def test_dropout_in_the_encoder_is_a_function_of_the_seed():
    config = small_config()
    model, inputs = Encoder(INIT, config), random_inputs(config)
    randomise(model)
    states = [
        model(*inputs, seed=tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3])
    ]
    np.testing.assert_array_equal(states[0], states[1])
    for other in (states[2], model(*inputs)):
        assert np.abs(states[0] - other).max() > 0.1
