"""Regressions' answers in the units of their file."""

import numpy as np
import pytest

from bert_core.units import in_units


@pytest.mark.parametrize("deviation", [1e-305, 0.5, 1.0, 12.0, 1e300])
@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_a_millionth_of_the_deviation_is_kept(mean: float, deviation: float) -> None:
    answers = np.array([[0.0], [1 / 3], [-2.0]], np.float32)
    found = in_units(answers, mean * deviation, deviation)
    expected = (np.array([0, 1 / 3, -2]) + mean) * deviation
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * deviation)


def test_what_float32_does_not_know_is_not_shown() -> None:
    answers = np.array([[1 / 3], [2 / 3]], np.float32)
    assert in_units(answers, 0.0, 1.0).tolist() == [0.333333, 0.666667]


def test_large_numbers_close_together() -> None:
    """Seconds since 1970: six digits of them would be the same for all."""
    answers = np.array([[-1.0], [1.0]], np.float32)
    assert in_units(answers, 1_700_000_900.0, 400.0).tolist() == [1_700_000_500, 1_700_001_300]
