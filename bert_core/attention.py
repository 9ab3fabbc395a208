"""Multi-head self-attention (Vaswani et al. 2017, section 3.2) and its biases."""

import math
from typing import Any

import tensorflow as tf

from bert_core.compute import product
from bert_core.config import BertConfig
from bert_core.fused import fused
from bert_core.layers import Dense, Initializer, kept_by_dropout, scale_of_kept


class SelfAttention(tf.Module):
    """Every position attends to every visible position, with N heads side by side."""

    compute_dtype = tf.float32  # of the products; see bert_core/compute.py

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="attention")
        hidden = config.hidden_size
        self._hidden_size = hidden
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
        readers: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """[B * S, H] -> [B * S, H]; `bias` broadcasts to the scores [B, N, S, S].

        readers: [B * Q, H], the rows of x that attend, Q of each text; None for all. With
        readers, the result is [B * Q, H], theirs alone, and the scores are [B, N, Q, S].
        """
        query, key, value = self._projected(x, batch_size, readers)
        shape = [*tf.unstack(tf.shape(query))[:3], tf.shape(key)[2]]
        kept = kept_by_dropout(shape, self._dropout_rate, seed)
        if kept is not None:
            value *= scale_of_kept(self._dropout_rate)  # fewer numbers than the probabilities
        context = attention(query, key, value, bias, kept, self.compute_dtype)  # [B, N, Q, D]
        context = tf.transpose(context, [0, 2, 1, 3])  # [B, Q, N, D]
        return self.output(tf.reshape(context, [-1, self._hidden_size]))

    def probabilities(self, x: tf.Tensor, batch_size: int, bias: tf.Tensor | None) -> tf.Tensor:
        """The attention maps [B, N, S, S]; each row sums to 1."""
        query, key, _ = self._projected(x, batch_size)
        return _probabilities(query, key, bias, self.compute_dtype)

    def _projected(
        self, x: tf.Tensor, batch_size: int, readers: tf.Tensor | None = None
    ) -> list[tf.Tensor]:
        """Scaled query [B, N, Q, D], then key and value, [B, N, S, D] each."""
        if readers is None:
            query, key, value = self._by_head(self.qkv(x), batch_size, 3)
        else:
            hidden = self._hidden_size
            (query,) = self._by_head(self.qkv.columns(readers, 0, hidden), batch_size, 1)
            key, value = self._by_head(self.qkv.columns(x, hidden, 3 * hidden), batch_size, 2)
        # Scaling the query, S * D numbers per head, is cheaper than the S * S scores.
        return [query * (1.0 / math.sqrt(self._head_size)), key, value]

    def _by_head(self, x: tf.Tensor, batch_size: int, count: int) -> list[tf.Tensor]:
        """[B * S, count * H] -> `count` of [B, N, S, D]; S may be Q."""
        x = tf.reshape(x, [batch_size, -1, count, self._heads, self._head_size])
        return tf.unstack(tf.transpose(x, [2, 0, 3, 1, 4]))


def attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    bias: tf.Tensor | None = None,
    kept: tf.Tensor | None = None,
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """(softmax(query key^T + bias) * kept) value, [B, N, Q, D] like the query.

    key, value: [B, N, S, D].
    kept: bool [B, N, Q, S], or None for all. Bias and kept have no gradient.
    dtype: of the products; everything between them is float32.
    Its gradient reads arrays [B, N, Q, S] fewer times than TensorFlow's: the term that the
    gradient of softmax subtracts, each row's sum of probability times its gradient, equals
    the row's sum of context times its gradient (Dao et al. 2022,
    https://arxiv.org/abs/2205.14135, appendix B.2).
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
    scores = product(query, key, dtype, transpose_b=True)  # [B, N, Q, S]
    return tf.nn.softmax(scores if bias is None else scores + bias)


def padding_bias(input_mask: tf.Tensor) -> tf.Tensor:
    """[B, S] mask, 1 for a token -> [B, 1, 1, S]: 0 for a token, -1e9 for padding.

    exp(-1e9) is exactly 0 in float32, so padding has no effect at all.
    """
    bias = (1.0 - tf.cast(input_mask, tf.float32)) * -1e9
    # No tf.newaxis: TensorFlow Lite cannot index arrays of unknown sizes with it.
    return tf.expand_dims(tf.expand_dims(bias, 1), 1)


def alibi_bias(
    slopes: tuple[float, ...], seq_length: int, positions: tf.Tensor | None = None
) -> tf.Tensor:
    """-slope * |i - j| for each head, [1, N, S, S], or [B, N, Q, S] for i in `positions`.

    Press et al. 2021, https://arxiv.org/abs/2108.12409, with |i - j| for i - j,
    since BERT looks both ways. positions: int32 [B, Q].
    """
    every = tf.range(seq_length)
    if positions is None:
        positions = every[tf.newaxis]
    distance = tf.abs(positions[:, tf.newaxis, :, tf.newaxis] - every)  # [B, 1, Q, S]
    steepness = tf.constant(slopes)[:, tf.newaxis, tf.newaxis]  # [N, 1, 1]
    return -steepness * tf.cast(distance, tf.float32)
