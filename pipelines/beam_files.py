"""Files that Beam's workers share: on a common disk, or elsewhere, such as `gs://bucket/a.txt`.

No TensorFlow here.
"""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from bert_core.errors import UserError
from pipelines.corpus import SUFFIXES, list_files
from pipelines.options import CorpusOptions

_CHUNK = 1 << 20


class CorpusFile(NamedTuple):
    """A file of the corpus; `number` is its place in the order of reading."""

    number: int
    name: str  # relative to the corpus
    path: str
    size: int  # bytes


def corpus_files(place: str, corpus: CorpusOptions) -> list[CorpusFile]:
    """The files of a corpus in the order of reading, wherever it is."""
    if "://" in place:
        found = _remote_files(place)
    else:
        paths = list_files(corpus)
        names = [path.relative_to(corpus.corpus_dir).as_posix() for path in paths]
        found = [
            (name, str(path), path.stat().st_size)
            for name, path in zip(names, paths, strict=True)
        ]
    return [CorpusFile(number, *file) for number, file in enumerate(found)]


def _remote_files(place: str) -> list[tuple[str, str, int]]:
    """Name, path and size of what pipelines.corpus.list_files would list, were it local."""
    top = place.rstrip("/") + "/"
    try:
        (matched,) = FileSystems.match([top + "**"])
    except Exception as error:  # the file systems' own errors are of many types
        raise UserError(f"{place}: cannot be listed ({error})") from None
    found = [(x.path.removeprefix(top), x.path, x.size_in_bytes) for x in matched.metadata_list]
    kept = sorted(file for file in found if _is_read(file[0]))
    if not kept:
        raise UserError(
            f"{place}: holds no text; files ending in {', '.join(SUFFIXES)} are read"
        )
    return kept


def _is_read(name: str) -> bool:
    hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
    return name.lower().endswith(SUFFIXES) and not hidden


@contextlib.contextmanager
def local(path: str) -> Iterator[Path]:
    """The file on this machine's disk, fetched temporarily if it is elsewhere."""
    if "://" not in path:
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / path.rpartition("/")[2]
        with copy.open("wb") as file:
            fetch(path, file)
        yield copy


def fetch(path: str, into: Any) -> None:
    """Copies a file's bytes into an open file."""
    with opened(path) as source:
        shutil.copyfileobj(source, into, _CHUNK)


def opened(path: str) -> Any:
    """A file for reading, its bytes as they are."""
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


@contextlib.contextmanager
def new_file(work: str, what: str) -> Iterator[tuple[str, Any]]:
    """A new file to write, of a new name: a step that runs twice disturbs no other."""
    path = FileSystems.join(work, f"{what}-{uuid.uuid4().hex}")
    with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        yield path, file


@contextlib.contextmanager
def work_directory(work: str) -> Iterator[str]:
    """A new directory below `work`, removed at the end."""
    directory = FileSystems.join(work, f"beam-{uuid.uuid4().hex}")
    try:
        FileSystems.mkdirs(directory)
    except Exception as error:
        raise UserError(f"--work_dir={work}: cannot be written to ({error})") from None
    try:
        yield directory
    finally:
        if "://" in directory:
            with contextlib.suppress(Exception):  # what was made is whole all the same
                FileSystems.delete([directory + "/"])
        else:
            shutil.rmtree(directory, ignore_errors=True)
