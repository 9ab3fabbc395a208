"""Prepared directories: what goes where, whole or absent, and nobody's files deleted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bert_core.errors import UserError
from pipelines import prepared
from pipelines.corpus import read_documents
from pipelines.options import CorpusOptions
from pipelines.prepared import check_data_dir, describe, write_source
from pipelines.source import Document, Source

ROOT = Path(prepared.__file__).parents[1]
DOCUMENTS = (
    Document("Good  film.\n", "train", "pos"),
    Document("Bad film.", "train", "neg"),
    Document("Held out.", "test", "neg"),
    Document("Unlabelled.", "corpus"),
    Document("In train without a label, \0 and \ud800.", "train"),
    Document(" ", "train", "pos"),
)


WRITTEN = ("corpus/toy_films-00000.txt", "labels.txt", "train.jsonl", "unlabelled.txt")


def source(documents=DOCUMENTS, version="1", names=(), has_labels=True):
    return Source("toy/films", {"version": version}, documents, names, has_labels)


def examples(path):
    return [tuple(json.loads(line).values()) for line in path.read_text().splitlines()]


def test_everything_is_where_it_belongs(tmp_path):
    record = write_source(source(names=("pos", "neg", "never")), tmp_path / "d", False)
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
    corpus = tmp_path / "d" / "corpus"
    assert (corpus / "toy_films-00000.txt").read_text().splitlines() == [
        "Good film.", "Bad film.", "Unlabelled.", "In train without a label, and ?.",
    ]  # fmt: skip
    assert examples(tmp_path / "d" / "train.jsonl") == [
        ("Good film.", "pos"), ("Bad film.", "neg"),
    ]  # fmt: skip
    assert examples(tmp_path / "d" / "test.jsonl") == [("Held out.", "neg")]
    assert (tmp_path / "d" / "labels.txt").read_text() == "pos\nneg\n"
    unlabelled = (tmp_path / "d" / "unlabelled.txt").read_text().splitlines()
    assert unlabelled == ["Unlabelled.", "In train without a label, and ?."]
    printed = "\n".join(describe(record, tmp_path / "d"))
    assert "4 documents and 62 characters" in printed
    assert "train.jsonl: 2 examples (pos 1, neg 1)" in printed


def test_a_large_corpus_is_cut_into_files_that_read_back_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "MAX_FILE_BYTES", 100)
    texts = [f"document number {number} \u00e9" for number in range(50)]
    open_files = []

    def documents():
        for text in texts:
            open_files.append(len(os.listdir("/dev/fd")))
            yield Document(text, "corpus")

    write_source(source(documents(), has_labels=False), tmp_path / "d", False)
    assert max(open_files) - min(open_files) <= 1  # not one for each file of the corpus
    files = sorted((tmp_path / "d" / "corpus").iterdir())
    assert 10 <= len(files) <= 15
    assert list(read_documents(CorpusOptions(tmp_path / "d" / "corpus"))) == texts
    names = {path.name for path in (tmp_path / "d").iterdir()}
    assert names == {"corpus", "source.json"}  # no labels: nothing is without one


def never():
    raise AssertionError("the source was read")
    yield


def test_the_same_version_is_not_written_twice(tmp_path, capsys):
    first = write_source(source(), tmp_path / "d", False)
    assert write_source(source(never()), tmp_path / "d", False) == first
    assert "nothing to do" in capsys.readouterr().out


@pytest.mark.parametrize("damage", WRITTEN)
def test_a_damaged_directory_is_not_taken_for_whole(tmp_path, damage):
    write_source(source(), tmp_path / "d", False)
    (tmp_path / "d" / damage).write_text("cut")
    with pytest.raises(UserError, match=f"{damage}: missing or changed.*--overwrite"):
        write_source(source(), tmp_path / "d", False)
    write_source(source(), tmp_path / "d", True)
    assert (tmp_path / "d" / damage).read_text() != "cut"


def test_another_version_needs_overwrite_and_replaces_all(tmp_path):
    write_source(source(), tmp_path / "d", False)
    newer = source([Document("New.", "corpus")], version="2")
    with pytest.raises(UserError, match=r"is not empty; .*--overwrite"):
        write_source(newer, tmp_path / "d", False)
    write_source(newer, tmp_path / "d", True)
    names = {path.name for path in (tmp_path / "d").iterdir()}
    assert names == {"corpus", "unlabelled.txt", "source.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def failing():
    yield from DOCUMENTS
    raise RuntimeError("in the middle")


def test_a_failure_in_the_middle_leaves_what_was_there(tmp_path):
    for overwrite in (False, True):
        with pytest.raises(RuntimeError):
            write_source(source(failing()), tmp_path / "new", overwrite)
    assert list(tmp_path.iterdir()) == []
    before = write_source(source(), tmp_path / "d", False)
    with pytest.raises(RuntimeError):
        write_source(source(failing(), version="2"), tmp_path / "d", True)
    assert write_source(source(never()), tmp_path / "d", False) == before
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_directories_of_others_are_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    for directory in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(UserError, match=r"was not written by this program|is a file"):
            write_source(source(), directory, True)
    write_source(source(), tmp_path / "d", False)
    (tmp_path / "d" / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(UserError, match=r"was not written by this program \(thesis\.txt\)"):
        write_source(source(version="2"), tmp_path / "d", True)
    assert (tmp_path / "d" / "thesis.txt").exists()
    (tmp_path / "d" / "thesis.txt").rename(tmp_path / "d" / "corpus" / "thesis.txt")
    with pytest.raises(UserError, match=r"not written by this program \(corpus/thesis\.txt\)"):
        write_source(source(version="2"), tmp_path / "d", True)
    assert (tmp_path / "d" / "corpus" / "thesis.txt").exists()
    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"
    (tmp_path / "d" / "corpus" / "thesis.txt").rename(tmp_path / "d" / "corpus" / ".DS_Store")
    write_source(source(version="2"), tmp_path / "d", True)


def test_a_label_of_blanks_is_none(tmp_path):
    documents = [Document("One.", "train", " "), Document("Two.", "train", "a")]
    record = write_source(source(documents), tmp_path / "d", False)
    assert record["examples"] == {"train": {"a": 1}}
    assert (tmp_path / "d" / "unlabelled.txt").read_text() == "One.\n"


def test_a_mount_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    with pytest.raises(UserError, match="is a mount; name a directory in it"):
        check_data_dir(source(), tmp_path, False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_that_appears_meanwhile_is_kept(tmp_path, overwrite):
    def slow():
        yield from DOCUMENTS
        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "thesis.txt").write_text("irreplaceable")

    with pytest.raises(UserError, match=r"not empty|was not written by this program"):
        write_source(source(slow()), tmp_path / "d", overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
    assert (tmp_path / "d" / "thesis.txt").read_text() == "irreplaceable"


def test_an_empty_directory_and_a_link_are_filled(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_source(source(), tmp_path / "link", False)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "source.json").is_file()


def test_a_source_without_text_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no text to pretrain on"):
        write_source(source([Document("x", "test", "a")]), tmp_path / "d", False)
    assert list(tmp_path.iterdir()) == []


def run(*arguments, packages=None):
    """packages: whose docstrings there are, beside the standard library's; None for all."""
    program = ["run_prepare.py"]
    if packages:
        chosen = {name: name for name in packages}
        program = ["-c", (
            "import runpy, sys; from pipelines import docstrings;"
            f"docstrings.PACKAGES = {chosen}; sys.argv[0] = 'run_prepare.py';"
            "runpy.run_path('run_prepare.py', run_name='__main__')"
        )]  # fmt: skip
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset=docstrings"], "--data_dir is missing"),
        (["--dataset=docstrings", "--data_dir={top}/file"], "is a file"),
        (["--dataset=docstrings", "--data_dir={top}"], "is not empty"),
        (["--dataset=docstrings", "--data_dir={top}", "--overwrite"], "was not written by"),
        (["--dataset=docstrings", "--datadir={top}"], "Unknown command line flag 'datadir'"),
        (["--data_dir={top}/new"], "--dataset is missing"),
        (["docstrings"], "'docstrings' is not a flag"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_code_2(arguments, message, tmp_path):
    (tmp_path / "file").write_text("precious")
    result = run(*(argument.format(top=tmp_path) for argument in arguments))
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("packages", "labels", "texts", "characters"),
    [
        (("matplotlib", "numpy"), 3, 2_000, 1_000_000),
        pytest.param(None, 5, 10_000, 8_000_000, marks=pytest.mark.soak),  # all there are
    ],
)
def test_the_program_prepares_docstrings(packages, labels, texts, characters, tmp_path):
    """The real thing once: what a user types, read back by what reads corpora."""
    arguments = ("--dataset=docstrings", f"--data_dir={tmp_path / 'd'}")
    result = run(*arguments, packages=packages)
    assert result.returncode == 0, result.stderr
    assert f"next: python run_pretrain.py --corpus_dir={tmp_path / 'd'}/corpus" in result.stdout
    corpus = set(read_documents(CorpusOptions(tmp_path / "d" / "corpus")))
    train = examples(tmp_path / "d" / "train.jsonl")
    test = examples(tmp_path / "d" / "test.jsonl")
    assert {text for text, _ in train} <= corpus
    assert not {text for text, _ in test} & corpus
    assert len(corpus) > texts
    assert sum(map(len, corpus)) > characters
    assert 0.1 < len(test) / (len(test) + len(train)) < 0.25
    names = (tmp_path / "d" / "labels.txt").read_text().split()
    for split in (train, test):
        shares = [sum(label == name for _, label in split) / len(split) for name in names]
        assert len(names) == labels
        assert min(shares) > 0.04
        assert max(shares) < 0.6
    assert "nothing to do" in run(*arguments, packages=packages).stdout
