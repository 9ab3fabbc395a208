"""A batch in parts: one after the other for less memory, or side by side for less time."""

import functools
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

    One part after the other, so that the memory is one part's, and in their order, so
    that the sum is the same bit for bit each time. One replica adds up the first half, then
    the second, and then these two, as two replicas would (if the number of parts is even).

    Args:
      of_part: gives tensors of the same shapes for each part; called once when traced.
      batch: a NamedTuple of tensors [B, ...]; `num_parts` divides B.
      replica: which of the `num_replicas` this is, int or int32 scalar; they divide
        `num_parts`.
    """
    if num_parts == 1:
        return of_part(batch, 0)
    count = num_parts // num_replicas
    of_number = _of_number(of_part, batch, num_parts)

    def result(i: tf.Tensor) -> Nested:
        return of_number(replica * count + i)

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

    # With two halves, the first one ends as `half`.
    half = tf.nest.map_structure(tf.zeros_like, first) if in_halves else ()
    start = tf.constant(1), half, first
    _, half, total = tf.while_loop(lambda i, *_: i < count, add, start, parallel_iterations=1)
    return _sum(half, total) if in_halves else total


def side_by_side(of_part: Callable[[Any, Any], Nested], num_parts: int) -> Callable:
    """`of_part` of a batch's equal parts, added up in their order, as a function like it.

    The parts are independent calls, which TensorFlow's threads take at the same time: while
    one part is at an operation that a thread does alone, the other keeps the rest busy. The
    price is memory for the gradients of each part. Part j of what is number i is number
    i * num_parts + j to `of_part`.
    """
    if num_parts == 1:
        return of_part

    def of_whole(batch: Any, i: Any) -> Nested:
        of_number = _of_number(lambda x, j: of_part(x, i * num_parts + j), batch, num_parts)
        return functools.reduce(_sum, map(of_number, map(tf.constant, range(num_parts))))

    return of_whole


def _of_number(of_part: Callable, batch: Any, num_parts: int) -> Callable[[tf.Tensor], Nested]:
    """Of the number of a part, what `of_part` makes of that; traced once."""
    parts = tf.nest.map_structure(lambda x: _cut(x, num_parts), batch)

    # A function that is not inlined is optimised alike wherever it is called, in a loop or
    # not, and so gives the same bits.
    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def of_number(i: tf.Tensor) -> Nested:
        return of_part(tf.nest.map_structure(lambda x: tf.gather(x, i), parts), i)

    return of_number


def _sum(one: Nested, other: Nested) -> Nested:
    return tf.nest.map_structure(tf.add, one, other)


def _cut(x: tf.Tensor, num_parts: int) -> tf.Tensor:
    """[B, ...] -> [num_parts, B / num_parts, ...]."""
    return tf.reshape(x, [num_parts, x.shape[0] // num_parts, *shape_of(x)[1:]])
