"""Predictions as files, whole or absent, a row a text in the order of the input."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
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
    line = io.StringIO()
    writer = csv.writer(
        line, delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\n"
    )

    def written(cells: Sequence[str]) -> str:
        line.seek(0)
        line.truncate()
        writer.writerow(cells)
        return line.getvalue()

    yield written([*columns, "label", *(f"p({name})" for name in names)])
    for texts, row in zip(_rows(columns), probabilities, strict=True):
        yield written([*texts, names[int(row.argmax())], *(f"{share:.8f}" for share in row)])


def _rows(columns: Columns) -> Iterator[tuple[str, ...]]:
    return zip(*columns.values(), strict=True)
