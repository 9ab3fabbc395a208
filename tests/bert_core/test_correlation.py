"""Correlations against values by hand, NumPy's, and the definition of ranks."""

import numpy as np
import pytest

from bert_core.correlation import pearson, ranks, spearman


def test_values_by_hand() -> None:
    # Deviations from 3: x -2 -1 0 1 2, y -1 -2 1 0 2; products 8 of 10.
    x, y = np.array([1, 2, 3, 4, 5]), np.array([2, 1, 4, 3, 5])
    assert pearson(x, y) == pytest.approx(0.8)
    assert spearman(x, y) == pytest.approx(0.8)
    # Ranks 1 2.5 2.5 4 and 1 2 3 4: 4.5 / sqrt(4.5 * 5).
    assert spearman(np.array([1, 7, 7, 9]), np.array([0, 1, 2, 3])) == pytest.approx(0.9**0.5)
    # Anything that rises follows in rank. In a straight line less: deviations -1 0 1 and
    # -36 -27 63, products 99 of sqrt(2 * 5994).
    x, y = np.array([1.0, 2, 3]), np.array([1.0, 10, 100])
    assert spearman(x, y) == pytest.approx(1)
    assert pearson(x, y) == pytest.approx(0.904194, abs=1e-6)
    assert spearman(x, -y) == pytest.approx(-1)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_pearson_is_numpys_at_any_scale(scale: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(200)
    y = 0.3 * x + rng.standard_normal(200)
    expected = np.corrcoef(x, y)[0, 1]
    assert pearson(scale * x + 5 * scale, -scale * y) == pytest.approx(-expected)


def test_ranks_are_those_of_counting() -> None:
    x = np.random.default_rng(0).integers(0, 20, 100)
    expected = [np.sum(x < value) + (np.sum(x == value) + 1) / 2 for value in x]
    assert ranks(x).tolist() == expected


def test_without_ties_spearman_is_the_textbooks() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.permutation(30), rng.permutation(30)
    expected = 1 - 6 * np.sum((x - y) ** 2) / (30 * (30**2 - 1))
    assert spearman(x, y) == pytest.approx(expected)


def test_one_value_throughout_says_nothing() -> None:
    x = np.array([0.1, 0.1, 0.1])  # whose mean is not 0.1 in binary
    for other in (np.array([1.0, 2, 3]), x):
        assert pearson(x, other) == pearson(other, x) == spearman(x, other) == 0.0
    assert pearson(np.array([1.0]), np.array([2.0])) == 0.0
    assert pearson(np.zeros(0), np.zeros(0)) == 0.0
