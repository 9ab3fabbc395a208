"""Raw strings to batches inside a graph: what an exported model does before the model.

The same batches as pipelines/tokenized.py, text_batches.py and masked_text.py
make, but for padding: here each batch is as long as its longest text.
"""

import tensorflow as tf

from bert_core.batch import ClassificationBatch, MlmBatch
from pipelines.options import TextOptions
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import MASK


class TextBatcher(tf.Module):
    """[B] strings, or pairs of them -> ClassificationBatch; label_ids are 0."""

    def __init__(self, tokenizer: Tokenizer, options: TextOptions):
        super().__init__(name="text_batcher")
        self.tokenizer = tokenizer
        self._length, self._truncation = options.max_seq_length, options.truncation

    def __call__(
        self, texts: tf.Tensor, text_pairs: tf.Tensor | None = None
    ) -> ClassificationBatch:
        batch_size = tf.shape(texts)[0]
        cls, sep = (
            tf.fill([batch_size, 1], token_id)
            for token_id in (self.tokenizer.vocabulary.cls_id, self.tokenizer.vocabulary.sep_id)
        )
        first = self.tokenizer(texts)
        if text_pairs is None:
            first = _cut(first, tf.fill([batch_size], self._length - 2), self._truncation)
            ids = tf.concat([cls, first, sep], axis=1)
        else:
            second = self.tokenizer(text_pairs)
            budgets = _pair_budgets(first, second, self._length - 3)
            first = _cut(first, budgets[0], self._truncation)
            second = _cut(second, budgets[1], self._truncation)
            ids = tf.concat([cls, first, sep, second, sep], axis=1)
        input_ids, input_mask = _padded(ids, self.tokenizer.vocabulary.pad_id)
        positions = tf.range(tf.shape(input_ids)[1])[tf.newaxis, :]
        is_second = positions >= _lengths(first)[:, tf.newaxis] + 2
        return ClassificationBatch(
            input_ids=input_ids,
            input_mask=input_mask,
            segment_ids=tf.cast(is_second, tf.int32) * input_mask,
            label_ids=tf.zeros([batch_size], tf.int32),
            example_weights=tf.ones([batch_size]),
        )


class MaskedBatcher(tf.Module):
    """[B] strings with [MASK]s in them -> (MlmBatch, input_mask [B, S]).

    P is the largest number of masks in a text; masked_lm_weights are 0 where a text has
    fewer. A text too long for the model loses its end, masks and all.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int):
        super().__init__(name="masked_batcher")
        self.tokenizer = tokenizer
        self._length = max_length

    def __call__(self, texts: tf.Tensor) -> tuple[MlmBatch, tf.Tensor]:
        vocabulary = self.tokenizer.vocabulary
        batch_size = tf.shape(texts)[0]
        cls, sep = (
            tf.fill([batch_size, 1], token_id)
            for token_id in (vocabulary.cls_id, vocabulary.sep_id)
        )
        ids = _cut(self._with_masks(texts), tf.fill([batch_size], self._length - 2), "head")
        ids = tf.concat([cls, ids, sep], axis=1)
        input_ids, input_mask = _padded(ids, vocabulary.pad_id)
        is_mask = ids == vocabulary.mask_id
        positions = tf.ragged.boolean_mask(_positions(ids), is_mask)
        positions, weights = _padded(positions, 0)
        batch = MlmBatch(
            input_ids=input_ids,
            masked_lm_positions=positions,
            masked_lm_ids=tf.zeros_like(positions),
            masked_lm_weights=tf.cast(weights, tf.float32),
        )
        return batch, input_mask

    def _with_masks(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """[B] -> ids [B, (tokens)], each "[MASK]" of a text as its id."""
        # Split first: the tokeniser never makes special tokens out of text.
        parts = tf.strings.split(texts, MASK)  # [B, (masks + 1)]
        ids = self.tokenizer(parts.values)
        masks = tf.fill([tf.shape(parts.values)[0], 1], self.tokenizer.vocabulary.mask_id)
        nested = parts.with_values(tf.concat([ids, masks], axis=1))
        return nested.merge_dims(1, 2)[:, :-1]  # without the mask after the last part


def _cut(ids: tf.RaggedTensor, budgets: tf.Tensor, truncation: str) -> tf.RaggedTensor:
    """`pipelines.tokenized.cut` of each row, with a budget [B] each."""
    positions = _positions(ids)

    def of_token(values: tf.Tensor) -> tf.Tensor:
        """[B] -> [tokens]: the value of each token's row."""
        return tf.gather(values, positions.value_rowids())

    heads = -(-budgets // 4) if truncation == "head_tail" else budgets
    tails_start = _lengths(ids) - (budgets - heads)
    in_head = positions.values < of_token(heads)
    in_tail = positions.values >= of_token(tails_start)
    return tf.ragged.boolean_mask(ids, ids.with_values(in_head | in_tail))


def _pair_budgets(
    first: tf.RaggedTensor, second: tf.RaggedTensor, budget: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """`pipelines.tokenized.pair_budgets` of each row, [B] and [B]."""
    lengths, pair_lengths = _lengths(first), _lengths(second)
    kept = tf.minimum(lengths, tf.maximum(budget - pair_lengths, (budget + 1) // 2))
    return kept, tf.minimum(pair_lengths, budget - kept)


def _lengths(rows: tf.RaggedTensor) -> tf.Tensor:
    """[B] int32."""
    return tf.cast(rows.row_lengths(), tf.int32)


def _positions(rows: tf.RaggedTensor) -> tf.RaggedTensor:
    """The place of each value in its row, int32, in the same rows."""
    return rows.with_values(tf.ragged.range(_lengths(rows)).values)


def _padded(rows: tf.RaggedTensor, filling: int) -> tuple[tf.Tensor, tf.Tensor]:
    """[B, (tokens)] -> [B, S] padded with `filling`, and 1 for a value, 0 for padding."""
    values = rows.to_tensor(filling)
    mask = tf.sequence_mask(rows.row_lengths(), tf.shape(values)[1], tf.int32)
    return values, mask
