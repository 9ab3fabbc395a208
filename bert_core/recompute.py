"""Computing a block twice, for less memory: gradient checkpointing.

Chen et al. 2016, https://arxiv.org/abs/1604.06174, section 4: only the input of each block
is kept until its gradient is due; then the rest is computed again. `tf.recompute_grad` does
the same, but cannot take gradients that come in rows, as they do where a model gathers
positions of the last block.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Block = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def recomputed(block: Block, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """block(x, seed), [M, H], perhaps with fewer rows than x; `block` must return the same
    when called again."""

    @tf.custom_gradient
    def run(x: tf.Tensor, seed: tf.Tensor) -> Any:
        def gradient(d_y: tf.Tensor, variables: list[tf.Variable]) -> Any:
            d_y = tf.convert_to_tensor(d_y)
            # Inputs that depend on d_y: otherwise TensorFlow would run the block again as
            # soon as it can, and XLA would find that it has the results already.
            zero = 0.0 * d_y[0, 0]
            x_again, seed_again = x + zero, seed + tf.cast(zero, seed.dtype)
            with tf.GradientTape() as tape:
                tape.watch(x_again)
                y = block(x_again, seed_again)
            d_x, *d_variables = tape.gradient(y, [x_again, *variables], d_y)
            return (d_x, None), d_variables

        return block(x, seed), gradient

    return run(x, seed)
