"""What the tokens around each one add to its embedding.

A table of word embeddings for each offset, as in the first layer of a convolution over
words (Johnson and Zhang 2015, https://arxiv.org/abs/1412.1058, section 2.3). With one token
before and one after, a masked token's embedding knows what it stands between: the first
thing to learn about word order needs no attention.
"""

import tensorflow as tf

from bert_core.config import BertConfig
from bert_core.layers import Initializer


class Neighbours(tf.Module):
    """One vector per token: the sum of what each of its neighbours says about it."""

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="neighbours")
        self._offsets = config.neighbour_offsets
        shape = [config.vocab_size, config.hidden_size]
        self.tables = [init.normal(f"offset_{offset}", shape) for offset in self._offsets]

    def by_offset(self) -> list[tuple[int, tf.Variable]]:
        """Each offset with its table [V, H]."""
        return list(zip(self._offsets, self.tables, strict=True))

    def __call__(self, input_ids: tf.Tensor, input_mask: tf.Tensor | None) -> tf.Tensor:
        """[B, S] ids -> [B, S, H]; padding, and what is beyond the text, says nothing."""
        added = []
        for offset, table in self.by_offset():
            said = tf.gather(table, input_ids)  # [B, S, H], by the token that says it
            if input_mask is not None:
                # No tf.newaxis: see `padding_bias`.
                said *= tf.expand_dims(tf.cast(input_mask, said.dtype), 2)
            added.append(_moved(said, -offset))
        return tf.add_n(added)


def _moved(x: tf.Tensor, places: int) -> tf.Tensor:
    """[B, S, H], each x[:, i] moved to i + places; zeros where nothing moves in."""
    zeros = tf.zeros_like(x[:, : abs(places)])
    if places > 0:
        return tf.concat([zeros, x[:, :-places]], axis=1)
    return tf.concat([x[:, -places:], zeros], axis=1)
