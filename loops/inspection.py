"""What a masked-language model makes of words, for a person to look at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_core.batch import MlmBatch
from bert_core.models import MaskedLanguageModel


class Word(NamedTuple):
    """A token of a text, and what the model says of its place when it is hidden."""

    token: str
    odds: float | None  # of what stood there, or of the best guess; None: not asked
    guesses: tuple[tuple[str, float], ...]  # the likeliest tokens with their odds
    was_hidden: bool  # by whoever wrote the text: nobody knows what stood there


def read_in_turn(
    model: MaskedLanguageModel, batch: MlmBatch, tokens: Sequence[str], k: int
) -> list[Word]:
    """The words of one text, each hidden once: [B, S] with P = 1, one row per word."""
    logits = model.logits(batch)  # [B, V]
    there = np.asarray(batch.masked_lm_ids)[:, 0]
    guesses = best_words(logits, tokens, k)
    shares = tf.gather(tf.nn.softmax(logits), there, batch_dims=1).numpy().tolist()
    return [
        Word(tokens[token], share, guess, False)
        for token, share, guess in zip(there, shares, guesses, strict=True)
    ]


def fill_in(
    model: MaskedLanguageModel, batch: MlmBatch, tokens: Sequence[str], k: int
) -> list[Word]:
    """The words of one text with [MASK] in it, as a batch of one; [CLS], [SEP] left out."""
    guesses = iter(best_words(model.logits(batch), tokens, k))
    hidden = set(np.asarray(batch.masked_lm_positions)[0].tolist())
    words = []
    for place, token in enumerate(np.asarray(batch.input_ids)[0].tolist()[1:-1], start=1):
        if place in hidden:
            best = next(guesses)
            words.append(Word(*best[0], best, True))
        else:
            words.append(Word(tokens[token], None, (), False))
    return words


def best_words(
    logits: tf.Tensor, tokens: Sequence[str], k: int
) -> list[tuple[tuple[str, float], ...]]:
    """[n, V] -> the k likeliest tokens of each row, with their odds."""
    values, indices = tf.math.top_k(tf.nn.softmax(logits), min(k, logits.shape[1]))
    return [
        tuple((tokens[i], share) for i, share in zip(row, shares, strict=True))
        for row, shares in zip(indices.numpy().tolist(), values.numpy().tolist(), strict=True)
    ]


def neighbours(
    table: np.ndarray, ids: Sequence[int], candidates: np.ndarray, k: int
) -> list[list[tuple[int, float]]]:
    """For each id, the k candidates nearest to it by cosine of rows, itself left out.

    Args:
      table: [V, H], the embedding of each token.
    """
    rows = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    found = []
    for token in ids:
        others = candidates[candidates != token]
        cosines = rows[others] @ rows[token]
        best = np.argsort(-cosines, kind="stable")[:k]
        found.append([(int(others[i]), float(cosines[i])) for i in best])
    return found
