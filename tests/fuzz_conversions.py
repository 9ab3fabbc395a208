"""More of tests/fuzz_targets.py: the files of Google's and Hugging Face's directories."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from loops.convert_check import check_input
from loops.use_options import ConvertOptions
from loops.vocabulary_files import read_tokenizer
from pipelines.vocabulary import check_tokens
from tests.conversions import GOLDEN, READ, transform

Target = Callable[[bytes, Path], object]
_made = tempfile.TemporaryDirectory()


def _conversion(source: str, name: str) -> Target:
    """A file of the golden model in one of the formats, the others as they should be."""

    def read(data: bytes, here: Path) -> object:
        directory = Path(shutil.copytree(_golden(source), here / "model"))
        (directory / name).write_bytes(data)
        options = ConvertOptions(source, "run", directory, here / "out")
        check_tokens(check_input(options), "its vocabulary")
        return READ[source](directory, None).parts

    return read


def _golden(source: str) -> Path:
    """The golden model of Hugging Face's; in Google's format once it has been made."""
    if source == "huggingface":
        return GOLDEN
    directory = Path(_made.name) / source
    if not directory.exists():
        transform("huggingface", source, GOLDEN, directory)
    return directory


def _contents(source: str, name: str) -> tuple[Target, bytes]:
    return _conversion(source, name), (_golden(source) / name).read_bytes()


def _fast_tokenizer() -> bytes:
    tokens = (GOLDEN / "vocab.txt").read_text().splitlines()
    ids = {token: index for index, token in enumerate(tokens)}
    model = {"type": "WordPiece", "vocab": ids}
    added = [{"id": 0, "content": "[PAD]"}]
    values = {
        "model": model,
        "normalizer": {"type": "BertNormalizer", "lowercase": True},
        "added_tokens": added,
    }
    return json.dumps(values).encode()


def _tokenizer_json(data: bytes, here: Path) -> object:
    (here / "tokenizer.json").write_bytes(data)
    return read_tokenizer(here, None)


FILES = (
    ("huggingface", "config.json"),
    ("huggingface", "tokenizer_config.json"),
    ("huggingface", "vocab.txt"),
    ("huggingface", "model.safetensors"),
    ("google", "bert_config.json"),
    ("google", "labels.txt"),
    ("google", "bert_model.ckpt.index"),
    ("google", "bert_model.ckpt.data-00000-of-00001"),
)
CONVERSION_TARGETS = {
    "tokenizer.json": (_tokenizer_json, _fast_tokenizer()),
    **{f"{source}, {name}": _contents(source, name) for source, name in FILES},
}
