"""From a folder of text to an open token store, made once and cached.

    CACHE_DIR/KEY/vocab-HASH.txt  the vocabulary, if it was learned
    CACHE_DIR/KEY/store/          the token store, with a report on the corpus

KEY is a hash of the corpus's bytes and of every option that matters here, so another
corpus or another option is another entry.
"""

import dataclasses
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from bert_core.errors import UserError
from pipelines.corpus import read_documents, text_bytes
from pipelines.corpus_check import CheckedCorpus, cache_entry, read_through
from pipelines.corpus_report import CorpusReport, make_report, read_report
from pipelines.corpus_summary import CorpusSummary
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.progress import Progress
from pipelines.reading_notes import ReadingNotes
from pipelines.split_writer import disk_errors
from pipelines.token_counts import TokenCounts
from pipelines.token_store import StoreError, TokenStore, open_store
from pipelines.token_store_builder import build_store
from pipelines.tokenizer import Tokenizer
from pipelines.unknown_words import UnknownWords, explanation, unknown_words
from pipelines.vocabulary import Vocabulary, read_vocabulary
from pipelines.vocabulary_extension import brought_vocabulary
from pipelines.vocabulary_learner import learn_vocabulary, sample

Say = Callable[[str], None]
_CLEARLY = 2  # times the allowed rate of unknown tokens: no matter of the sample


class PreparedCorpus(NamedTuple):
    """All that pretraining needs to know of a corpus."""

    vocabulary: Vocabulary
    store: TokenStore
    fingerprint: str  # SHA-256 of the corpus
    report: CorpusReport


def prepare(
    corpus: CorpusOptions, checked: CheckedCorpus, options: StoreOptions, say: Say
) -> PreparedCorpus:
    """Opens the cached store of a checked corpus, or makes it first; `say` shows lines.

    A damaged entry is named and made again. Two processes that want the same entry
    take turns. Raises UserError for what is wrong with the corpus or the options, or if
    more of the tokens are unknown than options.max_unknown_rate.
    """
    entry = cache_entry(checked.fingerprint, options)
    try:
        entry.mkdir(parents=True, exist_ok=True)
        lock = (entry / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--cache_dir: {entry} cannot be written ({error.strerror})") from None
    with lock:
        _take_turns(lock, entry, say)
        vocabulary = _vocabulary(corpus, options, entry, say)
        try:
            store, report = _open(entry, vocabulary, checked, options)
        except StoreError as error:
            if (entry / "store").exists():
                say(f"warning: {error}")
            _build(corpus, options, entry, vocabulary, checked, say)
            store, report = _open(entry, vocabulary, checked, options)
        else:
            say(f"token store {entry / 'store'}")
    for line in report.lines():
        say(line)
    found = UnknownWords(report.unknown_rate, report.unknown_reasons, report.unknown_examples)
    _check_known(found, options.max_unknown_rate, vocabulary, options)
    return PreparedCorpus(vocabulary, store, checked.fingerprint, report)


def open_prepared(corpus_fingerprint: str, options: StoreOptions) -> PreparedCorpus:
    """What another process has prepared of a corpus that need not be here.

    Raises UserError where the cache does not hold it whole.
    """
    entry = cache_entry(corpus_fingerprint, options)
    advice = "copy that entry of the cache here, or share --cache_dir"
    paths = sorted(entry.glob("vocab-*.txt"))
    vocabulary = brought_vocabulary(options)
    if vocabulary is None:
        if not paths:
            raise UserError(f"{entry}: holds no vocabulary of the corpus; {advice}")
        vocabulary = read_vocabulary(paths[0], options.lower_case)
    try:
        checked = CheckedCorpus(corpus_fingerprint, None)
        store, report = _open(entry, vocabulary, checked, options)
    except StoreError as error:
        raise UserError(f"{error}; {advice}") from None
    return PreparedCorpus(vocabulary, store, corpus_fingerprint, report)


def _open(
    entry: Path, vocabulary: Vocabulary, checked: CheckedCorpus, options: StoreOptions
) -> tuple[TokenStore, CorpusReport]:
    store = open_store(
        entry / "store", vocabulary.sha256, checked.fingerprint, options.dev_fraction
    )
    return store, read_report(store.manifest)


def _check_known(
    found: UnknownWords, limit: float, vocabulary: Vocabulary, options: StoreOptions
) -> None:
    """UserError where a higher share of the tokens than the limit is unknown."""
    if found.rate <= limit:
        return
    why = explanation(
        found.reasons, found.examples, vocabulary.lower_case, options.vocab_file is None
    )
    raise UserError(
        f"{found.rate:.1%} of the tokens are [UNK], more than --max_unknown_rate="
        f"{options.max_unknown_rate}{': ' if why else ''}{why}; or raise --max_unknown_rate"
    )


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
    checked: CheckedCorpus,
    say: Say,
) -> None:
    sample = checked.sample or read_through(corpus, say)
    unknown = unknown_words(sample.texts, vocabulary)
    _check_known(unknown, _CLEARLY * options.max_unknown_rate, vocabulary, options)
    notes = ReadingNotes()
    summary = CorpusSummary(corpus, notes)

    def summarised() -> Iterator[str]:
        for document in read_documents(corpus, notes):
            summary.add(document)
            yield document

    def report(counts: TokenCounts) -> dict[str, Any]:
        return dataclasses.asdict(make_report(summary, counts, vocabulary, unknown))

    started = time.monotonic()
    build_store(
        _watched(summarised(), "tokenising", notes, say),
        Tokenizer(vocabulary),
        entry / "store",
        corpus_fingerprint=checked.fingerprint,
        dev_fraction=options.dev_fraction,
        report=report,
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
