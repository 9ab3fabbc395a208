"""Adversarial training: the shift against finite differences, the loss and its gradients."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from bert_core.encoder import Encoder
from bert_core.layers import Initializer
from bert_core.models import Classifier, Regressor, TokenClassifier
from loops.adversarial import adversarial_sums, unit
from tests.small_bert import (
    assert_close,
    random_classification_batch,
    random_inputs,
    random_regression_batch,
    random_token_batch,
    randomise,
    small_config,
    to_tensors,
)

CONFIG = small_config(pooling="mean_max")
SEED = [3, 4]
BATCHES = {
    Classifier: random_classification_batch,
    Regressor: random_regression_batch,
    TokenClassifier: random_token_batch,
}


def model_and_batch(kind, **fields):
    outputs = {Classifier: 3, Regressor: 1, TokenClassifier: 4}[kind]
    model = kind(dataclasses.replace(CONFIG, **fields), outputs)
    randomise(model)
    return model, to_tensors(BATCHES[kind](CONFIG))


def shift_by_differences(model, batch, size):
    """[B, S, H]: central differences of the loss in every number of the embeddings."""
    shape = (*batch.input_ids.shape, CONFIG.hidden_size)
    slope, step = np.zeros(shape), 3e-3

    def loss(at, by):
        moved = np.zeros(shape, np.float32)
        moved[:, at[0], at[1]] = by  # the texts do not see each other: all at once
        logits = model.logits(batch, SEED, tf.constant(moved)).numpy().astype(np.float64)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -logits[np.arange(len(logits)), batch.label_ids] * batch.example_weights

    for at in np.ndindex(shape[1:]):
        slope[:, at[0], at[1]] = (loss(at, step) - loss(at, -step)) / (2 * step)
    length = np.sqrt((slope**2).sum(axis=(1, 2), keepdims=True))
    return size * np.divide(slope, length, out=np.zeros(shape), where=length > 0)


def test_a_text_is_moved_up_its_loss():
    model, batch = model_and_batch(Classifier)
    shift = shift_by_differences(model, batch, size=0.7)
    lengths = np.sqrt((shift**2).sum(axis=(1, 2)))
    assert_close(lengths, [0.7, 0.7, 0.7, 0.0])  # the last counts for nothing
    assert not shift[batch.input_mask.numpy() == 0].any()  # padding stays

    still = model.sums(batch, SEED)
    moved = model.sums(batch, SEED, tf.constant(shift, tf.float32))
    sums = adversarial_sums(model, 0.7)(batch, SEED)
    assert float(moved["loss"][0]) > float(still["loss"][0]) + 0.1
    assert_close(sums["moved_loss"], moved["loss"], 2e-3)
    assert_close(sums["loss"][0], (still["loss"][0] + sums["moved_loss"][0]) / 2)
    assert_close(sums["accuracy"], still["accuracy"])
    assert {float(weight) for _, weight in sums.values()} == {3.0}


@pytest.mark.parametrize("kind", BATCHES)
def test_its_gradient_is_of_both_losses_and_takes_the_shift_as_given(kind):
    model, batch = model_and_batch(kind)

    def gradients(sums):
        with tf.GradientTape() as tape:
            loss = sums()["loss"][0]
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]

    variables = model.trainable_variables
    still = tf.zeros([*batch.input_ids.shape, CONFIG.hidden_size])
    with tf.GradientTape() as tape:
        tape.watch(still)
        loss = model.sums(batch, SEED, still)["loss"][0]
    shift = 0.5 * unit(tape.gradient(loss, still))
    expected = zip(
        gradients(lambda: model.sums(batch, SEED)),
        gradients(lambda: model.sums(batch, SEED, shift)),
        strict=True,
    )
    traced = tf.function(lambda: gradients(lambda: adversarial_sums(model, 0.5)(batch, SEED)))
    for actual, (one, other) in zip(traced(), expected, strict=True):
        np.testing.assert_allclose(actual, (one + other) / 2, rtol=1e-5, atol=1e-5)


def test_what_has_no_slope_is_not_moved():
    x = tf.constant([[[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert_close(unit(x), [[[0.6, 0.0], [0.0, 0.8]], [[0.0, 0.0], [0.0, 0.0]]])


def test_windows_move_with_their_text():
    """Where no token sees another, it does not matter how a text is cut."""
    config = small_config(alibi_slopes=(1e4, 1e4, 1e4), type_vocab_size=1)
    whole = Encoder(Initializer(0, 0.02), config)
    cut = Encoder(Initializer(0, 0.02), dataclasses.replace(config, attention_window=4))
    for one in (whole, cut):
        randomise(one)
        one.embeddings.position.assign(tf.zeros_like(one.embeddings.position))
    inputs = random_inputs(config, lengths=(9, 9))
    shift = np.random.default_rng(0).standard_normal([2, 9, 15]).astype(np.float32)
    moved, still = (cut(*inputs, shift=x) for x in (shift, None))
    assert_close(moved, whole(*inputs, shift=shift))
    assert not np.allclose(moved, still, atol=0.1)
