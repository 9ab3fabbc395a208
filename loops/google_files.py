"""Google's directory: bert_config.json, vocab.txt and a checkpoint of named variables."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from bert_core import google_names as names
from bert_core.errors import UserError
from bert_core.foreign_config import from_google, to_google
from bert_core.name_map import to_theirs
from loops.checkpoint_reader import files_of, load, open_checkpoint
from loops.failures import disk_errors
from loops.files import sync, write_whole
from loops.portable import (
    Portable,
    as_lines,
    fitted,
    hashes,
    left_over,
    read_json,
    read_labels,
    skipped,
    take,
)
from loops.vocabulary_files import read_tokenizer

CONFIG, PREFIX = "bert_config.json", "bert_model.ckpt"


def read(directory: Path, lower_case: bool | None) -> Portable:
    """UserError, one line, for what is not BERT, missing, damaged or of another shape."""
    config = from_google(read_json(directory / CONFIG), str(directory / CONFIG))
    tokenizer = read_tokenizer(directory, lower_case)
    prefix = _prefix(directory)
    reader, shapes = open_checkpoint(prefix)
    report = []
    for name in sorted(shapes):
        reason = names.why_skipped(name)
        if reason is not None:
            del shapes[name]
            report.append(skipped(name, reason))
    parts = {
        p for p, start in names.PREFIXES.items() if any(n.startswith(start) for n in shapes)
    }
    num_classes = (shapes.get("output_weights") or (0,))[0] if "output" in parts else 0
    if "output" in parts:
        parts.add("pooler")  # which every classifier of Google's reads
    rows_wanted = names.rows(config, parts, num_classes)
    variables, rows = take(rows_wanted, shapes, lambda name: load(reader, name, prefix), prefix)
    report += [skipped(x) for x in left_over(shapes, rows, "bert/", prefix)]
    return Portable(
        config=config,
        variables=variables,
        tokens=fitted(tokenizer.tokens, config.vocab_size, directory),
        lower_case=tokenizer.lower_case,
        labels=read_labels(directory, num_classes),
        report=[*(row.line() for row in rows), *report, tokenizer.line],
        source=hashes(directory / CONFIG, *files_of(prefix)),
    )


def write(directory: Path, model: Portable) -> list[str]:
    """Writes into an existing directory; returns a report, a line a variable.

    The checkpoint is what tf.compat.v1.train.Saver and tf.train.load_checkpoint read.
    tokenizer_config.json and labels.txt are no files of Google's; they keep what its
    layout has no place for.
    """
    config = to_google(model.config)
    tensors: dict[str, np.ndarray] = {}
    rows = list(names.rows(model.config, model.parts, model.num_classes))
    for row in rows:
        tensors.update(zip(row.theirs, to_theirs(row, model.variables[row.ours]), strict=True))
    with disk_errors(directory):
        tf.raw_ops.SaveV2(
            prefix=str(directory / PREFIX),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=[tf.constant(x) for x in tensors.values()],
        )
    for file in files_of(directory / PREFIX):
        sync(file)
    write_whole(directory / CONFIG, json.dumps(config, indent=2) + "\n")
    case = json.dumps({"do_lower_case": model.lower_case})
    write_whole(directory / "tokenizer_config.json", case + "\n")
    write_whole(directory / "vocab.txt", as_lines(model.tokens))
    if model.labels:
        write_whole(directory / "labels.txt", as_lines(model.labels))
    return [row.line() for row in rows]


def _prefix(directory: Path) -> Path:
    """Google's published name, or the one checkpoint that training has left."""
    if (directory / f"{PREFIX}.index").exists():
        return directory / PREFIX
    found = sorted(directory.glob("*.index"))
    if len(found) != 1:
        there = f"{len(found)} other checkpoints" if found else "no other checkpoint"
        raise UserError(f"{directory}: has no {PREFIX}.index and {there}; name or keep one")
    return found[0].with_suffix("")
