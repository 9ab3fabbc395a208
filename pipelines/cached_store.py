"""From a folder of text to an open token store, made once and cached.

    CACHE_DIR/KEY/vocab-HASH.txt  the vocabulary, if it was learned
    CACHE_DIR/KEY/store/          the token store, with a report on the corpus

KEY is a hash of the corpus's bytes and of every option that matters here, so another
corpus or another option is another entry.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

from bert_core.errors import UserError
from pipelines.corpus_check import CheckedCorpus, cache_entry
from pipelines.corpus_report import CorpusReport, read_report
from pipelines.local_maker import LocalMaker
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.split_writer import disk_errors
from pipelines.token_store import StoreError, TokenStore, open_store
from pipelines.unknown_words import UnknownWords, check_known
from pipelines.vocabulary import Vocabulary, read_vocabulary
from pipelines.vocabulary_extension import brought_vocabulary
from pipelines.vocabulary_learner import learn_vocabulary

Say = Callable[[str], None]


class PreparedCorpus(NamedTuple):
    """All that pretraining needs to know of a corpus."""

    vocabulary: Vocabulary
    store: TokenStore
    fingerprint: str  # SHA-256 of the corpus
    report: CorpusReport


class Maker(Protocol):
    """Makes a token store from a corpus."""

    def sample(self) -> Iterable[str]:
        """The documents that a vocabulary is learned from, in order."""

    def build(self, vocabulary: Vocabulary, directory: Path) -> None:
        """Makes the store, whole or not at all."""


def prepare(
    corpus: CorpusOptions, checked: CheckedCorpus, options: StoreOptions, say: Say
) -> PreparedCorpus:
    """Opens the cached store of a checked corpus, or makes it first; `say` shows lines.

    Raises what `prepare_with` does.
    """
    maker = LocalMaker(corpus, checked, options, say)
    return prepare_with(maker, checked.fingerprint, options, say)


def prepare_with(
    maker: Maker, fingerprint: str, options: StoreOptions, say: Say
) -> PreparedCorpus:
    """Opens the cached store of the corpus with that fingerprint, or has it made first.

    A damaged entry is reported and made again. Any number of processes can open an entry at
    once; those that would make it take turns. Raises UserError for what is wrong with the
    corpus or the options, or if more of the tokens are unknown than options.max_unknown_rate.
    """
    entry = cache_entry(fingerprint, options)
    try:
        entry.mkdir(parents=True, exist_ok=True)
        lock = (entry / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"--cache_dir: {entry} cannot be written ({error.strerror})") from None
    with lock:
        _take_turns(lock, fcntl.LOCK_SH, entry, say)
        try:
            prepared = open_prepared(fingerprint, options)
        except UserError:
            _take_turns(lock, fcntl.LOCK_EX, entry, say)
            prepared = _made(maker, fingerprint, options, entry, say)
        else:
            say(f"token store {entry / 'store'}")
    report = prepared.report
    for line in report.lines():
        say(line)
    found = UnknownWords(report.unknown_rate, report.unknown_reasons, report.unknown_examples)
    check_known(found, options.max_unknown_rate, prepared.vocabulary, options)
    return prepared


def _made(
    maker: Maker, fingerprint: str, options: StoreOptions, entry: Path, say: Say
) -> PreparedCorpus:
    """Makes what the entry lacks, unless another process has made it meanwhile."""
    vocabulary = _vocabulary(maker, options, entry, say)
    try:
        store, report = _open(entry, vocabulary, fingerprint, options)
    except StoreError as error:
        if (entry / "store").exists():
            say(f"warning: {error}")
        started = time.monotonic()
        maker.build(vocabulary, entry / "store")
        say(f"wrote {entry / 'store'} in {time.monotonic() - started:.0f} s")
        store, report = _open(entry, vocabulary, fingerprint, options)
    else:
        say(f"token store {entry / 'store'}")
    return PreparedCorpus(vocabulary, store, fingerprint, report)


def prepare_together(
    corpus: CorpusOptions,
    checked: CheckedCorpus | None,
    options: StoreOptions,
    team: Any,
    say: Say,
) -> PreparedCorpus:
    """The token store, for a team of workers (loops/peers.py).

    The chief makes it, from a corpus it has `checked`; the others need only the cache.
    """
    if checked is not None:
        prepared = prepare(corpus, checked, options, say)
        team.from_chief(prepared.fingerprint)
    else:
        prepared = open_prepared(team.from_chief(), options)
    hashes = {"vocabulary": prepared.vocabulary.sha256, "token store": prepared.store.sha256}
    team.check_same(hashes)
    return prepared


def open_prepared(corpus_fingerprint: str, options: StoreOptions) -> PreparedCorpus:
    """What another process has prepared from a corpus, which need not be here.

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
        store, report = _open(entry, vocabulary, corpus_fingerprint, options)
    except StoreError as error:
        raise UserError(f"{error}; {advice}") from None
    return PreparedCorpus(vocabulary, store, corpus_fingerprint, report)


def _open(
    entry: Path, vocabulary: Vocabulary, fingerprint: str, options: StoreOptions
) -> tuple[TokenStore, CorpusReport]:
    store = open_store(entry / "store", vocabulary.sha256, fingerprint, options.dev_fraction)
    return store, read_report(store.manifest)


def _take_turns(lock: TextIO, kind: int, entry: Path, say: Say) -> None:
    """Waits for the process that has the lock; the kernel frees the lock of a dead one.

    kind: fcntl.LOCK_SH to read what is there, or LOCK_EX to change it.
    """
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another process is using {entry}; waiting for it")
        fcntl.flock(lock, kind)
    except OSError as error:
        raise UserError(
            f"--cache_dir: {entry} cannot be locked ({error.strerror}); name another directory"
        ) from None


def _vocabulary(maker: Maker, options: StoreOptions, entry: Path, say: Say) -> Vocabulary:
    """The vocabulary: brought, or the entry's, learned first if it has no whole one."""
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
    tokens = learn_vocabulary(maker.sample(), options.vocab_size, options.lower_case)
    vocabulary = Vocabulary(tuple(tokens), options.lower_case)
    beside = entry / "vocab.tmp"
    with disk_errors(beside):
        vocabulary.write(beside)
        os.replace(beside, _vocabulary_path(entry, vocabulary))
    seconds = time.monotonic() - started
    fewer = vocabulary.size < options.vocab_size
    wanted = f", not {options.vocab_size:,}: the text has no more" if fewer else ""
    say(f"learned a vocabulary in {seconds:.0f} s: {vocabulary.size:,} word pieces{wanted}")
    return vocabulary


def _whole_vocabulary(path: Path, lower_case: bool) -> Vocabulary | None:
    """A cached vocabulary, None if it does not match the hash in its name."""
    try:
        vocabulary = read_vocabulary(path, lower_case)
    except UserError:
        return None
    return vocabulary if path == _vocabulary_path(path.parent, vocabulary) else None


def _vocabulary_path(entry: Path, vocabulary: Vocabulary) -> Path:
    return entry / f"vocab-{vocabulary.sha256[:16]}.txt"
