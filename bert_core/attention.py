"""Multi-head self-attention (Vaswani et al. 2017, section 3.2) and its biases."""

import math

import tensorflow as tf

from bert_core.config import BertConfig
from bert_core.layers import Dense, Initializer, dropout


class SelfAttention(tf.Module):
    """Every position reads every visible position, N heads side by side."""

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="attention")
        hidden = config.hidden_size
        self._heads, self._head_size = config.num_attention_heads, config.head_size
        self._dropout_rate = config.attention_probs_dropout_prob
        # One product for query, key and value: columns [0, H), [H, 2H), [2H, 3H).
        self.qkv = Dense(init, hidden, 3 * hidden, "qkv")
        self.output = Dense(init, hidden, hidden, "output")

    def __call__(
        self,
        x: tf.Tensor,
        batch_size: int,
        bias: tf.Tensor | None,
        seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """[B * S, H] -> [B * S, H]; `bias` broadcasts to the scores [B, N, S, S]."""
        probabilities, value = self._attend(x, batch_size, bias)
        probabilities = dropout(probabilities, self._dropout_rate, seed)
        context = tf.matmul(probabilities, value)  # [B, N, S, D]
        context = tf.transpose(context, [0, 2, 1, 3])  # [B, S, N, D]
        return self.output(tf.reshape(context, tf.shape(x)))

    def probabilities(self, x: tf.Tensor, batch_size: int, bias: tf.Tensor | None) -> tf.Tensor:
        """The attention maps [B, N, S, S]; each row sums to 1."""
        return self._attend(x, batch_size, bias)[0]

    def _attend(
        self, x: tf.Tensor, batch_size: int, bias: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        qkv = tf.reshape(self.qkv(x), [batch_size, -1, 3, self._heads, self._head_size])
        query, key, value = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))  # [B, N, S, D]
        # Scaling the query, S * D numbers a head, is cheaper than the S * S scores.
        query *= 1.0 / math.sqrt(self._head_size)
        scores = tf.matmul(query, key, transpose_b=True)  # [B, N, S, S]
        if bias is not None:
            scores += bias
        return tf.nn.softmax(scores), value


def padding_bias(input_mask: tf.Tensor) -> tf.Tensor:
    """[B, S] mask, 1 for a token -> [B, 1, 1, S]: 0 for a token, -1e9 for padding.

    exp(-1e9) is exactly 0 in float32, so padding changes nothing at all.
    """
    return (1.0 - tf.cast(input_mask, tf.float32))[:, tf.newaxis, tf.newaxis, :] * -1e9


def alibi_bias(slopes: tuple[float, ...], seq_length: int) -> tf.Tensor:
    """-slope * |i - j| for each head, [1, N, S, S].

    Press et al. 2021, https://arxiv.org/abs/2108.12409, with |i - j| for i - j since
    BERT looks both ways.
    """
    position = tf.range(seq_length)
    distance = tf.abs(position[:, tf.newaxis] - position[tf.newaxis, :])  # [S, S]
    steepness = tf.constant(slopes)[tf.newaxis, :, tf.newaxis, tf.newaxis]
    return -steepness * tf.cast(distance, tf.float32)
