"""Reading a folder of text: what is read, in which order, and what is refused."""

import gzip
import json
import os
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from bert_core.errors import UserError
from pipelines import corpus as module
from pipelines.cleaning import has_words
from pipelines.corpus import list_files, read_documents
from pipelines.corpus_fingerprint import fingerprint
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
GZIPPED = gzip.compress(b"".join(b"line %d\n" % n for n in range(5000)))


def folder(top, **files):
    """Writes bytes under names in which `__` stands for a dot."""
    for name, content in files.items():
        (top / name.replace("__", ".")).write_bytes(content)
    return CorpusOptions(top)


def folded(text):
    return " ".join(text.split())


def compressed(name, content):
    return gzip.compress(content) if name.endswith("gz") else content


@settings(max_examples=60, deadline=None)
@seed(1)
@given(st.lists(ANY_TEXT, max_size=8), st.sampled_from(module.SUFFIXES))
@example(["a\u2028b\x85c", "  ", "\ufeffd"], ".txt")
def test_documents_come_back_from_every_kind_of_file(texts, suffix):
    expected = [folded(text) for text in texts if has_words(text)]
    if suffix.startswith(".jsonl"):
        lines = [json.dumps({"text": text}, ensure_ascii="a" in text) for text in texts]
    else:
        lines = [folded(text) for text in texts]
    content = "".join(line + "\n" for line in lines).encode()
    with tempfile.TemporaryDirectory() as top:
        # A byte order mark is not part of the text, and here a text may begin with one.
        content = b"\xef\xbb\xbf" + content
        Path(top, "x" + suffix).write_bytes(compressed(suffix, content))
        assert list(read_documents(CorpusOptions(Path(top)))) == expected


