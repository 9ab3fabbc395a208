"""Batches: every example once an epoch, exact at any step, laid out as BERT's."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bert_core.batch import ClassificationBatch
from bert_core.errors import UserError
from pipelines.options import TextOptions
from pipelines.text_batches import (
    POOL_BATCHES,
    Bucketed,
    assemble,
    evaluation_batches,
    plan_epoch,
    training_batches,
)
from pipelines.tokenized import Rows, TokenizedTexts

PAD, CLS, SEP, MASK = 7, 8, 9, 10  # not 0, so that a zero is a mistake
VOCABULARY = SimpleNamespace(pad_id=PAD, cls_id=CLS, sep_id=SEP, mask_id=MASK)


def texts_of_lengths(lengths, pair_lengths=None):
    """Text i consists of the token 100 + i; its second text of 1000 + i."""
    first = Rows.of([np.full(length, 100 + i, np.int32) for i, length in enumerate(lengths)])
    if pair_lengths is None:
        return TokenizedTexts(first, None, 0)
    second = [np.full(length, 1000 + i, np.int32) for i, length in enumerate(pair_lengths)]
    return TokenizedTexts(first, Rows.of(second), 0)


def random_texts(count, longest=126):
    return texts_of_lengths(np.random.default_rng(0).integers(0, longest + 1, count))


def arrays(dataset):
    return [ClassificationBatch(*batch) for batch in dataset.as_numpy_iterator()]


def assert_same(batches, expected):
    assert len(batches) == len(expected)
    for batch, other in zip(batches, expected, strict=True):
        for field, value in batch._asdict().items():
            np.testing.assert_array_equal(value, getattr(other, field), err_msg=field)


def examples_of(batch):
    """Indices of a batch's examples; its texts must not be empty."""
    return batch.input_ids[batch.example_weights == 1, 1] - 100


LENGTHS = st.lists(st.integers(2, 100), min_size=1, max_size=300).map(np.array)


@seed(0)
@settings(max_examples=150, deadline=None)
@given(LENGTHS, st.integers(1, 9), st.sampled_from([100, 128]), st.integers(0, 3))
def test_an_epoch_has_every_example_once_padded_to_few_lengths(lengths, size, longest, epoch):
    plan = plan_epoch(lengths, size, longest, seed=1, epoch=epoch)
    assert len(plan) == int(np.ceil(len(lengths) / size))
    np.testing.assert_array_equal(
        np.sort(np.concatenate([batch.indices for batch in plan])), np.arange(len(lengths))
    )
    sizes = sorted((len(batch.indices) for batch in plan), reverse=True)
    assert all(full == size for full in sizes[:-1])
    for batch in plan:
        in_batch = lengths[batch.indices].max()
        # The smallest of 32, 64, 96 and the maximum that holds all.
        fitting = [step for step in (32, 64, 96, longest) if step >= in_batch]
        assert batch.padded_length == fitting[0]


def test_a_plan_is_a_pure_function_of_seed_and_epoch():
    lengths = np.random.default_rng(0).integers(2, 129, 5000)

    def flat(random_seed, epoch):
        plan = plan_epoch(lengths, 16, 128, random_seed, epoch)
        return np.concatenate([batch.indices for batch in plan])

    np.testing.assert_array_equal(flat(1, 2), flat(1, 2))
    assert (flat(1, 2) == flat(1, 3)).mean() < 0.01
    assert (flat(1, 2) == flat(2, 2)).mean() < 0.01
    # A frozen sample: a changed order would silently break the resuming of old runs.
    plan = plan_epoch(np.full(10, 2), 4, 128, seed=1, epoch=2)
    assert [batch.indices.tolist() for batch in plan] == [[2, 8, 7, 4], [0, 5], [6, 3, 9, 1]]


