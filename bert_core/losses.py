"""Losses as (sum, weight): divided once, at the end, whatever was summed between."""

import tensorflow as tf

Pair = tuple[tf.Tensor, tf.Tensor]  # (sum, weight), float32 scalars
Sums = dict[str, Pair]


def cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
) -> tuple[Pair, Pair]:
    """Weighted -log softmax(logits)[label], in nats, and the share of right answers.

    logits: [M, K] float32; labels: [M] int32; weights: [M] float32.
    Returns loss and accuracy. A tie counts as right.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)  # [M]
    label_logits = tf.gather(logits, labels, axis=1, batch_dims=1)  # [M]
    right = tf.cast(label_logits >= tf.reduce_max(logits, axis=1), tf.float32)
    weight = tf.reduce_sum(weights)
    return (tf.reduce_sum(losses * weights), weight), (tf.reduce_sum(right * weights), weight)
