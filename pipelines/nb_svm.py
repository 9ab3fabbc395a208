"""NB-SVM: a linear classifier of two classes, by the words and bigrams a text has.

Wang and Manning 2012, https://aclanthology.org/P12-2018, section 2.3: each feature counts
as the logarithm of its ratio in the two classes, under a linear classifier with squared
hinge loss. It is trained in minutes, and hard to beat on long texts. NumPy alone.
"""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.examples import Example

TOKEN = re.compile(r"\w+|[^\w\s]")
INTERPOLATION = 0.25  # the paper's beta: weights are drawn towards their mean size
MIN_TEXTS = 2  # a word in fewer texts is left out
STEPS = 200


class NbSvm:
    """Trained on examples of two labels, to say which of them other texts have."""

    def __init__(
        self, examples: Sequence[Example], labels: tuple[str, str], strength: float = 1.0
    ):
        """strength: C, the weight of the data against the regularisation."""
        self._labels = labels
        self._vocabulary = known_features(examples)
        counted, size = count(examples, self._vocabulary), len(self._vocabulary)
        self._model = train_nb_svm(counted, size, self.signs(examples), strength)

    def margins(self, examples: Sequence[Example]) -> np.ndarray:
        """[n] float64, above 0 for the second label."""
        return self._model.margins(count(examples, self._vocabulary))

    def signs(self, examples: Sequence[Example]) -> np.ndarray:
        """[n] 1.0 for the second label, -1.0 for the first: the signs margins should have."""
        return np.array([1.0 if x.label == self._labels[1] else -1.0 for x in examples])


class Counted(NamedTuple):
    """Which features each text has: pairs (text, feature), sorted by text."""

    texts: np.ndarray  # [n] int32
    features: np.ndarray  # [n] int32
    num_texts: int


class Linear(NamedTuple):
    """sign(x . weights + bias), x being 0 or 1 for each feature."""

    weights: np.ndarray  # [F]
    bias: float

    def margins(self, counted: Counted) -> np.ndarray:
        return _dot(counted, self.weights) + self.bias


def train_nb_svm(counted: Counted, size: int, signs: np.ndarray, strength: float) -> Linear:
    """signs: [texts], 1 or -1."""
    ratios = log_ratios(counted, size, signs)
    weights, bias = squared_hinge(counted, ratios, signs, strength)
    mean = np.abs(weights).mean() if weights.size else 0.0
    return Linear(((1 - INTERPOLATION) * mean + INTERPOLATION * weights) * ratios, bias)


def log_ratios(counted: Counted, size: int, signs: np.ndarray) -> np.ndarray:
    """Log of each feature's share of class 1 over that of class -1, counted from 1 up."""
    shares = []
    for sign in (1, -1):
        of_class = counted.features[signs[counted.texts] == sign]
        counts = 1.0 + np.bincount(of_class, minlength=size)
        shares.append(counts / counts.sum())
    return np.log(shares[0] / shares[1])


def squared_hinge(
    counted: Counted, ratios: np.ndarray, signs: np.ndarray, strength: float
) -> tuple[np.ndarray, float]:
    """Minimises |w|^2 / 2 + C sum(max(0, 1 - y (x . w + b))^2) by accelerated descent.

    Nesterov 1983, with the step 1 / L of the largest curvature L, found by power
    iteration. x is a text's features times `ratios`.
    """
    rate = 1.0 / (1.0 + 2.0 * strength * largest_curvature(counted, ratios))
    weights, bias = np.zeros(len(ratios)), 0.0
    ahead, bias_ahead, momentum = weights, bias, 1.0
    for _ in range(STEPS):
        margins = _dot(counted, ratios * ahead) + bias_ahead
        slopes = -2.0 * strength * signs * np.maximum(0.0, 1.0 - signs * margins)
        new = ahead - rate * (ahead + ratios * _sums(counted, slopes, len(ratios)))
        new_bias = bias_ahead - rate * slopes.sum()
        following = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        push = (momentum - 1.0) / following
        ahead, bias_ahead = new + push * (new - weights), new_bias + push * (new_bias - bias)
        weights, bias, momentum = new, new_bias, following
    return weights, bias


def largest_curvature(counted: Counted, ratios: np.ndarray) -> float:
    """The largest eigenvalue of X X^T, X the texts' features and a column of ones."""
    direction, value = np.ones(counted.num_texts), 1.0
    for _ in range(20):
        direction /= np.linalg.norm(direction)
        back = ratios * _sums(counted, direction, len(ratios))
        direction = _dot(counted, ratios * back) + direction.sum()
        value = float(np.linalg.norm(direction))
    return 1.1 * value  # approached from below


def _dot(counted: Counted, weights: np.ndarray) -> np.ndarray:
    """X weights, [texts]."""
    return np.bincount(counted.texts, weights[counted.features], counted.num_texts)


def _sums(counted: Counted, of_texts: np.ndarray, size: int) -> np.ndarray:
    """X^T of_texts, [F]."""
    return np.bincount(counted.features, of_texts[counted.texts], size)


def features_of(example: Example) -> set[str]:
    """Its lower-cased words and punctuation marks, and each two that are adjacent."""
    tokens = TOKEN.findall(f"{example.text} {example.text_pair or ''}".lower())
    return {*tokens, *map(" ".join, itertools.pairwise(tokens))}


def known_features(examples: Sequence[Example]) -> dict[str, int]:
    """Feature -> number, for those in enough texts."""
    counts: dict[str, int] = {}
    for example in examples:
        for feature in features_of(example):
            counts[feature] = counts.get(feature, 0) + 1
    kept = sorted(feature for feature, number in counts.items() if number >= MIN_TEXTS)
    return {feature: number for number, feature in enumerate(kept)}


def count(examples: Sequence[Example], vocabulary: dict[str, int]) -> Counted:
    rows = [
        [vocabulary[x] for x in features_of(example) if x in vocabulary] for example in examples
    ]
    texts = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row) for row in rows])
    features = np.array([x for row in rows for x in sorted(row)], np.int32)
    return Counted(texts, features, len(rows))