def test_buckets_save_padding_and_are_still_well_mixed():
    lengths = np.random.default_rng(0).integers(2, 257, 20000)
    plan = plan_epoch(lengths, 32, 256, seed=0, epoch=0)
    padded = sum(len(batch.indices) * batch.padded_length for batch in plan)
    assert lengths.sum() / padded > 0.85  # unsorted, a half
    # Neighbours in the run are neither of one pool nor in order of length.
    padded_lengths = np.array([batch.padded_length for batch in plan])
    assert abs(np.corrcoef(padded_lengths[:-1], padded_lengths[1:])[0, 1]) < 0.15
    # The companions of an example change from epoch to epoch.
    other = plan_epoch(lengths, 32, 256, seed=0, epoch=1)
    mine = next(set(batch.indices) for batch in plan if 0 in batch.indices)
    theirs = next(set(batch.indices) for batch in other if 0 in batch.indices)
    assert len(mine & theirs) < 8
    assert POOL_BATCHES * 32 < 20000


def slow_row(first, second, padded_length):
    """ids, mask and segments of one row, token by token."""
    tokens = [CLS, *first, SEP]
    segments = [0] * len(tokens)
    if second is not None:
        tokens += [*second, SEP]
        segments += [1] * (len(second) + 1)
    filling = padded_length - len(tokens)
    mask = [1] * len(tokens) + [0] * filling
    return tokens + [PAD] * filling, mask, segments + [0] * filling


@pytest.mark.parametrize("paired", [False, True])
def test_rows_are_laid_out_as_berts(paired):
    texts = texts_of_lengths([3, 0, 27, 5], [2, 0, 1, 0] if paired else None)
    labels = np.array([3, 2, 1, 0])
    indices = np.array([2, 0, 1])
    batch = assemble(texts, labels, Bucketed(indices, 32), 3, VOCABULARY)
    for row, index in enumerate(indices):
        second = texts.second[index] if paired else None
        ids, mask, segments = slow_row(texts.first[index], second, 32)
        assert batch.input_ids[row].tolist() == ids
        assert batch.input_mask[row].tolist() == mask
        assert batch.segment_ids[row].tolist() == segments
    assert batch.label_ids.tolist() == [1, 3, 2]
    assert batch.example_weights.tolist() == [1, 1, 1]
    assert [value.dtype for value in batch] == [np.int32] * 4 + [np.float32]


def test_filling_rows_weigh_nothing_but_are_not_blank():
    texts = texts_of_lengths([3])
    batch = assemble(texts, np.array([5]), Bucketed(np.array([0]), 32), 3, VOCABULARY)
    for row in (1, 2):
        assert batch.input_ids[row].tolist() == [CLS, SEP] + [PAD] * 30
        assert batch.input_mask[row].tolist() == [1, 1] + [0] * 30
    assert batch.segment_ids.sum() == 0
    assert batch.label_ids.tolist() == [5, 0, 0]
    assert batch.example_weights.tolist() == [1, 0, 0]


OPTIONS = TextOptions(max_seq_length=128, batch_size=4, seed=3)


def test_a_run_can_begin_at_any_step():
    texts, labels = random_texts(50), np.arange(50)
    whole = arrays(training_batches(texts, labels, VOCABULARY, OPTIONS, 0, 40))
    assert len(whole) == 40
    for first_step in (1, 12, 13, 14, 39, 40):  # 13 steps per epoch
        tail = training_batches(texts, labels, VOCABULARY, OPTIONS, first_step, 40)
        assert_same(arrays(tail), whole[first_step:])


def test_a_dataset_can_be_iterated_again():
    batches = training_batches(random_texts(20), np.arange(20), VOCABULARY, OPTIONS, 2, 9)
    assert_same(arrays(batches), arrays(batches))


def test_epochs_have_every_example_once_with_its_label():
    texts = texts_of_lengths(np.random.default_rng(1).integers(1, 127, 50))
    labels = np.arange(50) % 7
    batches = arrays(training_batches(texts, labels, VOCABULARY, OPTIONS, 0, 39))
    orders = []
    for epoch in range(3):
        seen = [examples_of(batch) for batch in batches[13 * epoch : 13 * (epoch + 1)]]
        orders.append(np.concatenate(seen).tolist())
        assert sorted(orders[-1]) == list(range(50))
    assert orders[0] != orders[1] != orders[2]
    for batch in batches:
        np.testing.assert_array_equal(
            batch.label_ids[batch.example_weights == 1], labels[examples_of(batch)]
        )


