"""Writes a dataset out as plain files: a corpus folder and labelled examples.

    DIR/corpus/NAME-00000.txt   one document per line, for pretraining
    DIR/train.jsonl, ...        {"text": ..., "label": ...} per line, one file per split
    DIR/labels.txt              the label names, one per line
    DIR/unlabelled.txt          the corpus's texts without a label, where others have one
    DIR/source.json             what it was made from, counts, and the size of each file

The directory is written next to its final place and renamed, so it is whole or absent.
"""

import collections
import contextlib
import json
import re
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Any, BinaryIO

from bert_core.errors import UserError
from pipelines.cleaning import fold_whitespace
from pipelines.progress import Progress
from pipelines.source import SPLITS, Document, Source

FORMAT = 2
MAX_FILE_BYTES = 64 * 2**20  # of one corpus file


def check_data_dir(source: Source, data_dir: Path, overwrite: bool) -> None:
    """UserError for what `write_source` would stumble over, before any work is done."""
    target = data_dir.expanduser().resolve()
    if not overwrite and _already_there(target, source):
        return
    _refuse_foreign(target, overwrite)
    if target.is_mount():  # a rename could not replace it
        raise UserError(f"{data_dir}: is a mount; name a directory in it")
    above = target.parent
    while not above.exists():
        above = above.parent
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise UserError(f"{data_dir}: cannot be written ({error.strerror})") from None


def write_source(source: Source, data_dir: Path, overwrite: bool) -> dict[str, Any]:
    """Fills `data_dir`, unless it holds this very source already; returns `source.json`."""
    target = data_dir.expanduser().resolve()
    if not overwrite and (present := _already_there(target, source)):
        print(f"{data_dir}: holds {source.name} already, nothing to do")
        return present
    _refuse_foreign(target, overwrite)
    ours = uuid.uuid4().hex[:8]  # another run may be writing at the same time
    partial = target.with_name(f"{target.name}.partial-{ours}")
    retired = target.with_name(f"{target.name}.old-{ours}")
    try:
        partial.mkdir(parents=True)
        record = _write_files(source, partial)
        if overwrite and target.exists():
            _refuse_foreign(target, overwrite)  # it may have changed meanwhile
            target.rename(retired)
        partial.rename(target)
    except OSError as error:
        # Another run may have been first.
        if not overwrite and (present := _already_there(target, source)):
            return present
        raise UserError(f"{data_dir}: cannot be written ({error.strerror or error})") from None
    finally:
        if retired.exists() and not target.exists():
            retired.rename(target)
        shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(retired, ignore_errors=True)
    return record


def describe(record: dict[str, Any], data_dir: Path) -> list[str]:
    """Lines to print about a prepared directory."""
    lines = [
        f"{data_dir}: {record['dataset']}, {record['documents']:,} documents and "
        f"{record['characters']:,} characters in corpus/"
    ]
    for split, counts in record["examples"].items():
        named = ", ".join(f"{label} {count:,}" for label, count in counts.items())
        lines.append(f"  {split}.jsonl: {sum(counts.values()):,} examples ({named})")
    return lines


