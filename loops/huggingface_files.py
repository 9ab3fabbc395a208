"""Hugging Face's directory: config.json, model.safetensors, vocab.txt and its settings."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bert_core import huggingface_names as names
from bert_core.config import BertConfig
from bert_core.errors import UserError
from bert_core.foreign_config import (
    from_huggingface,
    labels_of,
    to_huggingface,
)
from bert_core.name_map import Row, to_theirs
from loops.files import write_whole
from loops.portable import (
    Portable,
    as_lines,
    fitted,
    fitting,
    hashes,
    left_over,
    read_json,
    skipped,
    take,
)
from loops.safetensors_file import SafetensorsFile, write_safetensors
from loops.vocabulary_files import FoundTokenizer, read_tokenizer

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_PICKLES = ("pytorch_model.bin", "model.safetensors.index.json", "tf_model.h5")


class Found(NamedTuple):
    """A directory whose settings, names and shapes fit together; no value read yet."""

    config: BertConfig
    tokenizer: FoundTokenizer
    labels: tuple[str, ...]
    file: SafetensorsFile
    spelled: dict[str, str]  # {canonical name: name in the file}
    rows: list[Row]
    report: list[str]  # what is skipped


def find(directory: Path, lower_case: bool | None) -> Found:
    """Checks it; a one-line UserError for what is not BERT, missing, damaged or misshapen."""
    values = read_json(directory / CONFIG)
    config = from_huggingface(values, str(directory / CONFIG))
    tokenizer = read_tokenizer(directory, lower_case)
    path = _weights(directory)
    file = SafetensorsFile(path)
    spelled, report = _spelled(file, values, path)
    if "cls.predictions.bias" not in spelled and "cls.predictions.decoder.bias" in spelled:
        spelled["cls.predictions.bias"] = spelled.pop("cls.predictions.decoder.bias")
    shapes = {name: file.shapes[actual] for name, actual in spelled.items()}
    parts = {
        p for p, start in names.PREFIXES.items() if any(n.startswith(start) for n in spelled)
    }
    num_classes = (shapes.get("classifier.weight") or (0,))[0] if "output" in parts else 0
    rows = fitting(names.rows(config, parts, num_classes), shapes, path)
    tied = {name: original for name, original in names.TIED.items() if name in spelled}
    for name, original in tied.items():
        if original not in spelled:
            raise UserError(f"{path}: has {name} but no {original}, which it is tied to")
    for name in [*tied, *(name for row in rows for name in row.theirs)]:
        file.check_type(spelled[name])
    left = left_over(set(spelled) - set(tied), rows, "bert.", path)
    report += [skipped(spelled[x]) for x in left]
    labels = labels_of(values, num_classes, str(directory / CONFIG))
    return Found(config, tokenizer, labels, file, spelled, rows, report)


def read(directory: Path, lower_case: bool | None) -> Portable:
    """The whole model; UserError as in `find`, or for values that are not BERT's."""
    found = find(directory, lower_case)
    path, spelled, report = directory / WEIGHTS, found.spelled, list(found.report)

    def load(name: str) -> np.ndarray:
        return found.file.read(spelled[name])

    variables = take(found.rows, load)
    for name, original in names.TIED.items():
        if name in spelled:
            if not np.array_equal(load(name), load(original)):
                raise UserError(
                    f"{path}: {name} differs from {original}; in BERT they are tied"
                )
            report.append(skipped(spelled[name], f"equal to {original}, its other name"))
    mapped = [row._replace(theirs=tuple(spelled[x] for x in row.theirs)) for row in found.rows]
    tokenizer = found.tokenizer
    return Portable(
        config=found.config,
        variables=variables,
        tokens=fitted(tokenizer.tokens, found.config.vocab_size, directory),
        lower_case=tokenizer.lower_case,
        labels=found.labels,
        report=[*(row.line() for row in mapped), *report, tokenizer.line],
        source=hashes(directory / CONFIG, path),
    )


def write(directory: Path, model: Portable) -> list[str]:
    """Writes into an existing directory; returns a report, one line per variable."""
    pad_id = model.tokens.index("[PAD]")
    config = to_huggingface(model.config, model.parts, model.labels, pad_id)
    tokenizer = {
        "do_lower_case": model.lower_case,
        "model_max_length": model.config.max_position_embeddings,
        "tokenizer_class": "BertTokenizer",
    }
    tensors: dict[str, np.ndarray] = {}
    rows = list(names.rows(model.config, model.parts, model.num_classes))
    for row in rows:
        tensors.update(zip(row.theirs, to_theirs(row, model.variables[row.ours]), strict=True))
    write_safetensors(directory / WEIGHTS, tensors)
    write_whole(directory / CONFIG, json.dumps(config, indent=2) + "\n")
    write_whole(directory / "tokenizer_config.json", json.dumps(tokenizer, indent=2) + "\n")
    write_whole(directory / "vocab.txt", as_lines(model.tokens))
    return [row.line() for row in rows]


def _weights(directory: Path) -> Path:
    path = directory / WEIGHTS
    if path.exists():
        return path
    for name in _PICKLES:
        if (directory / name).exists():
            raise UserError(
                f"{directory}: has {name} instead of {WEIGHTS}, all that is read; convert it "
                f"with transformers: BertForPreTraining.from_pretrained({str(directory)!r})"
                ".save_pretrained(NEW)"
            )
    raise UserError(f"{directory}: has no {WEIGHTS}")


def _spelled(
    file: SafetensorsFile, config: dict[str, object], path: Path
) -> tuple[dict[str, str], list[str]]:
    """({canonical name: name in the file}, a report of what is skipped)."""
    has_pooler = any(
        names.canonical(x).startswith(names.PREFIXES["pooler"]) for x in file.shapes
    )
    num_outputs = (file.shapes.get("classifier.weight") or (0,))[0]
    spelled: dict[str, str] = {}
    report = []
    for actual in sorted(file.shapes):
        name = names.canonical(actual)
        reason = names.why_skipped(name, config, has_pooler, num_outputs)
        if reason is not None:
            report.append(skipped(actual, reason))
        elif name in spelled:
            raise UserError(f"{path}: has both {spelled[name]} and {actual}; remove one")
        else:
            spelled[name] = actual
    return spelled, report
