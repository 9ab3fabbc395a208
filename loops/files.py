"""Writing small files so that they are whole or absent, even after a power cut."""

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bert_core.errors import UserError


def sync(path: Path) -> None:
    """Waits until the file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes | str) -> None:
    """Writes next to `path`, syncs, renames over it, syncs the directory."""
    beside = path.with_name(path.name + ".tmp")
    with naming(beside), beside.open("wb") as file:
        # A path on the command line may hold bytes that are not UTF-8.
        file.write(data.encode(errors="surrogateescape") if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync(path.parent)


def sha256(path: Path) -> str:
    """The digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_name(path: Path, flag: str = "") -> None:
    """UserError for a path that TensorFlow cannot read, or would take for a pattern."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"{flag}{str(path)!r}: is not UTF-8, and TensorFlow reads no other names; rename it"
        ) from None
    for character in "*?[\\":
        if character in str(path):
            raise UserError(
                f"{flag}{path}: TensorFlow takes {character!r} in the name of a checkpoint for "
                "a pattern, and would read or delete others; rename the directory"
            )


def check_writable(path: Path, flag: str) -> None:
    """UserError, naming the flag, unless `path` could be made or written to."""
    above = path
    while not above.exists():
        above = above.parent
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise UserError(
            f"{flag}={path}: {above} cannot be written to ({error.strerror}); "
            "name another directory"
        ) from None


def check_new_file(path: Path, flag: str) -> None:
    """UserError, naming the flag, unless `path` is absent and can be written."""
    if path.exists():
        raise UserError(f"{flag}={path}: already exists; name a new file")
    beside = partial_of(path)
    try:
        beside.touch(exist_ok=False)
        beside.unlink()
    except OSError as error:
        raise UserError(f"{flag}={path}: cannot be written ({error.strerror})") from None


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yields a file next to `path` to fill; syncs and renames it if all goes well."""
    beside = partial_of(path)
    try:
        with naming(beside), beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def partial_of(path: Path) -> Path:
    """Where `path` is written until it is whole."""
    # Not named by process id: in a container that is the same at every start.
    return path.with_name(f"{path.name}.partial-{secrets.token_hex(4)}")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Makes an OSError say which file it is about, where the system does not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
