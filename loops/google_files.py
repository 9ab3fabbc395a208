"""Google's directory: bert_config.json, vocab.txt and a checkpoint of named variables."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from bert_core import google_names as names
from bert_core.foreign_config import from_google, to_google
from bert_core.name_map import to_theirs
from loops.checkpoint_reader import files_of, load, open_checkpoint
from loops.convert_check import GOOGLES_CONFIG, GOOGLES_PREFIX, find_google_prefix
from loops.failures import disk_errors
from loops.files import sync, write_whole
from loops.portable import (
    Portable,
    as_lines,
    fitted,
    fitting,
    hashes,
    left_over,
    read_json,
    read_labels,
    skipped,
    take,
)
from loops.vocabulary_files import read_tokenizer


def read(directory: Path, lower_case: bool | None) -> Portable:
    """Reads it; a one-line UserError for what is not BERT, missing, damaged or misshapen."""
    config = from_google(read_json(directory / GOOGLES_CONFIG), str(directory / GOOGLES_CONFIG))
    tokenizer = read_tokenizer(directory, lower_case)
    prefix = find_google_prefix(directory)
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
        parts.add("pooler")  # which every Google classifier reads
    rows = fitting(names.rows(config, parts, num_classes), shapes, prefix)
    variables = take(rows, lambda name: load(reader, name, prefix))
    report += [skipped(x) for x in left_over(shapes, rows, "bert/", prefix)]
    return Portable(
        config=config,
        variables=variables,
        tokens=fitted(tokenizer.tokens, config.vocab_size, directory),
        lower_case=tokenizer.lower_case,
        labels=read_labels(directory, num_classes),
        report=[*(row.line() for row in rows), *report, tokenizer.line],
        source=hashes(directory / GOOGLES_CONFIG, *files_of(prefix)),
    )


def write(directory: Path, model: Portable) -> list[str]:
    """Writes into an existing directory; returns a report, one line per variable.

    The checkpoint is what tf.compat.v1.train.Saver and tf.train.load_checkpoint read.
    tokenizer_config.json and labels.txt are not part of Google's layout; they keep what
    it has no place for.
    """
    config = to_google(model.config)
    tensors: dict[str, np.ndarray] = {}
    rows = list(names.rows(model.config, model.parts, model.num_classes))
    for row in rows:
        tensors.update(zip(row.theirs, to_theirs(row, model.variables[row.ours]), strict=True))
    with disk_errors(directory):
        tf.raw_ops.SaveV2(
            prefix=str(directory / GOOGLES_PREFIX),
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=[tf.constant(x) for x in tensors.values()],
        )
    for file in files_of(directory / GOOGLES_PREFIX):
        sync(file)
    write_whole(directory / GOOGLES_CONFIG, json.dumps(config, indent=2) + "\n")
    case = json.dumps({"do_lower_case": model.lower_case})
    write_whole(directory / "tokenizer_config.json", case + "\n")
    write_whole(directory / "vocab.txt", as_lines(model.tokens))
    if model.labels:
        write_whole(directory / "labels.txt", as_lines(model.labels))
    return [row.line() for row in rows]
