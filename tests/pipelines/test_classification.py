"""What classification makes of answers."""

import numpy as np
import pytest

from pipelines.classification import Classification
from pipelines.examples import Example

LOGITS = np.array([[0, 2], [0, 0], [3, 0]], np.float32)


def task(*labels: str) -> Classification:
    return Classification([Example("", None, label) for label in labels], "train.csv")


def test_scores_and_table() -> None:
    good = task("good\tfilm", "bad\nfilm", "good\tfilm")  # ids 1, 0, 1
    truth = np.array([1, 1, 0], np.int32)
    e2, e3 = np.exp(2.0), np.exp(3.0)
    values = good.score(truth, LOGITS)
    expected = -np.log([e2 / (1 + e2), 0.5, e3 / (e3 + 1)]).mean()
    assert values["loss"] == pytest.approx(expected)
    assert values["accuracy"] == pytest.approx(2 / 3)  # the tie goes to class 0
    assert good.confusion(truth, LOGITS).tolist() == [[1, 0], [1, 1]]
    assert good.baseline(truth) == pytest.approx(2 / 3)
    assert "majority class 0.6667" in good.summary(truth, values)
    lines = [line.split("\t") for line in good.table(truth, LOGITS).splitlines()]
    assert lines[0] == ["index", "label", "predicted", r"p(bad\nfilm)", r"p(good\tfilm)"]
    assert lines[1] == ["0", r"good\tfilm", r"good\tfilm", "0.119203", "0.880797"]
    assert lines[2][:3] == ["1", r"good\tfilm", r"bad\nfilm"]


def test_one_class_only_is_warned_of() -> None:
    warning = task("no", "yes").warning(np.zeros(2), LOGITS[[0, 0]])
    assert warning is not None
    assert "taken for 'yes'" in warning
    assert task("no", "yes").warning(np.zeros(3), LOGITS) is None
