"""The pictures are drawn, also of little, and show what they should."""

import io

import numpy as np
import pytest

from loops import pictures


def size(png: bytes) -> tuple[int, ...]:
    from matplotlib.image import imread

    return imread(io.BytesIO(png)).shape


LINES = [
    {"split": "train", "step": 5, "loss": 2.0, "accuracy": 0.5},
    {"split": "train", "step": 10},  # all its steps were skipped
    {"split": "dev", "step": 10, "loss": 1.5, "accuracy": 0.6},
]


@pytest.mark.parametrize("lines", [[], LINES[:1], LINES])
@pytest.mark.filterwarnings("ignore:No artists with labels")
def test_curves(lines: list) -> None:
    assert size(pictures.curves(lines, {"unigram entropy": 6.6}))[:2] == (440, 1210)


def test_the_curves_are_those_of_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(pictures, "_png", drawn.append)
    pictures.curves(LINES, {"unigram entropy": 6.6})
    loss, accuracy = drawn[0].axes
    points = {line.get_label(): line.get_xydata().tolist() for line in loss.lines}
    assert points["train"] == [[5, 2.0]]
    assert points["dev"] == [[10, 1.5]]
    assert points["unigram entropy"][0][1] == 6.6
    assert accuracy.get_title() == "accuracy"


@pytest.mark.parametrize("classes", [2, 20, 40])
def test_confusion(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"<b>{i}</b> $x$" for i in range(classes)]
    matrix = np.arange(classes**2).reshape(classes, classes)
    assert len(size(pictures.confusion(matrix, names))) == 3
    drawn = []
    monkeypatch.setattr(pictures, "_png", drawn.append)
    pictures.confusion(matrix, names)
    texts = [text.get_text() for text in drawn[0].axes[0].texts]
    assert texts == ([f"{x:,}" for x in matrix.flat] if classes <= 20 else [])
