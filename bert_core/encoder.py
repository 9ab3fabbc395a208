"""BERT's encoder: embeddings, then post-LayerNorm transformer blocks.

Devlin et al. 2018, https://arxiv.org/abs/1810.04805, section 3.
"""

import tensorflow as tf

from bert_core.attention import SelfAttention, alibi_bias, padding_bias
from bert_core.config import BertConfig
from bert_core.layers import Dense, Initializer, LayerNorm, activation, dropout, fold_in
from bert_core.neighbours import Neighbours
from bert_core.recompute import recomputed
from bert_core.windows import cut, joined


class Embeddings(tf.Module):
    """Word + position + segment, and neighbours if the config says so, normalised."""

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="embeddings")
        hidden = config.hidden_size
        self.word = init.normal("word", [config.vocab_size, hidden])
        self.position = init.normal("position", [config.max_position_embeddings, hidden])
        self.segment = init.normal("segment", [config.type_vocab_size, hidden])
        self.norm = LayerNorm(init, hidden, config.layer_norm_eps, "norm")
        self.neighbours = Neighbours(init, config) if config.neighbour_offsets else None
        self._dropout_rate = config.hidden_dropout_prob

    def __call__(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor | None,
        segment_ids: tf.Tensor | None,
        seed: tf.Tensor | None,
    ) -> tf.Tensor:
        """[B, S] ids -> [B * S, H]. Without segment ids every token is in segment 0.

        input_mask: [B, S], used only by neighbours; None where nothing is padded.
        """
        batch_size, seq_length = shape_of(input_ids)
        x = tf.gather(self.word, input_ids) + self.position[:seq_length]  # [B, S, H]
        x += self.segment[0] if segment_ids is None else tf.gather(self.segment, segment_ids)
        if self.neighbours is not None:
            x += self.neighbours(input_ids, input_mask)
        x = tf.reshape(x, [batch_size * seq_length, self.word.shape[1]])
        return dropout(self.norm(x), self._dropout_rate, seed)


