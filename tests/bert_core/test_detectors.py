"""The gradient of the largest products, against TensorFlow's own of the same."""

import numpy as np
import tensorflow as tf

from bert_core.detectors import largest_products
from tests.small_bert import assert_close


def test_gradients_are_those_of_a_product_and_a_maximum():
    draw = np.random.default_rng(0)
    x = tf.constant(draw.standard_normal((3, 7, 5)), tf.float32)
    kernel = tf.Variable(draw.standard_normal((5, 11)), dtype=tf.float32)
    weights = tf.constant(draw.standard_normal((3, 11)), tf.float32)

    def gradients(expression):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(weights * expression())
        return total, *tape.gradient(total, [x, kernel])

    ours = gradients(lambda: largest_products(x, kernel, tf.float32))
    plain = gradients(lambda: tf.reduce_max(tf.einsum("bsh,hn->bsn", x, kernel), axis=1))
    assert np.any(plain[1].numpy() == 0)  # most tokens are the largest for no detector
    for actual, expected in zip(ours, plain, strict=True):
        assert_close(actual, expected.numpy())
