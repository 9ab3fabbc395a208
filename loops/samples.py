"""Masked words of a few dev sequences and what the model makes of them, as Markdown."""

from collections.abc import Callable, Iterable

import numpy as np
import tensorflow as tf

from bert_core.batch import MlmBatch
from bert_core.models import MaskedLanguageModel

_ROWS = 4
_GUESSES = 3


class MaskedSamples:
    """The same few sequences at every evaluation."""

    def __init__(
        self,
        model: MaskedLanguageModel,
        batches: tf.data.Dataset,
        tokens: tuple[str, ...],
        to_words: Callable[[Iterable[int]], str],
    ):
        self._batch = MlmBatch(*next(iter(batches.unbatch().batch(_ROWS))))
        self._tokens, self._to_words = tokens, to_words
        self._top = tf.function(
            lambda batch: tf.math.top_k(tf.nn.softmax(model.logits(batch)), _GUESSES),
            autograph=False,
        )

    def markdown(self) -> str:
        """One table per sequence: what stood there, and the best guesses with their odds."""
        values, indices = self._top(self._batch)
        shape = [*self._batch.masked_lm_ids.shape, _GUESSES]
        odds, guesses = values.numpy().reshape(shape), indices.numpy().reshape(shape)
        return "\n\n".join(self._table(row, odds[row], guesses[row]) for row in range(shape[0]))

    def _table(self, row: int, odds: np.ndarray, guesses: np.ndarray) -> str:
        lines = [self._safe(self._to_words(self._batch.input_ids[row].numpy())), ""]
        lines += ["| at | was | guesses |", "| --- | --- | --- |"]
        batch = MlmBatch(*(field[row].numpy() for field in self._batch))
        for place in np.flatnonzero(batch.masked_lm_weights > 0):
            shown = ", ".join(
                f"{self._safe(self._tokens[guess])} {share:.2f}"
                for guess, share in zip(guesses[place], odds[place], strict=True)
            )
            was = self._safe(self._tokens[batch.masked_lm_ids[place]])
            lines.append(f"| {batch.masked_lm_positions[place]} | {was} | {shown} |")
        return "\n".join(lines)

    @staticmethod
    def _safe(text: str) -> str:
        """Text from a corpus is shown, never read as Markdown or HTML."""
        special = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
        special |= {c: f"&#{ord(c)};" for c in "|*_`[]#\\"}
        return "".join(special.get(character, character) for character in text)
