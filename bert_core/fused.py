"""Arithmetic element by element, in one pass over memory.

TensorFlow writes an array for each operation of an expression; XLA computes the whole
expression one element after another, and finds the largest of a long row in a third of the
time. It compiles anew for each shape, so it is used only for shapes known when traced, as in
pretraining. Elsewhere, and on a Mac, whose GPU has no XLA, the operations are TensorFlow's.
"""

import functools
import sys
from collections.abc import Callable

import tensorflow as tf

COMPILED = sys.platform != "darwin"


def fused(expression: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """`expression` of tensors, compiled where that pays; for use in tf.custom_gradient.

    (A tape would make it write all intermediate arrays, for the gradient.)
    """
    compiled = tf.function(expression, jit_compile=True, autograph=False)

    @functools.wraps(expression)
    def call(*tensors: tf.Tensor) -> tf.Tensor:
        compiles = COMPILED and tf.inside_function()
        compiles = compiles and all(x.shape.is_fully_defined() for x in tensors)
        return (compiled if compiles else expression)(*tensors)

    return call
