"""What can be seen of a corpus while it is read anyway: sizes, duplicates, characters.

notes = ReadingNotes()
summary = CorpusSummary(options, notes)
for document in read_documents(options, notes):
    summary.add(document)
    ...
print(summary.figures())
"""

import array
from typing import Any

import numpy as np

from pipelines.characters import CharacterCounts
from pipelines.corpus import list_files
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes

# Below the first a median "document" is a wrapped line, above the second a whole book.
_SHORT_DOCUMENT = 120
_LONG_DOCUMENT = 200_000


class CorpusSummary:
    """Figures of the documents added; twelve bytes a document, and 20 MB."""

    def __init__(self, options: CorpusOptions, notes: ReadingNotes | None = None) -> None:
        self._boundary = options.document_boundary
        self._notes = ReadingNotes() if notes is None else notes
        names = [path.name.lower() for path in list_files(options)]
        self.num_files = len(names)
        self._has_text_files = any(name.endswith((".txt", ".txt.gz")) for name in names)
        self._lengths = array.array("I")
        self._hashes = array.array("q")
        self._characters = CharacterCounts()

    def add(self, document: str) -> None:
        self._lengths.append(len(document))
        self._hashes.append(hash(document))  # 8 bytes; the same within a process
        self._characters.add(document)

    @property
    def num_documents(self) -> int:
        return len(self._lengths)

    @property
    def num_characters(self) -> int:
        return int(self._sorted_lengths().sum(dtype=np.int64))

    @property
    def num_duplicates(self) -> int:
        """Documents equal to an earlier one."""
        hashes = (
            np.frombuffer(self._hashes, np.int64) if self._hashes else np.zeros(0, np.int64)
        )
        return self.num_documents - len(np.unique(hashes))

    def figures(self) -> dict[str, Any]:
        """Fields of CorpusReport."""
        count, lengths = self.num_documents, self._sorted_lengths()
        median, longest = (int(lengths[count // 2]), int(lengths[-1])) if count else (0, 0)
        return {
            "files": self.num_files,
            "documents": count,
            "duplicates": self.num_duplicates,
            "characters": self.num_characters,
            "median_characters": median,
            "longest_characters": longest,
            "character_classes": self._characters.kinds(),
            "skipped": self._notes.skipped,
            "replaced": self._notes.replaced,
            "first_bad": self._notes.first_bad,
            "advice": self._boundary_advice(median, longest) if self._has_text_files else "",
        }

    def _boundary_advice(self, median: int, longest: int) -> str:
        """Advice when another --document_boundary would fit the .txt files better."""
        count, blank = self.num_documents, self._notes.blank_lines
        if self._boundary == "line" and median < _SHORT_DOCUMENT and blank > count / 50:
            return (
                f"half the documents are under {median + 1:,} characters and {blank:,} lines "
                "are blank, as in wrapped text; --document_boundary=blank_line reads a "
                "paragraph as a document, =file a file"
            )
        if self._boundary != "line" and (longest > _LONG_DOCUMENT or count == 1):
            return (
                f"the longest document has {longest:,} characters; if each line is a document "
                "of its own, use --document_boundary=line"
            )
        return ""

    def _sorted_lengths(self) -> np.ndarray:
        lengths = np.array(self._lengths, np.uint32)
        lengths.sort()
        return lengths


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
