"""Running a model over a whole split."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from loops import stopping
from loops.failures import memory_errors


class Evaluator:
    """The means of a model's `sums` over batches, added up in float64."""

    def __init__(self, model: tf.Module):
        self._sums = tf.function(model.sums, autograph=False, reduce_retracing=True)

    def __call__(self, batches: Iterable[Any]) -> dict[str, float]:
        totals: dict[str, np.ndarray] = {}
        for batch in batches:
            stopping.check()  # evaluations are long, and can be repeated
            with memory_errors(len(batch.input_ids)):
                sums = self._sums(batch)
            for name, pair in sums.items():
                totals[name] = totals.get(name, 0.0) + np.array(pair, np.float64)
        return {name: float(total / weight) for name, (total, weight) in totals.items()}


class Predictor:
    """A function's results for the rows of batches whose example_weights are not 0."""

    def __init__(self, function: Callable[[Any], tf.Tensor], in_training: bool = True):
        """in_training: whether --micro_batch_size sets the rows of a batch."""
        self._function = tf.function(function, autograph=False, reduce_retracing=True)
        self._remedy = () if in_training else ("--batch_size={}",)

    def __call__(self, batches: Iterable[Any]) -> np.ndarray:
        """[m, ...], in the order of the batches: one row per text, or per word.

        The function returns [B, ...], or [B, S, ...] for words.
        """
        rows = []
        for batch in batches:
            stopping.check()
            is_text = np.asarray(batch.example_weights) > 0
            with memory_errors(len(batch.input_ids), *self._remedy):
                rows.append(self._function(batch).numpy()[is_text])
        return np.concatenate(rows)
