"""How often each piece occurs in a token stream, and how long its documents are."""

import numpy as np

from pipelines.vocabulary import Vocabulary

LONGEST = 1 << 16  # lengths are counted separately up to here


class TokenCounts:
    """Counts of what was added; V numbers and half a megabyte."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.pieces = np.zeros(vocabulary.size, np.int64)  # [V]
        # [LONGEST + 1], documents of each length in tokens; the last also counts longer ones
        self.lengths = np.zeros(LONGEST + 1, np.int64)
        self._sep_id = vocabulary.sep_id

    def add(self, ids: np.ndarray) -> None:
        """ids [n]: whole documents, each closed by [SEP], which is not part of its length."""
        self.pieces += np.bincount(ids, minlength=len(self.pieces))
        lengths = np.diff(np.flatnonzero(ids == self._sep_id), prepend=-1) - 1
        self.lengths += np.bincount(np.minimum(lengths, LONGEST), minlength=LONGEST + 1)

    def to_lists(self) -> tuple[list[int], list[int]]:
        """Pieces and lengths, ready for JSON."""
        return self.pieces.tolist(), self.lengths.tolist()

    @classmethod
    def from_lists(
        cls, vocabulary: Vocabulary, pieces: list[int], lengths: list[int]
    ) -> "TokenCounts":
        counts = cls(vocabulary)
        counts.pieces[:], counts.lengths[:] = pieces, lengths
        return counts

    def include(self, other: "TokenCounts") -> None:
        """Adds what another has counted."""
        self.pieces += other.pieces
        self.lengths += other.lengths
