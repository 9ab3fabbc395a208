"""A directory that is whole or absent. No TensorFlow here."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from bert_core.errors import UserError
from loops.files import check_name, check_writable, naming, partial_of, sync


def check_new(path: Path, flag: str) -> None:
    """UserError, naming the flag, unless `path` is absent or empty and can be made."""
    check_name(path, f"{flag}=")
    if not path.name:
        raise UserError(f"{flag}={path}: has no name of its own; name a new directory")
    if path.exists() and not path.is_dir():
        raise UserError(f"{flag}={path}: is a file; name a new directory")
    if path.exists() and any(path.iterdir()):
        raise UserError(f"{flag}={path}: is not empty; name a new directory")
    if path.is_symlink() or path.is_mount():  # a rename would not take its place
        raise UserError(f"{flag}={path}: is a link or a mount; name a new directory in it")
    check_writable(path.absolute().parent, flag)  # where it is filled before it is renamed


@contextlib.contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Yields a directory next to `path` to fill, and renames it if all goes well.

    Raises OSError if the disk fails or is full, or `path` was filled meanwhile.
    """
    # Next to the target, as a rename cannot cross file systems.
    partial = partial_of(path)
    with naming(partial):
        partial.mkdir(parents=True)
    try:
        yield partial
        for entry in (*partial.rglob("*"), partial):
            sync(entry)
        partial.rename(path)  # takes the place of an empty directory as well
        sync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
