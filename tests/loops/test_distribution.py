"""Starting the devices of several workers."""

import pytest
import tensorflow as tf

from loops.distribution import start_replicas
from loops.options import DistributionOptions


class Workers:
    """Two, of which this is one; notes what it is asked."""

    size, is_chief, patience = 2, True, 300.0

    def __init__(self, said: list[str]):
        self.said = said

    def gather(self, value: str) -> list[str]:
        self.said.append("gathered")
        return [value, value]


def test_workers_wait_for_each_other_before_tensorflow_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its constructor lets no other thread work until all are there."""
    said: list[str] = []

    def strategy() -> tf.distribute.Strategy:
        said.append("TensorFlow")
        return tf.distribute.get_strategy()

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", strategy)
    monkeypatch.setattr("loops.stopping.handle_signals", lambda: None)
    options = DistributionOptions(kind="multi_worker", cluster=None, batch_size=2)
    start_replicas(options, Workers(said))
    assert said == ["gathered", "TensorFlow"]
