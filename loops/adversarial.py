"""Adversarial training: each text also as its embeddings are hardest to read.

A model that must be right in a whole neighbourhood of each text cannot learn the few labelled
texts by heart.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_core.losses import Sums


def adversarial_sums(model: Any, size: float) -> Callable[[Any, Any], Sums]:
    """`model.sums`, with the mean of two losses: of the texts, and of the texts moved.

    A text's embeddings, behind their LayerNorm, are moved by

        shift = size * g / |g|,    g = d loss / d embeddings of the text

    (the fast gradient method; Miyato et al. 2017, https://arxiv.org/abs/1605.07725,
    equations 5 and 6). Both losses see the same dropout. Half as fast as without.

    Args:
      model: has `sums(batch, seed, shift)` and `config`.
      size: the Euclidean length of the shift of a text; a token's vector has about sqrt(H).
        0: `model.sums` itself.
    """
    if not size:
        return model.sums

    def sums(batch: Any, seed: Any) -> Sums:
        still = tf.zeros([*tf.unstack(tf.shape(batch.input_ids)), model.config.hidden_size])
        with tf.GradientTape() as tape:
            tape.watch(still)
            found = model.sums(batch, seed, still)
            loss, weight = found["loss"]
        shift = size * unit(tape.gradient(loss, still))
        moved, _ = model.sums(batch, seed, tf.stop_gradient(shift))["loss"]
        return {**found, "loss": ((loss + moved) / 2, weight), "moved_loss": (moved, weight)}

    return sums


def unit(x: tf.Tensor) -> tf.Tensor:
    """[B, S, H], each text's part at length 1; 0 stays 0."""
    length = tf.sqrt(tf.reduce_sum(tf.square(x), axis=[1, 2], keepdims=True))
    return tf.math.divide_no_nan(x, length)
