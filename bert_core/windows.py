"""Long texts in windows that do not see each other: attention without the square.

A text of S tokens becomes K = ceil(S / W) rows of W tokens, W being the window, or S if S
is less. Each has positions from 0, as in pretraining. A pooler over all tokens brings them
together. Where a text is cut depends on nothing but the text: not on how far its batch is
padded. Sizes are numbers where they are known when traced, else scalar tensors.
"""

from typing import Any

import tensorflow as tf

Size = Any  # int or int32 scalar


def cut(x: tf.Tensor, batch_size: Size, seq_length: Size, window: int) -> tf.Tensor:
    """[B, S] -> [B * K, W], with zeros after a text's end."""
    known = isinstance(seq_length, int)
    width = min(seq_length, window) if known else tf.minimum(seq_length, window)
    count = -(-seq_length // width)
    padded = tf.pad(x, [[0, 0], [0, count * width - seq_length]])
    return tf.reshape(padded, [batch_size * count, width])


def joined(x: tf.Tensor, batch_size: Size, seq_length: Size) -> tf.Tensor:
    """[B * K * W, H] -> [B * S, H], without what `cut` added after the end."""
    rows = tf.reshape(x, [batch_size, -1, x.shape[1]])[:, :seq_length]
    return tf.reshape(rows, [batch_size * seq_length, x.shape[1]])
