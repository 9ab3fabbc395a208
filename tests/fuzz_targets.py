"""What reads files, as functions of bytes: a result or a UserError, never anything else.

tests/test_any_bytes.py feeds them a little, tests/fuzz.py (`make fuzz`) for as long as
it is told.
"""

import dataclasses
import gzip
import io
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bert_core.config import read_config
from bert_core.entities import entities
from bert_core.errors import UserError
from loops.checkpoints import damage
from loops.run_directory import RunDirectory, read_lower_case, read_record
from loops.trained_run import read_trained_run
from pipelines.conll import read_conll
from pipelines.corpus import read_documents
from pipelines.corpus_report import CorpusReport, read_report
from pipelines.examples import label_names, read_examples
from pipelines.options import CorpusOptions, ExamplesOptions
from pipelines.prepared import _already_there
from pipelines.regression import Regression
from pipelines.source import Source
from pipelines.token_classification import TokenClassification
from pipelines.token_store import MANIFEST, open_store
from pipelines.token_store_builder import build_store
from pipelines.tokenizer import Tokenizer
from pipelines.unlabelled import read_texts, texts_of_stream
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary, read_vocabulary
from tests.bad_input_cases import START
from tests.fuzz_conversions import CONVERSION_TARGETS
from tests.fuzz_report import report_targets

Target = Callable[[bytes, Path], object]
STORE_VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *"abcdefgh"), True)
FINGERPRINT = "corpus"
MODEL = {"vocab_size": 12, "hidden_size": 8, "num_attention_heads": 2, "alibi_slopes": [1, 0.5]}


REPORT = CorpusReport(
    files=1,
    documents=50,
    duplicates=0,
    near_empty=0,
    characters=850,
    median_characters=17,
    longest_characters=17,
    character_classes={"Latin": 450, "spaces": 400},
    skipped=0,
    replaced=0,
    first_bad="",
    advice="",
    tokens=450,
    words=450,
    tokens_a_word=1.0,
    unknown_rate=0.0,
    unknown_reasons={"capitals": 1},
    unknown_examples={"capitals": ["A"]},
    median_tokens=9,
    token_lengths={"8": 0, "16": 50},
    pieces=13,
    pieces_used=8,
)


def make_store(directory: Path) -> Path:
    """A small token store."""
    chooser = random.Random(1)
    documents = [" ".join(chooser.choices("abcdefgh", k=9)) for _ in range(50)]
    build_store(
        documents,
        Tokenizer(STORE_VOCABULARY),
        directory,
        corpus_fingerprint=FINGERPRINT,
        dev_fraction=0.1,
        report=lambda counts: dataclasses.asdict(REPORT),
    )
    return directory


def _corpus(suffix: str, **options: str) -> Target:
    def read(data: bytes, here: Path) -> object:
        (here / f"x{suffix}").write_bytes(data)
        return sum(len(text) for text in read_documents(CorpusOptions(here, **options)))

    return read


def _examples(suffix: str) -> Target:
    def read(data: bytes, here: Path) -> object:
        (here / f"x{suffix}").write_bytes(data)
        return label_names(read_examples(here / f"x{suffix}", ExamplesOptions()))

    return read


def _conll(data: bytes, here: Path) -> object:
    """Words and tags are as many, and come back apart as they were."""
    (here / "x.conll").write_bytes(data)
    examples = read_conll(here / "x.conll")
    for example in examples:
        words, tags = example.text.split(" "), (example.label or "").split(" ")
        assert len(words) == len(tags)
        assert all(words)
        entities(tags)
    return len(TokenClassification(examples, "x").targets(examples, "x"))


def _numbers(data: bytes, here: Path) -> object:
    (here / "x.jsonl").write_bytes(data)
    examples = Regression.read(here / "x.jsonl", ExamplesOptions())
    targets = Regression(examples, "x").targets(examples, "x")
    assert np.isfinite(targets.astype(np.float32)).all()
    return len(targets)


