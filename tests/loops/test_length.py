"""How many steps a run has, and how many a host call makes."""

import pytest

from loops.length import num_steps, steps_a_call
from loops.options import LengthOptions


def test_num_steps() -> None:
    assert num_steps(LengthOptions(num_train_steps=7), 100, 0.5) == 7
    assert num_steps(LengthOptions(num_epochs=1.5), 100, 0.5) == 150
    assert num_steps(LengthOptions(max_minutes=2), 100, 0.5) == 240
    assert num_steps(LengthOptions(max_minutes=1e-9), 100, 0.5) == 1


def test_beside_another_limit_minutes_are_a_limit_too() -> None:
    assert num_steps(LengthOptions(num_epochs=2, max_minutes=1), 100, 0.5) == 120
    assert num_steps(LengthOptions(num_epochs=1, max_minutes=1), 100, 0.5) == 100
    assert num_steps(LengthOptions(num_train_steps=7, max_minutes=1), 100, 0.5) == 7


@pytest.mark.parametrize(
    ("parameters", "tokens", "steps"),
    [(10, 10, 10), (1_500_000, 32 * 128, 5), (110_000_000, 8 * 128, 1)],
)
def test_a_signal_waits_for_seconds_not_minutes(
    parameters: int, tokens: int, steps: int
) -> None:
    assert steps_a_call(parameters, tokens) == steps
