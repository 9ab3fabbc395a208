"""Scores against definitions written out example by example."""

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bert_core.scores import accuracy, confusion_matrix, macro_f1


@st.composite
def predictions(draw):
    num_classes = draw(st.integers(1, 5))
    ids = st.lists(
        st.tuples(st.integers(0, num_classes - 1), st.integers(0, num_classes - 1)), min_size=1
    )
    labels, predicted = zip(*draw(ids), strict=True)
    return np.array(labels), np.array(predicted), num_classes


def f1_by_counting(labels, predicted, of_class):
    hits = sum(a == of_class and b == of_class for a, b in zip(labels, predicted, strict=True))
    if hits == 0:
        return 0.0
    precision = hits / sum(b == of_class for b in predicted)
    recall = hits / sum(a == of_class for a in labels)
    return 2 * precision * recall / (precision + recall)


@seed(0)
@settings(max_examples=200, deadline=None)
@given(predictions())
def test_scores_are_those_of_counting_by_hand(case):
    labels, predicted, num_classes = case
    confusion = confusion_matrix(labels, predicted, num_classes)
    assert confusion.dtype == np.int64
    pairs = list(zip(labels, predicted, strict=True))
    for label in range(num_classes):
        for prediction in range(num_classes):
            assert confusion[label, prediction] == pairs.count((label, prediction))
    assert accuracy(confusion) == pytest.approx(np.mean(labels == predicted))
    by_hand = [f1_by_counting(labels, predicted, c) for c in range(num_classes)]
    assert macro_f1(confusion) == pytest.approx(np.mean(by_hand))


def test_a_worked_example():
    # Class 0: P 1/2, R 1/3, F1 0.4. Class 1: P 1/2, R 1, F1 2/3. Class 2: never there, 0.
    confusion = confusion_matrix(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 1]), 4)
    assert confusion.tolist() == [[1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert accuracy(confusion) == 0.5
    assert macro_f1(confusion) == pytest.approx((0.5 + 2 / 3) / 4)


def test_rows_are_labels_and_parts_add_up():
    labels, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0])
    whole = confusion_matrix(labels, predicted, 2)
    assert whole.tolist() == [[1, 1], [1, 2]]
    parts = confusion_matrix(labels[:2], predicted[:2], 2)
    parts = parts + confusion_matrix(labels[2:], predicted[2:], 2)
    np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize(
    ("labels", "predicted"), [([0, 2], [0, 1]), ([0, 1], [0, -1]), ([0, 1], [0])]
)
def test_ids_out_of_range_and_shapes_that_differ_are_errors(labels, predicted):
    with pytest.raises(ValueError, match=r"for 2 classes|against"):
        confusion_matrix(np.array(labels), np.array(predicted), 2)


def test_accuracy_of_nothing_is_an_error_rather_than_nan():
    with pytest.raises(ValueError, match="no predictions"):
        accuracy(confusion_matrix(np.zeros(0, np.int32), np.zeros(0, np.int32), 2))
