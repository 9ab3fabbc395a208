"""What a classifier has to beat: the largest class, and NB-SVM on words and bigrams.

  python benchmarks/baselines.py --train_file=data/imdb/train.jsonl \
      --test_file=data/imdb/test.jsonl

NB-SVM (Wang and Manning 2012, https://aclanthology.org/P12-2018, section 2.3): which
words and bigrams a text has, each times the logarithm of its ratio in the two classes,
under a linear classifier with squared hinge loss. Its regularisation is chosen on the
dev split that run_finetune.py --seed=0 would choose on; then it is trained on
all. NumPy alone; two classes alone.
"""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import itertools

from absl import flags as absl_flags

import flags
from bert_core.errors import UserError
from pipelines.dev_split import split_dev
from pipelines.examples import Example, read_examples

TOKEN = re.compile(r"\w+|[^\w\s]")
STRENGTHS = (0.1, 0.3, 1.0, 3.0)  # C, the weight of the data against the regularisation
INTERPOLATION = 0.25  # the paper's beta: weights are drawn towards their mean size
MIN_TEXTS = 2  # a word in fewer texts is left out
STEPS = 200


class Counted(NamedTuple):
    """Which features each text has: pairs (text, feature), sorted by text."""

    texts: np.ndarray  # [n] int32
    features: np.ndarray  # [n] int32
    num_texts: int


class Linear(NamedTuple):
    """sign(x . weights + bias), x being 0 or 1 a feature."""

    weights: np.ndarray  # [F]
    bias: float

    def margins(self, counted: Counted) -> np.ndarray:
        return _dot(counted, self.weights) + self.bias


@flags.group
def benchmark_flags() -> None:
    """What to classify:"""
    absl_flags.DEFINE_string("train_file", None, "Labelled .jsonl, .csv or .tsv.")
    absl_flags.DEFINE_string("test_file", None, "Scored once.")
    absl_flags.DEFINE_float("dev_share", 0.1, "Share of the training file to choose on.")


def main() -> None:
    values, columns = flags.FLAGS, flags.examples_options()
    if not values.train_file or not values.test_file:
        raise UserError("--train_file and --test_file are needed; --help shows an example")
    all_train = read_examples(Path(values.train_file), columns)
    test = read_examples(Path(values.test_file), columns)
    labels = sorted({str(example.label) for example in all_train})
    if len(labels) != 2:
        raise UserError(f"{values.train_file}: has {len(labels)} labels; two are needed")
    started = time.monotonic()
    train, dev = split_dev(all_train, values.dev_share, seed=0)
    scores = {c: accuracy(train, dev, labels, c) for c in STRENGTHS}
    best = max(scores, key=lambda c: scores[c])
    largest = max(labels, key=lambda x: sum(example.label == x for example in all_train))
    print(f"majority: test accuracy {np.mean([x.label == largest for x in test]):.4f}")
    print(f"NB-SVM: dev accuracy {scores[best]:.4f} with C = {best}")
    result = accuracy(all_train, test, labels, best)
    print(f"NB-SVM: test accuracy {result:.4f} ({time.monotonic() - started:.0f} s)")


def accuracy(
    train: Sequence[Example], test: Sequence[Example], labels: Sequence[str], strength: float
) -> float:
    """Of NB-SVM trained on the one and tested on the other."""
    vocabulary = known_features(train)
    signs = [
        np.array([1.0 if x.label == labels[1] else -1.0 for x in s]) for s in (train, test)
    ]
    model = train_nb_svm(count(train, vocabulary), len(vocabulary), signs[0], strength)
    return float(np.mean((model.margins(count(test, vocabulary)) > 0) == (signs[1] > 0)))


def train_nb_svm(counted: Counted, size: int, signs: np.ndarray, strength: float) -> Linear:
    """signs: [texts], 1 or -1."""
    ratios = log_ratios(counted, size, signs)
    weights, bias = squared_hinge(counted, ratios, signs, strength)
    mean = np.abs(weights).mean()
    return Linear(((1 - INTERPOLATION) * mean + INTERPOLATION * weights) * ratios, bias)


def log_ratios(counted: Counted, size: int, signs: np.ndarray) -> np.ndarray:
    """log of each feature's share of the one class over that of the other, from 1 up."""
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
    """Its lower-cased words and marks, and each two that are neighbours."""
    tokens = TOKEN.findall(f"{example.text} {example.text_pair or ''}".lower())
    return {*tokens, *map(" ".join, itertools.pairwise(tokens))}


def known_features(examples: Sequence[Example]) -> dict[str, int]:
    """Feature -> number, of those in enough texts."""
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


if __name__ == "__main__":
    flags.launch(main, benchmark_flags, flags.column_flags)
