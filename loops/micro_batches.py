"""A large batch in small parts: less memory for the same update."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_core.encoder import shape_of

Nested = Any  # tensors in tuples, lists and dicts


def added_up(
    of_part: Callable[[Any, Any], Nested],
    batch: Any,
    num_parts: int,
    replica: Any = 0,
    num_replicas: int = 1,
) -> Nested:
    """The sum of `of_part(part, i)` over a replica's share of `num_parts` equal parts.

    Parts run one at a time, so that memory holds one, and in order, so that the sum is
    the same bit for bit each time. A single replica adds up the first half, then the
    second, and then these two, as two replicas would (if the number of parts is even).

    Args:
      of_part: gives tensors of the same shapes for each part; called once when traced.
      batch: a NamedTuple of tensors [B, ...]; `num_parts` divides B.
      replica: which of the `num_replicas` this is, int or int32 scalar; they divide
        `num_parts`.
    """
    if num_parts == 1:
        return of_part(batch, 0)
    parts = tf.nest.map_structure(lambda x: _cut(x, num_parts), batch)
    count = num_parts // num_replicas

    # A function that is not inlined is optimised alike wherever it is called, in a loop or
    # not, and so gives the same bits.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def result(i: tf.Tensor) -> Nested:
        part = replica * count + i
        return of_part(tf.nest.map_structure(lambda x: tf.gather(x, part), parts), part)

    first = result(tf.constant(0))
    if count == 1:
        return first
    in_halves = num_replicas == 1 and count % 2 == 0

    def add(i: tf.Tensor, half: Nested, total: Nested) -> tuple[tf.Tensor, Nested, Nested]:
        one_more = result(i)
        if not in_halves:
            return i + 1, half, _sum(total, one_more)
        half, total = tf.cond(
            i == count // 2,
            lambda: (total, one_more),
            lambda: (half, _sum(total, one_more)),
        )
        return i + 1, half, total

    # With two halves, the first ends up in `half`. One loop for both: two loops, and so
    # two parts, would run at the same time.
    half = tf.nest.map_structure(tf.zeros_like, first) if in_halves else ()
    start = tf.constant(1), half, first
    _, half, total = tf.while_loop(lambda i, *_: i < count, add, start, parallel_iterations=1)
    return _sum(half, total) if in_halves else total


def _sum(one: Nested, other: Nested) -> Nested:
    return tf.nest.map_structure(tf.add, one, other)


def _cut(x: tf.Tensor, num_parts: int) -> tf.Tensor:
    """[B, ...] -> [num_parts, B / num_parts, ...]."""
    return tf.reshape(x, [num_parts, x.shape[0] // num_parts, *shape_of(x)[1:]])
