"""The store gives back what was tokenised, and notices every damage."""

import errno
import json
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_core.errors import UserError
from pipelines import token_store
from pipelines.split_writer import split_statistics
from pipelines.token_counts import TokenCounts
from pipelines.token_store import StoreError, TokenStore, file_sha256, open_store
from pipelines.token_store_builder import build_store, write_manifest
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *"abcdefgh", *(f"##{c}" for c in "abcdefgh")), True)
TOKENIZER = Tokenizer(VOCABULARY)
SEP = VOCABULARY.sep_id
# All different: the last word is the number, with letters for digits.
_LETTERS = {48 + digit: 97 + digit for digit in range(8)}
DOCUMENTS = [
    f"{'abcdefgh'[i % 8]} bad {'face ' * (i % 5)}{oct(i)[2:].translate(_LETTERS)}"
    for i in range(300)
]


def _build(
    directory: Path, documents: list[str], dev_fraction: float = 0.1, **more
) -> TokenStore:
    build_store(
        documents,
        TOKENIZER,
        directory,
        corpus_fingerprint="corpus",
        dev_fraction=dev_fraction,
        report=lambda counts: {"words": int(counts.pieces.sum())},
        **more,
    )
    return open_store(directory, VOCABULARY.sha256, "corpus", dev_fraction)


def _ids(store: TokenStore, name: str) -> np.ndarray:
    stream = store.split(name)
    return stream.windows(np.array([0]), stream.num_tokens)[0]


def _documents(ids: np.ndarray) -> list[tuple[int, ...]]:
    assert ids[-1] == SEP
    ends = np.flatnonzero(ids == SEP)
    return [tuple(part[part != SEP]) for part in np.split(ids, ends[:-1] + 1)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "store"


def test_the_streams_hold_the_documents_in_order(directory: Path) -> None:
    store = _build(directory, DOCUMENTS, shard_tokens=100)
    expected = [tuple(ids) for ids in TOKENIZER.encode(DOCUMENTS)]
    train, dev = (_documents(_ids(store, name)) for name in ("train", "dev"))
    assert sorted(train + dev) == sorted(expected)
    in_dev = set(dev)
    assert train == [ids for ids in expected if ids not in in_dev]
    assert 10 <= len(dev) <= 60
    for split in store.manifest["splits"].values():
        *full, last = (shard["tokens"] for shard in split["shards"])
        assert set(full) <= {100}
        assert 0 < last <= 100


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text("abc ", max_size=12), min_size=2, max_size=30),
    st.integers(1, 40),
    st.sampled_from([0.01, 0.2, 0.49]),
)
def test_round_trip(documents: list[str], shard_tokens: int, dev_fraction: float) -> None:
    filled = {text.strip() for text in documents} - {""}
    documents = [text.strip() for text in documents if text.strip()]
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "store"
        if len(filled) < 2:
            with pytest.raises(UserError):
                _build(directory, documents, dev_fraction, shard_tokens=shard_tokens)
            assert not directory.exists()
            return
        store = _build(directory, documents, dev_fraction, shard_tokens=shard_tokens)
        parts = [_documents(_ids(store, name)) for name in ("train", "dev")]
        expected = [tuple(ids) for ids in TOKENIZER.encode(documents)]
        assert sorted(parts[0] + parts[1]) == sorted(expected)


def test_copies_of_a_document_are_on_one_side(directory: Path) -> None:
    store = _build(directory, DOCUMENTS + DOCUMENTS[::-1], 0.3)
    train, dev = (set(_documents(_ids(store, name))) for name in ("train", "dev"))
    assert not train & dev


def test_windows_cross_shards(directory: Path) -> None:
    store = _build(directory, DOCUMENTS * 40, shard_tokens=5000)
    assert len(list(directory.glob("train-*.npy"))) > 10
    stream = store.split("train")
    ids = _ids(store, "train")
    starts = np.arange(0, stream.num_tokens - 50, 7)
    windows = stream.windows(starts, 50)
    assert windows.dtype == np.int32
    np.testing.assert_array_equal(windows, ids[starts[:, None] + np.arange(50)])
    for start in (-1, stream.num_tokens - 49):
        with pytest.raises(IndexError):
            stream.windows(np.array([start]), 50)


def test_a_store_is_opened_and_read_without_being_loaded(directory: Path) -> None:
    """80 MB of shards, windows from all over them, and hardly more memory of our own."""
    ids = np.tile(np.arange(5, 15, dtype=np.uint16), 1 << 21)
    directory.mkdir(parents=True)
    splits = {}
    for name in ("train", "dev"):
        np.save(directory / f"{name}-00000.npy", ids)
        digest = file_sha256(directory / f"{name}-00000.npy")
        shard = {"file": f"{name}-00000.npy", "tokens": len(ids), "sha256": digest}
        statistics = split_statistics(1, TokenCounts(VOCABULARY), VOCABULARY)
        splits[name] = {"statistics": {**statistics, "tokens": len(ids)}, "shards": [shard]}
    write_manifest(
        directory,
        VOCABULARY,
        corpus_fingerprint="corpus",
        dev_fraction=0.1,
        corpus={},
        splits=splits,
    )
    del ids
    before = _own_memory()
    store = open_store(directory, VOCABULARY.sha256, "corpus", 0.1)
    stream = store.split("train")
    for start in range(0, stream.num_tokens - 4096, 4096):  # every page of it
        stream.windows(np.array([start]), 128)
    assert _own_memory() - before < 8e6


