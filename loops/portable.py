"""A model on its way from one format to another, and what all formats share."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bert_core.config import BertConfig
from bert_core.errors import UserError
from bert_core.name_map import PARTS, Row, to_ours
from loops.files import sha256


@dataclasses.dataclass(frozen=True)
class Portable:
    """All there is to a model, by this project's names."""

    config: BertConfig
    variables: dict[str, np.ndarray]
    tokens: tuple[str, ...]  # the vocabulary, by id
    lower_case: bool
    labels: tuple[str, ...]  # class names by id; empty except for a classifier
    report: list[str]  # a line per variable: what it came from or why it was skipped
    source: dict[str, str]  # SHA-256 of the files read, by name

    @property
    def parts(self) -> tuple[str, ...]:
        """Which of name_map.PARTS are there."""
        return tuple(p for p in PARTS if any(x.startswith(f"{p}/") for x in self.variables))

    @property
    def num_classes(self) -> int:
        return len(self.labels)


def fitting(
    rows: Iterable[Row], shapes: Mapping[str, tuple[int, ...]], where: Path
) -> list[Row]:
    """The rows; UserError for the first whose variable is missing or of another shape."""
    checked = []
    for row in rows:  # lazily: a configuration may claim a billion layers
        for name in row.theirs:
            if name not in shapes:
                raise UserError(f"{where}: has no {name}, which its configuration asks for")
            if shapes[name] != row.shape:
                raise UserError(
                    f"{where}: {name} has shape {list(shapes[name])}, its configuration "
                    f"asks for {list(row.shape)}"
                )
        checked.append(row)
    return checked


def take(rows: Iterable[Row], load: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
    """Loads what the rows name: variables by our names."""
    return {row.ours: to_ours(row, [load(name) for name in row.theirs]) for row in rows}


def left_over(
    names: Iterable[str], rows: Iterable[Row], encoder: str, where: Path
) -> list[str]:
    """The names that no row has taken.

    Raises UserError for one that begins with `encoder`: the model computes something
    that this one would not.
    """
    left = sorted(set(names) - {name for row in rows for name in row.theirs})
    for name in left:
        if name.startswith(encoder):
            raise UserError(
                f"{where}: {name} has no place in a BERT of its configuration; only BERT "
                "can be converted"
            )
    return left


NO_USE = "this project has no part that uses it"


def skipped(name: str, reason: str = NO_USE) -> str:
    """A line for the report."""
    return f"skipped {name}: {reason}"


def read_json(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object; UserError otherwise."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
        json.dumps(values, ensure_ascii=False).encode()  # no half of a surrogate pair
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: is not JSON in UTF-8") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold a JSON object")
    return values


def read_lines(path: Path) -> tuple[str, ...]:
    """vocab.txt or labels.txt; only \\n and \\r\\n end lines, as tokens may be U+2028."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8; save it as UTF-8") from None
    return tuple(x.removesuffix("\r") for x in text.removesuffix("\n").split("\n"))


def as_lines(values: Iterable[str]) -> str:
    """The contents of vocab.txt or labels.txt, as `read_lines` reads them."""
    text = "".join(f"{value}\n" for value in values)
    # A first value that looks like a byte order mark would be taken for one.
    return f"\ufeff{text}" if text.startswith("\ufeff") else text


def model_files(
    config: BertConfig, tokens: Iterable[str], lower_case: bool, labels: Iterable[str] = ()
) -> dict[str, str]:
    """The contents of the small files that describe a model, by name."""
    files = {
        "config.json": config.to_json(),
        "vocab.txt": as_lines(tokens),
        "tokenizer_config.json": json.dumps({"do_lower_case": lower_case}),
        "labels.txt": as_lines(labels),
    }
    return {name: contents for name, contents in files.items() if contents}


def read_labels(directory: Path, num_classes: int) -> tuple[str, ...]:
    """The lines of labels.txt; the numbers of the classes if there is none."""
    path = directory / "labels.txt"
    if not num_classes or not path.exists():
        return tuple(str(i) for i in range(num_classes))
    labels = read_lines(path)
    if len(labels) != num_classes:
        raise UserError(f"{path}: has {len(labels)} lines, the model {num_classes} classes")
    return labels


def fitted(tokens: tuple[str, ...], vocab_size: int, where: Path) -> tuple[str, ...]:
    """The vocabulary with a token for each row of the embedding.

    Embeddings are sometimes padded to a round number; the rows nobody uses get names.
    """
    if len(tokens) > vocab_size:
        raise UserError(
            f"{where}: has {len(tokens)} tokens, the configuration's vocab_size is {vocab_size}"
        )
    known = set(tokens)
    spare = (f"[unused-{i}]" for i in range(len(tokens), vocab_size))
    return (*tokens, *(x if x not in known else f"{x}-" for x in spare))


def hashes(*paths: Path) -> dict[str, str]:
    """{file name: SHA-256} of what a conversion was made from."""
    return {path.name: sha256(path) for path in paths}
