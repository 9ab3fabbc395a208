"""run_second_opinion.py: from two files to a third, which run_finetune.py can read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.examples import read_examples
from pipelines.options import ExamplesOptions

ROOT = Path(__file__).resolve().parent.parent
GUESSED = [("so good", 0.6), ("so bad", 0.6), ("very good", 0.9), ("very bad", 0.1)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    words = ("so", "very", "a", "the")
    rows = [
        {"text": f"{word} {label} film {i}", "label": label}
        for i in range(10)
        for word in words
        for label in ("good", "bad")
    ]
    guesses = [
        {"text": text, "label": "good", "probabilities": {"bad": 1 - share, "good": share}}
        for text, share in GUESSED
    ]
    for name, records in (("train", rows), ("guessed", guesses)):
        lines = "".join(json.dumps(x) + "\n" for x in records)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    return tmp_path


def _run(files: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        *(sys.executable, "run_second_opinion.py", f"--train_file={files / 'train.jsonl'}"),
        *(f"--guessed_file={files / 'guessed.jsonl'}", f"--output={files / 'agreed.jsonl'}"),
    ]
    return subprocess.run(
        [*command, *more], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_both_are_heard(files: Path) -> None:
    done = _run(files)
    assert done.returncode == 0, done.stderr
    assert "NB-SVM learns from 72 texts" in done.stdout
    assert "1 of 4 texts have another label now" in done.stdout
    agreed = read_examples(files / "agreed.jsonl", ExamplesOptions())
    assert [(x.text, x.label) for x in agreed] == [
        (text, text.split()[1]) for text, _ in GUESSED
    ]


def test_all_is_learned_from_where_nothing_is_set_aside(files: Path) -> None:
    assert "NB-SVM learns from 80 texts" in _run(files, "--dev_share=0").stdout


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--output={}/agreed.csv", "agreed.csv: must end in .jsonl"),
        ("--output={}/guessed.jsonl", "guessed.jsonl: already exists"),
        ("--guessed_file={}/none.jsonl", "none.jsonl: cannot be read"),
        ("--guessed_file={}/train.jsonl", "line 1: 'probabilities' must have one of 'bad'"),
        ("--train_file={}/guessed.jsonl", "guessed.jsonl: has 1 labels"),
        ("--train_file=", "--train_file is missing"),
        ("--dev_share=1", "--dev_share=1.0: must be at least 0 and below 1"),
    ],
)
def test_mistakes_are_one_line(files: Path, more: str, said: str) -> None:
    done = _run(files, more.format(files))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (files / "agreed.jsonl").exists()
