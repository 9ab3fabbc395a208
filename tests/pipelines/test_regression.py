"""Regression: numbers in, numbers out, in the units of the file."""

from pathlib import Path

import numpy as np
import pytest

from bert_core.errors import UserError
from pipelines.examples import Example
from pipelines.options import ExamplesOptions
from pipelines.regression import Regression
from pipelines.task import Inputs


def task(*labels: str) -> Regression:
    return Regression([Example("", None, label) for label in labels], "train.csv")


def test_numbers_of_json_and_csv(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a", "label": 1.5}\n{"text": "b", "label": -2}\n'
        '{"text": "c", "label": "1e1"}\n'
    )
    (tmp_path / "a.csv").write_text("text,label\na, 1.5 \nb,-2\nc,1e1\n")
    for name in ("a.jsonl", "a.csv"):
        examples = Regression.read(tmp_path / name, ExamplesOptions())
        made = Regression(examples, name)
        targets = made.targets(examples, name)
        assert targets.mean() == pytest.approx(0)
        assert targets.std() == pytest.approx(1)
        mean, deviation = (made.record[f"target_{x}"] for x in ("mean", "deviation"))
        np.testing.assert_allclose(targets * deviation + mean, [1.5, -2, 10])


@pytest.mark.parametrize(
    "label",
    ["good", "3,5", "", "1_0", "0x1", "nan", "NaN", "inf", "-Infinity", "1e999", "9" * 400],
)
def test_what_is_no_number(label: str) -> None:
    with pytest.raises(UserError) as caught:
        task("1", "2", label)
    assert str(caught.value).startswith("train.csv: target ")
    assert "of example 3 is not a number" in str(caught.value)
    assert len(str(caught.value)) < 250
    with pytest.raises(UserError, match=r"^dev.csv: target .* of example 1 is not"):
        task("1", "2").targets([Example("", None, label)], "dev.csv")


def test_targets_without_a_spread() -> None:
    with pytest.raises(UserError, match=r"every target is 2\.5; there is nothing to predict"):
        task("2.5", "2.50", "25e-1")
    for labels in (("1e308", "-1e308"), ("0", "1e-300")):
        with pytest.raises(UserError, match="rescale them"):
            task(*labels)


def test_scores_are_in_units_of_the_file() -> None:
    made = task("10", "20", "30", "40")  # mean 25, variance 125
    examples = [Example("", None, x) for x in ("10", "20", "40")]
    truth = made.targets(examples, "test.csv")
    answers = ((np.array([[15], [15], [40]]) - 25) / np.sqrt(125)).astype(np.float32)
    values = made.score(truth, answers)
    assert values["loss"] == pytest.approx((25 + 25 + 0) / 3 / 125)
    assert values["mean_absolute_error"] == pytest.approx(10 / 3)
    # Deviations -25/3 -25/3 50/3 and -40/3 -10/3 50/3: products 3750/9 of
    # sqrt(3750 * 4200)/9.
    assert values["pearson"] == pytest.approx(3750 / np.sqrt(3750 * 4200))
    # Ranks 1.5 1.5 3 and 1 2 3: 1.5 of sqrt(1.5 * 2).
    assert values["spearman"] == pytest.approx(1.5 / np.sqrt(3))
    assert made.baseline(truth) == pytest.approx((15 + 5 + 15) / 3)
    assert made.table(truth, answers) == (
        "index\ttarget\tpredicted\n0\t10\t15\n1\t20\t15\n2\t40\t40\n"
    )
    assert "(of always answering the mean 11.67)" in made.summary(truth, values)


def test_large_numbers_that_differ_little_are_told_apart() -> None:
    """Milliseconds since 1970."""
    made = task("1700012325000", "1700012365000")  # a deviation of 20,000
    truth = made.targets([Example("", None, "1700012345200")], "test.csv")
    line = made.table(truth, np.array([[-0.01]], np.float32)).splitlines()[1]
    assert line == "0\t1700012345200\t1700012344800"


def test_one_number_only_is_warned_of() -> None:
    made, truth = task("1", "2"), np.array([0.5, -0.5])
    assert "same number" in str(made.warning(truth, np.array([[0.1], [0.1]], np.float32)))
    assert made.warning(truth, np.array([[0.1], [0.2]], np.float32)) is None
    assert "targets here" in str(made.warning(truth[[0, 0]], np.array([[0.1], [0.2]])))


def test_a_batch_has_the_targets_of_its_rows() -> None:
    ids = np.zeros((3, 8), np.int32)
    labels = np.array([0.5, -1.5, 2.5])
    batch = task("1", "2").batch(Inputs(ids, ids, ids), labels, np.array([2, 0]))
    assert batch.targets.tolist() == [2.5, 0.5, 0]
    assert batch.example_weights.tolist() == [1, 1, 0]
    assert batch.targets.dtype == batch.example_weights.dtype == np.float32
