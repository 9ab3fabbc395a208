"""What sits on top of the encoder: masked tokens, pooling, classes."""

import tensorflow as tf

from bert_core.config import BertConfig
from bert_core.detectors import Detectors
from bert_core.layers import Dense, Initializer, LayerNorm, activation


class MlmHead(tf.Module):
    """Predicts tokens; its last product is the word embedding, transposed (tied)."""

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="mlm_head")
        hidden = config.hidden_size
        self.transform = Dense(init, hidden, hidden, "transform")
        self.norm = LayerNorm(init, hidden, config.layer_norm_eps, "norm")
        self.bias = init.zeros("bias", [config.vocab_size])
        self._activation = activation(config.hidden_act)

    def transformed(self, x: tf.Tensor) -> tf.Tensor:
        """[M, H] vectors of the predicted positions -> [M, H], to multiply by embeddings."""
        return self.norm(self._activation(self.transform(x)))

    def __call__(self, x: tf.Tensor, word_embeddings: tf.Tensor) -> tf.Tensor:
        """[M, H] vectors of the predicted positions, [V, H] -> logits [M, V]."""
        return tf.matmul(self.transformed(x), word_embeddings, transpose_b=True) + self.bias


class Pooler(tf.Module):
    """tanh(W x + b) of the first token, BERT's `pooled_output`."""

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="pooler")
        self.width = config.hidden_size
        self.dense = Dense(init, config.hidden_size, config.hidden_size, "dense")

    def __call__(self, x: tf.Tensor, input_mask: tf.Tensor) -> tf.Tensor:
        """[B * S, H] -> [B, H]; S may be 1."""
        return tf.tanh(self.dense(_rows(x, input_mask)[:, 0]))


class MeanPooler(tf.Module):
    """The mean of the visible tokens; it has no weights."""

    def __init__(self, width: int):
        super().__init__(name="pooler")
        self.width = width  # H

    def __call__(self, x: tf.Tensor, input_mask: tf.Tensor) -> tf.Tensor:
        """[B * S, H] -> [B, H]."""
        mask = tf.cast(input_mask, x.dtype)  # [B, S]
        total = tf.reduce_sum(_rows(x, mask) * mask[:, :, tf.newaxis], axis=1)
        return total / tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)


class DetectorPooler(tf.Module):
    """The mean of the visible tokens, followed by what the detectors find among them."""

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="pooler")
        self._mean = MeanPooler(config.hidden_size)
        self.detectors = Detectors(init, config)
        self.width = config.hidden_size + self.detectors.width

    def __call__(self, x: tf.Tensor, input_mask: tf.Tensor) -> tf.Tensor:
        """[B * S, H] -> [B, H + U]."""
        found = self.detectors(_rows(x, input_mask), input_mask)
        return tf.concat([self._mean(x, input_mask), found], axis=1)


def pooler(init: Initializer, config: BertConfig) -> Pooler | MeanPooler | DetectorPooler:
    """The pooler that `config.pooling` names; its `width` is the size of its output."""
    if config.pooling == "cls":
        return Pooler(init, config)
    if config.pooling == "mean":
        return MeanPooler(config.hidden_size)
    return DetectorPooler(init, config)


def _rows(x: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """[B * S, H] -> [B, S, H], with the mask's B and S."""
    return tf.reshape(x, [*tf.unstack(tf.shape(mask)), x.shape[1]])