class Block(tf.Module):
    """x = LN(x + attention(x)); x = LN(x + feed_forward(x))."""

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="block")
        hidden, epsilon = config.hidden_size, config.layer_norm_eps
        self.attention = SelfAttention(init, config)
        self.attention_norm = LayerNorm(init, hidden, epsilon, "attention_norm")
        self.intermediate = Dense(init, hidden, config.intermediate_size, "intermediate")
        self.output = Dense(init, config.intermediate_size, hidden, "output")
        self.output_norm = LayerNorm(init, hidden, epsilon, "output_norm")
        self._activation = activation(config.hidden_act)
        self._dropout_rate = config.hidden_dropout_prob

    def __call__(
        self,
        x: tf.Tensor,
        batch_size: int,
        bias: tf.Tensor | None,
        seed: tf.Tensor | None,
        rows: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """[B * S, H] -> [B * S, H].

        rows: int32 [B * Q], Q of each text, if only these are wanted; then [B * Q, H].
        """
        seeds = [None if seed is None else fold_in(seed, place) for place in range(3)]
        readers = None if rows is None else tf.gather(x, rows)
        attended = self.attention(x, batch_size, bias, seeds[0], readers)
        x = x if readers is None else readers
        x = self.attention_norm(x + dropout(attended, self._dropout_rate, seeds[1]))
        fed = self.output(self._activation(self.intermediate(x)))  # through [B * Q, F]
        return self.output_norm(x + dropout(fed, self._dropout_rate, seeds[2]))


class Encoder(tf.Module):
    """Token ids in, one vector per token out."""

    recompute = False  # the inside of a block, for its gradient; see bert_core/compute.py

    def __init__(self, init: Initializer, config: BertConfig):
        super().__init__(name="encoder")
        self.config = config
        self.embeddings = Embeddings(init, config)
        self.layers = [Block(init, config) for _ in range(config.num_hidden_layers)]

    def __call__(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor | None = None,
        segment_ids: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
        positions: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """[B, S] int32 -> [B * S, H] float32; long texts in windows, if the config says so.

        input_mask: [B, S], 1 for a token, 0 for padding; None where nothing is padded.
        segment_ids: [B, S]; None where all is segment 0.
        seed: int32 [2] for dropout, None for none.
        positions: int32 [B, Q], if only these are wanted; then [B * Q, H], row after row.
        """
        window, (batch_size, seq_length) = self.config.attention_window, shape_of(input_ids)
        if not window or (isinstance(seq_length, int) and seq_length <= window):
            return self.hidden_states(input_ids, input_mask, segment_ids, seed, positions)[-1]
        if input_mask is None:
            input_mask = tf.ones_like(input_ids)
        input_ids, input_mask, segment_ids = (
            None if x is None else cut(x, batch_size, seq_length, window)
            for x in (input_ids, input_mask, segment_ids)
        )
        states = self.hidden_states(input_ids, input_mask, segment_ids, seed)
        x = joined(states[-1], batch_size, seq_length)
        return x if positions is None else tf.gather(x, flat(positions, seq_length))

    def hidden_states(
        self,
        input_ids: tf.Tensor,
        input_mask: tf.Tensor | None = None,
        segment_ids: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
        positions: tf.Tensor | None = None,
    ) -> list[tf.Tensor]:
        """The embeddings and the output of each block, [B * S, H] each.

        positions: int32 [B, Q], if only these are wanted of the last block; then its output
        is [B * Q, H]. It still attends to all positions, but computes queries, output and
        feed-forward layer, most of a block's work, for these alone.
        """
        batch_size, seq_length = shape_of(input_ids)
        bias = self.attention_bias(seq_length, input_mask)
        # Place 0 is the embeddings, place i the i-th block.
        seeds = [
            None if seed is None else fold_in(seed, place)
            for place in range(len(self.layers) + 1)
        ]
        states = [self.embeddings(input_ids, input_mask, segment_ids, seeds[0])]
        rows = None
        for layer, layer_seed in zip(self.layers, seeds[1:], strict=True):
            if layer is self.layers[-1] and positions is not None:
                rows = flat(positions, seq_length)
                bias = self.attention_bias(seq_length, input_mask, positions)
            states.append(self._block(layer, states[-1], batch_size, bias, layer_seed, rows))
        return states

    def _block(
        self,
        layer: Block,
        x: tf.Tensor,
        batch_size: int,
        bias: tf.Tensor | None,
        seed: tf.Tensor | None,
        rows: tf.Tensor | None,
    ) -> tf.Tensor:
        """A block's output; without a seed there is no gradient, so nothing to recompute."""
        if seed is None or not self.recompute:
            return layer(x, batch_size, bias, seed, rows)
        return recomputed(lambda x, seed: layer(x, batch_size, bias, seed, rows), x, seed)

    def attention_bias(
        self,
        seq_length: int,
        input_mask: tf.Tensor | None,
        positions: tf.Tensor | None = None,
    ) -> tf.Tensor | None:
        """What blocks add to the attention scores of all positions, or of `positions` only."""
        biases = []
        if input_mask is not None:
            biases.append(padding_bias(input_mask))
        if self.config.alibi_slopes:
            biases.append(alibi_bias(self.config.alibi_slopes, seq_length, positions))
        return sum(biases[1:], biases[0]) if biases else None


def flat(positions: tf.Tensor, seq_length: int) -> tf.Tensor:
    """Positions [B, Q] in texts of S tokens -> rows [B * Q] of [B * S, H]."""
    row_starts = tf.range(tf.shape(positions)[0])[:, tf.newaxis] * seq_length  # [B, 1]
    return tf.reshape(positions + row_starts, [-1])


def shape_of(x: tf.Tensor) -> list[int]:
    """The shape, static where known, so that products keep static shapes."""
    dynamic = tf.shape(x)
    return [dynamic[i] if size is None else size for i, size in enumerate(x.shape)]
