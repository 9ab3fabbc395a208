"""Variables by the path of attributes that leads to them."""

import tensorflow as tf


def named_variables(module: tf.Module) -> dict[str, tf.Variable]:
    """{"encoder/layers/0/attention/qkv/kernel": variable, ...}, as checkpoints name them."""
    leaves = module._flatten(
        predicate=lambda leaf: isinstance(leaf, tf.Variable), with_path=True
    )
    return {"/".join(str(part) for part in path): variable for path, variable in leaves}
