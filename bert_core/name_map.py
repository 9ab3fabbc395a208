"""How a variable of this project is spelled in another format: one row per variable.

Both directions are read from the same rows, so import and export cannot disagree.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# The first component of each variable's name: what a model is made of.
PARTS = ("encoder", "head", "pooler", "output")


class Row(NamedTuple):
    """A variable here, and the one or several there that make it up."""

    ours: str
    theirs: tuple[str, ...]  # several are joined along our last axis
    shape: tuple[int, ...]  # of each of theirs
    transposed: bool = False  # theirs are [out, in] where ours is [in, out]

    @property
    def our_shape(self) -> tuple[int, ...]:
        shape = self.shape[::-1] if self.transposed else self.shape
        return (*shape[:-1], shape[-1] * len(self.theirs))

    def line(self) -> str:
        """For reports: `ours [shape] = theirs`."""
        return f"{self.ours} {list(self.our_shape)} = {', '.join(self.theirs)}"


def to_ours(row: Row, theirs: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of `row.shape`, in the order of `row.theirs` -> `row.our_shape`."""
    parts = [array.T if row.transposed else array for array in theirs]
    return np.ascontiguousarray(np.concatenate(parts, axis=-1))


def to_theirs(row: Row, ours: np.ndarray) -> list[np.ndarray]:
    """The inverse of `to_ours`."""
    parts = np.split(ours, len(row.theirs), axis=-1)
    return [np.ascontiguousarray(part.T if row.transposed else part) for part in parts]
