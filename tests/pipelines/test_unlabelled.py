"""Texts to predict on: each line of a .txt, rows of tables, lines of a stream."""

import gzip
import io
from pathlib import Path

import pytest

from bert_core.errors import UserError
from pipelines.examples import Example
from pipelines.options import ExamplesOptions
from pipelines.text_lines import MAX_LINE
from pipelines.unlabelled import read_texts, text_columns, texts_of_stream

PAIRS = ExamplesOptions(text_column="q", text_pair_column="a")


def read(path: Path, content: bytes, columns: ExamplesOptions | None = None) -> list[Example]:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return read_texts(path, columns or ExamplesOptions())


@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a.txt.gz"])
def test_every_line_of_a_txt_is_a_text(tmp_path: Path, name: str) -> None:
    content = '\ufeffone, two\r\r\n\n  three "\u2028four\nfive'.encode()
    texts = [example.text for example in read(tmp_path / name, content)]
    assert texts == ["one, two", "", '  three "\u2028four', "five"]


def test_columns_of_tables(tmp_path: Path) -> None:
    content = b'id\tq\ta\n1\t"x\ny"\tz\n2\t\tw\n'
    examples = read(tmp_path / "a.tsv", content, PAIRS)
    assert examples == [Example("x\ny", "z", None), Example("", "w", None)]
    assert text_columns(examples, PAIRS) == {"q": ["x\ny", ""], "a": ["z", "w"]}
    (single,) = read(tmp_path / "a.jsonl", b'{"text": "x", "label": 7.5}\n')
    assert single == Example("x", None, None)
    assert text_columns([single], ExamplesOptions()) == {"text": ["x"]}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "a.txt: holds no texts"),
        ("a.txt", b"\n \n", "a.txt: holds no texts"),
        ("a.txt", b"a\n\xff\n", "a.txt, line 2: is not UTF-8"),
        ("a.txt.gz", b"", "a.txt.gz: holds no texts"),
        ("a.csv", b"text\n", "holds no examples"),
        ("a.csv", b"body\nx\n", "'text' is missing; found 'body'; --text_column names it"),
        ("a.pdf", b"a", "unknown kind of file"),
    ],
)
def test_what_is_no_text(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(tmp_path / name, content)


def test_a_txt_has_no_second_column(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no columns for --text_pair_column"):
        read(tmp_path / "a.txt", b"a\n", PAIRS)


def test_lines_of_a_stream() -> None:
    stream = io.BytesIO("\ufeffa\r\n\nü b".encode())
    assert list(texts_of_stream(stream)) == ["a", "", "ü b"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no texts; give them as arguments"),
        (b"a\n\xe9\n", "standard input, line 2: is not UTF-8"),
        (b"a\n" + b"x" * (MAX_LINE + 1), "standard input, line 2: is longer than"),
    ],
)
def test_streams_that_are_no_text(content: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        list(texts_of_stream(io.BytesIO(content)))
