"""Labelled files as splits: what is set aside, and what guessed labels may do."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bert_core.errors import UserError
from pipelines.classification import Classification
from pipelines.labelled import LabelledExamples, read_labelled
from pipelines.options import ExamplesOptions

COLUMNS = ExamplesOptions(text_column="review", label_column="stars")
TRAIN = [(f"text {i}", "no" if i % 2 else "yes") for i in range(20)]


def written(path: Path, label_column: str, rows: Sequence[tuple[str, str]]) -> Path:
    lines = [json.dumps({"review": text, label_column: label}) for text, label in rows]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return written(tmp_path / "train.jsonl", "stars", TRAIN)


def read(
    train: Path, guesses: Sequence[tuple[str, str]] | None, test: Path | None = None
) -> LabelledExamples:
    """The label of a guess stands where run_predict.py writes it."""
    guessed = (
        None if guesses is None else written(train.with_name("guessed.jsonl"), "label", guesses)
    )
    files = {"train": train, "guessed": guessed, "dev": None, "test": test}
    return read_labelled(Classification, files, COLUMNS, 0.2)


def pairs(labelled: LabelledExamples, split: str) -> list[tuple[str, str | None]]:
    return [(example.text, example.label) for example in labelled.splits[split]]


def test_guesses_are_learned_and_not_judged_by(train: Path) -> None:
    without = read(train, None)
    labelled = read(train, [("more", "no"), ("and more", "yes")])
    assert pairs(labelled, "dev") == pairs(without, "dev")
    assert len(pairs(labelled, "dev")) == 4
    guesses = [("more", "no"), ("and more", "yes")]
    assert pairs(labelled, "train") == pairs(without, "train") + guesses
    assert (without.num_guessed, labelled.num_guessed) == (0, 2)
    assert {*labelled.splits} == {"train", "dev"}
    assert labelled.fingerprint() != without.fingerprint()


def test_no_guess_for_a_text_with_a_label_is_learned(train: Path) -> None:
    test = written(train.with_name("test.jsonl"), "stars", [("tested", "yes")])
    dev, known = pairs(read(train, None), "dev"), pairs(read(train, None), "train")
    texts = [text for text, _ in [*dev, *known]] + ["tested", "more"]
    labelled = read(train, [(text, "no") for text in texts], test)
    assert pairs(labelled, "dev") == dev
    assert pairs(labelled, "train") == [*known, ("more", "no")]
    assert not {text for text, _ in pairs(labelled, "train")} & {text for text, _ in dev}
    assert labelled.num_guessed == 1


def test_the_labels_are_those_of_the_training_file(train: Path) -> None:
    assert read(train, [("more", "no")] * 30).task.labels == ["no", "yes"]
    with pytest.raises(UserError, match=r"guessed.jsonl: label 'so so' of example 2 is not"):
        read(train, [("more", "no"), ("less", "so so")])
