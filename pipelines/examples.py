"""Labelled texts from .jsonl, .csv and .tsv files."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bert_core.errors import UserError
from pipelines.options import ExamplesOptions
from pipelines.text_lines import MAX_LINE, lines_of

DELIMITERS = {".csv": ",", ".tsv": "\t"}


class Example(NamedTuple):
    """A text, or a pair of texts, and its label as it stands in the file."""

    text: str  # may be empty
    text_pair: str | None  # None where options name no second column
    label: str | None  # None where labels are not read


def read_examples(
    path: Path,
    options: ExamplesOptions,
    allow_fractions: bool = False,
) -> list[Example]:
    """Reads a `.jsonl`, `.csv` or `.tsv` file, each optionally with `.gz` added.

    CSV and TSV have a header and follow the csv module's quoting, strictly: a
    stray quote is an error, not a silently swallowed row. Blank lines are skipped.
    Labels lose surrounding blanks; JSON's 1 and true become "1" and "true".

    Args:
      path: UTF-8, with or without a byte-order mark.
      options: the columns (fields, in JSON) to read; others are ignored. Without a
        label column examples have no labels, as for prediction.
      allow_fractions: a label may be any JSON number, spelled as JSON spells it.

    Raises:
      UserError: naming file and line, for whatever does not fit the above.
    """
    path = Path(path)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in (".jsonl", *DELIMITERS):
        hint = " (.conll is for --task=token_classification)" if suffix == ".conll" else ""
        raise UserError(
            f"{path}: unknown kind of file; give .jsonl, .csv or .tsv, or a .gz{hint}"
        )
    pair, label = options.text_pair_column, options.label_column
    columns = {options.text_column: "--text_column"}  # and the flag that names each
    columns |= {pair: "--text_pair_column"} if pair else {}
    columns |= {label: "--label_column"} if label else {}
    if suffix == ".jsonl":
        records = json_records(path, columns)
    else:
        records = _csv_records(path, columns, DELIMITERS[suffix])
    examples = [
        Example(
            text=text_in(record, options.text_column, where),
            text_pair=text_in(record, pair, where) if pair else None,
            label=_label(record[label], label, where, allow_fractions) if label else None,
        )
        for where, record in records
    ]
    if not examples:
        raise UserError(f"{path}: holds no examples; bring a file with one text per row")
    return examples


def label_names(examples: Sequence[Example]) -> list[str]:
    """The distinct labels of the training examples, sorted, as numbers if all are numbers.

    Raises:
      UserError: fewer than two labels.
    """
    names = {example.label for example in examples if example.label is not None}
    if len(names) < 2:
        found = f"only the label {names.pop()!r}" if names else "no labels"
        raise UserError(f"the training examples hold {found}; a classifier needs two or more")
    if all(re.fullmatch(r"-?[0-9]{1,18}", name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def label_ids(examples: Sequence[Example], names: Sequence[str], where: str) -> np.ndarray:
    """The place of each example's label in `names`, [n] int32.

    Raises:
      UserError: a label that is not in `names`; `where` names the examples' file.
    """
    ids: dict[str | None, int] = {name: index for index, name in enumerate(names)}
    for number, example in enumerate(examples, start=1):
        if example.label not in ids:
            raise UserError(
                f"{where}: label {example.label!r} of example {number} is not among the "
                f"labels trained on: {_shown(names)}; correct it, or train on examples of it"
            )
    return np.array([ids[example.label] for example in examples], np.int32)


def json_records(path: Path, columns: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a .jsonl file, each with its place for errors.

    columns: the fields that each must have, and the flags that name them.
    """
    for number, line in enumerate(lines_of(path), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)  # without the line number, always 1
            raise UserError(f"{where}: is not JSON ({reason})") from None
        if not isinstance(record, dict):
            raise UserError(f"{where}: must be a JSON object with {_shown(list(columns))}")
        _check_columns(columns, list(record), where)
        yield where, record


def _csv_records(
    path: Path, columns: dict[str, str], delimiter: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    before = csv.field_size_limit(MAX_LINE)  # a setting of the whole process
    rows = csv.reader(lines_of(path), delimiter=delimiter, strict=True)
    header: list[str] = []
    where = f"{path}, line 1"
    try:
        for row in rows:
            if row and not header:
                header = row
                _check_columns(columns, header, where)
            elif row:
                if len(row) != len(header):
                    counts = f"{len(row)} fields where the header has {len(header)}"
                    raise UserError(f"{where}: has {counts}; put such texts in double quotes")
                yield where, dict(zip(header, row, strict=True))
            where = f"{path}, line {rows.line_num + 1}"  # where the next row starts
    except csv.Error as error:
        raise UserError(f"{where}: {error}; are its quotes balanced?") from None
    finally:
        csv.field_size_limit(before)


def _check_columns(columns: dict[str, str], found: list[str], where: str) -> None:
    for column, flag in columns.items():
        if found.count(column) != 1:
            problem = "appears twice" if column in found else "is missing"
            shown = f"found {_shown(found)}; {flag} names it"
            if len(found) == 1 and ";" in found[0]:
                shown = "semicolons separate its columns; save it with commas"
            raise UserError(f"{where}: column {column!r} {problem}; {shown}")


def text_in(record: dict[str, Any], column: str, where: str) -> str:
    """A record's text; UserError if it is not text."""
    return _text(record[column], column, where)


def _text(text: Any, column: str, where: str) -> str:
    if not isinstance(text, str):
        raise UserError(f"{where}: {column!r} must be a string, not {_shown([text])}")
    if re.search("[\ud800-\udfff]", text):  # JSON's escapes can spell half a character
        raise UserError(f"{where}: {column!r} holds an unpaired surrogate")
    return text


def _label(label: Any, column: str, where: str, allow_fractions: bool) -> str:
    if isinstance(label, int) or (allow_fractions and isinstance(label, float)):  # bool too
        label = json.dumps(label)
    label = _text(label, column, where).strip()
    if not label or re.search("[\r\n]", label):
        problem = "has more than one line" if label else "is empty"
        raise UserError(f"{where}: the label in {column!r} {problem}; give each text one")
    return label


def _shown(values: Sequence[Any]) -> str:
    """Values for an error: on one line, and not a screenful."""
    shown = ", ".join(map(repr, values[:20]))
    return shown[:300] + ("..." if len(values) > 20 or len(shown) > 300 else "")