def _vocabulary(data: bytes, here: Path) -> object:
    (here / "vocab.txt").write_bytes(data)
    vocabulary = read_vocabulary(here / "vocab.txt", lower_case=bool(len(data) % 2))
    tokenizer = Tokenizer(vocabulary)
    texts = [*vocabulary.tokens[:20], "a b ##c \u4e2d\u6587 e\u0301 [MASK]", ""]
    for ids in tokenizer.encode(texts):
        assert all(0 <= i < vocabulary.size for i in ids)
        tokenizer.words(ids)
    vocabulary.write(here / "again.txt")
    assert read_vocabulary(here / "again.txt", vocabulary.lower_case) == vocabulary
    return vocabulary.sha256


_TOKENIZER = Tokenizer(STORE_VOCABULARY)


def _tokenizer(data: bytes, here: Path) -> object:
    """Any text has ids, the same whether alone or beside others."""
    text = data.decode("utf-8", "replace")
    first, second = _TOKENIZER.encode([text, text + " a"])
    assert len(second) == len(first) + 1
    assert all(0 <= i < STORE_VOCABULARY.size for i in second)
    return _TOKENIZER.words(first)


def _config(data: bytes, here: Path) -> object:
    (here / "config.json").write_bytes(data)
    config = read_config(here / "config.json")
    (here / "again.json").write_text(config.to_json())
    assert read_config(here / "again.json") == config
    return config.encoder_bytes


def _manifest(data: bytes, here: Path) -> object:
    for name in ("train-00000.npy", "dev-00000.npy"):
        (here / name).symlink_to(_store() / name)
    (here / MANIFEST).write_bytes(data)
    store = open_store(here, STORE_VOCABULARY.sha256, FINGERPRINT, 0.1)
    report = read_report(store.manifest)
    return [*report.lines(), *report.details()]


