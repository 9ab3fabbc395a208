"""What a reader of a corpus saw that its documents do not show."""

import dataclasses


@dataclasses.dataclass
class ReadingNotes:
    """Counts, filled in while documents are drawn."""

    blank_lines: int = 0  # of .txt files
    skipped: int = 0  # documents left out by on_bad_text="skip"
    replaced: int = 0  # lines changed by on_bad_text="replace"
    first_bad: str = ""  # "file:line" of the first of either

    def skip(self, where: str) -> None:
        self.skipped += 1
        self.first_bad = self.first_bad or where

    def replace(self, where: str) -> None:
        self.replaced += 1
        self.first_bad = self.first_bad or where
