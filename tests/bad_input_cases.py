"""Bad input, case by case: what is there, what is typed, what must be said.

Every case ends before TensorFlow is imported. tests/test_bad_input.py runs them;
`{here}` stands for the case's own directory.
"""

import gzip
import json
from collections.abc import Callable
from typing import NamedTuple

Content = bytes | str | Callable[[], bytes] | None  # text is a link's target, None: no file
Files = dict[str, Content]


class Case(NamedTuple):
    program: str
    files: Files
    arguments: tuple[str, ...]
    says: tuple[str, ...]  # all of these
    tf_config: str = ""


CORPUS: Files = {"corpus/a.txt": b"one two\nthree four\n"}
VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\n"
CONFIG = {
    "vocab_size": 12,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
}
# What a run directory shows before its weights are read.
START: Files = {
    "start/config.json": json.dumps(CONFIG).encode(),
    "start/vocab.txt": VOCABULARY,
    "start/tokenizer_config.json": b'{"do_lower_case": true}',
    "start/run.json": b'{"program": "pretrain"}',
    "start/checkpoints/ckpt-1.json": b"{}",
    "start/checkpoints/ckpt-1.data-00000-of-00001": bytes(10_000),
}
TRAIN = (
    b'{"text": "a b", "label": "x"}\n{"text": "c", "label": "y"}\n{"text": "e", "label": "x"}\n'
)
FINETUNE: Files = {**START, "train.jsonl": TRAIN}


def pretrain(name: str, *arguments: str, says: str | tuple[str, ...], files: Files = CORPUS):
    """A case of run_pretrain.py; a flag given again replaces the usual one."""
    usual = (
        "--corpus_dir={here}/corpus",
        "--output_dir={here}/run",
        "--cache_dir={here}/cache",
    )
    return row("pretrain", name, files, (*usual, *arguments), says)


def corpus(name: str, files: Files, *arguments: str, says: str | tuple[str, ...]):
    files = {f"corpus/{key}": content for key, content in files.items()}
    return pretrain(f"corpus: {name}", *arguments, says=says, files=files)


