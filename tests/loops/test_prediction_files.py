"""Files of predictions, read back with csv, json and NumPy."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from loops.prediction_files import write_classes, write_numbers, write_tags, write_vectors

NAMES = ["good, really", 'b"ad']
COLUMNS = {"text": ["one", 'two\nlines\t"quoted", ü'], "second": ["", "x\ry"]}
ODDS = np.array([[0.75, 0.25], [1 / 3, 2 / 3]])
LABELS = ["good, really", 'b"ad']


@pytest.mark.parametrize(("suffix", "dialect"), [(".csv", "excel"), (".tsv", "excel-tab")])
def test_tables(tmp_path: Path, suffix: str, dialect: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_classes(path, COLUMNS, NAMES, ODDS)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, dialect=dialect, strict=True))
    assert [row["text"] for row in rows] == COLUMNS["text"]
    assert [row["second"] for row in rows] == COLUMNS["second"]
    assert [row["label"] for row in rows] == LABELS
    found = [[float(row[f"p({name})"]) for name in NAMES] for row in rows]
    np.testing.assert_allclose(found, ODDS, rtol=0, atol=1e-8)


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write_classes(path, COLUMNS, NAMES, ODDS)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(row["text"], row["second"], row["label"]) for row in rows] == [
        ("one", "", LABELS[0]),
        (COLUMNS["text"][1], "x\ry", LABELS[1]),
    ]
    assert rows[0]["probabilities"] == {NAMES[0]: 0.75, NAMES[1]: 0.25}
    assert rows[1]["probabilities"][NAMES[0]] == pytest.approx(1 / 3, abs=1e-8)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_numbers(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_numbers(path, COLUMNS, np.array([1 / 3, 1_700_012_345_012.5]))
    with path.open(newline="", encoding="utf-8") as file:
        dialect = "excel-tab" if suffix == ".tsv" else "excel"
        tables = suffix != ".jsonl"
        rows = list(csv.DictReader(file, dialect=dialect) if tables else map(json.loads, file))
    assert [row["second"] for row in rows] == COLUMNS["second"]
    assert [float(row["predicted"]) for row in rows] == [1 / 3, 1_700_012_345_012.5]


def test_tags(tmp_path: Path) -> None:
    path = tmp_path / "out.conll"
    write_tags(path, [[("Ann", "B-P"), ("saß", "O")], [], [("x", "O")]])
    assert path.read_text(encoding="utf-8") == "Ann B-P\nsaß O\n\n\nx O\n\n"


def test_vectors(tmp_path: Path) -> None:
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_vectors(tmp_path / "v.npy", vectors)
    found = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vectors)


def test_nothing_is_left_of_a_file_that_failed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="longer"):
        write_classes(tmp_path / "out.csv", COLUMNS, NAMES, np.ones((3, 2)))
    assert os.listdir(tmp_path) == []
