"""Texts to predict on: from a file, or a line at a time."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from bert_core.errors import UserError
from pipelines.examples import Example, read_examples
from pipelines.options import ExamplesOptions
from pipelines.text_lines import MAX_LINE, lines_of


def read_texts(path: Path, columns: ExamplesOptions) -> list[Example]:
    """The texts of a .txt, .jsonl, .csv or .tsv file, each optionally with .gz added.

    Every line of a .txt is a text, empty ones too, so that line n of the predictions
    belongs to line n. Other files are read by `read_examples`.

    Raises:
      UserError: naming file and line, for whatever does not fit.
    """
    if not path.name.lower().removesuffix(".gz").endswith(".txt"):
        return read_examples(path, dataclasses.replace(columns, label_column=None))
    if columns.text_pair_column:
        raise UserError(f"{path}: has no columns for --text_pair_column; give a .tsv file")
    examples = [Example(_without_end(line), None, None) for line in lines_of(path)]
    if not any(example.text.strip() for example in examples):
        raise UserError(f"{path}: holds no texts; write one a line")
    return examples


def text_columns(examples: Sequence[Example], columns: ExamplesOptions) -> dict[str, list[str]]:
    """{column: its texts}, for the first column and the second where there is one."""
    texts = {columns.text_column: [example.text for example in examples]}
    if columns.text_pair_column:
        texts[columns.text_pair_column] = [example.text_pair or "" for example in examples]
    return texts


def texts_of_stream(stream: BinaryIO) -> Iterator[str]:
    """A text for each line of standard input, as soon as it is there.

    Raises:
      UserError: a line that is not text, or no line at all.
    """
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        where = f"standard input, line {number}"
        if len(line) > MAX_LINE:
            raise UserError(f"{where}: is longer than {MAX_LINE} bytes; is it text?")
        try:
            yield _without_end(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            raise UserError(f"{where}: is not UTF-8; convert it first") from None
    if not number:
        raise UserError("no texts; give them as arguments, on standard input or by --input")


def _without_end(line: str) -> str:
    return line.rstrip("\r\n")
