"""Predictions as files, whole or absent, one row per text in the order of the input."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loops.files import whole_file

Columns = Mapping[str, Sequence[str]]  # the input's own: name -> a text for each row
Answer = tuple[dict[str, Any], list[str]]  # to one text: fields of JSON, and cells of a table


def write_classes(
    path: Path, columns: Columns, names: Sequence[str], probabilities: np.ndarray
) -> None:
    """Writes the texts with their label and the probability of each class.

    .jsonl: {"text": ..., "label": ..., "probabilities": {name: p, ...}} per line.
    .csv, .tsv: the columns text, label, p(name), ...; quoted where necessary.

    Args:
      probabilities: [n, C] float64.
    """
    answers = (_class_answer(names, row) for row in probabilities)
    _write(path, columns, ["label", *(f"p({name})" for name in names)], answers)


def write_numbers(path: Path, columns: Columns, numbers: np.ndarray) -> None:
    """Writes the texts, each with its number, of [n] float64, under "predicted"."""
    answers = (({"predicted": number}, [str(number)]) for number in numbers.tolist())
    _write(path, columns, ["predicted"], answers)


def write_tags(path: Path, sentences: Iterable[Iterable[tuple[str, str]]]) -> None:
    """Writes CoNLL: a word and its tag per line, an empty line after each sentence."""
    with whole_file(path) as file:
        for sentence in sentences:
            lines = [f"{word} {tag}\n" for word, tag in sentence]
            file.write("".join([*lines, "\n"]).encode())


def write_vectors(path: Path, vectors: np.ndarray) -> None:
    """Writes [n, H] float32 as NumPy's .npy."""
    with whole_file(path) as file:
        np.save(file, vectors)


def _class_answer(names: Sequence[str], row: np.ndarray) -> Answer:
    label, shares = names[int(row.argmax())], row.tolist()
    rounded = {name: round(share, 8) for name, share in zip(names, shares, strict=True)}
    return (
        {"label": label, "probabilities": rounded},
        [label, *(f"{share:.8f}" for share in shares)],
    )


def _write(
    path: Path, columns: Columns, header: Sequence[str], answers: Iterable[Answer]
) -> None:
    """Writes the input's columns, then the answers, in the format of the file's suffix."""
    rows = zip(zip(*columns.values(), strict=True), answers, strict=True)
    lines: Iterator[str]
    if path.suffix == ".jsonl":
        lines = (
            json.dumps(dict(zip(columns, texts, strict=True)) | fields, ensure_ascii=False)
            + "\n"
            for texts, (fields, _) in rows
        )
    else:
        cells = ([*texts, *cells] for texts, (_, cells) in rows)
        lines = _as_lines(path, [*columns, *header], cells)
    with whole_file(path) as file:
        for line in lines:
            file.write(line.encode())


def _as_lines(path: Path, header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Lines of a .csv or .tsv, quoted where necessary."""
    line = io.StringIO()
    writer = csv.writer(
        line, delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\r\n"
    )
    for cells in itertools.chain([header], rows):
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        # So a cell with \r or \n in it is quoted, as for readers each ends a line.
        yield line.getvalue().removesuffix("\r\n") + "\n"
