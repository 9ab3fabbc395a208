"""Batches of labelled texts of similar length, so that little of them is padding.

Which examples a step sees is a pure function of (seed, step): a run can begin at
any step, and sees from there what an uninterrupted run would have seen.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bert_core.errors import UserError
from pipelines.classification import classification_batch
from pipelines.options import TextOptions
from pipelines.task import Inputs
from pipelines.token_dropout import hide_tokens
from pipelines.tokenized import TokenizedTexts
from pipelines.untuned import untuned
from pipelines.vocabulary import Vocabulary

LENGTH_STEP = 32  # padded lengths are its multiples, so a model is traced for few shapes
POOL_BATCHES = 50  # sorted by length at once: little padding, and still well mixed


class Bucketed(NamedTuple):
    """The examples of one batch, and the length all are padded to."""

    indices: np.ndarray  # [<= B] int64
    padded_length: int  # S


_EMPTY = Bucketed(np.zeros(0, np.int64), LENGTH_STEP)

# (inputs, labels of all examples, [<= B] indices of the batch's examples) -> the batch
AddLabels = Callable[[Inputs, Any, np.ndarray], Any]


def plan_epoch(
    lengths: np.ndarray, batch_size: int, max_seq_length: int, seed: int, epoch: int
) -> list[Bucketed]:
    """The batches of an epoch, ceil(n / batch_size) of them; a pure function.

    A permutation of all examples seeded by (seed, epoch) is cut into pools, each
    pool is sorted by length and cut into batches, and the batches are shuffled.

    Args:
      lengths: [n] integers of at most `max_seq_length`.

    Returns:
      Batches in which every example occurs once. All are full but one, which may
      stand anywhere.
    """
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    permutation = random.permutation(len(lengths))
    batches = []
    for start in range(0, len(lengths), POOL_BATCHES * batch_size):
        pool = permutation[start : start + POOL_BATCHES * batch_size]
        # Stable: how an unstable sort orders equals depends on the processor.
        shortest_first = pool[np.argsort(lengths[pool], kind="stable")]
        batches += _in_batches(shortest_first, lengths, batch_size, max_seq_length)
    return [batches[place] for place in random.permutation(len(batches))]


def training_batches(
    texts: TokenizedTexts,
    labels: Any,
    vocabulary: Vocabulary,
    options: TextOptions,
    first_step: int,
    end_step: int,
    add_labels: AddLabels = classification_batch,
) -> tf.data.Dataset:
    """The batches of the steps `first_step` to `end_step - 1`.

    The batch of a step is the same whichever step the run began with. Its first
    dimension is always B; rows that only fill it up have example_weights 0.

    Args:
      texts: n texts, tokenized for `options.max_seq_length`.
      labels: of the n texts, as `add_labels` takes them.

    Raises:
      UserError: there are no texts.
    """
    if not len(texts):
        raise UserError("there are no training examples")
    lengths = _checked_lengths(texts, options.max_seq_length)
    steps_per_epoch = -(-len(texts) // options.batch_size)

    def make(bucket: Bucketed) -> Any:
        return assemble(texts, labels, bucket, options.batch_size, vocabulary, add_labels)

    @functools.lru_cache(maxsize=2)
    def plan(epoch: int) -> list[Bucketed]:
        return plan_epoch(
            lengths, options.batch_size, options.max_seq_length, options.seed, epoch
        )

    def batch_of(step: int) -> Any:
        epoch, place = divmod(step, steps_per_epoch)
        batch = make(plan(epoch)[place])
        if not options.token_dropout:
            return batch
        return batch._replace(
            input_ids=hide_tokens(
                batch.input_ids, options.token_dropout, vocabulary, [options.seed, step]
            )
        )

    return _dataset(batch_of, range(first_step, end_step), make(_EMPTY))


def evaluation_batches(
    texts: TokenizedTexts,
    labels: Any,
    vocabulary: Vocabulary,
    options: TextOptions,
    add_labels: AddLabels = classification_batch,
) -> tuple[tf.data.Dataset, np.ndarray]:
    """Every example once, the longest first, and the order they come in.

    That way, a batch too large for the memory fails at the start.

    Args:
      labels: as in `training_batches`, or None to predict: all labels are then 0.

    Returns:
      A dataset of batches as in `training_batches`, and `order`, [n]
      int64: row i of all batches laid end to end is example `order[i]`, and the
      rows from n on only fill up. So `result[order] = rows[:n]` restores the input order.
    """
    lengths = _checked_lengths(texts, options.max_seq_length)
    longest_first = np.argsort(-lengths, kind="stable")
    batches = _in_batches(longest_first, lengths, options.batch_size, options.max_seq_length)
    if labels is None:
        labels = np.zeros(len(texts), np.int32)

    def make(bucket: Bucketed) -> Any:
        return assemble(texts, labels, bucket, options.batch_size, vocabulary, add_labels)

    dataset = _dataset(lambda i: make(batches[i]), range(len(batches)), make(_EMPTY))
    return dataset, longest_first


def answer_order(order: np.ndarray, num_answers: np.ndarray) -> np.ndarray:
    """Places in input order of answers that come by example in `order`, [sum num_answers].

    Example i has num_answers[i] of them, one after the other. With one each it is
    `order` itself.
    """
    starts = np.cumsum(num_answers) - num_answers  # in input order
    counts = num_answers[order]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts[order], counts) + within


def batch_of_all(
    texts: TokenizedTexts,
    vocabulary: Vocabulary,
    options: TextOptions,
    labels: Any = None,
    add_labels: AddLabels = classification_batch,
) -> Any:
    """All of the texts (few enough for that) as one batch of NumPy arrays; labels as above."""
    lengths = _checked_lengths(texts, options.max_seq_length)
    everything = np.arange(len(texts))
    (bucket,) = _in_batches(everything, lengths, len(texts), options.max_seq_length)
    labels = np.zeros(len(texts), np.int32) if labels is None else labels
    return assemble(texts, labels, bucket, len(texts), vocabulary, add_labels)


def unpadded(texts: TokenizedTexts, vocabulary: Vocabulary) -> list[np.ndarray]:
    """The input_ids of each text, [tokens] int32."""
    nothing = np.zeros(len(texts), np.int32)
    batches = (
        assemble(texts, nothing, Bucketed(np.array([i]), int(length)), 1, vocabulary)
        for i, length in enumerate(texts.lengths)
    )
    return [batch.input_ids[0] for batch in batches]


def assemble(
    texts: TokenizedTexts,
    labels: Any,
    bucket: Bucketed,
    batch_size: int,
    vocabulary: Vocabulary,
    add_labels: AddLabels = classification_batch,
) -> Any:
    """One batch as NumPy arrays: `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`, padded.

    Segment ids are 1 for b and its [SEP], else 0. Rows past the bucket's examples
    are `[CLS] [SEP]` of weight 0: a row without any token could come out as NaN.
    """
    cls, sep = [vocabulary.cls_id], [vocabulary.sep_id]
    shape = (batch_size, bucket.padded_length)
    input_ids = np.full(shape, vocabulary.pad_id, np.int32)
    input_ids[:, :2] = cls + sep
    first_lengths = np.full((batch_size, 1), 2)  # of [CLS] a [SEP]
    lengths = first_lengths.copy()
    for row, index in enumerate(bucket.indices):
        first = texts.first[index]
        pair = [texts.second[index], sep] if texts.second is not None else []
        tokens = np.concatenate([cls, first, sep, *pair])
        input_ids[row, : len(tokens)] = tokens
        first_lengths[row], lengths[row] = len(first) + 2, len(tokens)
    positions = np.arange(bucket.padded_length)[None]
    inputs = Inputs(
        input_ids=input_ids,
        input_mask=(positions < lengths).astype(np.int32),
        segment_ids=((positions >= first_lengths) & (positions < lengths)).astype(np.int32),
    )
    return add_labels(inputs, labels, bucket.indices)


def _in_batches(
    ordered: np.ndarray, lengths: np.ndarray, batch_size: int, max_seq_length: int
) -> list[Bucketed]:
    batches = []
    for start in range(0, len(ordered), batch_size):
        rows = ordered[start : start + batch_size]
        padded_length = -(-int(lengths[rows].max()) // LENGTH_STEP) * LENGTH_STEP
        batches.append(Bucketed(rows, min(padded_length, max_seq_length)))
    return batches


def _checked_lengths(texts: TokenizedTexts, max_seq_length: int) -> np.ndarray:
    lengths = texts.lengths
    if len(lengths) and lengths.max() > max_seq_length:
        raise ValueError(f"tokenized to {lengths.max()} tokens, batched to {max_seq_length}")
    return lengths


def _dataset(batch_of: Callable[[int], Any], steps: range, filling: Any) -> tf.data.Dataset:
    """`batch_of(step)` for each step, in order, made a little ahead of their use.

    filling: a batch without examples, for its types. The first dimension is static.
    """
    signature = type(filling)(
        *(
            tf.TensorSpec([len(field), *[None] * (field.ndim - 1)], field.dtype)
            for field in filling
        )
    )
    batches = tf.data.Dataset.from_generator(
        lambda: map(batch_of, steps), output_signature=signature
    )
    return untuned(batches.prefetch(2))
