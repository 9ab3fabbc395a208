"""Sentences with one tag per word, from files in CoNLL format."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from bert_core.errors import UserError
from pipelines.examples import Example
from pipelines.text_lines import lines_of

_WORD = re.compile(r"[^ \t\r\n]+")
_TAG = re.compile(r"O|[BIES]-.+")


def read_conll(path: Path) -> list[Example]:
    """The sentences of a file, optionally `.gz`, as words and tags joined by single blanks.

    A line is a word and its tag, the first and the last of its columns, separated by blanks
    or tabs. A blank line ends a sentence; lines that begin with -DOCSTART- are headings.
    A tag is O, or B-, I-, E- or S- and the kind of the entity.

    Raises:
      UserError: naming file and line, for whatever does not fit the above.
    """
    examples: list[Example] = []
    for has_words, lines in itertools.groupby(_lines_of_words(path), key=bool):
        if has_words:
            words, tags = zip(*lines, strict=True)
            examples.append(Example(" ".join(words), None, " ".join(tags)))
    if not examples:
        raise UserError(
            f"{path}: holds no sentences; bring a file with a word and one tag per line"
        )
    return examples


def words_in(line: str) -> list[str]:
    """The words of a line, separated by blanks or tabs."""
    return _WORD.findall(line)


def _lines_of_words(path: Path) -> Iterator[tuple[str, str] | None]:
    """(word, tag) of each line, None for one between sentences."""
    num_columns = first_line = 0
    for number, line in enumerate(lines_of(path), start=1):
        where = f"{path}, line {number}"
        cells = words_in(line)
        if not cells or cells[0] == "-DOCSTART-":
            yield None
            continue
        if not num_columns:
            num_columns, first_line = len(cells), number
        if len(cells) < 2:
            raise UserError(f"{where}: has one column; a word and its tag are needed")
        if len(cells) != num_columns:
            raise UserError(
                f"{where}: has {len(cells)} columns where line {first_line} has {num_columns}; "
                "a word cannot hold blanks"
            )
        if not _TAG.fullmatch(cells[-1]):
            raise UserError(
                f"{where}: tag {cells[-1][:80]!r} is neither O nor B-, I-, E- or S- and the "
                "kind of an entity; the last column must be the tag"
            )
        yield cells[0], cells[-1]