def test_far_steps_are_reached_without_replaying():
    step = 10**9
    dataset = training_batches(
        random_texts(50), np.arange(50), VOCABULARY, OPTIONS, step, 2**40
    )
    assert_same(arrays(dataset.take(1)), arrays(dataset.take(2))[:1])


def test_shapes_are_static_but_for_the_length():
    texts, labels = random_texts(50), np.zeros(50, np.int32)
    training = training_batches(texts, labels, VOCABULARY, OPTIONS, 0, 5)
    evaluation, _ = evaluation_batches(texts, labels, VOCABULARY, OPTIONS)
    for dataset in (training, evaluation):
        spec = dataset.element_spec
        assert isinstance(spec, ClassificationBatch)
        assert [field.shape.as_list() for field in spec] == [[4, None]] * 3 + [[4]] * 2
        assert [field.dtype.name for field in spec] == ["int32"] * 4 + ["float32"]


def test_an_iterator_is_given_up_at_once():
    """tf.data's tuner would be waited for: pipelines/untuned.py."""
    dataset, _ = evaluation_batches(random_texts(5), np.zeros(5, int), VOCABULARY, OPTIONS)
    assert dataset.options().autotune.enabled is False


def test_evaluation_has_every_example_once_and_its_order():
    texts = texts_of_lengths(np.random.default_rng(1).integers(1, 127, 50))
    labels = np.arange(50) % 7
    dataset, order = evaluation_batches(texts, labels, VOCABULARY, OPTIONS)
    batches = arrays(dataset)
    assert order.dtype == np.int64
    assert len(batches) == 13
    np.testing.assert_array_equal(np.concatenate([examples_of(b) for b in batches]), order)
    widths = [batch.input_ids.shape[1] for batch in batches]
    assert widths == sorted(widths, reverse=True)
    # As a caller puts results back.
    rows = np.concatenate([batch.label_ids for batch in batches])
    result = np.empty(50, np.int32)
    result[order] = rows[:50]
    np.testing.assert_array_equal(result, labels)


def test_prediction_needs_no_labels():
    dataset, _ = evaluation_batches(random_texts(5), None, VOCABULARY, OPTIONS)
    batches = arrays(dataset)
    assert all((batch.label_ids == 0).all() for batch in batches)
    assert sum(batch.example_weights.sum() for batch in batches) == 5


def test_nothing_to_train_on_is_an_error_and_nothing_to_evaluate_is_no_batches():
    nothing = texts_of_lengths([])
    with pytest.raises(UserError, match="no training examples"):
        training_batches(nothing, np.zeros(0, np.int32), VOCABULARY, OPTIONS, 0, 5)
    dataset, order = evaluation_batches(nothing, None, VOCABULARY, OPTIONS)
    assert arrays(dataset) == []
    assert order.tolist() == []


def test_texts_tokenized_for_a_longer_model_are_an_error():
    with pytest.raises(ValueError, match="tokenized to 129 tokens, batched to 128"):
        evaluation_batches(texts_of_lengths([127]), None, VOCABULARY, OPTIONS)


def test_token_dropout_hides_a_share_of_the_ordinary_tokens_by_seed_and_step():
    texts = texts_of_lengths([100] * 64)
    labels = np.arange(64, dtype=np.int32)

    def batches(first_step, token_dropout):
        options = TextOptions(128, 32, token_dropout=token_dropout)
        return arrays(training_batches(texts, labels, VOCABULARY, options, first_step, 4))

    whole, holey = batches(0, 0.0), batches(0, 0.25)
    for before, after in zip(whole, holey, strict=True):
        hidden = before.input_ids != after.input_ids
        assert set(after.input_ids[hidden]) == {MASK}
        assert not hidden[before.input_ids < 100].any()  # special tokens stay
        assert hidden.sum() / (before.input_ids >= 100).sum() == pytest.approx(0.25, abs=0.03)
        assert_same([after], [before._replace(input_ids=after.input_ids)])
    # Other tokens in the second epoch, and the same ones for a run that begins there.
    assert len({batch.input_ids.tobytes() for batch in holey}) == 4
    assert_same(batches(2, 0.25), holey[2:])
