"""The printed summary: figures against plain Python, and advice on the boundary."""

import random

import pytest

from pipelines.corpus import read_documents
from pipelines.corpus_summary import CorpusSummary
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes


def summarised(top, boundary="line", **options):
    options = CorpusOptions(top, boundary, **options)
    notes = ReadingNotes()
    summary = CorpusSummary(options, notes)
    documents = list(read_documents(options, notes))
    for document in documents:
        summary.add(document)
    return summary, documents


def test_figures_are_those_of_plain_python(tmp_path):
    rng = random.Random(1)
    texts = ["x" * rng.randint(1, 300) for _ in range(999)]
    (tmp_path / "a.txt").write_text("\n".join(texts[:500]))
    (tmp_path / "b.txt").write_text("\n".join(texts[500:]))
    summary, documents = summarised(tmp_path)
    duplicates = len(texts) - len(set(texts))
    assert documents == texts
    assert summary.num_duplicates == duplicates
    assert summary.num_characters == sum(map(len, texts))
    printed = " ".join(summary.lines())
    lengths = sorted(map(len, texts))
    assert f"999 documents in 2 files, {sum(lengths):,} characters" in printed
    assert f"median {lengths[499]:,} characters, longest {max(lengths):,}" in printed
    assert f"duplicates {duplicates / 999:.1%}" in printed
    assert "warning" not in printed


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
    printed = summarised(tmp_path, boundary)[0].lines()
    if advice is None:
        assert "warning" not in " ".join(printed)
    else:
        assert "warning" in printed[-1]
        assert f"--document_boundary{advice}" in printed[-1]


def test_skipped_documents_are_told(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\n\xff\n\xfe\n")
    printed = " ".join(summarised(tmp_path, on_bad_text="skip")[0].lines())
    assert f"2 documents, the first at {tmp_path / 'a.txt'}:2" in printed


def test_replaced_lines_are_told(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntw\xff\nthr\0e\n")
    printed = " ".join(summarised(tmp_path, on_bad_text="replace")[0].lines())
    assert f"replaced by U+FFFD: in 2 lines, the first at {tmp_path / 'a.txt'}:2" in printed


def test_no_documents_at_all(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\n\n")
    assert "0 documents in 1 file" in summarised(tmp_path)[0].lines()[0]
