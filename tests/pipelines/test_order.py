"""Every epoch is a permutation, and each its own."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.order import shuffled_indices, window_indices


def _epoch(seed: int, epoch: int, count: int) -> list[int]:
    places = tf.range(count, dtype=tf.int64)
    return (
        shuffled_indices(seed, tf.fill([count], np.int64(epoch)), places, count)
        .numpy()
        .tolist()
    )


@pytest.mark.parametrize("count", [1, 2, 3, 5, 17, 256, 257, 1000, 4099])
def test_an_epoch_is_a_permutation(count: int) -> None:
    for seed, epoch in ((0, 0), (0, 1), (-3, 7), (2**40, 0)):
        assert sorted(_epoch(seed, epoch, count)) == list(range(count))


def test_epochs_and_seeds_differ() -> None:
    orders = [_epoch(seed, epoch, 100) for seed in range(5) for epoch in range(5)]
    assert len({tuple(order) for order in orders}) == 25
    assert list(range(100)) not in orders
    # Independent permutations of 100 agree in one place on average.
    agreements = [np.equal(a, b).sum() for i, a in enumerate(orders) for b in orders[:i]]
    assert np.mean(agreements) < 2


def test_a_shuffle_moves_things_far() -> None:
    """As a true shuffle does, which four rounds of the cipher fail."""
    for count in (1_000, 10_000):
        orders = [np.array(_epoch(0, epoch, count)) for epoch in range(10)]
        drifts = [np.corrcoef(order, np.arange(count))[0, 1] for order in orders]
        assert np.sqrt(count * np.mean(np.square(drifts))) < 2
        repeats = [np.unique(np.diff(o), return_counts=True)[1].max() for o in orders]
        assert np.mean(repeats) < 8


@pytest.mark.parametrize(("batch", "windows"), [(8, 20), (7, 3), (16, 1), (5, 5), (1, 4)])
def test_batches_walk_through_the_epochs(batch: int, windows: int) -> None:
    steps = -(-3 * windows // batch)
    got = np.concatenate(
        [
            window_indices(tf.constant(s, tf.int64), batch, windows, seed=11)
            for s in range(steps)
        ]
    )
    expected = np.concatenate([_epoch(11, epoch, windows) for epoch in range(3 + batch)])
    np.testing.assert_array_equal(got, expected[: len(got)])


def test_far_steps_cost_nothing() -> None:
    indices = window_indices(tf.constant(10**9, tf.int64), 32, 123_457, seed=0)
    assert ((indices >= 0) & (indices < 123_457)).numpy().all()
