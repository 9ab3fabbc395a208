"""The main job on real text, as a user would run it: it must learn."""

import csv
import json
import statistics
from pathlib import Path

import pytest

from loops.metrics_log import last_of, read_metrics
from loops.run_directory import read_record
from pipelines.docstrings import docstrings_of
from tests.programs import Zygote

PACKAGES = ("numpy", "absl", "tensorboard")  # enough to learn from, quick to read
OPTIMISED = {"XLA_FLAGS": ""}  # as for a user: these steps are many enough to be worth it


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Docstrings, one document per line; train.tsv says which package each comes from."""
    directory = tmp_path_factory.mktemp("docstrings")
    rows = []
    for package in PACKAGES:
        top = Path(__import__(package).__file__ or "").parent
        for path in sorted(top.rglob("*.py")):
            if "tests" not in path.parts:
                rows += [(text[:600], package) for text in docstrings_of(str(path))]
    (directory / "corpus").mkdir()
    (directory / "corpus" / "all.txt").write_text("\n".join(text for text, _ in rows))
    with (directory / "train.tsv").open("w", newline="") as file:
        writer = csv.writer(file, dialect="excel-tab")
        writer.writerow(("docstring", "package"))
        writer.writerows(row for row in rows if row[1] != "absl")
    return directory


@pytest.fixture(scope="module")
def pretrained(corpus: Path, zygote: Zygote) -> Path:
    run = corpus / "pretrained"
    ended = zygote.run(
        "run_pretrain.py",
        f"--corpus_dir={corpus / 'corpus'}",
        f"--output_dir={run}",
        f"--cache_dir={corpus / 'cache'}",
        "--vocab_size=2000",
        "--seq_length=64",
        "--batch_size=16",
        "--num_train_steps=250",
        "--eval_sequences=64",
        "--learning_rate=2e-3",
        "--num_threads=1",
        **OPTIMISED,
    )
    assert ended.status == 0, ended.output
    return run


def test_pretraining_learns_more_than_word_frequencies(pretrained: Path) -> None:
    entropy = read_record(pretrained)["unigram_entropy"]
    dev = last_of(pretrained / "metrics.jsonl", "dev")
    assert dev["loss"] < 0.9 * entropy  # off the plateau
    assert dev["masked_accuracy"] > 0.15
    train = [line for line in read_metrics(pretrained / "metrics.jsonl") if "loss" in line]
    # The unigram plateau is where it starts: the loss of the first steps is above it.
    assert train[0]["loss"] > entropy


def test_a_run_says_what_it_was_trained_on(corpus: Path, pretrained: Path) -> None:
    lines = (corpus / "corpus" / "all.txt").read_text().split("\n")
    told = json.loads((pretrained / "corpus.json").read_text())
    assert told["documents"] == len(lines)
    assert told["characters"] == sum(len(" ".join(line.split())) for line in lines)
    assert told["pieces"] == 2000


def test_a_run_directory_is_self_contained(pretrained: Path) -> None:
    assert json.loads((pretrained / "config.json").read_text())["vocab_size"] == 2000
    for name in ("vocab.txt", "tokenizer_config.json", "flags.txt", "run.json", "curves.png"):
        assert (pretrained / name).stat().st_size > 0, name


def test_the_second_start_finds_all_done(
    pretrained: Path, corpus: Path, zygote: Zygote
) -> None:
    before = (pretrained / "metrics.jsonl").read_bytes()
    ended = zygote.run("run_pretrain.py", f"--flagfile={pretrained / 'flags.txt'}")
    assert ended.status == 0, ended.output
    assert "resuming at step 250" in ended.output
    assert "learned a vocabulary" not in ended.output  # the cache was used
    assert (pretrained / "metrics.jsonl").read_bytes() == before


def test_fine_tuning_beats_the_majority(pretrained: Path, corpus: Path, zygote: Zygote) -> None:
    run = corpus / "finetuned"
    ended = zygote.run(
        "run_finetune.py",
        f"--init_checkpoint={pretrained}",
        f"--output_dir={run}",
        f"--train_file={corpus / 'train.tsv'}",
        "--text_column=docstring",
        "--label_column=package",
        "--max_seq_length=48",
        "--num_train_steps=100",
        "--num_threads=1",
        **OPTIMISED,
    )
    assert ended.status == 0, ended.output
    assert "newly initialised 2: output/bias, output/kernel" in ended.output
    lines = (run / "predictions.tsv").read_text().splitlines()
    table = list(csv.DictReader(lines, delimiter="\t"))
    accuracy = statistics.mean(row["label"] == row["predicted"] for row in table)
    labels = [row["label"] for row in table]
    majority = max(labels.count(label) for label in set(labels)) / len(labels)
    assert accuracy > majority + 0.05
    assert f"accuracy {accuracy:.4f}" in ended.output


def test_filling_in_masks(pretrained: Path, zygote: Zygote) -> None:
    text = "Returns a [MASK] of [MASK] ."
    ended = zygote.run(
        "run_predict.py",
        f"--checkpoint={pretrained}",
        "--fill_mask=Returns a [MASK] of [MASK] .",
    )
    assert ended.status == 0, ended.output
    lines = ended.output.splitlines()
    assert lines[-3] == text
    for line in lines[-2:]:
        odds = [
            float(guess.split()[-1]) for guess in line.split(": ", 1)[1].split(", ") if guess
        ]
        assert odds == sorted(odds, reverse=True)
