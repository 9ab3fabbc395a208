"""Documents to a token store, in one pass and bounded memory, whole or not at all."""

import collections
import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from bert_core.errors import UserError
from pipelines.split_writer import SplitWriter, disk_errors, store_dtype
from pipelines.token_counts import TokenCounts
from pipelines.token_store import FORMAT_VERSION, MANIFEST, SPLITS
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import Vocabulary

SHARD_TOKENS = 1 << 25  # 64 MB of uint16
_BATCH_DOCUMENTS = 512
_BATCH_BYTES = 4 << 20  # closes a batch early when documents are long
_WORKERS = 2  # the tokeniser releases Python's lock, so threads suffice
_HEAD_BYTES = 64 << 20  # of documents held back to see which go to dev


def build_store(
    documents: Iterable[str],
    tokenizer: Tokenizer,
    directory: Path,
    *,
    corpus_fingerprint: str,
    dev_fraction: float,
    report: Callable[[TokenCounts], dict[str, Any]],
    shard_tokens: int = SHARD_TOKENS,
) -> None:
    """Tokenises `documents` into `directory`, replacing any store there.

    A document goes to "dev" by the hash of its text, so its copies do too; both
    splits get at least one. `report`, called once all is counted, gives what the manifest
    says about the corpus. Two processes must not build the same store at once. Raises UserError
    if there are not two different documents, or the directory cannot be written.
    """
    with new_store(directory) as partial:
        writers = {
            name: SplitWriter(name, partial, tokenizer.vocabulary, shard_tokens)
            for name in SPLITS
        }
        documents = iter(documents)
        limit, head = dev_limit(documents, dev_fraction)
        assigned = assign(itertools.chain(head, documents), limit)
        _write_splits(assigned, tokenizer, writers)
        counts = TokenCounts(tokenizer.vocabulary)
        for writer in writers.values():
            counts.include(writer.counts)
        write_manifest(
            partial,
            tokenizer.vocabulary,
            corpus_fingerprint=corpus_fingerprint,
            dev_fraction=dev_fraction,
            corpus=report(counts),
            splits={name: writer.entry() for name, writer in writers.items()},
        )


@contextlib.contextmanager
def new_store(directory: Path) -> Iterator[Path]:
    """An empty directory, which replaces `directory` if all goes well inside."""
    partial = directory.with_name(directory.name + ".partial")
    with disk_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
    for leftover in (partial, _retired(directory)):  # of a build that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        with disk_errors(partial):
            partial.mkdir()
        yield partial
        _replace(partial, directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def dev_limit(documents: Iterator[str], dev_fraction: float) -> tuple[int, list[str]]:
    """The highest hash of a document of "dev", and the documents drawn to find it.

    These are the first, enough for about ten to go to dev. So that a small corpus gets both
    splits, the limit is moved until some of them lie on either side of it.
    """
    head: list[str] = []
    hashes: set[int] = set()
    held = 0
    for document in documents:
        data = _utf8(document)
        head.append(document)
        hashes.add(_hash(data))
        held += len(data)
        enough = len(head) >= 10 / dev_fraction or held >= _HEAD_BYTES
        if enough and len(hashes) > 1:
            break
    if len(hashes) < 2:
        raise UserError(
            f"the corpus has {len(hashes)} different documents; training and evaluation need "
            "at least two: see --document_boundary"
        )
    *_, second_highest, _ = sorted(hashes)
    return min(max(int(dev_fraction * 2**64), min(hashes)), second_highest), head


def assign(documents: Iterable[str], limit: int) -> Iterator[tuple[str, bytes]]:
    """(split, UTF-8 text) of each document, "dev" where its hash is low."""
    for data in map(_utf8, documents):
        yield ("dev" if _hash(data) <= limit else "train"), data


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # JSON can hold half a surrogate pair


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def _write_splits(
    assigned: Iterable[tuple[str, bytes]],
    tokenizer: Tokenizer,
    writers: dict[str, SplitWriter],
) -> None:
    """Tokenises in threads while this one reads; batches are written in order."""
    sep_id = tokenizer.vocabulary.sep_id
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        waiting: collections.deque[tuple[str, concurrent.futures.Future]] = collections.deque()

        def write_oldest() -> None:
            name, future = waiting.popleft()
            writers[name].append(*future.result())

        for name, batch in batches(assigned):
            waiting.append((name, pool.submit(tokenize, tokenizer, batch, sep_id)))
            if len(waiting) > 2 * _WORKERS:
                write_oldest()
        while waiting:
            write_oldest()
    for writer in writers.values():
        writer.close()


def batches(assigned: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """Documents of one split together, bounded in number and size."""
    waiting: dict[str, list[bytes]] = {name: [] for name in SPLITS}
    sizes = dict.fromkeys(SPLITS, 0)
    for name, data in assigned:
        waiting[name].append(data)
        sizes[name] += len(data)
        if len(waiting[name]) == _BATCH_DOCUMENTS or sizes[name] > _BATCH_BYTES:
            yield name, waiting[name]
            waiting[name], sizes[name] = [], 0
    yield from ((name, batch) for name, batch in waiting.items() if batch)


def tokenize(tokenizer: Tokenizer, batch: list[bytes], sep_id: int) -> tuple[int, np.ndarray]:
    """How many documents have tokens, and their ids, each document closed by [SEP]."""
    ids = tokenizer(tf.constant(batch, tf.string))
    splits = ids.row_splits.numpy()
    ends = splits[1:][np.diff(splits) > 0]
    return len(ends), np.insert(ids.values.numpy(), ends, sep_id)


def write_manifest(
    directory: Path,
    vocabulary: Vocabulary,
    *,
    corpus_fingerprint: str,
    dev_fraction: float,
    corpus: dict[str, Any],
    splits: dict[str, dict[str, Any]],
) -> None:
    """`corpus`: the fields of CorpusReport; `splits`: the statistics and shards of each."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "vocabulary_sha256": vocabulary.sha256,
        "lower_case": vocabulary.lower_case,
        "corpus_fingerprint": corpus_fingerprint,
        "dev_fraction": dev_fraction,
        "corpus": corpus,
        "dtype": store_dtype(vocabulary).name,
        "splits": splits,
    }
    path = directory / MANIFEST
    with disk_errors(path), path.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def _replace(partial: Path, directory: Path) -> None:
    """Puts the finished directory in place; at every moment a store is whole or absent."""
    with disk_errors(directory):
        _sync_directory(partial)
        if directory.exists():
            directory.rename(_retired(directory))
            partial.rename(directory)
            shutil.rmtree(_retired(directory), ignore_errors=True)
        else:
            partial.rename(directory)
        _sync_directory(directory.parent)


def _retired(directory: Path) -> Path:
    return directory.with_name(directory.name + ".old")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
