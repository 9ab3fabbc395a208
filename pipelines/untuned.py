"""Datasets whose threads and buffers are as written, not as TensorFlow tunes them."""

import tensorflow as tf


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, without tf.data's tuner.

    It has nothing to tune where every number is given. And its thread sleeps ever
    longer, up to a minute; deleting an iterator meanwhile sometimes waits for it, as
    seen with TensorFlow 2.21 at the end of training and of evaluations.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
