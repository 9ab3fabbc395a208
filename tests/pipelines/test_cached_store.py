"""A cache entry is made once; what is damaged in it is named and made again."""

import errno
import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bert_core.errors import UserError
from pipelines import cached_store, local_maker
from pipelines.corpus_check import CheckedCorpus, cache_entry, check_corpus
from pipelines.options import CorpusOptions, StoreOptions


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusOptions:
    (tmp_path / "corpus").mkdir()
    lines = [f"{'abcdefgh'[i % 8]} bad {'face ' * (i % 5)}{bin(i)[2:]}" for i in range(300)]
    (tmp_path / "corpus" / "a.txt").write_text("\n".join(lines) + "\n")
    return CorpusOptions(tmp_path / "corpus")


@pytest.fixture
def options(tmp_path: Path) -> StoreOptions:
    return StoreOptions(tmp_path / "cache", vocab_size=200)


def prepare(corpus: CorpusOptions, options: StoreOptions):
    """What was prepared, and the lines that were said."""
    said: list[str] = []
    checked = check_corpus(corpus, options, said.append)
    return cached_store.prepare(corpus, checked, options, said.append), said


def contents(prepared) -> list:
    streams = [prepared.store.split(name) for name in ("train", "dev")]
    return [s.windows(np.array([0]), s.num_tokens).tobytes() for s in streams]


def entry_of(prepared, options: StoreOptions) -> Path:
    return cache_entry(prepared.fingerprint, options)


def test_made_once(corpus: CorpusOptions, options: StoreOptions) -> None:
    first, said = prepare(corpus, options)
    assert any("learned a vocabulary" in line for line in said)
    assert any("wrote" in line for line in said)
    second, said = prepare(corpus, options)
    assert not any("learned" in line or "wrote" in line for line in said)
    assert any("300 documents" in line for line in said)
    assert contents(first) == contents(second)


def test_another_corpus_or_option_is_another_entry(
    corpus: CorpusOptions, options: StoreOptions
) -> None:
    prepare(corpus, options)
    prepare(corpus, StoreOptions(options.cache_dir, vocab_size=210))
    prepare(corpus, StoreOptions(options.cache_dir, vocab_size=200, dev_fraction=0.2))
    with (corpus.corpus_dir / "a.txt").open("a") as file:
        file.write("one more document\n")
    prepare(corpus, options)
    assert len(list(options.cache_dir.iterdir())) == 4


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def _claim(**values) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


@pytest.mark.parametrize(
    ("file", "damage", "named"),
    [
        ("store/train-00000.npy", _cut, "train-00000.npy"),
        ("store/train-00000.npy", _flip, "train-00000.npy"),
        ("store/train-00000.npy", Path.unlink, "train-00000.npy"),
        ("store/manifest.json", _cut, "manifest.json"),
        ("store/manifest.json", _claim(format_version=0), "format_version"),
        ("store/manifest.json", _claim(vocabulary_sha256="x"), "vocabulary_sha256"),
        ("store/manifest.json", _claim(corpus_fingerprint="x"), "corpus_fingerprint"),
        ("store/manifest.json", _claim(corpus={"words": 1}), "the store's report"),
        ("store/manifest.json", _claim(corpus=None), "the store's report"),
        ("vocab-*.txt", _cut, "vocab-"),
        ("vocab-*.txt", _flip, "vocab-"),
    ],
)
def test_damage_is_named_and_repaired(
    corpus: CorpusOptions, options: StoreOptions, file: str, damage: Callable, named: str
) -> None:
    first, _ = prepare(corpus, options)
    whole = contents(first)  # now, as the file is mapped into memory
    (path,) = entry_of(first, options).glob(file)
    damage(path)
    second, said = prepare(corpus, options)
    (warning,) = (line for line in said if "warning" in line)
    assert named in warning
    assert "\n" not in warning
    assert second.vocabulary == first.vocabulary
    assert contents(second) == whole
    assert not any("warning" in line for line in prepare(corpus, options)[1])


def test_killed_right_after_the_store_was_put_in_place(
    corpus: CorpusOptions, options: StoreOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments, **more) -> None:
        build(*arguments, **more)
        raise KeyboardInterrupt

    build = local_maker.build_store
    monkeypatch.setattr(local_maker, "build_store", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(corpus, options)
    monkeypatch.undo()
    _, said = prepare(corpus, options)
    assert any("300 documents" in line for line in said)
    assert not any("wrote" in line for line in said)


def test_a_store_half_replaced(corpus: CorpusOptions, options: StoreOptions) -> None:
    """Killed between the two renames: neither old nor half-made data is left or used."""
    first, _ = prepare(corpus, options)
    entry = entry_of(first, options)
    (entry / "store").rename(entry / "store.old")
    second, said = prepare(corpus, options)
    assert any("wrote" in line for line in said)
    assert contents(second) == contents(first)
    assert not (entry / "store.old").exists()


def test_two_at_once_take_turns(corpus: CorpusOptions, options: StoreOptions) -> None:
    first, _ = prepare(corpus, options)
    entry = entry_of(first, options)
    said: list[str] = []
    waiting = threading.Thread(
        target=cached_store.prepare,
        args=(corpus, CheckedCorpus(first.fingerprint, None), options, said.append),
    )
    with (entry / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting.start()
        deadline = time.monotonic() + 30
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
        assert said == [f"another process is using {entry}; waiting for it"]
    waiting.join(30)
    assert any("token store" in line for line in said)


def test_readers_do_not_wait_for_each_other(
    corpus: CorpusOptions, options: StoreOptions
) -> None:
    first, _ = prepare(corpus, options)
    with (entry_of(first, options) / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        _, said = prepare(corpus, options)
    assert said[0].startswith("token store ")


def test_a_file_system_without_locks_is_said(
    corpus: CorpusOptions, options: StoreOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(cached_store.fcntl, "flock", no_locks)
    with pytest.raises(UserError, match=r"--cache_dir: .* cannot be locked \(Function not"):
        prepare(corpus, options)


def test_what_another_has_prepared_is_opened_without_the_corpus(
    corpus: CorpusOptions, options: StoreOptions
) -> None:
    made, _ = prepare(corpus, options)
    shutil.rmtree(corpus.corpus_dir)
    opened = cached_store.open_prepared(made.fingerprint, options)
    assert opened.vocabulary == made.vocabulary
    assert opened.store.sha256 == made.store.sha256
    assert contents(opened) == contents(made)


@pytest.mark.parametrize(
    ("file", "damage", "says"),
    [
        ("vocab-*.txt", Path.unlink, "holds no vocabulary of the corpus"),
        ("vocab-*.txt", _flip, "vocabulary_sha256"),
        ("store/manifest.json", Path.unlink, "manifest.json: cannot be read"),
        ("store/train-00000.npy", _flip, "differs from its SHA-256"),
    ],
)
def test_what_cannot_be_opened_is_not_made(
    corpus: CorpusOptions, options: StoreOptions, file: str, damage: Callable, says: str
) -> None:
    made, _ = prepare(corpus, options)
    (path,) = entry_of(made, options).glob(file)
    damage(path)
    with pytest.raises(UserError, match=says) as caught:
        cached_store.open_prepared(made.fingerprint, options)
    assert str(caught.value).endswith("copy that entry of the cache here, or share --cache_dir")
