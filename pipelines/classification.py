"""The task of classification: one label per text, or a pair of texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_core import scores
from bert_core.batch import ClassificationBatch
from bert_core.escapes import cell
from pipelines.examples import Example, label_ids, label_names
from pipelines.task import Inputs, Task, filled


class Classification(Task):
    """C classes, by the labels of the training examples."""

    metric = "accuracy"
    by_label = True

    def __init__(self, examples: Sequence[Example], where: str):
        self.labels = label_names(examples)
        self.record = {"labels": self.labels}
        self._trained_on = self.targets(examples, where)

    def targets(self, examples: Sequence[Example], where: str) -> np.ndarray:
        """[n] int32."""
        return label_ids(examples, self.labels, where)

    def batch(
        self, inputs: Inputs, labels: np.ndarray, indices: np.ndarray
    ) -> ClassificationBatch:
        return classification_batch(inputs, labels, indices)

    def score(self, truth: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        confusion = self.confusion(truth, answers)
        return {
            "loss": scores.mean_cross_entropy(scores.softmax(answers), truth),
            "accuracy": scores.accuracy(confusion),
            "macro_f1": scores.macro_f1(confusion),
        }

    def table(self, truth: np.ndarray, answers: np.ndarray) -> str:
        """Label, prediction, one probability per class."""
        shown = [cell(label) for label in self.labels]
        header = ["index", "label", "predicted", *(f"p({name})" for name in shown)]
        lines = ["\t".join(header)]
        for index, (label, row) in enumerate(zip(truth, scores.softmax(answers), strict=True)):
            cells = [str(index), shown[label], shown[row.argmax()]]
            lines.append("\t".join([*cells, *(f"{share:.6f}" for share in row)]))
        return "\n".join(lines) + "\n"

    def description(self) -> str:
        return f"labels: {', '.join(self.labels)}"

    def baseline(self, truth: np.ndarray) -> float:
        return majority_baseline(self._trained_on, truth)

    def summary(self, truth: np.ndarray, values: dict[str, float]) -> str:
        return (
            f"accuracy {values['accuracy']:.4f} (majority class {self.baseline(truth):.4f}), "
            f"macro-F1 {values['macro_f1']:.4f}, loss {values['loss']:.4f}"
        )

    def confusion(self, truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
        return scores.confusion_matrix(truth, answers.argmax(axis=1), len(self.labels))

    def warning(self, truth: np.ndarray, answers: np.ndarray) -> str | None:
        predicted = np.unique(answers.argmax(axis=1))
        if len(predicted) > 1:
            return None
        return (
            f"warning: every text is taken for {self.labels[predicted[0]]!r}; try a lower "
            "--learning_rate, more --num_epochs, or look for labels that do not fit the texts"
        )


def classification_batch(
    inputs: Inputs, labels: np.ndarray, indices: np.ndarray
) -> ClassificationBatch:
    """The batch of `inputs`, with its labels picked from all, [n] int32."""
    batch_size = len(inputs.input_ids)
    return ClassificationBatch(
        *inputs,
        label_ids=filled(labels[indices].astype(np.int32), batch_size),
        example_weights=filled(np.ones(len(indices), np.float32), batch_size),
    )


def majority_baseline(train_labels: Any, test_labels: Any) -> float:
    """Accuracy of always answering the most frequent training label, in [0, 1]."""
    names, counts = np.unique(np.asarray(train_labels), return_counts=True)
    return float(np.mean(np.asarray(test_labels) == names[np.argmax(counts)]))
