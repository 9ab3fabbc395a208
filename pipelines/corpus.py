"""A folder of text, read one document at a time.

    options = CorpusOptions(Path("texts"))
    for document in read_documents(options):
        ...

The whole tree under the folder is read, in the order of sorted paths: `.txt` and
`.jsonl` files, either also as `.gz`. Memory stays bounded whatever the files hold:
compressed files are decompressed in small pieces, and one document or line above
`MAX_DOCUMENT_BYTES` is refused.
"""

import contextlib
import gzip
import hashlib
import io
import json
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from bert_core.errors import UserError
from pipelines.cleaning import fold_whitespace, has_words
from pipelines.gzip_limit import GzipLimit
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes

SUFFIXES = (".txt", ".txt.gz", ".jsonl", ".jsonl.gz")
MAX_DOCUMENT_BYTES = 16 * 2**20  # several times the longest novel
_HASHING_CHUNK = 2**18


def list_files(options: CorpusOptions) -> list[Path]:
    """The text files under `corpus_dir`, sorted; hidden files and directories are not read.

    Links are followed, each directory once.
    """
    top = options.corpus_dir
    if not top.exists():
        raise UserError(f"{top}: no such directory; --corpus_dir names a folder of text files")
    if not top.is_dir():
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
    if not files:
        raise UserError(f"{top}: holds no text; files ending in {', '.join(SUFFIXES)} are read")
    return sorted(files, key=lambda path: path.relative_to(top).as_posix())


def read_documents(options: CorpusOptions, notes: ReadingNotes | None = None) -> Iterator[str]:
    """Every document in order, whitespace folded to single spaces, those without words
    left out.

    `notes` is filled in while the documents are drawn.
    """
    notes = ReadingNotes() if notes is None else notes
    for path in list_files(options):
        is_json = path.name.lower().removesuffix(".gz").endswith(".jsonl")
        read_file = _json_documents if is_json else _text_documents
        with _opened(path) as file:
            for document in read_file(path, file, options, notes):
                folded = fold_whitespace(document)
                if has_words(folded):
                    yield folded


def fingerprint(options: CorpusOptions) -> str:
    """SHA-256 over the reading options and every file's relative path, size and bytes."""
    files = list_files(options)
    # hashlib lets go of the interpreter lock, so threads hash at the speed of the disk.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        hashes = list(pool.map(_size_and_sha256, files))
    total = hashlib.sha256()
    for part in (options.document_boundary, options.text_key, options.on_bad_text):
        total.update(json.dumps(part).encode())  # quoted: parts cannot run together
    for path, (size, digest) in zip(files, hashes, strict=True):
        name = path.relative_to(options.corpus_dir).as_posix()
        total.update(json.dumps([name, size, digest]).encode())
    return total.hexdigest()


def _size_and_sha256(path: Path) -> tuple[int, str]:
    size, sha256, chunk = 0, hashlib.sha256(), memoryview(bytearray(_HASHING_CHUNK))
    try:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(chunk):
                sha256.update(chunk[:count])
                size += count
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return size, sha256.hexdigest()


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
        f"{path}:{number}: field {options.text_key!r} {problem}, there are: {fields}; "
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
    if options.on_bad_text == "replace":
        notes.replace(f"{path}:{number}")
        return raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    if options.on_bad_text == "skip":
        return None
    raise UserError(
        f"{path}:{number}: {problem}; convert the file, or --on_bad_text=replace (or skip)"
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
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, decompressed; what goes wrong while reading becomes a UserError."""
    try:
        with open(path, "rb") as file:
            if path.name.lower().endswith(".gz"):
                yield io.BufferedReader(gzip.GzipFile(fileobj=file))  # type: ignore[arg-type]
            else:
                yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{path}: a damaged or incomplete gzip file ({error}); fetch or write it again"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _cannot_list(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be listed ({error.strerror})")
