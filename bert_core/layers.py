"""The small parts: initial values, dense, LayerNorm, activations, dropout.

Activations travel flat as [M, H] with M = B * S (or B * Q, where only Q positions are
wanted): a 3-D product against a 2-D weight becomes a batched product whose weight
gradient is materialised once per example.

A `seed` is an int32 tensor [2], or None where nothing random is wanted. Randomness
is a pure function of it: `fold_in(seed, place)` gives each place its own.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from bert_core.compute import product
from bert_core.fused import fused

fold_in = tf.random.experimental.stateless_fold_in


class Initializer:
    """Successive initial values from one seed: truncated normals, zeros, ones."""

    def __init__(self, seed: int, stddev: float):
        self._seed = seed
        self._stddev = stddev
        self._count = 0

    def normal(self, name: str, shape: Sequence[int]) -> tf.Variable:
        """N(0, stddev^2) cut at two standard deviations, as in google-research/bert's code."""
        self._count += 1
        value = tf.random.stateless_truncated_normal(
            shape, seed=[self._seed, self._count], stddev=self._stddev
        )
        return tf.Variable(value, name=name)

    def zeros(self, name: str, shape: Sequence[int]) -> tf.Variable:
        return tf.Variable(tf.zeros(shape), name=name)

    def ones(self, name: str, shape: Sequence[int]) -> tf.Variable:
        return tf.Variable(tf.ones(shape), name=name)


class Dense(tf.Module):
    """x W + b: [M, I] -> [M, O]."""

    compute_dtype = tf.float32  # of the product; see bert_core/compute.py

    def __init__(self, init: Initializer, inputs: int, outputs: int, name: str):
        super().__init__(name=name)
        self.kernel = init.normal("kernel", [inputs, outputs])
        self.bias = init.zeros("bias", [outputs])

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return product(x, self.kernel, self.compute_dtype) + self.bias

    def columns(self, x: tf.Tensor, start: int, stop: int) -> tf.Tensor:
        """Columns [start, stop) of x W + b."""
        return (
            product(x, self.kernel[:, start:stop], self.compute_dtype) + self.bias[start:stop]
        )


class LayerNorm(tf.Module):
    """(x - mean) / sqrt(variance + eps) * gamma + beta over the last axis.

    Ba et al. 2016, https://arxiv.org/abs/1607.06450, equation 4.
    """

    def __init__(self, init: Initializer, size: int, epsilon: float, name: str):
        super().__init__(name=name)
        self.gamma = init.ones("gamma", [size])
        self.beta = init.zeros("beta", [size])
        self._epsilon = epsilon

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        mean = tf.reduce_mean(x, axis=-1, keepdims=True)
        centred = x - mean
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        return centred * tf.math.rsqrt(variance + self._epsilon) * self.gamma + self.beta


@tf.custom_gradient
def gelu(x: tf.Tensor) -> tf.Tensor:
    """x Phi(x) with the exact normal distribution (Hendrycks and Gimpel 2016)."""
    return _gelu(x), lambda d_y: _gelu_gradient(x, d_y)


@fused
def _gelu(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * _twice_normal(x)  # in the form that TensorFlow Lite has a kernel for


@fused
def _gelu_gradient(x: tf.Tensor, d_y: tf.Tensor) -> tf.Tensor:
    """d_y (Phi(x) + x phi(x)), phi being the normal density."""
    density = tf.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return d_y * (0.5 * _twice_normal(x) + x * density)


def _twice_normal(x: tf.Tensor) -> tf.Tensor:
    """2 Phi(x)."""
    return 1.0 + tf.math.erf(x / math.sqrt(2.0))


def gelu_new(x: tf.Tensor) -> tf.Tensor:
    """The tanh approximation of gelu, as google-research/bert computes it."""
    return 0.5 * x * (1.0 + tf.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


def activation(name: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function of a `hidden_act`."""
    return {"gelu": gelu, "gelu_new": gelu_new, "relu": tf.nn.relu}[name]


def dropout(x: tf.Tensor, rate: float, seed: tf.Tensor | None) -> tf.Tensor:
    """Zeroes a share `rate` of x and scales the rest to keep the mean.

    The rate is rounded to 256ths, and is at least one of them: 0.1 becomes 0.1016.
    Srivastava et al. 2014. The identity where `seed` is None or `rate` is 0.
    """
    kept = kept_by_dropout(tf.shape(x), rate, seed)
    return x if kept is None else x * (tf.cast(kept, x.dtype) * scale_of_kept(rate))


def kept_by_dropout(
    shape: Sequence[int] | tf.Tensor, rate: float, seed: tf.Tensor | None
) -> tf.Tensor | None:
    """bool of `shape`, true for what stays, false for a share `rate`; None if all stays.

    shape: ints, or a tensor of them. Drawing a byte takes a third as long as a float.
    """
    if seed is None or rate == 0.0:
        return None
    size = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform(
        [(size + 3) // 4], seed, minval=None, maxval=None, dtype=tf.int32
    )
    random_bytes = tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:size]
    return tf.reshape(random_bytes, shape) >= _dropped_of_256(rate)


def scale_of_kept(rate: float) -> float:
    """1 / (1 - rate), with the rate rounded to 256ths."""
    return 256 / (256 - _dropped_of_256(rate))


def _dropped_of_256(rate: float) -> int:
    """How many of a byte's 256 values mean dropped; never none, never all."""
    return min(max(round(256 * rate), 1), 255)