@settings(max_examples=60, deadline=None)
@seed(1)
@given(
    st.lists(st.sampled_from(["", " \t", "one", "two words", "\f", "x\vy"]), max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_boundaries_agree_with_whole_file_splitting(lines, end, final_end):
    text = end.join(lines) + (end if final_end else "")
    paragraphs = [""]
    for line in lines:
        paragraphs = (
            [*paragraphs, ""]
            if not line.strip()
            else [*paragraphs[:-1], paragraphs[-1] + " " + line]
        )
    expected = {"line": lines, "blank_line": paragraphs, "file": [text]}
    with tempfile.TemporaryDirectory() as top:
        Path(top, "x.txt").write_bytes(text.encode())
        for boundary, documents in expected.items():
            options = CorpusOptions(Path(top), document_boundary=boundary)
            wanted = [folded(document) for document in documents if folded(document)]
            assert list(read_documents(options)) == wanted, boundary


def test_the_tree_is_read_in_path_order_without_hidden_and_other_files(tmp_path):
    for name in ["b.txt", "a/z.TXT", "a/y.jsonl", ".hidden.txt", ".git/x.txt", "n.md", "a.txt"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in list_files(CorpusOptions(tmp_path))]
    assert found == ["a.txt", "a/y.jsonl", "a/z.TXT", "b.txt"]


def test_documents_are_streamed(tmp_path):
    options = folder(tmp_path, a__txt=b"one\ntwo\n", b__txt=b"\xff\n")
    documents = read_documents(options)
    assert [next(documents), next(documents)] == ["one", "two"]
    with pytest.raises(UserError, match=r"b\.txt:1"):
        next(documents)


BAD_FILES = {
    "utf-16": ("x.txt", "fine".encode("utf-16"), r"x\.txt:1: is UTF-16, not UTF-8"),
    "utf-8": ("x.txt", b"fine\nna\xefve\n", r"x\.txt:2: byte 0xef is not UTF-8 \(column 3\)"),
    "binary": ("x.txt", b"fine\n\r\nPK\0\1\n", r"x\.txt:3: holds a NUL"),
    "bad json": ("x.jsonl", b'{"text": "a"}\n\n{"text": \n', r"x\.jsonl:3: not JSON"),
    "deep json": ("x.jsonl", b"[" * 200_000, r"x\.jsonl:1: not JSON"),
    "long number": ("x.jsonl", b'{"a": ' + b"9" * 9999 + b"}", r"x\.jsonl:1: "),
    "no object": ("x.jsonl", b'["text"]\n', r"x\.jsonl:1: not a JSON object"),
    "no key": ("x.jsonl", b'{"texts": "a"}\n', r"x\.jsonl:1: field 'text' is missing.*texts"),
    "no string": ("x.jsonl", b'{"text": 3}\n', r"x\.jsonl:1: field 'text' is not a string"),
    "surrogate": ("x.jsonl", b'{"text": "\\ud800"}\n', r"x\.jsonl:1: byte 0xed"),
    "escaped NUL": ("x.jsonl", b'{"text": "\\u0000"}\n', r"x\.jsonl:1: holds a NUL"),
    "cut gzip": ("x.txt.gz", GZIPPED[:-200], r"x\.txt\.gz: a damaged or incomplete gzip"),
    "cut trailer": ("x.txt.gz", GZIPPED[:-4], r"x\.txt\.gz: a damaged or incomplete gzip"),
    "flipped gzip": ("x.txt.gz", GZIPPED[:-8] + b"\0" * 8, r"a damaged or incomplete gzip"),
    "not gzip": ("x.txt.gz", b"plain text\n", r"a damaged or incomplete gzip"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_one_line_that_says_where(tmp_path, case):
    name, content, message = BAD_FILES[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        list(read_documents(CorpusOptions(tmp_path)))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_bad_folders(tmp_path):
    (tmp_path / "readme.md").write_text("x")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"gone\.txt: cannot be read \(No such file"):
        list(read_documents(CorpusOptions(tmp_path)))
    (tmp_path / "gone.txt").unlink()
    os.mkfifo(tmp_path / "pipe.txt")  # to open it would wait for ever
    with pytest.raises(UserError, match=r"pipe\.txt: cannot be read \(it is not a file"):
        list_files(CorpusOptions(tmp_path))
    (tmp_path / "pipe.txt").unlink()
    with pytest.raises(UserError, match=r"holds no text; .*\.txt, .*\.jsonl\.gz"):
        list_files(CorpusOptions(tmp_path))
    with pytest.raises(UserError, match="is a file"):
        list_files(CorpusOptions(tmp_path / "readme.md"))
    with pytest.raises(UserError, match="no such directory"):
        list_files(CorpusOptions(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("boundary", "replaced", "skipped", "count"),
    [
        ("line", ["a", "b\ufffd", "c\ufffdd", "e", "f"], ["a", "e", "f"], 2),
        ("blank_line", ["a b\ufffd c\ufffdd", "e f"], ["e f"], 1),
        ("file", ["a b\ufffd c\ufffdd e f"], [], 1),
    ],
)
def test_bad_text_is_replaced_or_its_document_skipped(
    tmp_path, boundary, replaced, skipped, count
):
    folder(tmp_path, x__txt=b"a\nb\xff\nc\0d\n\ne\nf\n")
    options = CorpusOptions(tmp_path, boundary, on_bad_text="replace")
    notes = ReadingNotes()
    assert list(read_documents(options, notes)) == replaced
    assert notes == ReadingNotes(1, 0, 2, f"{tmp_path / 'x.txt'}:2", 14, 14)
    notes = ReadingNotes()
    options = CorpusOptions(tmp_path, boundary, on_bad_text="skip")
    assert list(read_documents(options, notes)) == skipped
    assert notes == ReadingNotes(1, count, 0, f"{tmp_path / 'x.txt'}:2", 14, 14)


def test_bad_json_text_is_replaced_or_skipped(tmp_path):
    folder(tmp_path, x__jsonl=b'{"text": "a\\udc00b"}\n{"text": "c\xff"}\n{"text": "d"}\n')
    options = CorpusOptions(tmp_path, on_bad_text="replace")
    assert list(read_documents(options)) == ["a\ufffd\ufffd\ufffdb", "c\ufffd", "d"]
    notes = ReadingNotes()
    options = CorpusOptions(tmp_path, on_bad_text="skip")
    assert list(read_documents(options, notes)) == ["d"]
    assert notes.skipped == 2


@pytest.mark.parametrize("content", [b"\0", b"a\n", b"\n"], ids=["line", "lines", "blank"])
def test_a_gzip_bomb_is_refused_in_bounded_memory(tmp_path, content, monkeypatch):
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 2**18)
    with gzip.open(tmp_path / "x.txt.gz", "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(content * (2**20 // len(content)))
    options = CorpusOptions(tmp_path, document_boundary="file", on_bad_text="skip")
    tracemalloc.start()
    with pytest.raises(UserError, match=r"x\.txt\.gz:1: a \w+ of more than"):
        list(read_documents(options))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20  # of the 64 in the file


def test_a_document_just_under_the_limit_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 10)
    options = folder(tmp_path, x__txt=b"123456789\n")
    assert list(read_documents(options)) == ["123456789"]
    folder(tmp_path, x__txt=b"1234567890\n")
    with pytest.raises(UserError, match="a line of more than"):
        list(read_documents(options))


def test_the_fingerprint_changes_with_every_thing_read_and_with_nothing_else(tmp_path):
    options = folder(tmp_path, a__txt=b"one\n", b__txt=b"two\n")
    prints = [fingerprint(options)]
    (tmp_path / "notes.md").write_text("not read")
    assert fingerprint(options) == prints[0]
    for change in ({"document_boundary": "file"}, {"text_key": "t"}, {"on_bad_text": "skip"}):
        prints.append(fingerprint(CorpusOptions(tmp_path, **change)))
    folder(tmp_path, b__txt=b"twp\n")  # same size
    prints.append(fingerprint(options))
    folder(tmp_path, a__txt=b"on", b__txt=b"e\ntwo\n")  # same bytes in a row
    prints.append(fingerprint(options))
    (tmp_path / "b.txt").rename(tmp_path / "c.txt")
    prints.append(fingerprint(options))
    assert len(set(prints)) == len(prints)
    (tmp_path / "c.txt").rename(tmp_path / "b.txt")
    folder(tmp_path, a__txt=b"one\n", b__txt=b"two\n")
    assert fingerprint(options) == prints[0]


def test_the_fingerprint_does_not_depend_on_where_the_folder_is(tmp_path):
    (tmp_path / "one").mkdir()
    first = fingerprint(folder(tmp_path / "one", a__txt=b"x" * 1_000_000))
    (tmp_path / "one").rename(tmp_path / "two")
    assert fingerprint(CorpusOptions(tmp_path / "two")) == first


@pytest.mark.parametrize(
    "change", [{"document_boundary": "page"}, {"on_bad_text": "ignore"}], ids=str
)
def test_unknown_options_are_refused(tmp_path, change):
    with pytest.raises(UserError, match=f"--{next(iter(change))}=.*not one of"):
        CorpusOptions(tmp_path, **change)
