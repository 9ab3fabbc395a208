"""Multi-head self-attention (Vaswani et al. 2017, section 3.2) and its biases."""

import math
from typing import Any

import tensorflow as tf

from bert_core.compute import product
from bert_core.config import BertConfig
from bert_core.fused import fused
from bert_core.layers import Dense, Initializer, kept_by_dropout, scale_of_kept


class SelfAttention(tf.Module):
    """Every position reads every visible position, N heads side by side."""

    compute_dtype = tf.float32  # of the products; see bert_core/compute.py

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
        query, key, value = self._projected(x, batch_size)
        shape = [*tf.unstack(tf.shape(query))[:3], tf.shape(key)[2]]
        kept = kept_by_dropout(shape, self._dropout_rate, seed)
        if kept is not None:
            value *= scale_of_kept(self._dropout_rate)  # fewer numbers than probabilities
        context = attention(query, key, value, bias, kept, self.compute_dtype)  # [B, N, S, D]
        context = tf.transpose(context, [0, 2, 1, 3])  # [B, S, N, D]
        return self.output(tf.reshape(context, tf.shape(x)))

    def probabilities(self, x: tf.Tensor, batch_size: int, bias: tf.Tensor | None) -> tf.Tensor:
        """The attention maps [B, N, S, S]; each row sums to 1."""
        query, key, _ = self._projected(x, batch_size)
        return _probabilities(query, key, bias, self.compute_dtype)

    def _projected(self, x: tf.Tensor, batch_size: int) -> list[tf.Tensor]:
        """Scaled query, key and value, [B, N, S, D] each."""
        qkv = tf.reshape(self.qkv(x), [batch_size, -1, 3, self._heads, self._head_size])
        query, key, value = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))
        # Scaling the query, S * D numbers a head, is cheaper than the S * S scores.
        return [query * (1.0 / math.sqrt(self._head_size)), key, value]


def attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    bias: tf.Tensor | None = None,
    kept: tf.Tensor | None = None,
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """(softmax(query key^T + bias) * kept) value, [B, N, S, D] like the first three.

    kept: bool [B, N, S, S], or None for all. Bias and kept have no gradient.
    dtype: of the products; all between them is float32.
    The others' reads arrays [B, N, S, S] fewer times than TensorFlow's own: what the
    gradient of softmax subtracts, each row's sum of probability times its gradient, is
    the context times its gradient (Dao et al. 2022, https://arxiv.org/abs/2205.14135,
    appendix B.2).
    """

    @tf.custom_gradient
    def attend(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> Any:
        probabilities = _probabilities(query, key, bias, dtype)
        used = probabilities if kept is None else _where_kept(probabilities, kept)
        context = product(used, value, dtype)

        def gradient(d_context: tf.Tensor) -> Any:
            d_used = product(d_context, value, dtype, transpose_b=True)
            row_sums = tf.reduce_sum(d_context * context, axis=-1, keepdims=True)
            d_scores = _scores_gradient(probabilities, used, d_used, row_sums)
            return (
                product(d_scores, key, dtype),
                product(d_scores, query, dtype, transpose_a=True),
                product(used, d_context, dtype, transpose_a=True),
            )

        return context, gradient

    return attend(query, key, value)


@fused
def _where_kept(x: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    return x * tf.cast(kept, x.dtype)


@fused
def _scores_gradient(
    probabilities: tf.Tensor, used: tf.Tensor, d_used: tf.Tensor, row_sums: tf.Tensor
) -> tf.Tensor:
    return used * d_used - probabilities * row_sums


def _probabilities(
    query: tf.Tensor, key: tf.Tensor, bias: tf.Tensor | None, dtype: tf.DType
) -> tf.Tensor:
    scores = product(query, key, dtype, transpose_b=True)  # [B, N, S, S]
    return tf.nn.softmax(scores if bias is None else scores + bias)


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
