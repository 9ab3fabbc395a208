"""Rows in the order of the input, a bar while they are made, one line per text."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core.batch import ClassificationBatch
from bert_core.errors import RunError
from loops.evaluate import Evaluator, Predictor
from loops.predict import as_line, predict_all


def batch(values: list[int], fill: int = 0) -> ClassificationBatch:
    ids = tf.constant([[value] for value in values] + [[9]] * fill, tf.int32)
    weights = tf.constant([1.0] * len(values) + [0.0] * fill)
    return ClassificationBatch(ids, ids, ids, ids[:, 0], weights)


def test_rows_are_in_input_order_without_the_filling(
    capsys: pytest.CaptureFixture[str],
) -> None:
    order = np.array([3, 0, 2, 1, 4])
    batches = [batch([30, 0]), batch([20, 10]), batch([40], fill=1)]
    rows = predict_all(lambda x: tf.cast(x.input_ids, tf.float32) / 10, batches, order)
    assert rows.tolist() == [[0.0], [1.0], [2.0], [3.0], [4.0]]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[########            ] 2/5  ")
    assert lines[-1].startswith("[####################] 5/5  ")


def test_too_many_rows_for_the_memory_name_the_flag_that_sets_them() -> None:
    def exhausted(x: ClassificationBatch) -> tf.Tensor:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    with pytest.raises(RunError, match=r"with 4 sequences.*; --batch_size=2 takes"):
        predict_all(exhausted, [batch([1, 2, 3], fill=1)], np.arange(3))
    with pytest.raises(RunError, match=r"4 seq.*; --micro_batch_size=2 --allow_drift takes"):
        Predictor(exhausted)([batch([1, 2, 3], fill=1)])
    model = tf.Module()
    model.sums = exhausted
    with pytest.raises(RunError, match=r"4 seq.*; --micro_batch_size=2 --allow_drift takes"):
        Evaluator(model)([batch([1, 2, 3], fill=1)])


def test_an_evaluation_is_the_mean_over_all_batches_by_weight() -> None:
    model = tf.Module()
    model.sums = lambda x: {
        "loss": (
            tf.cast(tf.reduce_sum(x.input_ids), tf.float32),
            tf.reduce_sum(x.example_weights),
        )
    }
    batches = [batch([3, 3]), batch([2, 2, 1, 1, 1, 1, 1, 1])]  # 6 of 2, then 10 of 8
    assert Evaluator(model)(batches) == {"loss": pytest.approx(1.6)}


def test_the_likeliest_classes_come_first() -> None:
    odds = np.array([0.25, 0.25, 0.5])
    assert as_line(odds, ["a", "b\nb", "c"], 2) == "c 0.500000, a 0.250000"
    assert as_line(odds, ["a", "b\nb", "c"], 9) == "c 0.500000, a 0.250000, b b 0.250000"
