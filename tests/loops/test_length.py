"""How many steps a run has, and how many a host call makes."""

from collections.abc import Iterator
from typing import Any

import pytest
import tensorflow as tf

from loops import length
from loops.length import num_steps, seconds_per_step, steps_per_call
from loops.options import LengthOptions
from tests.toy import Batch


class Steps:
    """Stands for TrainState and TrainSteps: a step takes one millisecond per token."""

    def __init__(self) -> None:
        self.clock = 0.0

    def __call__(self, batches: Iterator[Batch], learning_rates: list[float]) -> None:
        for _ in learning_rates:
            self.clock += 1e-3 * int(tf.size(next(batches).input_ids))
        if 1 < self.clock < 2:
            self.clock += 5  # a hiccup in the first of three rounds

    def reset(self) -> None:
        self.clock = -1.0


def test_a_step_is_measured_by_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first batches are long; they say little of how many steps there is time for."""
    steps: Any = Steps()
    monkeypatch.setattr(length.time, "monotonic", lambda: steps.clock)

    def make_batches(first: int, end: int) -> list[Batch]:
        return [
            Batch(tf.zeros([2, 200 if i < 20 else 50], tf.int32), tf.zeros([2]))
            for i in range(first, end)
        ]

    mean = (20 * 400 + 80 * 100) / 100
    assert seconds_per_step(steps, steps, make_batches) == pytest.approx(1e-3 * mean)
    assert steps.clock == -1.0


@pytest.mark.parametrize(
    ("window", "computed"), [(0, 160), (256, 160), (160, 160), (128, 256), (100, 200), (1, 160)]
)
def test_of_windows_all_is_computed(window: int, computed: int) -> None:
    assert length.num_computed(tf.zeros([3, 160], tf.int32), window) == 3 * computed


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
    assert steps_per_call(parameters, tokens) == steps
