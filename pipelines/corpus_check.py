"""What can be wrong with a corpus, found before TensorFlow is imported or a byte written."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from bert_core.errors import UserError
from pipelines.corpus import read_documents
from pipelines.corpus_fingerprint import fingerprint
from pipelines.document_sample import DocumentSample
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.progress import Progress
from pipelines.reading_notes import ReadingNotes
from pipelines.vocabulary_extension import brought_vocabulary


class CheckedCorpus(NamedTuple):
    """A corpus without mistakes."""

    fingerprint: str  # SHA-256
    sample: DocumentSample | None  # None where it was not read, as its store exists


def check_corpus(corpus: CorpusOptions, options: StoreOptions, say: Callable) -> CheckedCorpus:
    """Reads a corpus through, unless its token store is in the cache.

    Raises UserError for the first thing that preparing it would stumble over.
    """
    corpus_fingerprint = fingerprint(corpus)
    entry = cache_entry(corpus_fingerprint, options)
    check_writable(entry, f"--cache_dir={entry.parent}")
    is_made = (entry / "store").exists()
    return CheckedCorpus(corpus_fingerprint, None if is_made else read_through(corpus, say))


def check_outside(corpus_dir: Path, written: Mapping[str, Path]) -> None:
    """UserError if a flag names a path to write to that lies inside the corpus."""
    for flag, path in written.items():
        try:
            below = path.expanduser().resolve().relative_to(corpus_dir.resolve())
        except ValueError:
            continue
        if not any(part.startswith(".") for part in below.parts):  # hidden is not read
            raise UserError(
                f"--{flag}={path}: lies in --corpus_dir, so what is written there would be "
                "read as text; name a directory outside"
            )


def cache_entry(corpus_fingerprint: str, options: StoreOptions) -> Path:
    """Where the cache keeps what is made of a corpus under these options."""
    brought = brought_vocabulary(options)
    vocabulary = f"learn {options.vocab_size}" if brought is None else brought.sha256
    parts = [corpus_fingerprint, vocabulary, options.lower_case, options.dev_fraction]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return options.cache_dir.expanduser() / name


def check_writable(directory: Path, flag: str) -> None:
    """UserError if nothing can be written in a directory, or it cannot be made."""
    above = directory
    while not above.exists():
        above = above.parent
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise UserError(
            f"{flag}: {above} cannot be written to ({error.strerror}); name another directory"
        ) from None


def read_through(corpus: CorpusOptions, say: Callable) -> DocumentSample:
    """Some of the documents; UserError unless there are two different ones."""
    sample = DocumentSample()
    notes = ReadingNotes()
    progress = Progress(lambda: notes.share, say)
    count, first, different = 0, "", False
    for document in read_documents(corpus, notes):
        count += 1
        first = first or document
        different = different or document != first
        sample.add(document)
        progress(lambda count=count: f"checking the corpus: {count:,} documents")  # type: ignore[misc]
    progress.close()
    if different:
        return sample
    found = f"the same document {count:,} times" if count > 1 else "one document"
    skipped = f", {notes.skipped:,} skipped ({notes.first_bad})" if notes.skipped else ""
    raise UserError(
        f"{corpus.corpus_dir}: holds {found if count else 'no text'}{skipped}; training and "
        "evaluation need at least two different documents: bring more text, or see "
        "--document_boundary"
    )
