"""How a model is computed, which is not part of what it is: precision and recomputing.

Weights, sums, softmax, LayerNorm and losses are always float32; a product may take its
two factors in 16 bits, and its result is float32 again (Micikevicius et al. 2017,
https://arxiv.org/abs/1710.03740, keep master weights in the same way).
"""

import tensorflow as tf


def product(
    a: tf.Tensor,
    b: tf.Tensor,
    dtype: tf.DType = tf.float32,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> tf.Tensor:
    """a b in float32, both factors cast to `dtype` first; the same for its gradients."""
    y = tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), transpose_a, transpose_b)
    return tf.cast(y, tf.float32)


def set_compute(model: tf.Module, precision: str, recompute: bool) -> None:
    """Sets both in every module of a model; call it before any of it is traced.

    precision: "float32", "bfloat16" or "float16", for each module's `compute_dtype`.
    recompute: whether encoders keep only the input of each block until its gradient is due.
    """
    for module in (model, *model.submodules):
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = tf.as_dtype(precision)
        if hasattr(module, "recompute"):
            module.recompute = recompute
