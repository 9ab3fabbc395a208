"""Pooling by what occurs anywhere in a text: learned detectors, each at its strongest token.

Collobert et al. 2011, https://arxiv.org/abs/1103.0398, section 3.2.2, and, for whole
reviews, Johnson and Zhang 2015, https://arxiv.org/abs/1412.1058: a thousand features, each
the largest of relu(w . x) over the text, respond to single strong words and phrases that a
mean of H numbers washes out.
"""

from typing import Any

import tensorflow as tf

from bert_core.compute import product
from bert_core.config import BertConfig
from bert_core.layers import Initializer

NUM_DETECTORS = 1024  # U


class Detectors(tf.Module):
    """relu of the largest of w . x over a text's tokens, for U columns w of a kernel."""

    compute_dtype = tf.float32  # of the product; see bert_core/compute.py

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="detectors")
        self.width = NUM_DETECTORS
        self.kernel = init.normal("kernel", [config.hidden_size, NUM_DETECTORS])

    def __call__(self, x: tf.Tensor, input_mask: tf.Tensor) -> tf.Tensor:
        """[B, S, H] vectors, [B, S] mask, 1 for a token -> [B, U], 0 for a text of padding.

        There is no bias, so padding, whose vectors are set to 0, gives 0, the least that
        relu returns.
        """
        x *= tf.cast(input_mask, x.dtype)[:, :, tf.newaxis]
        return tf.nn.relu(largest_products(x, self.kernel, self.compute_dtype))


def largest_products(x: tf.Tensor, kernel: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """max over S of x kernel: [B, S, H], [H, U] -> [B, U].

    Each output's gradient goes to one token, so it takes U rows of a text, not a product
    over all S of them.
    """

    @tf.custom_gradient
    def largest(x: tf.Tensor, kernel: tf.Tensor) -> Any:
        batch_size, seq_length, _ = tf.unstack(tf.shape(x))
        rows = tf.reshape(x, [-1, kernel.shape[0]])
        products = product(rows, kernel, dtype)
        products = tf.reshape(products, [batch_size, seq_length, kernel.shape[1]])

        def gradient(d_largest: tf.Tensor) -> Any:
            places = tf.argmax(products, axis=1, output_type=tf.int32)  # [B, U]
            places += tf.range(batch_size)[:, tf.newaxis] * seq_length
            weights = d_largest[:, :, tf.newaxis]
            d_kernel = tf.reduce_sum(tf.gather(rows, places) * weights, axis=0)  # [U, H]
            d_rows = tf.math.unsorted_segment_sum(
                tf.transpose(kernel) * weights, places, batch_size * seq_length
            )
            return tf.reshape(d_rows, tf.shape(x)), tf.transpose(d_kernel)

        return tf.reduce_max(products, axis=1), gradient

    return largest(x, kernel)
