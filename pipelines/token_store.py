"""A tokenised corpus on disk: per split one flat stream of ids, read by memory map.

A store is a directory of `.npy` shards and a `manifest.json`; documents follow each
other in the stream, each closed by [SEP]. `token_store_builder` writes it.
"""

import dataclasses
import hashlib
import json
import resource
from pathlib import Path
from typing import Any

import numpy as np

from bert_core.errors import UserError

FORMAT_VERSION = 2  # 2: the report of the corpus is in the manifest
MANIFEST = "manifest.json"
SPLITS = ("train", "dev")
_OTHER_FILES = 256  # that a process may want to have open besides the shards


class StoreError(UserError):
    """The store is absent, damaged, or of another corpus or vocabulary: build it again."""


@dataclasses.dataclass(frozen=True)
class SplitStatistics:
    """What the tokens of a split look like; [SEP] is counted only in `tokens`."""

    documents: int
    tokens: int  # length of the stream
    most_frequent_share: float  # accuracy of always guessing the most frequent token
    unigram_entropy: float  # nats per token: the loss of guessing by frequency alone


class TokenStream:
    """One split as one array of ids, across its shards."""

    def __init__(
        self, name: str, shards: list[np.ndarray], statistics: SplitStatistics
    ) -> None:
        self.name = name
        self.statistics = statistics
        self._shards = shards
        self._ends = np.cumsum([len(shard) for shard in shards])  # [shards] int64

    @property
    def num_tokens(self) -> int:
        return int(self._ends[-1])

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """starts [B] int64 -> [B, length] int32, the ids from each start on.

        Raises IndexError for a window that leaves the stream.
        """
        starts = np.asarray(starts, np.int64)
        if len(starts) and not 0 <= starts.min() <= starts.max() <= self.num_tokens - length:
            raise IndexError(f"a window of {length} leaves the {self.num_tokens} tokens")
        out = np.empty((len(starts), length), np.int32)
        first_shards = np.searchsorted(self._ends, starts, side="right")
        for row, start, number in zip(out, starts, first_shards, strict=True):
            filled = 0
            while filled < length:
                shard = self._shards[number]
                offset = start + filled - (self._ends[number] - len(shard))
                piece = shard[offset : offset + length - filled]
                row[filled : filled + len(piece)] = piece
                filled += len(piece)
                number += 1
        return out


@dataclasses.dataclass(frozen=True)
class TokenStore:
    """An opened store. `manifest` is the parsed `manifest.json`."""

    manifest: dict[str, Any]
    streams: dict[str, TokenStream]

    def split(self, name: str) -> TokenStream:
        """The stream "train" or "dev"."""
        return self.streams[name]

    @property
    def sha256(self) -> str:
        """Of what the manifest says about the splits, including the hashes of their shards."""
        text = json.dumps(self.manifest["splits"], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def open_store(
    directory: Path, vocabulary_sha256: str, corpus_fingerprint: str, dev_fraction: float
) -> TokenStore:
    """Opens a store after checking that it is complete, undamaged and the one expected.

    Raises StoreError naming what is wrong. Reads every byte once, for the SHA-256.
    """
    manifest = _read_manifest(directory / MANIFEST)
    expected = {
        "format_version": FORMAT_VERSION,
        "vocabulary_sha256": vocabulary_sha256,
        "corpus_fingerprint": corpus_fingerprint,
        "dev_fraction": dev_fraction,
    }
    for key, value in expected.items():
        if manifest.get(key) != value:
            raise StoreError(
                f"{directory}: built with {key} {manifest.get(key)!r}, not {value!r}; "
                "build the store again"
            )
    _allow_open_files(directory, manifest)
    try:
        streams = {name: _open_split(directory, name, manifest) for name in SPLITS}
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{directory / MANIFEST}: is incomplete ({error}); build the store again"
        ) from None
    return TokenStore(manifest, streams)


def _allow_open_files(directory: Path, manifest: dict[str, Any]) -> None:
    """Each mapped shard is an open file, and a process is often allowed only a thousand."""
    try:
        wanted = sum(len(split["shards"]) for split in manifest["splits"].values())
    except (KeyError, TypeError, AttributeError):
        return  # reported where they are read
    wanted += _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        raise UserError(
            f"{directory}: needs {wanted} open files, this process may have {soft}; allow it "
            "more (ulimit -n)"
        ) from None


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: is not JSON ({error}); build the store again") from None
    if not isinstance(manifest, dict):
        raise StoreError(f"{path}: is not a JSON object; build the store again")
    return manifest


def _open_split(directory: Path, name: str, manifest: dict[str, Any]) -> TokenStream:
    split = manifest["splits"][name]
    statistics = _statistics(split["statistics"])
    dtype = np.dtype(np.uint32 if manifest["dtype"] == "uint32" else np.uint16)
    shards = [_open_shard(directory, shard, dtype) for shard in split["shards"]]
    tokens = sum(len(shard) for shard in shards)
    if not shards or tokens != statistics.tokens:
        raise StoreError(
            f"{directory}: the shards of {name} hold {tokens} tokens, the manifest says "
            f"{statistics.tokens}; build the store again"
        )
    return TokenStream(name, shards, statistics)


def _statistics(values: dict[str, Any]) -> SplitStatistics:
    fields = dataclasses.fields(SplitStatistics)
    statistics = SplitStatistics(**{field.name: values[field.name] for field in fields})
    for field in fields:
        value = getattr(statistics, field.name)
        wanted: Any = (int, float) if field.type is float else field.type
        if not isinstance(value, wanted):
            raise TypeError(f"{field.name} is {value!r:.80}")
    return statistics


def _open_shard(directory: Path, shard: dict[str, Any], dtype: np.dtype) -> np.ndarray:
    path = directory / shard["file"]
    if path.parent != directory:
        raise StoreError(f"{directory}: the manifest names a file elsewhere, {shard['file']!r}")
    try:
        if file_sha256(path) != shard["sha256"]:
            raise StoreError(f"{path}: differs from its SHA-256; build the store again")
        # Mapped, so that a header that claims more than the file holds allocates nothing.
        array = np.lib.format.open_memmap(path, mode="r")
    except StoreError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from None
    except Exception as error:  # NumPy's errors for a bad header are of many types
        raise StoreError(f"{path}: cannot be read ({error}); build the store again") from None
    if array.dtype != dtype or array.shape != (shard["tokens"],):
        raise StoreError(
            f"{path}: holds {array.dtype} {array.shape}, the manifest says {dtype} "
            f"({shard['tokens']},); build the store again"
        )
    return np.asarray(array)  # the same memory map, without np.memmap's slow slices


def _unreadable(path: Path, error: OSError) -> UserError:
    """StoreError (build it again) if files are missing, not if the disk fails to give them."""
    no_file = isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError)
    return (StoreError if no_file else UserError)(f"{path}: cannot be read ({error.strerror})")


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
