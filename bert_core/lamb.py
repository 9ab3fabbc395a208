"""LAMB: AdamW's direction, scaled to the norm of the weights, for very large batches.

You et al. 2019, https://arxiv.org/abs/1904.00962, algorithm 2 with phi(z) = z.
"""

import tensorflow as tf

from bert_core.adamw import AdamW, direction
from bert_core.adamw_options import AdamWOptions


def lamb_update(
    parameter: tf.Tensor,
    gradient: tf.Tensor,
    m: tf.Tensor,
    v: tf.Tensor,
    count: tf.Tensor,
    learning_rate: tf.Tensor,
    weight_decay: float,
    options: AdamWOptions,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The rule: new (parameter, m, v) after the `count`-th update, counted from 1.0.

    A layer in the paper is a variable here. Biases and LayerNorm's gamma and beta, of
    rank 1, take AdamW's step: they begin at 0 or 1, so their norm says nothing.
    """
    step, m, v = direction(parameter, gradient, m, v, count, weight_decay, options)
    if len(parameter.shape) > 1:
        step *= trust_ratio(parameter, step)
    return parameter - learning_rate * step, m, v


def trust_ratio(parameter: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """|parameter| / |step|, Euclidean norms; 1 where either is 0."""
    norm, step_norm = tf.norm(parameter), tf.norm(step)
    defined = (norm > 0.0) & (step_norm > 0.0)
    return tf.where(defined, tf.math.divide_no_nan(norm, step_norm), 1.0)


class Lamb(AdamW):
    """AdamW's slots with LAMB's rule."""

    rule = staticmethod(lamb_update)
