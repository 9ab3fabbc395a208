"""What a reader of a corpus saw that its documents do not show."""

import dataclasses
from typing import BinaryIO


@dataclasses.dataclass
class ReadingNotes:
    """Counts, filled in while documents are drawn."""

    blank_lines: int = 0  # of .txt files
    skipped: int = 0  # documents left out by on_bad_text="skip"
    replaced: int = 0  # lines changed by on_bad_text="replace"
    first_bad: str = ""  # "file:line" of the first of either
    bytes_in_all: int = 0  # of the files, as they are on disk
    bytes_before: int = 0  # of those that have been read
    file: BinaryIO | None = dataclasses.field(default=None, compare=False)  # being read

    @property
    def share(self) -> float:
        """How much of the files has been read, from 0 to 1."""
        done = self.bytes_before + (self.file.tell() if self.file else 0)
        return min(1.0, done / max(1, self.bytes_in_all))

    def skip(self, where: str) -> None:
        self.skipped += 1
        self.first_bad = self.first_bad or where

    def replace(self, where: str) -> None:
        self.replaced += 1
        self.first_bad = self.first_bad or where
