"""What a fine-tuned run answered, read back from its predictions.tsv."""

import collections
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bert_core.errors import UserError


class Confusion(NamedTuple):
    """Counts of (label, prediction) for the most frequent labels."""

    names: list[str]
    counts: list[list[int]]  # row: label, column: prediction
    left_out: int  # answers whose label or prediction is not among `names`


Answers = list[tuple[str, str]]  # (label, prediction) as they stand in the file


def read_answers(path: Path) -> tuple[str, Answers]:
    """("label" or "target", the pairs); no pairs if the table is of a custom task.

    Raises UserError for a damaged file.
    """
    try:
        rows = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); bring it back") from None
    header = rows[0].split("\t")
    kind = "target" if "target" in header else "label"
    if not {kind, "predicted"} <= set(header):
        return kind, []
    columns = header.index(kind), header.index("predicted")
    try:
        cells = [row.split("\t") for row in rows[1:] if row]
        return kind, [(row[columns[0]], row[columns[1]]) for row in cells]
    except IndexError:
        raise UserError(
            f"{path}: is not as run_finetune.py wrote it; bring it back or delete it"
        ) from None


def confusion(answers: Answers, most: int) -> Confusion:
    """Counts for the `most` most frequent labels."""
    pairs = collections.Counter(answers)
    often = collections.Counter(label for label, _ in answers)
    often.update(dict.fromkeys({predicted for _, predicted in answers}, 0))
    names = sorted(name for name, _ in often.most_common(most))
    counts = [[pairs[label, predicted] for predicted in names] for label in names]
    return Confusion(names, counts, len(answers) - sum(map(sum, counts)))


def points(answers: Answers, most: int) -> list[tuple[float, float]]:
    """(target, prediction) of at most `most` answers, evenly spaced; finite ones only."""
    every = max(1, math.ceil(len(answers) / most))
    numbers = (_numbers(pair) for pair in answers[::every])
    return [pair for pair in numbers if pair is not None]


def _numbers(pair: Sequence[str]) -> tuple[float, float] | None:
    try:
        target, predicted = float(pair[0]), float(pair[1])
    except ValueError:
        return None
    return (target, predicted) if math.isfinite(target + predicted) else None
