"""This project's run directory, as a format to convert from and to."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from bert_core import google_names
from bert_core.config import BertConfig
from bert_core.name_map import Row
from loops.checkpoint_reader import END, START, files_of, is_weight, load, open_checkpoint
from loops.checkpoints import Checkpoints
from loops.files import write_whole
from loops.portable import (
    Portable,
    fitted,
    fitting,
    hashes,
    left_over,
    model_files,
    read_labels,
    read_lines,
    skipped,
    take,
)
from loops.run_directory import read_lower_case, read_run_config
from loops.warm_start import newest_checkpoint


def read(directory: Path, lower_case: bool | None) -> Portable:
    """The weights of a run: its best ones, if it keeps them, or the newest."""
    config = read_run_config(directory)
    tokens = read_lines(directory / "vocab.txt")
    prefix = newest_checkpoint(directory)
    reader, stored = open_checkpoint(prefix)
    shapes = {k[len(START) : -len(END)]: x for k, x in stored.items() if is_weight(k)}
    parts = {name.split("/")[0] for name in shapes}
    num_classes = (shapes.get("output/bias") or (0,))[0]
    rows = fitting(_rows(config, parts, num_classes), shapes, prefix)
    variables = take(rows, lambda name: load(reader, f"{START}{name}{END}", prefix))
    state = [k for k in stored if k.startswith("state/") and not is_weight(k)]
    return Portable(
        config=config,
        variables=variables,
        tokens=fitted(tokens, config.vocab_size, directory),
        lower_case=read_lower_case(directory) if lower_case is None else lower_case,
        labels=read_labels(directory, num_classes),
        report=[
            *map(skipped, left_over(shapes, rows, "encoder/", prefix)),
            *(
                [f"skipped {len(state)} variables of the optimiser and the step"]
                if state
                else []
            ),
        ],
        source=hashes(directory / "run.json", *files_of(prefix)),
    )


def write(directory: Path, model: Portable, source: Mapping[str, Any]) -> list[str]:
    """Writes a run that training can start from; `source` goes into its run.json.

    Its checkpoint holds every part there is: a model takes those it has, by name.
    """
    # Without BERT's pooler a classifier does better with the mean (docs/decisions.md).
    pooling = "cls" if "pooler" in model.parts else "mean"
    config = dataclasses.replace(model.config, pooling=pooling)
    state = tf.Module()
    state.model = _as_modules(model.variables)
    Checkpoints(directory / "checkpoints", state).save(0)
    files = model_files(config, model.tokens, model.lower_case, model.labels)
    for name, contents in files.items():
        write_whole(directory / name, contents)
    record = {
        "program": "convert",
        "model": dataclasses.asdict(config),
        "parts": model.parts,
        "labels": model.labels,
        **source,
        "tensorflow": tf.__version__,
    }
    write_whole(directory / "run.json", json.dumps(record, indent=2) + "\n")
    return []


def _rows(config: BertConfig, parts: set[str], num_classes: int) -> Iterator[Row]:
    """The variables under our own names."""
    for row in google_names.rows(config, parts, num_classes):
        yield Row(row.ours, (row.ours,), row.our_shape)


def _as_modules(variables: Mapping[str, np.ndarray]) -> tf.Module:
    """Nested modules whose attributes give the variables' names."""
    root = tf.Module()
    for name, value in variables.items():
        module = root
        *path, leaf = name.split("/")
        for part in path:
            if part not in vars(module):
                setattr(module, part, tf.Module())
            module = getattr(module, part)
        setattr(module, leaf, tf.Variable(value, name=leaf))
    return root
