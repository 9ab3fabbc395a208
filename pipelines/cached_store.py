"""From a folder of text to an open token store, made once and cached.

    CACHE_DIR/KEY/vocab-HASH.txt  the vocabulary, if it was learned
    CACHE_DIR/KEY/summary.txt     what the corpus was
    CACHE_DIR/KEY/store/          the token store

KEY is a hash of the corpus's bytes and of every option that matters here, so another
corpus or another option is another entry.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from bert_core.errors import UserError
from pipelines.corpus import read_documents, text_bytes
from pipelines.corpus_check import cache_entry
from pipelines.corpus_summary import CorpusSummary
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.progress import Progress
from pipelines.reading_notes import ReadingNotes
from pipelines.split_writer import disk_errors
from pipelines.token_store import StoreError, TokenStore, open_store
from pipelines.token_store_builder import build_store
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import Vocabulary, read_vocabulary
from pipelines.vocabulary_extension import brought_vocabulary
from pipelines.vocabulary_learner import learn_vocabulary, sample

Say = Callable[[str], None]


class PreparedCorpus(NamedTuple):
    """All that pretraining needs to know of a corpus."""

    vocabulary: Vocabulary
    store: TokenStore
    fingerprint: str  # SHA-256 of the corpus


def prepare(
    corpus: CorpusOptions, corpus_fingerprint: str, options: StoreOptions, say: Say
) -> PreparedCorpus:
    """Opens the cached store of a checked corpus, or makes it first; `say` shows lines.

    A damaged entry is named and made again. Two processes that want the same entry
    take turns. Raises UserError for what is wrong with the corpus or the options.
    """
    entry = cache_entry(corpus_fingerprint, options)
    try:
        entry.mkdir(parents=True, exist_ok=True)
        lock = (entry / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--cache_dir: {entry} cannot be written ({error.strerror})") from None
    with lock:
        _take_turns(lock, entry, say)
        vocabulary = _vocabulary(corpus, options, entry, say)
        try:
            store = open_store(
                entry / "store", vocabulary.sha256, corpus_fingerprint, options.dev_fraction
            )
        except StoreError as error:
            if (entry / "store").exists():
                say(f"warning: {error}")
            _build(corpus, options, entry, vocabulary, corpus_fingerprint, say)
            store = open_store(
                entry / "store", vocabulary.sha256, corpus_fingerprint, options.dev_fraction
            )
        else:
            say(f"token store {entry / 'store'}")
    for line in (entry / "summary.txt").read_text(encoding="utf-8").splitlines():
        say(line)
    return PreparedCorpus(vocabulary, store, corpus_fingerprint)


def _take_turns(lock: TextIO, entry: Path, say: Say) -> None:
    """Waits for the process that has the lock; the kernel frees that of a dead one."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        say(f"process {lock.read().strip()} prepares {entry}; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
    with disk_errors(entry):
        os.ftruncate(lock.fileno(), 0)
        os.write(lock.fileno(), str(os.getpid()).encode())


def _vocabulary(
    corpus: CorpusOptions, options: StoreOptions, entry: Path, say: Say
) -> Vocabulary:
    """The entry's vocabulary; brought or learned first if it has none that is whole."""
    brought = brought_vocabulary(options)
    if brought is not None:
        return brought
    for path in entry.glob("vocab-*.txt"):
        vocabulary = _whole_vocabulary(path, options.lower_case)
        if vocabulary is not None:
            return vocabulary
        say(f"warning: {path} is damaged; learning the vocabulary again")
        path.unlink()
    started = time.monotonic()
    notes = ReadingNotes()
    documents = _watched(read_documents(corpus, notes), "counting words", notes, say)
    chosen = sample(documents, text_bytes(corpus))
    tokens = learn_vocabulary(chosen, options.vocab_size, options.lower_case)
    vocabulary = Vocabulary(tuple(tokens), options.lower_case)
    beside = entry / "vocab.tmp"
    with disk_errors(beside):
        vocabulary.write(beside)
        os.replace(beside, _vocabulary_path(entry, vocabulary))
    seconds = time.monotonic() - started
    fewer = vocabulary.size < options.vocab_size
    wanted = f", not {options.vocab_size:,}: the text has no more" if fewer else ""
    say(f"learned a vocabulary of {vocabulary.size:,} word pieces{wanted} in {seconds:.0f} s")
    return vocabulary


def _whole_vocabulary(path: Path, lower_case: bool) -> Vocabulary | None:
    """A cached vocabulary, None if it is not the one that its name says."""
    try:
        vocabulary = read_vocabulary(path, lower_case)
    except UserError:
        return None
    return vocabulary if path == _vocabulary_path(path.parent, vocabulary) else None


def _vocabulary_path(entry: Path, vocabulary: Vocabulary) -> Path:
    return entry / f"vocab-{vocabulary.sha256[:16]}.txt"


def _build(
    corpus: CorpusOptions,
    options: StoreOptions,
    entry: Path,
    vocabulary: Vocabulary,
    corpus_fingerprint: str,
    say: Say,
) -> None:
    notes = ReadingNotes()
    summary = CorpusSummary(corpus, notes)

    def summarised() -> Iterator[str]:
        for document in read_documents(corpus, notes):
            summary.add(document)
            yield document
        # Before the store is in its place: where there is a store, there is a summary.
        lines = "\n".join(summary.lines()) + "\n"
        with disk_errors(entry):
            (entry / "summary.txt").write_text(lines, encoding="utf-8")

    started = time.monotonic()
    build_store(
        _watched(summarised(), "tokenising", notes, say),
        Tokenizer(vocabulary),
        entry / "store",
        corpus_fingerprint=corpus_fingerprint,
        dev_fraction=options.dev_fraction,
    )
    say(f"wrote {entry / 'store'} in {time.monotonic() - started:.0f} s")


def _watched(
    documents: Iterator[str], what: str, notes: ReadingNotes, say: Say
) -> Iterator[str]:
    """The documents, with a line of progress now and then."""
    progress = Progress(lambda: notes.share, say)
    for count, document in enumerate(documents, 1):
        progress(lambda count=count: f"{what}: {count:,} documents")  # type: ignore[misc]
        yield document
    progress.close()
