"""Parts of a batch are added in an order that two replicas can keep."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from loops.micro_batches import added_up


class Batch(NamedTuple):
    x: tf.Tensor  # [B]


# In float32 the order of these sums shows.
VALUES = np.array([1e8, 1.0, 1.0, -1e8, 3.0, 2.0], np.float32)


def sum_of(num_parts: int, replica: int = 0, num_replicas: int = 1) -> tuple[float, float]:
    """The sum over a replica's parts, and of their numbers."""

    @tf.function(autograph=False)
    def compute(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def of_part(part: Batch, i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return tf.reduce_sum(part.x), tf.cast(i, tf.float32)

        return added_up(of_part, Batch(x), num_parts, replica, num_replicas)

    total, numbers = compute(tf.constant(VALUES))
    return float(total), float(numbers)


def in_order(values: np.ndarray) -> np.float32:
    total = values[0]
    for value in values[1:]:
        total = np.float32(total + value)
    return total


def test_one_replica_adds_as_two_would() -> None:
    halves = in_order(VALUES[:3]), in_order(VALUES[3:])
    assert sum_of(6) == (np.float32(halves[0] + halves[1]), 15.0)
    assert sum_of(6)[0] != in_order(VALUES)  # which would be the obvious order
    assert [sum_of(6, i, 2) for i in range(2)] == [(halves[0], 3.0), (halves[1], 12.0)]


@pytest.mark.parametrize("replica", [0, 1, 2])
def test_three_share_the_parts_in_order(replica: int) -> None:
    mine = VALUES[2 * replica : 2 * replica + 2]
    assert sum_of(6, replica, 3) == (in_order(mine), 4.0 * replica + 1.0)


def test_an_odd_number_of_parts_is_added_in_order() -> None:
    pairs = VALUES.reshape(3, 2).sum(axis=1)
    assert sum_of(3) == (in_order(pairs), 3.0)
