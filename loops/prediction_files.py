"""Predictions as files, whole or absent, a row a text in the order of the input."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from loops.files import whole_file

Columns = Mapping[str, Sequence[str]]  # the input's own: name -> a text for each row


def write_classes(
    path: Path, columns: Columns, names: Sequence[str], probabilities: np.ndarray
) -> None:
    """Writes the texts with their label and the probability of each class.

    .jsonl: {"text": ..., "label": ..., "probabilities": {name: p, ...}} a line.
    .csv, .tsv: the columns text, label, p(name), ...; quoted where need be.

    Args:
      probabilities: [n, C] float64.
    """
    write = _json_lines if path.suffix == ".jsonl" else _table
    with whole_file(path) as file:
        for line in write(path, columns, names, probabilities):
            file.write(line.encode())


def write_numbers(path: Path, columns: Columns, numbers: np.ndarray) -> None:
    """The texts, each with its number under "predicted"; [n] float64."""
    values = [float(f"{number:.6g}") for number in numbers.tolist()]
    with whole_file(path) as file:
        if path.suffix == ".jsonl":
            for texts, value in zip(_rows(columns), values, strict=True):
                record = {**dict(zip(columns, texts, strict=True)), "predicted": value}
                file.write((json.dumps(record, ensure_ascii=False) + "\n").encode())
            return
        rows = ([*texts, str(x)] for texts, x in zip(_rows(columns), values, strict=True))
        for line in _as_lines(path, [*columns, "predicted"], rows):
            file.write(line.encode())


def write_tags(path: Path, sentences: Iterable[Iterable[tuple[str, str]]]) -> None:
    """CoNLL's form: a word and its tag a line, an empty line behind each sentence."""
    with whole_file(path) as file:
        for sentence in sentences:
            lines = [f"{word} {tag}\n" for word, tag in sentence]
            file.write("".join([*lines, "\n"]).encode())


def write_vectors(path: Path, vectors: np.ndarray) -> None:
    """Writes [n, H] float32 as NumPy's .npy."""
    with whole_file(path) as file:
        np.save(file, vectors)


def _json_lines(
    path: Path, columns: Columns, names: Sequence[str], probabilities: np.ndarray
) -> Iterator[str]:
    for texts, row in zip(_rows(columns), probabilities, strict=True):
        values = dict(zip(columns, texts, strict=True))
        shares = {
            name: round(share, 8) for name, share in zip(names, row.tolist(), strict=True)
        }
        record = {**values, "label": names[int(row.argmax())], "probabilities": shares}
        yield json.dumps(record, ensure_ascii=False) + "\n"


def _table(
    path: Path, columns: Columns, names: Sequence[str], probabilities: np.ndarray
) -> Iterator[str]:
    rows = (
        [*texts, names[int(row.argmax())], *(f"{share:.8f}" for share in row)]
        for texts, row in zip(_rows(columns), probabilities, strict=True)
    )
    return _as_lines(path, [*columns, "label", *(f"p({name})" for name in names)], rows)


def _as_lines(path: Path, header: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Lines of a .csv or .tsv, quoted where need be."""
    line = io.StringIO()
    writer = csv.writer(
        line, delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\r\n"
    )
    for cells in itertools.chain([header], rows):
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        # What has either in it is quoted, as both end a line for readers.
        yield line.getvalue().removesuffix("\r\n") + "\n"


def _rows(columns: Columns) -> Iterator[tuple[str, ...]]:
    return zip(*columns.values(), strict=True)
