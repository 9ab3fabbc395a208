"""Batches are a pure function of (seed, step) and lose no token."""

import dataclasses

import numpy as np
import pytest

from bert_core.batch import MlmBatch
from bert_core.errors import UserError
from pipelines.mlm_batches import (
    evaluation_batches,
    num_windows,
    steps_per_epoch,
    training_batches,
)
from pipelines.options import MlmOptions
from pipelines.token_store import SplitStatistics, TokenStream
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *(f"w{i}" for i in range(60_000))), True)
OPTIONS = MlmOptions(seq_length=16, batch_size=4, seed=3)


def _stream(tokens: int, shards: int = 3) -> TokenStream:
    """Ids 5, 6, 7, ...: a token tells its place."""
    ids = np.arange(5, 5 + tokens, dtype=np.uint16)
    return TokenStream(
        "train",
        np.array_split(ids, shards),
        SplitStatistics(1, tokens, 0.0, 0.0),
    )


def test_an_epoch_may_be_less_than_a_step():
    stream = _stream(1 + 15 * 5)  # windows of 15 behind [CLS]
    assert num_windows(stream, OPTIONS) == 6
    assert steps_per_epoch(stream, OPTIONS) == 1.5  # of batches of 4


def _batches(stream: TokenStream, options: MlmOptions, first: int, last: int) -> list[MlmBatch]:
    dataset = training_batches(stream, VOCABULARY, options, first, last)
    return list(dataset.as_numpy_iterator())


def _unmasked(batch: MlmBatch) -> np.ndarray:
    ids = batch.input_ids.copy()
    np.put_along_axis(ids, batch.masked_lm_positions, batch.masked_lm_ids, 1)
    return ids


def _assert_equal(left: list[MlmBatch], right: list[MlmBatch]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("tokens", [14, 15, 14 * 8, 14 * 8 - 1, 1003])
def test_every_token_is_seen_once_an_epoch(tokens: int) -> None:
    stream = _stream(tokens)
    windows = num_windows(stream, OPTIONS)
    assert windows == -(-tokens // 14)
    steps = -(-2 * windows // 4)
    batches = _batches(stream, OPTIONS, 0, steps)
    rows = np.concatenate([_unmasked(batch) for batch in batches])
    for epoch in range(2):
        of_epoch = rows[epoch * windows : (epoch + 1) * windows]
        assert (of_epoch[:, 0] == VOCABULARY.cls_id).all()
        assert (of_epoch[:, -1] == VOCABULARY.sep_id).all()
        counts = np.bincount(of_epoch[:, 1:-1].ravel() - 5, minlength=tokens)
        # Only the last window, moved back to fit, sees tokens a second time.
        assert counts.min() == 1
        assert counts.sum() == windows * 14
        assert (np.diff(of_epoch[:, 1:-1], axis=1) == 1).all()


@pytest.mark.parametrize("whole_word", [False, True])
def test_a_run_can_start_at_any_step(whole_word: bool) -> None:
    options = dataclasses.replace(OPTIONS, whole_word_masking=whole_word)
    stream = _stream(1003)
    whole = _batches(stream, options, 0, 40)
    _assert_equal(_batches(stream, options, 23, 40), whole[23:])


def test_shards_do_not_matter() -> None:
    _assert_equal(
        _batches(_stream(1003, 1), OPTIONS, 0, 20), _batches(_stream(1003, 50), OPTIONS, 0, 20)
    )


def test_masks_and_order_differ_between_epochs_and_seeds() -> None:
    stream = _stream(14 * 8)
    batches = _batches(stream, OPTIONS, 0, 4)
    other = _batches(stream, dataclasses.replace(OPTIONS, seed=4), 0, 4)
    seen = {}
    for batch in batches:
        for row, positions in zip(_unmasked(batch), batch.masked_lm_positions, strict=True):
            seen.setdefault(int(row[1]), set()).add(tuple(positions))
    assert len(seen) == 8
    assert np.mean([len(masks) for masks in seen.values()]) > 1.5
    for batches_of in (batches[:2], batches[2:]):
        assert sorted(int(r[1]) for b in batches_of for r in _unmasked(b)) == sorted(seen)
    assert any(
        (_unmasked(a) != _unmasked(b)).any() for a, b in zip(batches, other, strict=True)
    )


def test_shapes_are_static() -> None:
    for dataset in (
        training_batches(_stream(100), VOCABULARY, OPTIONS, 0, 1),
        evaluation_batches(_stream(100), VOCABULARY, OPTIONS, 10),
    ):
        spec = dataset.element_spec
        assert spec.input_ids.shape == (4, 16)
        assert {tuple(field.shape) for field in spec[1:]} == {(4, 2)}


def test_an_iterator_is_given_up_at_once() -> None:
    """tf.data's tuner would be waited for: pipelines/untuned.py."""
    datasets = (
        training_batches(_stream(1000), VOCABULARY, OPTIONS, 0, 3),
        evaluation_batches(_stream(1000), VOCABULARY, OPTIONS, 5),
    )
    assert [x.options().autotune.enabled for x in datasets] == [False, False]


def test_evaluation_covers_the_split_evenly_and_fills_the_last_batch() -> None:
    batches = list(
        evaluation_batches(_stream(14 * 30), VOCABULARY, OPTIONS, 6).as_numpy_iterator()
    )
    assert len(batches) == 2
    starts = np.concatenate([_unmasked(batch)[:, 1] - 5 for batch in batches])
    assert starts[:6].tolist() == [14 * i for i in (0, 5, 10, 15, 20, 25)]
    weights = np.concatenate([batch.masked_lm_weights for batch in batches])
    assert weights.sum(1).tolist() == [2] * 6 + [0] * 2


def test_evaluation_sees_a_small_split_once() -> None:
    batches = evaluation_batches(_stream(100), VOCABULARY, OPTIONS, 1000).as_numpy_iterator()
    rows = [
        r
        for b in batches
        for r, w in zip(_unmasked(b), b.masked_lm_weights, strict=True)
        if w[0]
    ]
    assert len(rows) == 8
    assert set(np.array(rows)[:, 1:-1].ravel()) == set(range(5, 105))


def test_evaluation_depends_neither_on_the_seed_nor_on_the_batch_size() -> None:
    def rows(options: MlmOptions) -> list[np.ndarray]:
        dataset = evaluation_batches(_stream(1003), VOCABULARY, options, 20)
        fields = zip(*dataset.as_numpy_iterator(), strict=True)
        return [np.concatenate(field)[:20] for field in fields]

    expected = rows(OPTIONS)
    for changes in ({"seed": 99}, {"batch_size": 7}):
        for a, b in zip(rows(dataclasses.replace(OPTIONS, **changes)), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_stream_shorter_than_a_sequence_is_a_user_error() -> None:
    for make in (training_batches, evaluation_batches):
        arguments = (0, 1) if make is training_batches else (1,)
        with pytest.raises(UserError, match=r"13 tokens.*--seq_length=16"):
            make(_stream(13), VOCABULARY, OPTIONS, *arguments)
