"""Batches of masked language modelling: a pure function of (seed, step)."""

import tensorflow as tf

from bert_core.batch import MlmBatch
from bert_core.errors import UserError
from pipelines.masking import mask_tokens
from pipelines.options import MlmOptions
from pipelines.order import window_indices
from pipelines.token_store import TokenStream
from pipelines.untuned import untuned
from pipelines.vocabulary import Vocabulary

EVALUATION_SEED = 20181011  # masks of evaluations are the same in every run
_WORKERS = 2
_PREFETCH = 8  # batches


def num_windows(stream: TokenStream, options: MlmOptions) -> int:
    """Sequences per epoch: windows of S - 2 tokens, the last one moved back to fit.

    Raises UserError if the stream is shorter than one window.
    """
    length = options.seq_length - 2
    if stream.num_tokens < length:
        larger = "a larger --dev_fraction" if stream.name == "dev" else "more text"
        raise UserError(
            f"the {stream.name} split has {stream.num_tokens} tokens, fewer than one sequence "
            f"of --seq_length={options.seq_length}; give a lower --seq_length or {larger}"
        )
    return -(-stream.num_tokens // length)


def steps_per_epoch(stream: TokenStream, options: MlmOptions) -> float:
    """Not a whole number: a batch runs on into the next epoch."""
    return num_windows(stream, options) / options.batch_size


def training_batches(
    stream: TokenStream,
    vocabulary: Vocabulary,
    options: MlmOptions,
    first_step: int,
    end_step: int,
) -> tf.data.Dataset:
    """MlmBatch of each of the steps [first_step, end_step), in order, shapes static.

    A batch depends on `options.seed` and its step alone. Raises UserError if the
    stream is shorter than one sequence.
    """
    windows = num_windows(stream, options)

    @tf.autograph.experimental.do_not_convert  # it has no Python to convert; starts sooner
    def batch(step: tf.Tensor) -> MlmBatch:
        indices = window_indices(step, options.batch_size, windows, options.seed)
        sequences = _sequences(stream, vocabulary, options, indices, options.batch_size)
        seed = tf.stack([tf.constant(options.seed, tf.int64), step])
        return _mask(sequences, seed, vocabulary, options)

    steps = tf.data.Dataset.range(first_step, end_step)
    return untuned(steps.map(batch, num_parallel_calls=_WORKERS).prefetch(_PREFETCH))


def evaluation_batches(
    stream: TokenStream, vocabulary: Vocabulary, options: MlmOptions, max_sequences: int
) -> tf.data.Dataset:
    """MlmBatch over at most `max_sequences` windows, spread evenly over the split.

    Windows and masks depend neither on the seed nor on the batch size: each sequence
    is masked by its own number. The last batch is filled up with rows of weight 0.
    Raises UserError if the stream is shorter than one sequence.
    """
    windows = num_windows(stream, options)
    sequences = min(windows, max_sequences)
    filled = -(-sequences // options.batch_size) * options.batch_size

    @tf.autograph.experimental.do_not_convert
    def sequence(number: tf.Tensor) -> MlmBatch:
        index = tf.minimum(number, sequences - 1) * windows // sequences
        row = _sequences(stream, vocabulary, options, index[None], 1)
        seed = tf.stack([tf.constant(EVALUATION_SEED, tf.int64), number])
        masked = _mask(row, seed, vocabulary, options)
        counts = tf.cast(number < sequences, tf.float32)
        masked = masked._replace(masked_lm_weights=masked.masked_lm_weights * counts)
        return MlmBatch(*(field[0] for field in masked))

    numbers = tf.data.Dataset.range(filled)
    rows = numbers.map(sequence, num_parallel_calls=_WORKERS)
    return untuned(rows.batch(options.batch_size, drop_remainder=True).prefetch(_PREFETCH))


def _sequences(
    stream: TokenStream,
    vocabulary: Vocabulary,
    options: MlmOptions,
    indices: tf.Tensor,
    rows: int,
) -> tf.Tensor:
    """Window numbers [rows] int64 -> [rows, S] int32, `[CLS] window [SEP]`."""
    length = options.seq_length - 2
    starts = tf.minimum(indices * length, stream.num_tokens - length)
    tokens = tf.numpy_function(
        lambda s: stream.windows(s, length), [starts], tf.int32, stateful=False
    )
    tokens = tf.ensure_shape(tokens, [rows, length])
    first = tf.fill([rows, 1], vocabulary.cls_id)
    last = tf.fill([rows, 1], vocabulary.sep_id)
    return tf.concat([first, tokens, last], axis=1)


def _mask(
    sequences: tf.Tensor, seed: tf.Tensor, vocabulary: Vocabulary, options: MlmOptions
) -> MlmBatch:
    return mask_tokens(
        sequences, seed, options.num_predictions, vocabulary, options.whole_word_masking
    )