def finetune(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    """A case of run_finetune.py; files by name, `__` for a dot, `_of_` for a slash."""
    usual = (
        "--init_checkpoint={here}/start",
        "--train_file={here}/train.jsonl",
        "--output_dir={here}/run",
        "--max_seq_length=16",
    )
    return row("finetune", name, {**FINETUNE, **named(files)}, (*usual, *arguments), says)


def predict(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--checkpoint={here}/start", "--fill_mask=a [MASK]")
    return row("predict", name, {**START, **named(files)}, (*usual, *arguments), says)


def prepare(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    return row("prepare", name, named(files), arguments, says)


def recipe(name: str, *arguments: str, says: str | tuple[str, ...], **files: Content):
    usual = ("--dataset=docstrings",)
    return row("recipe", name, named(files), (*usual, *arguments), says)


def row(
    program: str,
    name: str,
    files: Files,
    arguments: tuple[str, ...],
    says: str | tuple[str, ...],
) -> tuple[str, Case]:
    says = (says,) if isinstance(says, str) else says
    return f"{program}: {name}", Case(f"run_{program}.py", files, arguments, says)


def named(files: dict[str, Content]) -> Files:
    return {k.replace("__", ".").replace("_of_", "/"): v for k, v in files.items()}


def changed(**fields: object) -> bytes:
    """A config.json with some fields changed."""
    return json.dumps({**CONFIG, **fields}).encode()


def config(name: str, says: str, **fields: object):
    files = {**CORPUS, "model.json": changed(**fields)}
    return pretrain(
        f"config: {name}",
        "--model_config={here}/model.json",
        "--seq_length=16",
        says=("model.json: ", says),
        files=files,
    )


def vocabulary(name: str, content: bytes, says: str):
    return pretrain(
        f"vocab: {name}",
        "--vocab_file={here}/vocab.txt",
        says=("vocab.txt: ", says),
        files={**CORPUS, "vocab.txt": content},
    )


def bomb(one: bytes) -> bytes:
    """300 MiB in 300 kB."""
    return gzip.compress(one * (2**24 // len(one)), 9) * 19


CORPUS_CASES = [
    pretrain("no such corpus", says=("corpus: no such directory", "--corpus_dir"), files={}),
    pretrain("corpus is a file", says="is a file; --corpus_dir", files={"corpus": b"text\n"}),
    corpus("empty folder", {"readme.md": b"x"}, says=("holds no text", ".jsonl")),
    corpus("empty file", {"a.txt": b""}, says=("holds no text", "bring more text")),
    corpus("blank lines", {"a.txt": b"\n \n\t\n" * 99}, says="holds no text"),
    corpus(
        "one document", {"a.txt": b"all there is\n"}, says=("one document", "two different")
    ),
    corpus("one again and again", {"a.txt": b"same\n" * 9}, says="the same document 9 times"),
    corpus(
        "control characters",
        {"a.txt": "\x01\x02\n\x1b \u200b\n\ufffd\n\ue000\n\u0301\n".encode()},
        says="holds no text",
    ),
    corpus(
        "one of many has words",
        {"a.txt": b"\1\n\2\nthree\n\3\n"},
        says=("holds one document", "two different"),
    ),
    corpus(
        "file as document", {"a.txt": b"a\nb\n"}, "--document_boundary=file", says="one doc"
    ),
    corpus(
        "binary", {"a.txt": b"a\nb\nPK\3\4\0\0\n"}, says=("a.txt:3", "NUL", "--on_bad_text")
    ),
    corpus("UTF-16", {"a.txt": "a\nb".encode("utf-16")}, says="a.txt:1: is UTF-16, not UTF-8"),
    corpus(
        "Latin-1", {"a.txt": b"a\nb\nna\xefve\n"}, says=("a.txt:3: byte 0xef", "(column 3)")
    ),
    corpus(
        "all skipped",
        {"a.txt": b"\xff\n\xfe\n"},
        "--on_bad_text=skip",
        says=("no text, 2 skipped", "a.txt:1"),
    ),
    corpus("50 MB line", {"a.txt": lambda: b"x" * 50_000_000}, says="a.txt:1: a line of more"),
    corpus(
        "50 MB of JSON", {"a.jsonl": lambda: b'{"text": "' + b"x" * 50_000_000}, says=":1: a"
    ),
    corpus(
        "cut gzip", {"a.txt.gz": gzip.compress(b"a\nb\n" * 999)[:-9]}, says="incomplete gzip"
    ),
    corpus("not gzip", {"a.txt.gz": b"a\nb\n"}, says=("a damaged or incomplete gzip", "again")),
    corpus(
        "bomb of zeros", {"a.txt.gz": lambda: bomb(b"\0")}, says="a.txt.gz:1: a line of more"
    ),
    corpus(
        "bomb of lines",
        {"a.txt.gz": lambda: bomb(b" " * (2**20 - 1) + b"\n")},
        says=("a.txt.gz: expands more than 100-fold", "gzip bomb"),
    ),
    corpus("no JSON", {"a.jsonl": b'{"text": "a"}\n{"text"\n'}, says="a.jsonl:2: not JSON"),
    corpus("JSON list", {"a.jsonl": b'["a"]\n'}, says="a.jsonl:1: not a JSON object"),
    corpus("deep JSON", {"a.jsonl": b"[" * 10**6}, says="a.jsonl:1: not JSON"),
    corpus(
        "no key", {"a.jsonl": b'{"body": "a"}'}, says=("a.jsonl:1", "are: body", "--text_key")
    ),
    corpus(
        "number as text", {"a.jsonl": b'{"text": 1}'}, says="a.jsonl:1: field 'text' is not"
    ),
    corpus(
        "half a surrogate", {"a.jsonl": b'{"text": "\\ud800"}'}, says="a.jsonl:1: byte 0xed"
    ),
    corpus("dead link", {"a.txt": "nowhere"}, says="a.txt: cannot be read (No such file"),
]

VOCABULARY_CASES = [
    vocabulary("duplicate", VOCABULARY + b"a\n", "line 13 repeats the token 'a' of line 6"),
    vocabulary("no [MASK]", VOCABULARY.replace(b"[MASK]\n", b""), "[MASK] is missing; add"),
    vocabulary("empty", b"", "line 1 is empty"),
    vocabulary("gap", VOCABULARY + b"\nx\n", "line 13 is empty; one token per line"),
    vocabulary("special only", VOCABULARY[:31], "nothing but special tokens"),
    vocabulary("binary", b"\x80\x04\x95", "line 1 is not UTF-8"),
    pretrain("vocab: missing", "--vocab_file={here}/v", says="v: cannot be read (No such file"),
    pretrain(
        "vocab: of another size",
        *("--model_config={here}/model.json", "--vocab_file={here}/vocab.txt"),
        says=("model.json: vocab_size is 9, the vocabulary has 6", "--vocab_file"),
        files={
            **CORPUS,
            "model.json": changed(vocab_size=9),
            "vocab.txt": b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n",
        },
    ),
    pretrain("vocab: folder", "--vocab_file={here}", says="cannot be read (Is a directory)"),
    pretrain(
        "vocab: two sources",
        "--vocab_file={here}/v",
        "--vocab_size=300",
        says=("--vocab_size", "--vocab_file", "one of the two"),
    ),
]

CONFIG_CASES = [
    config(
        "heads",
        "hidden_size 8 is not a multiple of num_attention_heads 3",
        num_attention_heads=3,
    ),
    pretrain("config: too long", "--seq_length=513", says=("--seq_length=513", "at most that")),
    config("zero layers", "num_hidden_layers must be a whole number", num_hidden_layers=0),
    config(
        "float width", "hidden_size must be a whole number above 0, not 8.0", hidden_size=8.0
    ),
    config("endless width", "hidden_size must be a whole number", hidden_size=2 * 10**30),
    config("text as width", "hidden_size must be a whole number", hidden_size="8"),
    config(
        "NaN", "initializer_range must be in (0, 1), not nan", initializer_range=float("nan")
    ),
    config(
        "infinity", "layer_norm_eps must be in (0, 1), not inf", layer_norm_eps=float("inf")
    ),
    config("dropout", "hidden_dropout_prob must be in [0, 1), not 1", hidden_dropout_prob=1),
    config("activation", "hidden_act must be one of gelu", hidden_act="swish"),
    config("unknown field", "unknown field 'layers'; known: vocab_size", layers=2),
    config("window", "attention_window must be a whole number", attention_window=-1),
    config("slopes", "alibi_slopes has 1 numbers for 2 attention heads", alibi_slopes=[1]),
    config(
        "neighbours", "neighbour_offsets must be a list of whole numbers", neighbour_offsets=[0]
    ),
    pretrain(
        "config: not JSON",
        "--model_config={here}/corpus/a.txt",
        says="a.txt: is not JSON",
    ),
    pretrain("config: missing", "--model_config={here}/m", says="m: cannot be read (No such"),
]
