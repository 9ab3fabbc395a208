"""How a model is computed, which is not part of what it is: precision and recomputing.

Weights, sums, softmax, LayerNorm and losses are float32 always; a product may take its
two sides in 16 bits, and its result is float32 again (Micikevicius et al. 2017,
https://arxiv.org/abs/1710.03740, keep master weights likewise).
"""

import tensorflow as tf


def product(
    a: tf.Tensor,
    b: tf.Tensor,
    dtype: tf.DType = tf.float32,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> tf.Tensor:
    """a b as float32, both factors cast to `dtype` first; its gradients' likewise."""
    y = tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), transpose_a, transpose_b)
    return tf.cast(y, tf.float32)


def set_compute(model: tf.Module, precision: str, recompute: bool) -> None:
    """Tells every module of a model; to be called before anything of it is traced.

    precision: "float32", "bfloat16" or "float16", of each module's `compute_dtype`.
    recompute: whether encoders keep only what enters a block until its gradient is due.
    """
    for module in (model, *model.submodules):
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = tf.as_dtype(precision)
        if hasattr(module, "recompute"):
            module.recompute = recompute
