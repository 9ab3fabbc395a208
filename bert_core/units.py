"""Numbers learned in standard deviations, back in the units of their file. NumPy only."""

import math

import numpy as np


def in_units(answers: np.ndarray, mean: float, deviation: float) -> np.ndarray:
    """Undoes the scaling of a regression's targets.

    Rounded to a millionth of the deviation: float32 holds no more.

    Args:
      answers: [n, 1] float32, in standard deviations from the mean.

    Returns:
      [n] float64.
    """
    decimals = 6 - math.ceil(math.log10(deviation))
    values = answers[:, 0].astype(np.float64) * deviation + mean
    return np.round(values, decimals) if abs(decimals) < 300 else values  # 1e309 is not a float
