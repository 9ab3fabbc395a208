"""The steps of preparing a corpus that run on a Beam worker: survey, tokenise, cut shards.

Each is a function of one element, and gives the same result whichever worker calls it and
however often: what it writes has a name of its own, which is part of the result.
"""

import contextlib
import dataclasses
import functools
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bert_core.errors import UserError
from pipelines.beam_files import CorpusFile, local, new_file, opened
from pipelines.corpus import read_file
from pipelines.corpus_fingerprint import size_and_sha256
from pipelines.corpus_summary import DocumentCounts
from pipelines.document_sample import excerpt
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes
from pipelines.split_writer import store_dtype
from pipelines.token_counts import TokenCounts
from pipelines.token_store import SPLITS
from pipelines.token_store_builder import assign, batches, tokenize
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import Vocabulary
from pipelines.vocabulary_learner import sample

_BUCKETS = 256  # of hashes of documents, each looked through by one worker


class Surveyed(NamedTuple):
    """What reading a file once tells."""

    facts: dict[str, Any]  # plain numbers and strings
    counts: DocumentCounts
    hashes: np.ndarray  # [documents] uint64


class Tokenised(NamedTuple):
    """A file as ids: where they are, and what was counted on the way."""

    facts: dict[str, Any]
    counts: dict[str, TokenCounts]  # split -> counts


def survey(file: CorpusFile, corpus: CorpusOptions, text_bytes: int, work: str) -> Surveyed:
    """Reads a file through; its share of the vocabulary's sample is written to `work`.

    A mistake in the file is not an exception but `facts["error"]`, so that the corpus's first
    mistake is the one reported, whichever worker finds one first.
    """
    notes, counts, error = ReadingNotes(), DocumentCounts(), ""
    hashes: list[bytes] = []

    def counted() -> Iterator[str]:
        for document in read_file(path, corpus, notes):
            counts.add(document)
            data = document.encode("utf-8", "replace")
            hashes.append(hashlib.blake2b(data, digest_size=8).digest())
            yield document

    with local(file.path) as path, new_file(work, "sample") as (sample_path, sampled):
        size, sha256 = size_and_sha256(path)
        try:
            for document in sample(counted(), text_bytes):
                sampled.write(document.encode("utf-8", "replace") + b"\n")
        except UserError as found:
            error = str(found).replace(str(path), file.path)
        first_bad = notes.first_bad.replace(str(path), file.path)
    facts = {
        "number": file.number,
        "size": size,
        "sha256": sha256,
        "documents": len(hashes),
        "sample": sample_path,
        "blank_lines": notes.blank_lines,
        "skipped": notes.skipped,
        "replaced": notes.replaced,
        "first_bad": first_bad,
        "error": error,
    }
    return Surveyed(facts, counts, np.frombuffer(b"".join(hashes), np.uint64))


def buckets(surveyed: Surveyed) -> Iterator[tuple[int, np.ndarray]]:
    """A file's hashes, equal ones in the same bucket as those of all other files."""
    numbers = (surveyed.hashes % _BUCKETS).astype(np.int64)
    for number in np.unique(numbers).tolist():
        yield number, surveyed.hashes[numbers == number]


def repeated(bucket: tuple[int, Any]) -> int:
    """How many of a bucket's documents repeat an earlier one in it."""
    hashes = np.concatenate(list(bucket[1]))
    return len(hashes) - len(np.unique(hashes))


@dataclasses.dataclass(frozen=True)
class Plan:
    """What tokenising a file depends on besides the file."""

    corpus: CorpusOptions
    vocabulary: Vocabulary
    dev_limit: int  # pipelines.token_store_builder.dev_limit
    first_documents: list[int]  # of each file, its first document's place in the corpus
    every: int  # n: every n-th document of the corpus gives the sample an excerpt
    work: str


def tokenise(file: CorpusFile, plan: Plan) -> Tokenised:
    """Writes a file's ids to `work`, one file a split."""
    tokenizer = _tokenizer(plan.vocabulary)
    dtype, sep_id = store_dtype(plan.vocabulary), plan.vocabulary.sep_id
    counts = {name: TokenCounts(plan.vocabulary) for name in SPLITS}
    documents = dict.fromkeys(SPLITS, 0)
    texts: list[str] = []

    def sampled(path: Path) -> Iterator[str]:
        read = read_file(path, plan.corpus, ReadingNotes())
        for place, document in enumerate(read, plan.first_documents[file.number]):
            if place % plan.every == 0:
                texts.append(excerpt(document))
            yield document

    with contextlib.ExitStack() as stack:
        path = stack.enter_context(local(file.path))
        outputs = {
            name: stack.enter_context(new_file(plan.work, f"{name}-ids")) for name in SPLITS
        }
        for name, batch in batches(assign(sampled(path), plan.dev_limit)):
            number, ids = tokenize(tokenizer, batch, sep_id)
            documents[name] += number
            counts[name].add(ids)
            outputs[name][1].write(ids.astype(dtype).tobytes())
    facts = {
        "number": file.number,
        "ids": {name: output_path for name, (output_path, _) in outputs.items()},
        "tokens": {name: int(counts[name].pieces.sum()) for name in SPLITS},
        "documents": documents,
        "sample": texts,
    }
    return Tokenised(facts, counts)


class Shard(NamedTuple):
    """A shard, and the pieces of files of ids that it consists of, in order."""

    name: str
    split: str
    pieces: list[tuple[str, int, int]]  # path, first id, number of ids


def cut(sizes: list[tuple[str, int]], shard_tokens: int) -> list[list[tuple[str, int, int]]]:
    """Files of ids, one stream when laid end to end, cut into shards of `shard_tokens`."""
    shards: list[list[tuple[str, int, int]]] = []
    room = 0
    for path, tokens in sizes:
        first = 0
        while first < tokens:
            if not room:
                shards.append([])
                room = shard_tokens
            taken = min(room, tokens - first)
            shards[-1].append((path, first, taken))
            first, room = first + taken, room - taken
    return shards


def write_shard(shard: Shard, dtype: np.dtype, work: str) -> dict[str, Any]:
    """Writes a shard to `work`; returns its manifest entry, split and path."""
    ids = np.concatenate([_read_ids(*piece, dtype) for piece in shard.pieces])
    whole = io.BytesIO()
    np.save(whole, ids, allow_pickle=False)
    with new_file(work, "shard") as (path, file):
        file.write(whole.getbuffer())
    sha256 = hashlib.sha256(whole.getbuffer()).hexdigest()
    facts = {"file": shard.name, "tokens": len(ids), "sha256": sha256}
    return {**facts, "split": shard.split, "path": path}


def _read_ids(path: str, first: int, number: int, dtype: np.dtype) -> np.ndarray:
    with opened(path) as file:
        file.seek(first * dtype.itemsize)
        data = file.read(number * dtype.itemsize)
    if len(data) != number * dtype.itemsize:
        raise OSError(f"{path}: is cut short")
    return np.frombuffer(data, dtype)


@functools.lru_cache(maxsize=1)
def _tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    return Tokenizer(vocabulary)
