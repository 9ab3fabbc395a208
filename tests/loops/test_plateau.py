"""The warning comes on the plateau, and only there."""

import pytest

from loops.plateau import plateau_warning

ENTROPY, TOP_SHARE = 6.6, 0.05


@pytest.mark.parametrize(
    ("loss", "accuracy", "warns"),
    [
        (6.6, 0.05, True),
        (6.1, 0.06, True),
        (0.91 * ENTROPY, 0.05, True),
        (0.89 * ENTROPY, 0.05, False),  # left it by its loss
        (6.6, 0.08, False),  # left it by its accuracy
        (4.8, 0.25, False),
    ],
)
def test_when(loss: float, accuracy: float, warns: bool) -> None:
    warning = plateau_warning(loss, accuracy, ENTROPY, TOP_SHARE, False, 1e-3)
    assert bool(warning) == warns


def test_the_likely_causes_come_in_order() -> None:
    without = plateau_warning(6.6, 0.05, ENTROPY, TOP_SHARE, False, 1e-3)
    with_locality = plateau_warning(6.6, 0.05, ENTROPY, TOP_SHARE, True, 1e-3)
    assert without is not None
    assert with_locality is not None
    assert "(1) no locality: train with --locality=alibi; (2) learning rate 1e-03" in without
    assert "locality" not in with_locality
    assert "(1) learning rate" in with_locality
    assert "\n" not in without
