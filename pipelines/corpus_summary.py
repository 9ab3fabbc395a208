"""What a corpus looks like in a few printed lines, gathered while it is read anyway.

notes = ReadingNotes()
summary = CorpusSummary(options, notes)
for document in read_documents(options, notes):
    summary.add(document)
    ...
print("\\n".join(summary.lines()))
"""

import array

import numpy as np

from pipelines.corpus import list_files
from pipelines.options import CorpusOptions
from pipelines.reading_notes import ReadingNotes

# Below the first a median "document" is a wrapped line, above the second a whole book.
_SHORT_DOCUMENT = 120
_LONG_DOCUMENT = 200_000


class CorpusSummary:
    """Sizes and duplicates of the documents added; twelve bytes a document."""

    def __init__(self, options: CorpusOptions, notes: ReadingNotes | None = None) -> None:
        self._boundary = options.document_boundary
        self._notes = ReadingNotes() if notes is None else notes
        names = [path.name.lower() for path in list_files(options)]
        self.num_files = len(names)
        self._has_text_files = any(name.endswith((".txt", ".txt.gz")) for name in names)
        self._lengths = array.array("I")
        self._hashes = array.array("q")

    def add(self, document: str) -> None:
        self._lengths.append(len(document))
        self._hashes.append(hash(document))  # 8 bytes; the same within a process

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

    def lines(self) -> list[str]:
        """The figures, then warnings if there is something to warn about."""
        count = self.num_documents
        lengths = self._sorted_lengths()
        median, longest = (int(lengths[count // 2]), int(lengths[-1])) if count else (0, 0)
        share = self.num_duplicates / max(1, count)
        result = [
            f"corpus: {count:,} documents in {_counted(self.num_files, 'file')}, "
            f"{self.num_characters:,} characters",
            f"  a document: median {median:,} characters, longest {longest:,}; "
            f"exact duplicates {share:.1%}",
        ]
        if self._notes.skipped:
            result.append(
                f"  skipped as not text: {_counted(self._notes.skipped, 'document')}, "
                f"the first at {self._notes.first_bad}"
            )
        if self._notes.replaced:
            result.append(
                f"  not text, replaced by U+FFFD: in {_counted(self._notes.replaced, 'line')}, "
                f"the first at {self._notes.first_bad}"
            )
        warning = self._boundary_warning(median, longest) if self._has_text_files else ""
        return [*result, f"  warning: {warning}"] if warning else result

    def _boundary_warning(self, median: int, longest: int) -> str:
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


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
