"""Scoring a classifier, keeping its best weights, writing its predictions."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bert_core import scores
from loops.checkpoints import Checkpoints, marked_steps
from loops.console import escaped, spelled
from loops.evaluate import Predictor


class Split(NamedTuple):
    """Batches of a whole split, and where their rows belong."""

    batches: Any  # of ClassificationBatch
    order: np.ndarray  # [n] int64: row i of the batches is example order[i]
    label_ids: np.ndarray  # [n] int32, in input order


class Scored(NamedTuple):
    """A split with what the model says of it."""

    probabilities: np.ndarray  # [n, C] float64, in input order
    confusion: np.ndarray  # [C, C]
    values: dict[str, float]  # loss in nats, accuracy, macro_f1


class Scorer:
    """Scores splits with one traced function."""

    def __init__(self, model: tf.Module, num_classes: int):
        self._predict = Predictor(model.logits)
        self._num_classes = num_classes

    def __call__(self, split: Split) -> Scored:
        rows = scores.softmax(self._predict(split.batches))
        probabilities = np.empty_like(rows)
        probabilities[split.order] = rows
        predicted = probabilities.argmax(axis=1)
        confusion = scores.confusion_matrix(split.label_ids, predicted, self._num_classes)
        values = {
            "loss": scores.mean_cross_entropy(probabilities, split.label_ids),
            "accuracy": scores.accuracy(confusion),
            "macro_f1": scores.macro_f1(confusion),
        }
        return Scored(probabilities, confusion, values)


class BestWeights:
    """The weights with the highest dev accuracy so far, the lower loss deciding ties.

    What was best is read off the metrics, so that a resumed run judges as one that
    was never stopped.
    """

    def __init__(self, directory: Path, model: tf.Module, lines: list[dict[str, Any]]):
        self._weights = tf.Module()
        self._weights.model = model
        self._directory = directory
        self._checkpoints = Checkpoints(directory, self._weights, max_to_keep=2)
        self._lines = lines
        last = max((line["step"] for line in lines), default=-1)
        self._checkpoints.forget_after(last)

    def offer(self, step: int, values: dict[str, float]) -> bool:
        """Saves the weights if `values` beat all dev lines so far; says whether."""
        earlier = [_rank(x) for x in self._lines if x["split"] == "dev" and x["step"] < step]
        # Taken up under other settings, a run may not come to its best again.
        if earlier and _rank(values) <= max(earlier) and marked_steps(self._directory):
            return False
        self._checkpoints.save(step)
        return True

    def restore(self) -> int:
        """Puts the best weights into the model; returns their step."""
        step = self._checkpoints.restore_latest()
        if step is None:
            raise ValueError("no weights have been offered")
        return step


def _rank(values: dict[str, Any]) -> tuple[float, float]:
    return values["accuracy"], -values["loss"]


def one_class_warning(confusion: np.ndarray, names: Sequence[str]) -> str | None:
    """A line to show when every prediction is the same class."""
    predicted = np.flatnonzero(confusion.sum(axis=0))
    if len(predicted) > 1:
        return None
    return (
        f"warning: every text is taken for {names[predicted[0]]!r}; try a lower "
        "--learning_rate, more --num_epochs, or look for labels that do not fit the texts"
    )


def predictions_table(scored: Scored, label_ids: np.ndarray, names: Sequence[str]) -> str:
    """A .tsv: a line a text, in input order: label, prediction, a probability a class.

    Labels are escaped as in Python's literals where they hold a backslash or a control
    character, or begin as a formula does.
    """
    shown = [_cell(name) for name in names]
    header = ["index", "label", "predicted", *(f"p({name})" for name in shown)]
    lines = ["\t".join(header)]
    for index, (label, row) in enumerate(zip(label_ids, scored.probabilities, strict=True)):
        cells = [str(index), shown[label], shown[int(row.argmax())]]
        lines.append("\t".join([*cells, *(f"{share:.6f}" for share in row)]))
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A name that no terminal, spreadsheet or reader of CSV takes for more than a name."""
    cell = escaped(text.replace("\\", "\\\\"))
    is_number = re.fullmatch(r"[+-][0-9.]+", cell)
    # What begins like this is a formula in a spreadsheet, or a quoted field.
    if cell.startswith(("=", "+", "-", "@", '"')) and not is_number:
        cell = spelled(cell[0]) + cell[1:]
    return cell


def over_seeds(results: Sequence[dict[str, float]]) -> str:
    """Mean and standard deviation (n - 1) of each score over several runs."""
    parts = []
    for name in results[0]:
        values = np.array([result[name] for result in results])
        parts.append(f"{name.replace('_', ' ')} {values.mean():.4f} ± {values.std(ddof=1):.4f}")
    return f"over {len(results)} seeds: {', '.join(parts)}"
