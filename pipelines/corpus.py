"""A folder of text, read one document at a time.

    options = CorpusOptions(Path("texts"))
    for document in read_documents(options):
        ...

The whole tree under the folder is read, in the order of sorted paths: `.txt` and
`.jsonl` files, either also as `.gz`. Memory stays bounded whatever the files hold:
compressed files are decompressed in small pieces, and one document or line above
`MAX_DOCUMENT_BYTES` is refused.
"""

import codecs
import contextlib
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bert_core.errors import UserError
from pipelines.cleaning import fold_whitespace, has_words
from pipelines.gzip_limit import GzipLimit
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes

SUFFIXES = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz")
MAX_DOCUMENT_BYTES = 16 * 2**20  # several times the longest novel


def list_files(options: CorpusOptions) -> list[Path]:
    """The text files under `corpus_dir`, sorted; hidden files and directories are not read.

    Links are followed; each directory is read once.
    """
    top = options.corpus_dir
    if not top.exists():
        raise UserError(f"{top}: no such directory; --corpus_dir names a folder of text files")
    if not top.is_dir():
        if not top.name.lower().endswith(SUFFIXES):
            raise UserError(
                f"{top}: is a file; --corpus_dir names a folder of {', '.join(SUFFIXES)}"
            )
        raise UserError(f"{top}: is a file; --corpus_dir names the folder that holds it")
    files: list[Path] = []
    seen: set[str] = set()
    for root, directories, names in os.walk(top, followlinks=True, onerror=_cannot_list):
        if (real := os.path.realpath(root)) in seen:  # a link back up, or a second link
            directories.clear()
            continue
        seen.add(real)
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        files += [
            Path(root, name)
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    for path in files:
        if not os.path.isfile(path):  # opening a pipe would wait forever
            problem = (
                "it is not a file" if os.path.exists(path) else "No such file: a dead link"
            )
            raise UserError(f"{path}: cannot be read ({problem})")
    if not files:
        raise UserError(f"{top}: holds no text; files ending in {', '.join(SUFFIXES)} are read")
    return sorted(files, key=lambda path: path.relative_to(top).as_posix())


def read_documents(options: CorpusOptions, notes: ReadingNotes | None = None) -> Iterator[str]:
    """Every document that has words, in order, whitespace folded to single spaces.

    `notes` is filled in while the documents are drawn.
    """
    notes = ReadingNotes() if notes is None else notes
    files = list_files(options)
    notes.bytes_in_all = sum(map(_size, files))
    for path in files:
        yield from read_file(path, options, notes)


def read_file(path: Path, options: CorpusOptions, notes: ReadingNotes) -> Iterator[str]:
    """The documents of one file, as read_documents gives them."""
    is_json = path.name.lower().removesuffix(".gz").endswith(".jsonl")
    documents = _json_documents if is_json else _text_documents
    with _opened(path, notes) as file:
        for document in documents(path, file, options, notes):
            folded = fold_whitespace(document)
            if has_words(folded):
                yield folded


def text_bytes(options: CorpusOptions) -> int:
    """About how much text there is: what compressed files hold is a guess."""
    return sum(expanded(path.name, _size(path)) for path in list_files(options))


def expanded(name: str, size: int) -> int:
    """About how many bytes of text a file of `size` bytes holds."""
    return size * (4 if name.lower().endswith(".gz") else 1)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _text_documents(
    path: Path, file: BinaryIO, options: CorpusOptions, notes: ReadingNotes
) -> Iterator[str]:
    """Lines, or lines joined until a blank line or the end of the file."""
    ends_at_line = options.document_boundary == "line"
    ends_at_blank = options.document_boundary == "blank_line"
    parts: list[str] = []
    first, size, bad = 1, 0, 0  # first and bad line, size of the document under way
    for number, raw in _lines(path, file):
        blank = not raw or raw.isspace()
        notes.blank_lines += blank
        text = _decode(raw, path, number, options, notes)
        if text is None:
            bad = bad or number
        else:
            parts.append(text)
        size += len(raw) + 1
        if size > MAX_DOCUMENT_BYTES:
            raise UserError(
                f"{path}:{first}: a document of more than {MAX_DOCUMENT_BYTES >> 20} MiB; "
                "split it, or choose another --document_boundary"
            )
        if ends_at_line or (ends_at_blank and blank):
            yield _joined(parts, bad, path, notes)
            parts, first, size, bad = [], number + 1, 0, 0
    yield _joined(parts, bad, path, notes)


def _joined(parts: list[str], bad: int, path: Path, notes: ReadingNotes) -> str:
    """One document; an empty one when line `bad` of it is to be skipped."""
    if bad:
        notes.skip(f"{path}:{bad}")
        return ""
    return " ".join(parts)


def _json_documents(
    path: Path, file: BinaryIO, options: CorpusOptions, notes: ReadingNotes
) -> Iterator[str]:
    for number, raw in _lines(path, file):
        line = _decode(raw, path, number, options, notes)
        if line is not None and not line.strip():
            continue
        text = None if line is None else _json_text(line, path, number, options, notes)
        if text is None:
            notes.skip(f"{path}:{number}")
        else:
            yield text


def _json_text(
    line: str, path: Path, number: int, options: CorpusOptions, notes: ReadingNotes
) -> str | None:
    """The text field of one line; None when it is to be skipped."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise UserError(f"{path}:{number}: not JSON ({problem})") from None
    if not isinstance(record, dict):
        raise UserError(f'{path}:{number}: not a JSON object such as {{"text": "..."}}')
    text = record.get(options.text_key)
    if isinstance(text, str):
        # Escapes can spell what bytes cannot: half a surrogate pair, a NUL.
        spelled = text.encode("utf-8", "surrogatepass") if "\\u" in line else None
        return text if spelled is None else _decode(spelled, path, number, options, notes)
    problem = "is not a string" if options.text_key in record else "is missing"
    fields = ", ".join(sorted(record)[:8]) or "none"
    raise UserError(
        f"{path}:{number}: field {options.text_key!r} {problem}, the fields are: {fields}; "
        "--text_key names the field of the text"
    )


def _decode(
    raw: bytes, path: Path, number: int, options: CorpusOptions, notes: ReadingNotes
) -> str | None:
    """The text of some bytes; None when the policy is to skip what is not text."""
    try:
        text = raw.decode("utf-8")
        if "\0" not in text:
            return text
        problem = "holds a NUL character: is it a binary file?"
    except UnicodeDecodeError as error:
        problem = f"byte {raw[error.start]:#04x} is not UTF-8 (column {error.start + 1})"
        if number == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            problem = "is UTF-16, not UTF-8"
    if options.on_bad_text == "replace":
        notes.replace(f"{path}:{number}")
        return raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    if options.on_bad_text == "skip":
        return None
    raise UserError(
        f"{path}:{number}: {problem}; convert the file, or give --on_bad_text=replace (or skip)"
    )


def _lines(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines without their ends: \\n, \\r\\n or \\r. No byte order mark."""
    number = 0
    limit = GzipLimit(path)
    while line := file.readline(MAX_DOCUMENT_BYTES + 1):
        limit.count(len(line))
        if len(line) > MAX_DOCUMENT_BYTES:
            raise UserError(
                f"{path}:{number + 1}: a line of more than {MAX_DOCUMENT_BYTES >> 20} MiB; "
                "is it text? If so, break the line"
            )
        if number == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        for piece in line.splitlines():
            number += 1
            yield number, piece


@contextlib.contextmanager
def _opened(path: Path, notes: ReadingNotes) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed; what goes wrong while reading becomes a UserError."""
    try:
        with open(path, "rb") as file:
            notes.file = file
            if path.name.lower().endswith(".gz"):
                yield io.BufferedReader(gzip.GzipFile(fileobj=file))  # type: ignore[arg-type]
            else:
                yield file
            notes.bytes_before, notes.file = notes.bytes_before + file.tell(), None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{path}: a damaged or incomplete gzip file ({error}); fetch or write it again"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _cannot_list(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be listed ({error.strerror})")
