"""How far a compressed file may expand before it is taken for a bomb."""

from pathlib import Path

from bert_core.errors import UserError

MOST_FOLD = 100  # text compresses 3- to 20-fold, zeros 1000-fold
ALWAYS_ALLOWED = 256 * 2**20


class GzipLimit:
    """Counts the bytes that come out of a file; a plain one has no limit."""

    def __init__(self, path: Path):
        self._path = path
        compressed = path.name.lower().endswith(".gz")
        self._left = (
            max(MOST_FOLD * path.stat().st_size, ALWAYS_ALLOWED) if compressed else None
        )

    def count(self, size: int) -> None:
        """UserError when these bytes are too many."""
        if self._left is None:
            return
        self._left -= size
        if self._left < 0:
            raise UserError(
                f"{self._path}: expands more than {MOST_FOLD}-fold, as a gzip bomb does; "
                "decompress it yourself if you trust it"
            )
