"""Beam's direct runner makes the token store that the local path makes, byte for byte."""

import functools
import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("apache_beam", reason="Apache Beam is not installed: make test-beam")

from apache_beam.io.filesystem import FileMetadata, FileSystem
from apache_beam.io.localfilesystem import LocalFileSystem

from bert_core.errors import RunError, UserError
from pipelines import beam_pipelines, beam_steps, local_maker, vocabulary_learner
from pipelines.beam_files import CorpusFile, corpus_files
from pipelines.beam_maker import prepare_with_beam
from pipelines.cached_store import PreparedCorpus, prepare
from pipelines.corpus_check import cache_entry, check_corpus
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.token_store_builder import build_store
from pipelines.vocabulary import SPECIAL_TOKENS

SAMPLE_BYTES = 30_000
SHARD_TOKENS = 1500
SILENT: Callable = lambda line: None  # noqa: E731


@pytest.fixture(scope="module")
def corpus_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,400 documents in files of every kind, some twice, some bad, one file without any."""
    top = tmp_path_factory.mktemp("corpus")
    chooser = random.Random(0)
    words = ["".join(chooser.choices("abcdefghijé中", k=1 + i % 7)) for i in range(300)]
    texts = [" ".join(chooser.choices(words, k=chooser.randint(1, 30))) for _ in range(1400)]
    texts[700:720] = texts[:20]  # in another file
    (top / "deep" / "er").mkdir(parents=True)
    (top / ".hidden.txt").write_text("not read\n")
    (top / "deep" / "b.txt").write_bytes("\n".join(texts[600:800]).encode() + b"\nb\xffd\n\n\n")
    (top / "a.txt").write_bytes("\n".join(texts[:600]).encode() + b"\na\0d\nno\xff\n")
    (top / "empty.txt").write_bytes(b"")
    with gzip.open(top / "deep" / "er" / "c.txt.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(texts[800:1100]) + "\n")
    lines = [json.dumps({"body": text}) for text in texts[1100:]]
    (top / "z.jsonl").write_text("\n".join(lines) + "\n")
    assert sum(map(len, texts)) > 2 * SAMPLE_BYTES
    return top


@pytest.fixture(autouse=True)
def _small_sample_and_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary_learner, "_SAMPLE_BYTES", SAMPLE_BYTES)
    small = functools.partial(build_store, shard_tokens=SHARD_TOKENS)
    monkeypatch.setattr(local_maker, "build_store", small)


def locally(corpus: CorpusOptions, options: StoreOptions) -> PreparedCorpus:
    return prepare(corpus, check_corpus(corpus, options, SILENT), options, SILENT)


def by_beam(
    corpus: CorpusOptions, options: StoreOptions, *flags: str, place: str = ""
) -> PreparedCorpus:
    files = corpus_files(place or str(corpus.corpus_dir), corpus)
    work = str(options.cache_dir)
    return prepare_with_beam(files, corpus, options, work, flags, SILENT, SHARD_TOKENS)


def contents(prepared: PreparedCorpus, options: StoreOptions) -> dict[str, bytes]:
    """Every file of a cache entry that says something."""
    entry = cache_entry(prepared.fingerprint, options)
    assert [path.name for path in options.cache_dir.iterdir()] == [entry.name]
    files = {p.relative_to(entry): p for p in entry.rglob("*") if p.is_file()}
    return {
        str(n): p.read_bytes()
        for n, p in files.items()
        if p.suffix != ".lock" and p.name != ".lock"
    }


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({"on_bad_text": "replace"}, ()),
        (
            {"on_bad_text": "skip", "document_boundary": "blank_line"},
            ("--direct_running_mode=multi_threading", "--direct_num_workers=3"),
        ),
    ],
    ids=["one document per line", "paragraphs, three threads"],
)
def test_the_same_store(
    corpus_dir: Path, tmp_path: Path, changes: dict[str, str], flags: tuple[str, ...]
) -> None:
    corpus = CorpusOptions(corpus_dir, text_key="body", **changes)
    here, there = (
        StoreOptions(tmp_path / name, vocab_size=300, dev_fraction=0.1) for name in "ab"
    )
    expected = contents(locally(corpus, here), here)
    prepared = by_beam(corpus, there, *flags)
    found = contents(prepared, there)
    assert sorted(found) == sorted(expected)
    assert found == expected
    manifest = json.loads(found["store/manifest.json"])
    assert manifest["corpus"]["first_bad"].startswith(str(corpus_dir))
    if not flags:
        assert len(manifest["splits"]["train"]["shards"]) > 3
        assert manifest["corpus"]["duplicates"] >= 20
        assert manifest["corpus"]["documents"] > 1024  # so the sample has gaps


def test_a_vocabulary_that_is_brought(corpus_dir: Path, tmp_path: Path) -> None:
    """And files that workers finish in another order than they are read in."""
    tokens = [*SPECIAL_TOKENS, *"abcdefghij", *(f"##{c}" for c in "abcdefghij")]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n")
    corpus = CorpusOptions(corpus_dir, text_key="body", on_bad_text="skip")
    here, there = (
        StoreOptions(
            tmp_path / name,
            vocab_file=tmp_path / "vocab.txt",
            lower_case=False,
            max_unknown_rate=1,
        )
        for name in "ab"
    )
    expected = contents(locally(corpus, here), here)
    spread = beam_pipelines._spread
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beam_pipelines, "_spread", lambda p, elements: spread(p, elements[::-1]))
        assert contents(by_beam(corpus, there), there) == expected


class Elsewhere(LocalFileSystem):
    """Files below `elsewhere://TOP/`, which no one can open without Beam."""

    @classmethod
    def scheme(cls) -> str:
        return "elsewhere"

    def _list(self, dir_or_prefix: str):
        for found in super()._list(_real(dir_or_prefix)):
            yield FileMetadata("elsewhere:/" + found.path, found.size_in_bytes, 0.0)

    def has_dirs(self) -> bool:
        return False

    def match(self, patterns, limits=None):
        return FileSystem.match(self, patterns, limits)

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def mkdirs(self, path: str) -> None:
        super().mkdirs(_real(path))

    def create(self, path: str, *more, **options):
        return super().create(_real(path), *more, **options)

    def open(self, path: str, *more, **options):
        return super().open(_real(path), *more, **options)

    def delete(self, paths) -> None:
        for path in paths:
            shutil.rmtree(_real(path))


def _real(path: str) -> str:
    assert path.startswith("elsewhere://")
    return path.removeprefix("elsewhere:/")


def test_a_corpus_and_work_that_are_elsewhere(corpus_dir: Path, tmp_path: Path) -> None:
    corpus = CorpusOptions(corpus_dir, text_key="body", on_bad_text="replace")
    here, there = (StoreOptions(tmp_path / name, vocab_size=300) for name in "ab")
    expected = contents(locally(corpus, here), here)
    place = f"elsewhere:/{corpus_dir}"
    files = corpus_files(place, corpus)
    assert [file.name for file in files] == [
        "a.txt",
        "deep/b.txt",
        "deep/er/c.txt.gz",
        "empty.txt",
        "z.jsonl",
    ]
    work = f"elsewhere:/{tmp_path}/work"
    (tmp_path / "work").mkdir()
    prepared = prepare_with_beam(files, corpus, there, work, (), SILENT, SHARD_TOKENS)
    found = contents(prepared, there)
    manifest = found["store/manifest.json"].decode()
    assert place in manifest  # the first bad line is where the user's file is
    found["store/manifest.json"] = manifest.replace(place, str(corpus_dir)).encode()
    assert found == expected
    assert not list((tmp_path / "work").iterdir())


def test_the_first_mistake_is_the_one_that_is_told(corpus_dir: Path, tmp_path: Path) -> None:
    corpus = CorpusOptions(corpus_dir, text_key="body")
    options = StoreOptions(tmp_path / "cache", vocab_size=300)
    with pytest.raises(UserError) as expected:
        check_corpus(corpus, options, SILENT)
    with pytest.raises(UserError) as found:
        by_beam(corpus, options)
    assert str(found.value) == str(expected.value)
    assert not list(options.cache_dir.iterdir())


def test_what_fails_on_a_worker_is_one_line(tmp_path: Path) -> None:
    corpus = CorpusOptions(tmp_path)
    gone = [CorpusFile(0, "a.txt", str(tmp_path / "a.txt"), 10)]
    options = StoreOptions(tmp_path / "cache", vocab_size=300)
    with pytest.raises(RunError, match=r"Beam failed while surveying: .*a\.txt") as error:
        prepare_with_beam(gone, corpus, options, str(tmp_path), (), SILENT)
    assert "\n" not in str(error.value)


def test_shards_are_cut_where_the_stream_is(tmp_path: Path) -> None:
    chooser = random.Random(0)
    for _ in range(200):
        sizes = [(str(i), chooser.choice([0, 1, 5, 30])) for i in range(chooser.randint(1, 9))]
        length = chooser.randint(1, 20)
        stream = [(path, place) for path, tokens in sizes for place in range(tokens)]
        shards = beam_steps.cut(sizes, length)
        laid_out = [
            [(path, first + i) for path, first, tokens in shard for i in range(tokens)]
            for shard in shards
        ]
        assert laid_out == [
            stream[start : start + length] for start in range(0, len(stream), length)
        ]
