"""Losses as (sum, weight): divided once, at the end, whatever was summed in between."""

from typing import Any

import tensorflow as tf

from bert_core.compute import product
from bert_core.fused import fused

Pair = tuple[tf.Tensor, tf.Tensor]  # (sum, weight), float32 scalars
Sums = dict[str, Pair]


def cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
) -> tuple[Pair, Pair]:
    """Weighted -log softmax(logits)[label], in nats, and the share of right answers.

    logits: [M, C] float32; labels: [M] int32; weights: [M] float32.
    Returns loss and accuracy. A tie counts as right.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)  # [M]
    label_logits = tf.gather(logits, labels, axis=1, batch_dims=1)  # [M]
    right = tf.cast(label_logits >= tf.reduce_max(logits, axis=1), tf.float32)
    weight = tf.reduce_sum(weights)
    return (tf.reduce_sum(losses * weights), weight), (tf.reduce_sum(right * weights), weight)


def tied_cross_entropy(
    x: tf.Tensor,
    embeddings: tf.Tensor,
    bias: tf.Tensor,
    labels: tf.Tensor,
    weights: tf.Tensor,
    dtype: tf.DType = tf.float32,
) -> tuple[Pair, Pair]:
    """`cross_entropy` of the logits x embeddings^T + bias, which are [M, V] and large.

    x: [M, H]; embeddings: [V, H]; bias: [V]; labels: [M] int32; weights: [M] float32.
    dtype: of the products with the embeddings; all else is float32.
    Two arrays [M, V] are made, logits and probabilities (with a V of
    `_padded_vocabulary`); left to itself TensorFlow makes four, and the step is a fifth
    slower (docs/performance.md). Differentiable once, in the loss.
    """

    @tf.custom_gradient
    def sums(x: tf.Tensor, embeddings: tf.Tensor, bias: tf.Tensor) -> Any:
        logits = product(x, embeddings, dtype, transpose_b=True) + bias  # [M, V]
        probabilities = tf.nn.softmax(logits)
        best = _largest(logits)  # [M]
        # log(sum(exp(logits))) from the likeliest token, whose probability is at least 1/V.
        log_total = best - tf.math.log(_largest(probabilities))
        label_logits = tf.gather(logits, labels, axis=1, batch_dims=1)
        right = tf.cast(label_logits >= best, tf.float32)

        def gradient(d_loss: tf.Tensor, _: tf.Tensor) -> Any:
            # d loss / d logits is scale * (probabilities - one_hot(labels)). The small
            # sides of the products are scaled, and the labels' share is added by rows.
            scale = (d_loss * weights)[:, tf.newaxis]  # [M, 1]
            scaled_x = scale * x
            size = embeddings.shape[0]
            if dtype == tf.float32:
                d_x = product(probabilities, embeddings) - tf.gather(embeddings, labels)
                d_embeddings = product(probabilities, scaled_x, transpose_a=True)
                d_embeddings -= tf.math.unsorted_segment_sum(scaled_x, labels, size)
            else:  # rounded first, the two would not cancel where the model is sure
                places = tf.stack([tf.range(tf.size(labels)), labels], axis=1)
                of_labels = tf.gather_nd(probabilities, places) - 1.0
                differences = tf.tensor_scatter_nd_update(
                    tf.cast(probabilities, dtype), places, tf.cast(of_labels, dtype)
                )
                d_x = product(differences, embeddings, dtype)
                d_embeddings = product(differences, scaled_x, dtype, transpose_a=True)
            d_bias = tf.matmul(probabilities, scale, transpose_a=True)  # [V, 1]
            d_bias -= tf.math.unsorted_segment_sum(scale, labels, size)
            return scale * d_x, d_embeddings, tf.squeeze(d_bias, axis=1)

        loss = tf.reduce_sum((log_total - label_logits) * weights)
        return (loss, tf.reduce_sum(right * weights)), gradient

    (loss, right), weight = (
        sums(x, *_padded_vocabulary(embeddings, bias)),
        tf.reduce_sum(weights),
    )
    return (loss, weight), (right, weight)


def _padded_vocabulary(embeddings: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Both, with tokens of probability 0 added if V is a multiple of 1024.

    Numbers a multiple of 4 KB apart share few places in the cache, and a product that
    reads an array [M, V] by columns then takes about twice as long (docs/performance.md).
    """
    if embeddings.shape[0] % 1024:
        return embeddings, bias
    return tf.pad(embeddings, [[0, 16], [0, 0]]), tf.pad(bias, [[0, 16]], constant_values=-1e9)


@fused
def _largest(x: tf.Tensor) -> tf.Tensor:
    """The largest of each row; compiled, long rows take a third of the time."""
    return tf.reduce_max(x, axis=1)


def squared_error(predictions: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> Pair:
    """Weighted (prediction - target)^2; all three are [M] float32."""
    return tf.reduce_sum(tf.square(predictions - targets) * weights), tf.reduce_sum(weights)