def _shard(data: bytes, here: Path) -> object:
    """A shard of any bytes, with a manifest that vouches for them."""
    import hashlib

    manifest = json.loads((_store() / MANIFEST).read_bytes())
    (here / "dev-00000.npy").symlink_to(_store() / "dev-00000.npy")
    (here / "train-00000.npy").write_bytes(data)
    manifest["splits"]["train"]["shards"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    (here / MANIFEST).write_text(json.dumps(manifest))
    return open_store(here, STORE_VOCABULARY.sha256, FINGERPRINT, 0.1)


def _record(data: bytes, here: Path) -> object:
    (here / "run.json").write_bytes(data)
    read_record(here)
    return RunDirectory(here).check_same({"program": "pretrain", "mlm": {"seed": 0}}, True)


def _trained_run(data: bytes, here: Path) -> object:
    for name, content in START.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(content, bytes)
        (here / name).write_bytes(content)
    (here / "start" / "run.json").write_bytes(data)
    run = read_trained_run(here / "start")
    run.check_pairs(bool(run.reads_pairs))
    return 0 < run.sequence_length(None) <= 32 and run.truncation_warning(1, 8)


def _texts(suffix: str) -> Target:
    def read(data: bytes, here: Path) -> object:
        (here / f"x{suffix}").write_bytes(data)
        return [x.text.encode() for x in read_texts(here / f"x{suffix}", ExamplesOptions())]

    return read


def _stream(data: bytes, here: Path) -> object:
    return [text.encode() for text in texts_of_stream(io.BytesIO(data))]


def _case(data: bytes, here: Path) -> object:
    (here / "tokenizer_config.json").write_bytes(data)
    return read_lower_case(here)


def _marker(data: bytes, here: Path) -> object:
    (here / "ckpt-3.index").write_bytes(b"")
    (here / "ckpt-3.json").write_bytes(data)
    return damage(here, 3)


def _source(data: bytes, here: Path) -> object:
    (here / "source.json").write_bytes(data)
    return _already_there(here, Source("x", {"a": "b"}, ()))


def _store() -> Path:
    if not _made:
        _kept.append(tempfile.TemporaryDirectory())
        _made.append(make_store(Path(_kept[0].name) / "store"))
    return _made[0]


_kept: list[tempfile.TemporaryDirectory] = []
_made: list[Path] = []

TEXT = "one two\n\nthree \u00fc\u4e2d\r\nfour\n".encode()
JSONL = b'{"text": "a\\u00fc", "label": "x"}\n\n{"text": "b", "label": 1}\n'
CSV = 'text,label\n"a, ""b""\nc",x\r\nd,\u00fc\n'.encode()
CONLL = "-DOCSTART- O\n\na NN B-X\n\u00fc\u4e2d\tNN\tI-X\r\n\n. . O\n".encode()
NUMBERS = (
    b'{"text": "a", "label": 1.5}\n{"text": "b", "label": -2}\n{"text": "c", "label": "1e1"}\n'
)
VOCAB = "\n".join([*SPECIAL_TOKENS, "a", "##b", "\u4e2d", "##", "'"]).encode() + b"\n"
MARKER = b'{"step": 3, "files": {"ckpt-3.index": {"bytes": 0, "sha256": "e3b0"}}}'
RECORD = b'{"program": "pretrain", "mlm": {"seed": 0}, "drift": [], "x": null}'
TRAINED = (
    b'{"program": "finetune", "labels": ["a", "b"], "parts": ["head"], "text_pairs": true, '
    b'"classification": {"max_seq_length": 16, "truncation": "head"}}'
)
SOURCE = (
    b'{"format": 1, "dataset": "x", "identity": {"a": "b"}, "documents": 2, "characters": 9, '
    b'"examples": {"train": {"p": 1}}, "files": {"source.json": 150}}'
)

# name -> what reads, and something it reads gladly, to begin from
TARGETS: dict[str, tuple[Target, bytes]] = {
    "corpus .txt": (_corpus(".txt"), TEXT),
    "corpus .txt, blank_line, replace": (
        _corpus(".txt", document_boundary="blank_line", on_bad_text="replace"),
        TEXT,
    ),
    "corpus .txt.gz": (_corpus(".txt.gz", on_bad_text="skip"), gzip.compress(TEXT, mtime=0)),
    "corpus .jsonl": (_corpus(".jsonl", on_bad_text="replace"), JSONL),
    "corpus .jsonl.gz": (_corpus(".jsonl.gz"), gzip.compress(JSONL, mtime=0)),
    "examples .jsonl": (_examples(".jsonl"), JSONL),
    "examples .csv": (_examples(".csv"), CSV),
    "examples .tsv": (_examples(".tsv"), CSV.replace(b",", b"\t")),
    "examples .csv.gz": (_examples(".csv.gz"), gzip.compress(CSV, mtime=0)),
    "sentences .conll": (_conll, CONLL),
    "numbers .jsonl": (_numbers, NUMBERS),
    "texts .txt": (_texts(".txt"), TEXT),
    "texts .txt.gz": (_texts(".txt.gz"), gzip.compress(TEXT, mtime=0)),
    "standard input": (_stream, TEXT),
    "trained run": (_trained_run, TRAINED),
    "vocab.txt": (_vocabulary, VOCAB),
    "tokenizer": (_tokenizer, TEXT),
    "config.json": (_config, json.dumps(MODEL).encode()),
    "manifest.json": (_manifest, (_store() / MANIFEST).read_bytes()),
    "shard .npy": (_shard, (_store() / "train-00000.npy").read_bytes()),
    "run.json": (_record, RECORD),
    "tokenizer_config.json": (_case, b'{"do_lower_case": true}'),
    "marker": (_marker, MARKER),
    "source.json": (_source, SOURCE),
    **CONVERSION_TARGETS,
    **report_targets(dataclasses.asdict(REPORT)),
}


def feed(name: str, data: bytes) -> bool:
    """Whether the target took the bytes; False for a UserError, else what it raised."""
    target, _ = TARGETS[name]
    with tempfile.TemporaryDirectory() as here:
        try:
            target(data, Path(here))
        except UserError as error:
            message = str(error)
        else:
            return True
    assert "\n" not in message
    return False
