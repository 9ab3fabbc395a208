"""Writing small files so that they are whole or absent, also after a power cut."""

import os
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
    with beside.open("wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    sync(path.parent)
