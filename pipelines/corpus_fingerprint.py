"""The SHA-256 of a corpus: another text, file name or way of reading is another corpus."""

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bert_core.errors import UserError
from pipelines.corpus import list_files
from pipelines.options import CorpusOptions

_HASHING_CHUNK = 2**18


def fingerprint(options: CorpusOptions) -> str:
    """SHA-256 over the reading options and every file's relative path, size and bytes."""
    files = list_files(options)
    # hashlib releases the interpreter lock, so threads hash at the speed of the disk.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        hashes = list(pool.map(size_and_sha256, files))
    names = [path.relative_to(options.corpus_dir).as_posix() for path in files]
    return fingerprint_of(options, zip(names, hashes, strict=True))


def fingerprint_of(options: CorpusOptions, files: Iterable[tuple[str, tuple[int, str]]]) -> str:
    """The same, from each file's relative path, size and SHA-256, in order."""
    total = hashlib.sha256()
    for part in (options.document_boundary, options.text_key, options.on_bad_text):
        total.update(json.dumps(part).encode())  # quoted: parts cannot run together
    for name, (size, digest) in files:
        total.update(json.dumps([name, size, digest]).encode())
    return total.hexdigest()


def size_and_sha256(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file's bytes."""
    size, sha256, chunk = 0, hashlib.sha256(), memoryview(bytearray(_HASHING_CHUNK))
    try:
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(chunk):
                sha256.update(chunk[:count])
                size += count
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return size, sha256.hexdigest()
