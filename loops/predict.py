"""What a model makes of texts: all of a file, or each as soon as it is there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from loops.console import Bar
from loops.evaluate import Predictor


def predict_all(
    function: Callable[[Any], tf.Tensor], batches: Any, order: np.ndarray, unit: str = "texts"
) -> np.ndarray:
    """[n, ...] in input order, with a progress bar.

    Args:
      function: a batch -> [B, ...], or [B, S, ...] for words.
      batches: of the whole input; laid end to end, without rows of weight 0, row i of them
        is that of text, or word, `order[i]`.
      unit: what is counted.
    """
    rows = Predictor(function, in_training=False)(_watched(batches, Bar(len(order), unit)))
    result = np.empty_like(rows)
    result[order] = rows
    return result


def _watched(batches: Iterable[Any], progress: Bar) -> Iterator[Any]:
    """Yields the batches, and shows after each how much is done."""
    done = 0
    for batch in batches:
        yield batch
        count = int(np.sum(batch.example_weights.numpy() > 0))
        done += count
        if count:  # the last line once, however many sentences without words follow
            progress.update(done, {})


def as_line(probabilities: np.ndarray, names: Sequence[str], count: int) -> str:
    """ "pos 0.912345, neg 0.087655": the likeliest `count` of the classes."""
    best = np.argsort(-probabilities, kind="stable")[:count]
    return ", ".join(f"{' '.join(names[i].split())} {probabilities[i]:.6f}" for i in best)
