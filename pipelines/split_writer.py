"""Writes one split of a token store: ids to `.npy` shards, counted on the way."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bert_core.errors import UserError
from pipelines.token_counts import TokenCounts
from pipelines.token_store import file_sha256
from pipelines.vocabulary import Vocabulary


class SplitWriter:
    """Collects the ids of one split, writes them shard by shard, counts them."""

    def __init__(
        self, name: str, directory: Path, vocabulary: Vocabulary, shard_tokens: int
    ) -> None:
        self.documents = 0
        self.tokens = 0
        self.shards: list[dict[str, Any]] = []
        self._name = name
        self._directory = directory
        self._vocabulary = vocabulary
        self._shard_tokens = shard_tokens
        self._dtype = store_dtype(vocabulary)
        self.counts = TokenCounts(vocabulary)
        self._pending: list[np.ndarray] = []
        self._pending_tokens = 0

    def append(self, documents: int, ids: np.ndarray) -> None:
        self.documents += documents
        self.tokens += len(ids)
        self.counts.add(ids)
        self._pending.append(ids.astype(self._dtype))
        self._pending_tokens += len(ids)
        while self._pending_tokens >= self._shard_tokens:
            self._flush()

    def close(self) -> None:
        if self._pending_tokens:
            self._flush()
        check_tokens(self._name, self.tokens)

    def _flush(self) -> None:
        """Writes a shard of exactly `shard_tokens`, or of what is left at the end."""
        path = self._directory / shard_name(self._name, len(self.shards))
        pending = np.concatenate(self._pending)
        ids, rest = pending[: self._shard_tokens], pending[self._shard_tokens :].copy()
        with disk_errors(path), path.open("wb") as file:
            np.save(file, ids, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        self.shards.append({"file": path.name, "tokens": len(ids), "sha256": file_sha256(path)})
        self._pending, self._pending_tokens = [rest], len(rest)

    def entry(self) -> dict[str, Any]:
        """What the manifest says of the split."""
        return {
            "statistics": split_statistics(self.documents, self.counts, self._vocabulary),
            "shards": self.shards,
        }


def shard_name(split: str, number: int) -> str:
    return f"{split}-{number:05d}.npy"


def check_tokens(split: str, tokens: int) -> None:
    if not tokens:
        raise UserError(f"the {split} split of the corpus has no tokens; bring more text")


def split_statistics(
    documents: int, counts: TokenCounts, vocabulary: Vocabulary
) -> dict[str, Any]:
    """The fields of SplitStatistics."""
    pieces = counts.pieces.copy()
    pieces[vocabulary.sep_id] = 0
    shares = pieces / max(1, pieces.sum())
    seen = shares[shares > 0]
    return {
        "documents": documents,
        "tokens": int(counts.pieces.sum()),
        "most_frequent_share": float(shares.max()),
        "unigram_entropy": float(-(seen * np.log(seen)).sum()),
    }


def store_dtype(vocabulary: Vocabulary) -> np.dtype:
    return np.dtype(np.uint16 if vocabulary.size <= 1 << 16 else np.uint32)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # NumPy's own error says how many numbers were written, but not why the rest were not.
        problem = error.strerror or f"{error}; is the disk full?"
        raise UserError(f"{path}: cannot be written ({problem})") from None
