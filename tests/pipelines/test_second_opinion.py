"""Guesses that a model and NB-SVM make together."""

import json
from pathlib import Path

import numpy as np
import pytest

from bert_core.errors import UserError
from pipelines.examples import Example
from pipelines.options import ExamplesOptions
from pipelines.second_opinion import (
    Guesses,
    both_opinions,
    read_all_guesses,
    read_guesses,
    two_labels,
)

LABELS = ("bad", "good")


class Fixed:
    """Stands for NB-SVM."""

    def __init__(self, margins: list[float]):
        self._margins = np.array(margins)

    def margins(self, examples: list[Example]) -> np.ndarray:
        assert len(examples) == len(self._margins)
        return self._margins


def _guesses(log_odds: list[float]) -> Guesses:
    return Guesses([Example("x", None, None)] * len(log_odds), np.array(log_odds))


def test_the_surer_of_two_prevails() -> None:
    # Both are as wide, whatever the scale of margins.
    guesses = _guesses([4.0, -4.0, 1.0, -1.0])
    shares = both_opinions(guesses, Fixed([0.04, -0.04, -0.02, 0.0]))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert list(shares[:, 1] > 0.5) == [True, False, False, False]
    # Width 100 for margins: the mean of 1 and -2 is -0.5.
    width = np.std([4, -4, 1, -1]) / np.std([0.04, -0.04, -0.02, 0.0])
    np.testing.assert_allclose(shares[2, 1], 1 / (1 + np.exp(-(1 - 0.02 * width) / 2)))


@pytest.mark.parametrize("margin", [0.0, -0.3])
def test_margins_that_say_nothing_change_nothing(margin: float) -> None:
    shares = both_opinions(_guesses([2.0, -1.0]), Fixed([margin, margin]))
    np.testing.assert_allclose(shares[:, 1], 1 / (1 + np.exp([-2.0, 1.0])))


def _write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(x) + "\n" for x in records))
    return path


def test_what_a_model_wrote_is_read(tmp_path: Path) -> None:
    records = [
        {"text": "a", "label": "good", "probabilities": {"bad": 0.2, "good": 0.8}},
        {"text": "b", "label": "bad", "probabilities": {"bad": 1, "good": 0}},
    ]
    path = _write(tmp_path / "g.jsonl", *records)
    guesses = read_guesses(path, ExamplesOptions(), LABELS)
    assert [x.text for x in guesses.examples] == ["a", "b"]
    np.testing.assert_allclose(guesses.log_odds[0], np.log(4))
    assert -20 < guesses.log_odds[1] < -10  # sure, and still a number


def _guess(text: str, good: float) -> dict[str, object]:
    return {"text": text, "probabilities": {"bad": 1 - good, "good": good}}


def test_of_several_models_the_mean_is_heard(tmp_path: Path) -> None:
    one = _write(tmp_path / "1.jsonl", _guess("a", 0.8), _guess("b", 0.5))
    two = _write(tmp_path / "2.jsonl", _guess("a", 0.5), _guess("b", 0.1))
    guesses = read_all_guesses([one, two], ExamplesOptions(), LABELS)
    assert [x.text for x in guesses.examples] == ["a", "b"]
    np.testing.assert_allclose(guesses.log_odds, [np.log(4) / 2, -np.log(9) / 2])


def test_models_must_have_guessed_the_same_texts(tmp_path: Path) -> None:
    one = _write(tmp_path / "1.jsonl", _guess("a", 0.8))
    two = _write(tmp_path / "2.jsonl", _guess("b", 0.8))
    with pytest.raises(UserError, match=r"2\.jsonl: holds other texts than .*1\.jsonl"):
        read_all_guesses([one, two], ExamplesOptions(), LABELS)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"probabilities": {"bad": 0.5, "good": 0.5}}, "line 1: column 'text' is missing"),
        ({"text": 3, "probabilities": {"bad": 0.5, "good": 0.5}}, "must be a string"),
        ({"text": "a"}, "'probabilities' must have one of 'bad'"),
        ({"text": "a", "probabilities": {"bad": 1.0}}, "must have one of 'bad'"),
        ({"text": "a", "probabilities": {"bad": 0, "good": "1"}}, "'1' is not a probability"),
        ({"text": "a", "probabilities": {"bad": 0, "good": True}}, "True is not a probability"),
        ({"text": "a", "probabilities": {"bad": 0, "good": float("nan")}}, "nan is not a prob"),
        ({"text": "a", "probabilities": {"bad": 0, "good": 1.5}}, "1.5 is not a probability"),
        ([], "must be a JSON object"),
    ],
)
def test_what_is_no_guess_is_named(tmp_path: Path, record: object, said: str) -> None:
    path = _write(tmp_path / "g.jsonl", record)
    with pytest.raises(UserError, match=r"g\.jsonl, line 1: ") as caught:
        read_guesses(path, ExamplesOptions(), LABELS)
    assert said in str(caught.value)


def test_files_that_hold_no_guesses(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"g\.csv: must be a \.jsonl file"):
        read_guesses(tmp_path / "g.csv", ExamplesOptions(), LABELS)
    with pytest.raises(UserError, match="holds no texts"):
        read_guesses(_write(tmp_path / "g.jsonl"), ExamplesOptions(), LABELS)


def test_two_labels_and_no_more() -> None:
    examples = [Example("", None, label) for label in ("good", "bad", "good", "fair")]
    assert two_labels(examples[:3], "x") == LABELS
    with pytest.raises(UserError, match=r"x\.csv: has 3 labels"):
        two_labels(examples, "x.csv")
