"""The devices that take a step together, through TensorFlow's own strategies.

A step is `run` on each of them, with its own copy of weights, moments and step number. What
they compute from their parts of the batch is `all_reduced`; then all update their copies alike.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from bert_core.errors import UserError
from loops import stopping
from loops.options import DistributionOptions
from loops.peers import Team


class Replicas:
    """One device, all of this machine's, or those of several machines."""

    def __init__(self, strategy: Any = None, team: Team | None = None):
        self.team = team or Team()
        self._strategy = strategy
        # Given to each operation: the strategy's own are not applied inside `run`.
        self._communication = tf.distribute.experimental.CommunicationOptions(
            timeout_seconds=self.team.patience if self.team.size > 1 else None
        )
        self.count = strategy.num_replicas_in_sync if strategy else 1

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Variables made inside have a copy on each device."""
        with self._strategy.scope() if self._strategy else contextlib.nullcontext():
            yield

    def run(self, function: Callable, *arguments: Any) -> Any:
        """Calls function on each device, within a tf.function; returns the first's result."""
        if self._strategy is None:
            return function(*arguments)
        results = self._strategy.run(function, arguments)
        return tf.nest.map_structure(
            lambda x: self._strategy.experimental_local_results(x)[0], results
        )

    def number(self) -> Any:
        """Inside `run`: which device this is, from 0."""
        return (
            tf.distribute.get_replica_context().replica_id_in_sync_group
            if self._strategy
            else 0
        )

    def all_reduced(self, tensors: Any) -> Any:
        """Inside `run`: the sum over all devices of each tensor of a nest, on all of them."""
        if self.count == 1:
            return tensors
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tensors, self._communication)

    def spread(self, variables: Sequence[tf.Variable]) -> None:
        """Gives the variables of all workers the chief's values, bit for bit."""
        if self.team.size == 1:
            return

        def spread() -> None:
            is_chiefs = tf.equal(self.number(), 0)
            for dtype in sorted({x.dtype for x in variables}, key=str):
                alike = [x for x in variables if x.dtype == dtype]
                # x + -0.0 is x, whatever x is; x + 0.0 is not if x is -0.0.
                nothing = tf.constant(-0.0 if dtype.is_floating else 0, dtype)
                values = [tf.where(is_chiefs, x, nothing) for x in alike]
                for x, value in zip(alike, self.all_reduced(values), strict=True):
                    x.assign(value)

        with self.team.waiting():
            tf.function(lambda: self.run(spread), autograph=False)()

    def check_batch(self, batch_size: int, micro_batch_size: int | None) -> None:
        """UserError unless the devices can share a batch, or its micro-batches, evenly."""
        if batch_size % self.count:
            raise UserError(
                f"--batch_size={batch_size}: {self.count} devices cannot share it evenly; "
                f"name a multiple of {self.count}"
            )
        parts = batch_size // (micro_batch_size or batch_size // self.count)
        if parts % self.count:
            raise UserError(
                f"--micro_batch_size={micro_batch_size}: makes {parts} parts of "
                f"--batch_size={batch_size}, which {self.count} devices cannot share evenly; "
                "lower it"
            )


def start_replicas(options: DistributionOptions | None, team: Team) -> Replicas:
    """The devices that --distribution asks for; call it before TensorFlow computes anything.

    Raises UserError if they cannot share a batch evenly.
    """
    if options is None:
        return Replicas()
    replicas = Replicas(_strategy(options, team), team)
    replicas.check_batch(options.batch_size, options.micro_batch_size)
    return replicas


def _strategy(options: DistributionOptions, team: Team) -> Any:
    if team.size > 1:
        # The strategy waits for all workers and lets no other thread work meanwhile. But the
        # chief may still read a corpus for minutes, and who waits has to show signs of life.
        team.gather("here")
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        stopping.handle_signals()
        return strategy
    found = tf.config.list_logical_devices("GPU")
    if options.kind == "one_device" or (options.kind == "auto" and len(found) < 2):
        return None
    return mirrored(found or tf.config.list_logical_devices("CPU"))


def mirrored(devices: Sequence[Any]) -> tf.distribute.Strategy:
    """A strategy over `devices`, all of this process. Several CPUs, which only tests have,
    are added up in order."""
    names = [device.name for device in devices]
    is_cpu = devices[0].device_type == "CPU"
    return tf.distribute.MirroredStrategy(
        names, tf.distribute.ReductionToOneDevice() if is_cpu else None
    )
