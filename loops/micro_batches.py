"""A large batch by way of small ones: less memory for the same update."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_core.encoder import shape_of

Nested = Any  # tensors in tuples, lists and dicts


def added_up(of_part: Callable[[Any, Any], Nested], batch: Any, num_parts: int) -> Nested:
    """The sum of `of_part(part, i)` over the batch cut into `num_parts` equal parts.

    One part after the other, so that the memory is one part's, and in their order, so
    that the sum is the same bit for bit each time.

    Args:
      of_part: gives tensors of the same shapes for each part; called twice when traced.
      batch: a NamedTuple of tensors [B, ...]; `num_parts` divides B.
    """
    if num_parts == 1:
        return of_part(batch, 0)
    parts = tf.nest.map_structure(lambda x: _cut(x, num_parts), batch)

    def result(i: Any) -> Nested:
        return of_part(tf.nest.map_structure(lambda x: tf.gather(x, i), parts), i)

    def add(i: tf.Tensor, total: Nested) -> tuple[tf.Tensor, Nested]:
        return i + 1, tf.nest.map_structure(tf.add, total, result(i))

    start = tf.constant(1), result(0)
    return tf.while_loop(lambda i, _: i < num_parts, add, start, parallel_iterations=1)[1]


def _cut(x: tf.Tensor, num_parts: int) -> tf.Tensor:
    """[B, ...] -> [num_parts, B / num_parts, ...]."""
    return tf.reshape(x, [num_parts, x.shape[0] // num_parts, *shape_of(x)[1:]])
