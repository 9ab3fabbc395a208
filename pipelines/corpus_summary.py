"""What can be seen of a corpus while it is read anyway: sizes, duplicates, characters.

counts, seen, notes = DocumentCounts(), SeenDocuments(), ReadingNotes()
for document in read_documents(options, notes):
    counts.add(document)
    seen.add(document)
    ...
print(summarise(names, options, notes, counts.figures(), seen.duplicates))
"""

import array
import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.characters import CharacterCounts
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes

# Below the first a median "document" is a wrapped line, above the second a whole book.
_SHORT_DOCUMENT = 120
_LONG_DOCUMENT = 200_000


class DocumentCounts:
    """Counts of the documents added, in 20 MB and one number per length; parts add up."""

    def __init__(self) -> None:
        self._lengths: collections.Counter[int] = collections.Counter()
        self._characters = CharacterCounts()

    def add(self, document: str) -> None:
        self._lengths[len(document)] += 1
        self._characters.add(document)

    def include(self, other: "DocumentCounts") -> None:
        """Adds what another has counted."""
        self._lengths.update(other._lengths)
        self._characters.include(other._characters)

    def figures(self) -> dict[str, Any]:
        """Fields of CorpusReport, ready for JSON."""
        lengths = np.array(sorted(self._lengths), np.int64)
        times = np.array([self._lengths[length] for length in lengths.tolist()], np.int64)
        up_to = np.cumsum(times)
        count = int(times.sum())
        middle = int(np.searchsorted(up_to, count // 2, side="right"))
        return {
            "documents": count,
            "characters": int(lengths @ times),
            "median_characters": int(lengths[middle]) if count else 0,
            "longest_characters": int(lengths[-1]) if count else 0,
            "character_classes": self._characters.kinds(),
        }


class SeenDocuments:
    """Eight bytes per document, to count those that are equal."""

    def __init__(self) -> None:
        self._hashes = array.array("q")

    def add(self, document: str) -> None:
        self._hashes.append(hash(document))  # the same within a process

    @property
    def duplicates(self) -> int:
        """Documents equal to an earlier one."""
        return len(self._hashes) - len(np.unique(np.array(self._hashes, np.int64)))


def summarise(
    names: Sequence[str],
    options: CorpusOptions,
    notes: ReadingNotes,
    figures: dict[str, Any],
    duplicates: int,
) -> dict[str, Any]:
    """All that a CorpusReport has from reading the files of these names."""
    has_text_files = any(name.lower().endswith((".txt", ".txt.gz")) for name in names)
    advice = _boundary_advice(options.document_boundary, notes, figures)
    return {
        "files": len(names),
        "duplicates": duplicates,
        **figures,
        "skipped": notes.skipped,
        "replaced": notes.replaced,
        "first_bad": notes.first_bad,
        "advice": advice if has_text_files else "",
    }


def _boundary_advice(boundary: str, notes: ReadingNotes, figures: dict[str, Any]) -> str:
    """Advice when another --document_boundary would fit the .txt files better."""
    count, blank = figures["documents"], notes.blank_lines
    median, longest = figures["median_characters"], figures["longest_characters"]
    if boundary == "line" and median < _SHORT_DOCUMENT and blank > count / 50:
        return (
            f"half the documents are under {median + 1:,} characters and {blank:,} lines "
            "are blank, as in wrapped text; --document_boundary=blank_line reads a "
            "paragraph as a document, =file a file"
        )
    if boundary != "line" and (longest > _LONG_DOCUMENT or count == 1):
        return (
            f"the longest document has {longest:,} characters; if each line is a document "
            "of its own, use --document_boundary=line"
        )
    return ""


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
