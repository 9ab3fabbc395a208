"""Running a model over a whole split."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf


class Evaluator:
    """The means of a model's `sums` over batches, added up in float64."""

    def __init__(self, model: tf.Module):
        self._sums = tf.function(model.sums, autograph=False, reduce_retracing=True)

    def __call__(self, batches: Iterable[Any]) -> dict[str, float]:
        totals: dict[str, np.ndarray] = {}
        for batch in batches:
            for name, pair in self._sums(batch).items():
                totals[name] = totals.get(name, 0.0) + np.array(pair, np.float64)
        return {name: float(total / weight) for name, (total, weight) in totals.items()}


class Predictor:
    """A classifier's logits over batches, without the rows that only fill a batch."""

    def __init__(self, model: tf.Module):
        self._logits = tf.function(model.logits, autograph=False, reduce_retracing=True)

    def __call__(self, batches: Iterable[Any]) -> np.ndarray:
        """float32 [n, C], in the order of the batches."""
        rows = [
            self._logits(batch).numpy()[batch.example_weights.numpy() > 0] for batch in batches
        ]
        return np.concatenate(rows)
