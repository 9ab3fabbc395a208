"""Labels guessed by two kinds of classifier together, each with mistakes of its own.

A small BERT misses rare words and what two words say together; NB-SVM (pipelines/nb_svm.py)
sees nothing else. Labels for texts that have none are guessed by both, so a model that
learns them learns what it had missed (co-training, Blum and Mitchell 1998,
https://doi.org/10.1145/279943.279962, with one round).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bert_core.errors import UserError
from pipelines.examples import Example, json_records, text_in
from pipelines.nb_svm import NbSvm
from pipelines.options import ExamplesOptions

SUREST = 1e-6  # the least distance of a probability from 0 and 1, for its logarithm


class Guesses(NamedTuple):
    """Texts, and what `run_predict.py --classify` makes of them."""

    examples: list[Example]
    log_odds: np.ndarray  # [n] float64, of the second label


def read_all_guesses(
    paths: Sequence[Path], columns: ExamplesOptions, labels: tuple[str, str]
) -> Guesses:
    """Guesses of one or more models for the same texts, with the mean of their log odds.

    UserError if a file does not hold such guesses, or holds other texts than the first.
    """
    first, *others = (read_guesses(path, columns, labels) for path in paths)
    for path, other in zip(paths[1:], others, strict=True):
        if other.examples != first.examples:
            raise UserError(
                f"{path}: holds other texts than {paths[0]}; give guesses of the same --input"
            )
    log_odds = np.mean([first.log_odds, *(x.log_odds for x in others)], axis=0)
    return Guesses(first.examples, log_odds)


def read_guesses(path: Path, columns: ExamplesOptions, labels: tuple[str, str]) -> Guesses:
    """Reads a .jsonl file of `run_predict.py --classify`; UserError naming file and line."""
    if path.suffix != ".jsonl":
        raise UserError(f"{path}: must be a .jsonl file of run_predict.py --classify")
    pair = columns.text_pair_column
    named = {columns.text_column: "--text_column"}
    named |= {pair: "--text_pair_column"} if pair else {}
    examples, log_odds = [], []
    for where, record in json_records(path, named):
        text = text_in(record, columns.text_column, where)
        second = text_in(record, pair, where) if pair else None
        examples.append(Example(text, second, None))
        share = _share(record.get("probabilities"), labels, where)
        share = min(max(share, SUREST), 1 - SUREST)
        log_odds.append(math.log(share / (1 - share)))
    if not examples:
        raise UserError(f"{path}: holds no texts")
    return Guesses(examples, np.array(log_odds))


def both_opinions(guesses: Guesses, second: NbSvm) -> np.ndarray:
    """[n, 2] float64: probabilities of the labels by the mean of both log odds.

    NB-SVM's margins are not log odds; they are scaled to the standard deviation of the
    model's, so that over all texts neither counts more than the other.
    """
    margins = second.margins(guesses.examples)
    deviation = float(margins.std())
    # All alike where NB-SVM knows no word of the texts; it then does not count.
    width = guesses.log_odds.std() / deviation if deviation > 1e-9 else 0.0
    log_odds = (guesses.log_odds + width * margins) / (2 if width else 1)
    share = 1 / (1 + np.exp(-log_odds))
    return np.stack([1 - share, share], axis=1)


def two_labels(examples: Sequence[Example], where: str) -> tuple[str, str]:
    """The labels of a labelled file, sorted; UserError unless they are two."""
    labels = sorted({str(example.label) for example in examples})
    if len(labels) != 2:
        raise UserError(f"{where}: has {len(labels)} labels; NB-SVM is for two")
    return labels[0], labels[1]


def _share(probabilities: Any, labels: tuple[str, str], where: str) -> float:
    """The probability of the second label."""
    if not isinstance(probabilities, dict) or set(probabilities) != set(labels):
        raise UserError(
            f"{where}: 'probabilities' must have one of {labels[0]!r:.80} and one of "
            f"{labels[1]!r:.80}, as run_predict.py --classify writes them"
        )
    share = probabilities[labels[1]]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise UserError(f"{where}: {share!r:.80} is not a probability")
    return float(share)