def _already_there(target: Path, source: Source) -> dict[str, Any] | None:
    """The record of `target` if it is this source, whole; None if it is something else."""
    try:
        record = json.loads((target / "source.json").read_text(encoding="utf-8"))
        same = record["format"] == FORMAT and record["identity"] == source.identity
        files = {target / name: size for name, size in record["files"].items()}
        describe(record, target)  # as the caller will
        changed = [
            file
            for file, size in files.items()
            if not file.is_file() or file.stat().st_size != size
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if same and changed:
        raise UserError(
            f"{changed[0]}: missing or changed since it was written; remove {target} (or give "
            "run_prepare.py --overwrite), and it is written anew"
        )
    return record if same else None


def _refuse_foreign(target: Path, overwrite: bool) -> None:
    """UserError for what this program did not write: it never deletes that."""
    if not target.exists():
        return
    if not target.is_dir():
        raise UserError(f"{target}: is a file; --data_dir names a directory to write")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise UserError(
            f"{target}: is not empty; choose another --data_dir, or --overwrite (for "
            "run_finetune.py another --cache_dir)"
        )
    try:
        record = json.loads((target / "source.json").read_text(encoding="utf-8"))
        ours = {"source.json", *record["files"]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise _foreign(target, "its source.json is missing or damaged") from None
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        is_ours = name in ours or path.name == ".DS_Store"  # which macOS leaves anywhere
        if not is_ours and (path.is_symlink() or not path.is_dir()):
            raise _foreign(target, name)


def _foreign(target: Path, why: str) -> UserError:
    return UserError(
        f"{target}: was not written by this program ({why}), so it is not overwritten; choose "
        "another --data_dir, or remove it by hand"
    )


def _write_files(source: Source, directory: Path) -> dict[str, Any]:
    """Writes every file; returns what it writes as `source.json`."""
    progress = Progress()
    with _Writer(directory, source) as written:
        for document in source.documents:
            written.add(document)
            progress(lambda: f"{written.documents:,} documents written")
    progress.close()
    if not written.documents:
        raise UserError(f"--dataset={source.name}: has no text to pretrain on")
    seen: set[str] = set().union(*written.labels.values())
    names = [name for name in source.label_names if name in seen] or sorted(seen)
    if names:
        (directory / "labels.txt").write_text("".join(f"{n}\n" for n in names), "utf-8")
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    sizes = {path.relative_to(directory).as_posix(): path.stat().st_size for path in files}
    record = {
        "format": FORMAT,
        "dataset": source.name,
        "identity": source.identity,
        "documents": written.documents,
        "characters": written.characters,
        "examples": {
            split: {name: counts[name] for name in names}
            for split, counts in sorted(written.labels.items(), key=_order_of_split)
        },
        "files": sizes,
    }
    (directory / "source.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return record


def _order_of_split(item: tuple[str, Any]) -> int:
    return SPLITS.index(item[0])


class _Writer:
    """The open files of a directory being written, and what went into them."""

    def __init__(self, directory: Path, source: Source) -> None:
        self._directory = directory
        self._stem = re.sub(r"[^\w.-]", "_", source.name)
        self._has_labels = source.has_labels
        self._files = contextlib.ExitStack()
        self._opened: dict[str, BinaryIO] = {}
        self._corpus: BinaryIO | None = None
        self._corpus_bytes = self._corpus_files = 0
        self.documents = self.characters = 0
        self.labels: dict[str, collections.Counter[str]] = {}

    def __enter__(self) -> "_Writer":
        (self._directory / "corpus").mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, document: Document) -> None:
        # Leaves out what a reader of the corpus would refuse.
        text = fold_whitespace(document.text.replace("\0", " "))
        text = text.encode("utf-8", "replace").decode("utf-8")
        if not text:
            return
        # A blank label is no label.
        label = fold_whitespace(document.label or "") if document.split in SPLITS else ""
        if document.split in ("train", "corpus"):
            self._add_to_corpus(text)
            if not label and self._has_labels:
                self._file("unlabelled.txt").write(text.encode() + b"\n")
        if label:
            self._add_example(document.split, text, label)

    def _add_to_corpus(self, text: str) -> None:
        if self._corpus is None or self._corpus_bytes > MAX_FILE_BYTES:
            if self._corpus is not None:
                self._corpus.close()  # a process may have a few hundred open
            name = f"{self._stem}-{self._corpus_files:05d}.txt"
            self._corpus = self._open(self._directory / "corpus" / name)
            self._corpus_files += 1
            self._corpus_bytes = 0
        self._corpus_bytes += self._corpus.write(text.encode() + b"\n")
        self.documents += 1
        self.characters += len(text)

    def _add_example(self, split: str, text: str, label: str) -> None:
        line = json.dumps({"text": text, "label": label}, ensure_ascii=False)
        self._file(f"{split}.jsonl").write(line.encode() + b"\n")
        self.labels.setdefault(split, collections.Counter())[label] += 1

    def _file(self, name: str) -> BinaryIO:
        if name not in self._opened:
            self._opened[name] = self._open(self._directory / name)
        return self._opened[name]

    def _open(self, path: Path) -> BinaryIO:
        return self._files.enter_context(path.open("wb"))
