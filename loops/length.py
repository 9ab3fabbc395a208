"""How long a run will be: a step is measured, the number of steps fixed and shown."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from loops import stopping
from loops.options import LengthOptions
from loops.train_step import TrainState, TrainSteps

_BATCHES_SIZED = 100  # made, not trained on
_STEPS_FIRST = 2  # to trace and warm up
_STEPS_TIMED = 3  # in each of three timings, of which the median counts
_FLOPS_PER_CALL = 2e11  # about two seconds on two cores
_MOST_STEPS_PER_CALL = 10


def seconds_per_step(
    state: TrainState,
    steps: TrainSteps,
    make_batches: Callable[[int, int], Iterable[Any]],
    window: int = 0,
) -> float:
    """Measures a step at learning rate 0, then resets, so that nothing is changed.

    Texts of many lengths make batches of many sizes. So the time per token is measured,
    where padding counts, that of windows too. The mean number of tokens in a batch is
    taken from the first `_BATCHES_SIZED`, which are made but not trained on.
    """
    sizes = [num_computed(x.input_ids, window) for x in make_batches(0, _BATCHES_SIZED)]
    firsts = [_STEPS_FIRST + i * _STEPS_TIMED for i in range(3)]
    iterator = iter(make_batches(0, firsts[-1] + _STEPS_TIMED))
    steps(iterator, [0.0] * _STEPS_FIRST)
    times = []
    for first in firsts:
        stopping.check()
        started = time.monotonic()
        steps(iterator, [0.0] * _STEPS_TIMED)
        times.append((time.monotonic() - started) / sum(sizes[first : first + _STEPS_TIMED]))
    state.reset()
    return statistics.median(times) * sum(sizes) / len(sizes)


def num_computed(input_ids: tf.Tensor, window: int) -> int:
    """Tokens of a batch [B, S] that the encoder computes: whole windows, if there are any."""
    length = input_ids.shape[-1]
    computed = length + -length % window if 0 < window < length else length
    return int(tf.size(input_ids)) // length * computed


def num_steps(length: LengthOptions, steps_per_epoch: float, seconds: float) -> int:
    """The steps of a run, if each takes `seconds`: the fewest that any limit allows."""
    limits = []
    if length.num_train_steps is not None:
        limits.append(length.num_train_steps)
    if length.num_epochs is not None:
        limits.append(round(length.num_epochs * steps_per_epoch))
    if length.max_minutes is not None:
        limits.append(round(60 * length.max_minutes / seconds))
    return max(1, min(limits))


def steps_per_call(parameters: int, tokens_per_step: int) -> int:
    """Steps per host call: as many as take a second or two on two cores, ten at most.

    A signal waits for the call to end. Not measured, so that equal runs log the same.
    """
    flops = 6 * parameters * tokens_per_step
    return min(_MOST_STEPS_PER_CALL, max(1, int(_FLOPS_PER_CALL // flops)))


def num_parameters(model: tf.Module) -> int:
    return sum(variable.shape.num_elements() for variable in model.trainable_variables)


def peak_memory() -> int:
    """The most bytes this process has held so far; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
