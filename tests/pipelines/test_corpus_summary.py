"""Figures against plain Python, and advice on the boundary."""

import random

import pytest

from pipelines.corpus import list_files, read_documents
from pipelines.corpus_summary import DocumentCounts, SeenDocuments, summarise
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes


def summarised(top, boundary="line", **options):
    options = CorpusOptions(top, boundary, **options)
    notes = ReadingNotes()
    documents = list(read_documents(options, notes))
    parts, seen = [DocumentCounts(), DocumentCounts()], SeenDocuments()
    for number, document in enumerate(documents):
        parts[number % 2].add(document)
        seen.add(document)
    parts[0].include(parts[1])
    names = [path.name for path in list_files(options)]
    return summarise(names, options, notes, parts[0].figures(), seen.duplicates), documents


def test_figures_are_those_of_plain_python(tmp_path):
    rng = random.Random(1)
    texts = ["x" * rng.randint(1, 300) for _ in range(999)]
    (tmp_path / "a.txt").write_text("\n".join(texts[:500]))
    (tmp_path / "b.txt").write_text("\n".join(texts[500:]))
    summary, documents = summarised(tmp_path)
    duplicates = len(texts) - len(set(texts))
    assert documents == texts
    lengths = sorted(map(len, texts))
    assert summary == {
        "files": 2,
        "documents": 999,
        "duplicates": duplicates,
        "characters": sum(lengths),
        "median_characters": lengths[499],
        "longest_characters": max(lengths),
        "character_classes": {"Latin": sum(lengths)},
        "skipped": 0,
        "replaced": 0,
        "first_bad": "",
        "advice": "",
    }


WRAPPED = "\n\n".join("\n".join(["about seventy characters of a novel"] * 9) for _ in range(50))
TABLE = "\n".join(f"a whole document of a line, number {n}" * 9000 for n in range(3))
SHORT = "\n".join(f"a headline of the day, number {n}" for n in range(500))


@pytest.mark.parametrize(
    ("text", "boundary", "advice"),
    [
        (WRAPPED, "line", "=blank_line"),
        (WRAPPED, "blank_line", None),
        (SHORT, "line", None),
        (SHORT, "blank_line", "=line"),
        (TABLE, "file", "=line"),
        (TABLE, "line", None),
    ],
)
def test_a_boundary_that_looks_wrong_is_advised_against(tmp_path, text, boundary, advice):
    (tmp_path / "a.txt").write_text(text)
    given = summarised(tmp_path, boundary)[0]["advice"]
    if advice is None:
        assert given == ""
    else:
        assert f"--document_boundary{advice}" in given


def test_skipped_documents_are_told(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\n\xff\n\xfe\n")
    figures = summarised(tmp_path, on_bad_text="skip")[0]
    assert figures["skipped"] == 2
    assert figures["first_bad"] == f"{tmp_path / 'a.txt'}:2"


def test_replaced_lines_are_told(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntw\xff\nthr\0e\n")
    figures = summarised(tmp_path, on_bad_text="replace")[0]
    assert figures["replaced"] == 2
    assert figures["first_bad"] == f"{tmp_path / 'a.txt'}:2"


def test_no_documents_at_all(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\n\n")
    assert summarised(tmp_path)[0]["documents"] == 0
