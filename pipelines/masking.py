"""Masked-language-model targets, drawn anew for every step.

Stateless, on the host CPU inside `tf.data`: the masks depend on the seed handed in
and nothing else. The number of positions per row is fixed, so shapes are static.
"""

import tensorflow as tf

from bert_core.batch import MlmBatch
from pipelines.vocabulary import Vocabulary

# Named, so that masks do not depend on the device or on XLA.
_RNG = "philox"


def mask_tokens(
    input_ids: tf.Tensor,
    seed: tf.Tensor,
    num_predictions: int,
    vocabulary: Vocabulary,
    whole_word: bool = False,
) -> MlmBatch:
    """Hides P tokens of each row of input_ids [B, S] int32; seed [2] int.

    Any token can be hidden except [PAD], [CLS], [SEP] and [MASK]. Of those hidden, 80%
    become [MASK], 10% a random ordinary token, 10% stay (Devlin et al. 2018, 3.1).
    With `whole_word`, all pieces of a word are hidden or none: words are taken in random
    order until the next does not fit. Unused positions have weight 0 and change no input.
    """
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    words, maskable = _word_numbers(input_ids, vocabulary, whole_word)
    positions, weights = _choose(words, maskable, num_predictions, seeds[0])
    labels = tf.gather(input_ids, positions, batch_dims=1)
    replacements = _replacements(labels, vocabulary, seeds[1], seeds[2])
    replacements = tf.where(weights, replacements, labels)
    rows = tf.broadcast_to(tf.range(tf.shape(positions)[0])[:, None], tf.shape(positions))
    masked_ids = tf.tensor_scatter_nd_update(
        input_ids, tf.stack([rows, positions], axis=-1), replacements
    )
    return MlmBatch(masked_ids, positions, labels, tf.cast(weights, tf.float32))


def _word_numbers(
    input_ids: tf.Tensor, vocabulary: Vocabulary, whole_word: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Word number of each token, and whether it may be hidden; both [B, S]."""
    maskable = tf.ones_like(input_ids, tf.bool)
    for token_id in (
        vocabulary.pad_id,
        vocabulary.cls_id,
        vocabulary.sep_id,
        vocabulary.mask_id,
    ):
        maskable &= input_ids != token_id
    if whole_word:
        continues = tf.gather(tf.constant(vocabulary.is_continuation), input_ids)
        # A piece right after [CLS] or [SEP] starts a word: the window cut its head off.
        after_word = tf.pad(maskable[:, :-1], [[0, 0], [1, 0]])
        starts = ~(continues & after_word)
    else:
        starts = tf.ones_like(maskable)
    return tf.cumsum(tf.cast(starts, tf.int32), axis=1) - 1, maskable


def _choose(
    words: tf.Tensor, maskable: tf.Tensor, num_predictions: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Positions [B, P] int32, ascending and distinct, and whether each is hidden, bool."""
    scores = tf.random.stateless_uniform(tf.shape(words), seed, alg=_RNG)
    # One score per word. Ties do no harm: top_k then takes the earlier
    # position first, so the pieces of a word always come out together.
    scores = tf.gather(scores, words, batch_dims=1)
    scores = tf.where(maskable, scores, -1.0)
    # One more than P shows whether the last word was cut in two.
    padded = tf.pad(scores, [[0, 0], [0, 1]], constant_values=-2.0)
    order = tf.math.top_k(padded, num_predictions + 1).indices
    words = tf.pad(words, [[0, 0], [0, 1]], constant_values=-1)
    next_word = tf.gather(words, order[:, -1:], batch_dims=1)
    positions = tf.sort(order[:, :-1], axis=1)
    whole = tf.gather(words, positions, batch_dims=1) != next_word
    return positions, whole & tf.gather(maskable, positions, batch_dims=1)


def _replacements(
    labels: tf.Tensor, vocabulary: Vocabulary, choice_seed: tf.Tensor, token_seed: tf.Tensor
) -> tf.Tensor:
    """[B, P] int32: [MASK] for 80% of the labels, a random token for 10%, the label for 10%."""
    ordinary = tf.constant(vocabulary.ordinary_ids)
    choice = tf.random.stateless_uniform(tf.shape(labels), choice_seed, alg=_RNG)
    drawn = tf.random.stateless_uniform(
        tf.shape(labels), token_seed, 0, tf.size(ordinary), tf.int32, alg=_RNG
    )
    changed = tf.where(choice < 0.8, vocabulary.mask_id, tf.gather(ordinary, drawn))
    return tf.where(choice < 0.9, changed, labels)