def _own_memory() -> int:
    """Bytes that are this process's alone, mapped files left out."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells")
    (line,) = (x for x in status.read_text().splitlines() if x.startswith("RssAnon:"))
    return 1024 * int(line.split()[1])


def test_statistics(directory: Path) -> None:
    store = _build(directory, [*DOCUMENTS, "z y x"], 0.1)
    for name in ("train", "dev"):
        ids = _ids(store, name)
        statistics = store.split(name).statistics
        assert statistics.tokens == len(ids)
        assert statistics.documents == (ids == SEP).sum()
        content = ids[ids != SEP]
        counts = np.unique(content, return_counts=True)[1] / len(content)
        assert statistics.unigram_entropy == pytest.approx(-(counts * np.log(counts)).sum())
        assert statistics.most_frequent_share == pytest.approx(counts.max())


@pytest.mark.parametrize("size", [2**16, 2**16 + 1])
def test_ids_get_the_width_they_need(directory: Path, size: int) -> None:
    tokens = (*SPECIAL_TOKENS, *(f"w{i}" for i in range(size - 6)), "last")
    tokenizer = Tokenizer(Vocabulary(tokens, True))
    build_store(
        ["last w1", "last w2"],
        tokenizer,
        directory,
        corpus_fingerprint="c",
        dev_fraction=0.1,
        report=lambda counts: {},
    )
    store = open_store(directory, tokenizer.vocabulary.sha256, "c", 0.1)
    assert store.manifest["dtype"] == ("uint16" if size == 2**16 else "uint32")
    assert _ids(store, "dev")[0] == size - 1


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "0 different documents"),
        (["a b"], "1 different documents"),
        (["a b", "a b"], "1 different documents"),
        (["\x01", "\x02"], "no tokens"),
    ],
)
def test_too_small_a_corpus(directory: Path, documents: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _build(directory, documents)
    assert not directory.exists()


def test_a_failed_build_leaves_the_old_store_and_no_litter(directory: Path) -> None:
    _build(directory, DOCUMENTS)

    def failing() -> Iterator[str]:
        yield from DOCUMENTS
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        _build(directory, failing())
    assert open_store(directory, VOCABULARY.sha256, "corpus", 0.1)
    assert {path.name for path in directory.parent.iterdir()} == {"store"}


def test_a_store_is_replaced_and_leftovers_removed(directory: Path) -> None:
    _build(directory, DOCUMENTS)
    partial = directory.with_name("store.partial")
    partial.mkdir()
    (partial / "train-00000.npy").write_bytes(b"half")
    store = _build(directory, ["a", "b"])
    assert {_documents(_ids(store, n))[0] for n in ("train", "dev")} == {(5,), (6,)}
    assert {path.name for path in directory.parent.iterdir()} == {"store"}


def test_a_place_that_cannot_be_written_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        _build(tmp_path / "file" / "store", DOCUMENTS)


def _change(path: Path, **values) -> None:
    manifest = json.loads(path.read_text())
    manifest.update(values)
    path.write_text(json.dumps(manifest))


def _damages() -> dict:
    def flip(store: Path) -> None:
        path = store / "train-00000.npy"
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(data)

    def cut(store: Path) -> None:
        path = store / "train-00000.npy"
        path.write_bytes(path.read_bytes()[:-8])

    return {
        "differs from its SHA-256": flip,
        "SHA-256; build": cut,
        "cannot be read": lambda store: (store / "dev-00000.npy").unlink(),
        "is not JSON": lambda store: (store / "manifest.json").write_text('{"format'),
        "not a JSON object": lambda store: (store / "manifest.json").write_text("[]"),
        "is incomplete": lambda store: _change(store / "manifest.json", splits={}),
        "format_version": lambda store: _change(store / "manifest.json", format_version=0),
        "vocabulary_sha256": lambda s: _change(s / "manifest.json", vocabulary_sha256="0"),
        "corpus_fingerprint": lambda s: _change(s / "manifest.json", corpus_fingerprint="0"),
        "dev_fraction": lambda store: _change(store / "manifest.json", dev_fraction=0.2),
        "the manifest says uint32": lambda s: _change(s / "manifest.json", dtype="uint32"),
    }


@pytest.mark.parametrize("message", list(_damages()))
def test_damage_is_named(directory: Path, message: str) -> None:
    _build(directory, DOCUMENTS)
    _damages()[message](directory)
    with pytest.raises(StoreError, match=message) as caught:
        open_store(directory, VOCABULARY.sha256, "corpus", 0.1)
    assert "\n" not in str(caught.value)


def test_a_manifest_cannot_name_files_elsewhere(directory: Path) -> None:
    _build(directory, DOCUMENTS)
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["splits"]["dev"]["shards"][0]["file"] = "../other.npy"
    (directory / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="elsewhere"):
        open_store(directory, VOCABULARY.sha256, "corpus", 0.1)


def test_more_shards_than_files_may_be_open(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    _build(directory, DOCUMENTS, shard_tokens=5)
    assert len(list(directory.glob("*.npy"))) > 200
    few = len(os.listdir("/dev/fd")) + 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, limits[1]))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(resource, "setrlimit", lambda *_: [].index(0))  # ValueError
            with pytest.raises(UserError, match="ulimit -n") as no:
                open_store(directory, VOCABULARY.sha256, "corpus", 0.1)
        assert not isinstance(no.value, StoreError)  # nothing to be built again
        store = open_store(directory, VOCABULARY.sha256, "corpus", 0.1)
        assert sum(store.split(n).statistics.documents for n in ("train", "dev")) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_a_disk_does_not_give_is_not_built_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _build(directory, DOCUMENTS)

    def stale(path: Path) -> str:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(token_store, "file_sha256", stale)
    with pytest.raises(UserError, match=r"npy: cannot be read \(Stale") as caught:
        open_store(directory, VOCABULARY.sha256, "corpus", 0.1)
    assert not isinstance(caught.value, StoreError)


def test_no_store_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        open_store(tmp_path, VOCABULARY.sha256, "corpus", 0.1)
