"""Writing small files so that they are whole or absent, also after a power cut."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def sync(path: Path) -> None:
    """Waits until the file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes | str) -> None:
    """Writes beside `path`, syncs, renames over it, syncs the directory."""
    beside = path.with_name(path.name + ".tmp")
    with naming(beside), beside.open("wb") as file:
        # A path on the command line may hold bytes that are not UTF-8.
        file.write(data.encode(errors="surrogateescape") if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync(path.parent)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets an OSError say which file it is about, where the system does not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
