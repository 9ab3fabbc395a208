"""The task of regression: one number per text, or a pair of texts."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bert_core.batch import RegressionBatch
from bert_core.correlation import pearson, spearman
from bert_core.errors import UserError
from bert_core.units import in_units
from pipelines.examples import Example, read_examples
from pipelines.options import ExamplesOptions
from pipelines.task import Inputs, Task, filled


class Regression(Task):
    """Targets are learned in standard deviations from their mean, whatever their scale.

    So a loss of 1 is that of answering the mean. Tables and errors are in the file's
    own units.
    """

    metric = "pearson"
    labels = ("target",)

    def __init__(self, examples: Sequence[Example], where: str):
        numbers = _numbers(examples, where)
        with np.errstate(over="ignore", invalid="ignore"):
            self._mean, self._deviation = float(numbers.mean()), float(numbers.std())
        self._range = float(numbers.min()), float(numbers.max())
        if self._range[0] == self._range[1]:
            raise UserError(
                f"{where}: every target is {self._range[0]:g}; there is nothing to predict"
            )
        if not 0 < self._deviation < math.inf:
            raise UserError(
                f"{where}: targets from {self._range[0]:g} to {self._range[1]:g} have no "
                "standard deviation that a computer can hold; rescale them"
            )
        self.record = {"target_mean": self._mean, "target_deviation": self._deviation}

    @classmethod
    def read(cls, path: Path, columns: ExamplesOptions) -> list[Example]:
        return read_examples(path, columns, allow_fractions=True)

    def targets(self, examples: Sequence[Example], where: str) -> np.ndarray:
        """[n] float64."""
        return (_numbers(examples, where) - self._mean) / self._deviation

    def batch(self, inputs: Inputs, labels: np.ndarray, indices: np.ndarray) -> RegressionBatch:
        batch_size = len(inputs.input_ids)
        return RegressionBatch(
            *inputs,
            targets=filled(labels[indices].astype(np.float32), batch_size),
            example_weights=filled(np.ones(len(indices), np.float32), batch_size),
        )

    def score(self, truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        error = answers[:, 0].astype(np.float64) - truth
        return {
            "loss": float(np.mean(error**2)),
            "pearson": pearson(answers[:, 0], truth),
            "spearman": spearman(answers[:, 0], truth),
            "mean_absolute_error": self._deviation * float(np.mean(np.abs(error))),
        }

    def table(self, truth: np.ndarray, answers: np.ndarray) -> str:
        """Target and prediction."""
        targets = (truth * self._deviation + self._mean).tolist()
        predictions = in_units(answers, self._mean, self._deviation).tolist()
        lines = ["index\ttarget\tpredicted"]
        for index, pair in enumerate(zip(targets, predictions, strict=True)):
            lines.append("{}\t{:.15g}\t{:.15g}".format(index, *pair))
        return "\n".join(lines) + "\n"

    def description(self) -> str:
        low, high = self._range
        return (
            f"targets: {low:g} to {high:g}, mean {self._mean:.4g}, standard deviation "
            f"{self._deviation:.4g}"
        )

    def baseline(self, truth: np.ndarray) -> float:
        """The mean absolute error of answering the training mean."""
        return self._deviation * float(np.mean(np.abs(truth)))

    def summary(self, truth: np.ndarray, values: dict[str, float]) -> str:
        return (
            f"Pearson {values['pearson']:.4f}, Spearman {values['spearman']:.4f}, mean "
            f"absolute error {values['mean_absolute_error']:.4g} (of always answering the "
            f"mean {self.baseline(truth):.4g}), loss {values['loss']:.4f}"
        )

    def warning(self, truth: np.ndarray, answers: np.ndarray) -> str | None:
        if np.ptp(truth) == 0:
            return "warning: all targets here are the same: there is no correlation with them"
        if np.ptp(answers) > 0:
            return None
        return (
            "warning: every text is given the same number; try a lower --learning_rate, more "
            "--num_epochs, or look for targets that do not fit the texts"
        )


def _numbers(examples: Sequence[Example], where: str) -> np.ndarray:
    """The labels as [n] float64; UserError for what is not a finite number."""
    numbers = np.empty(len(examples), np.float64)
    for index, example in enumerate(examples):
        label = example.label or ""
        try:
            number = math.nan if "_" in label else float(label)  # Python reads 1_0 as 10
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UserError(
                f"{where}: target {label[:80]!r} of example {index + 1} is not a number; "
                "regression needs one such as 3 or -0.25 for each text"
            )
        numbers[index] = number
    return numbers
