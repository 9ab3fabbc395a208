"""How good predictions are, from counts. NumPy only."""

import numpy as np


def confusion_matrix(
    label_ids: np.ndarray, predicted_ids: np.ndarray, num_classes: int
) -> np.ndarray:
    """Counts of (label, prediction): row i, column j counts label i taken for j.

    Args:
      label_ids, predicted_ids: [n] integers in [0, num_classes).

    Returns:
      [C, C] int64; matrices of parts of the data add up to that of the whole.

    Raises:
      ValueError: the shapes differ, or an id is out of range.
    """
    labels, predictions = np.asarray(label_ids), np.asarray(predicted_ids)
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} against predictions {predictions.shape}")
    for ids in (labels, predictions):
        if ids.size and not (ids.min() >= 0 and ids.max() < num_classes):
            raise ValueError(f"ids from {ids.min()} to {ids.max()} for {num_classes} classes")
    confusion = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion, (labels.astype(np.int64), predictions.astype(np.int64)), 1)
    return confusion


def accuracy(confusion: np.ndarray) -> float:
    """Share of right predictions: sum_c confusion[c, c] / sum confusion.

    Raises:
      ValueError: the matrix counts nothing.
    """
    total = confusion.sum()
    if total == 0:
        raise ValueError("no predictions were counted")
    return float(np.trace(confusion) / total)


def macro_f1(confusion: np.ndarray) -> float:
    """Mean over the classes of F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c).

    F1_c is the harmonic mean of precision and recall. A class that neither occurs
    nor is predicted (0 / 0) counts as 0, as in scikit-learn's `f1_score(labels,
    predictions, labels=range(C), average="macro", zero_division=0)`.
    """
    true_positives = np.diag(confusion)
    # A row sums to TP + FN, a column to TP + FP.
    denominators = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float(np.mean(2 * true_positives / np.maximum(denominators, 1)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """[n, C] logits -> [n, C] float64 probabilities, each row summing to 1."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def mean_cross_entropy(probabilities: np.ndarray, label_ids: np.ndarray) -> float:
    """Mean of -ln p[label] over the rows, in nats; [n, C] and [n] integers."""
    chosen = probabilities[np.arange(len(label_ids)), label_ids]
    return float(-np.mean(np.log(np.maximum(chosen, np.finfo(np.float64).tiny))))
