"""How well predicted numbers follow the true ones. NumPy only."""

import numpy as np


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """sum (x - mean x)(y - mean y) / (|x - mean x| |y - mean y|), in [-1, 1]; both [n].

    0 where x or y is constant (0 / 0): it then says nothing about the other.
    """
    if len(x) == 0 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    x, y = _unit(x), _unit(y)
    return float(np.clip(x @ y, -1.0, 1.0))


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation of the ranks: 1 if y rises wherever x does."""
    return pearson(ranks(x), ranks(y))


def ranks(x: np.ndarray) -> np.ndarray:
    """[n] -> [n] float64: 1 for the smallest; equal values share the mean of their ranks."""
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)  # the rank of the last of each distinct value
    return (last - (counts - 1) / 2.0)[place]


def _unit(x: np.ndarray) -> np.ndarray:
    """x - mean x as a vector of length 1; large and small values square safely."""
    centred = np.asarray(x, np.float64) - np.mean(x, dtype=np.float64)
    centred /= np.abs(centred).max()
    return centred / np.linalg.norm(centred)
