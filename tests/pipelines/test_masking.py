"""Statistics of the masks, and what must never be masked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_core.batch import MlmBatch
from pipelines.masking import mask_tokens
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary

# Special ids in the middle, so that no test passes by luck of their being first.
TOKENS = (
    *(f"a{i}" for i in range(40)),
    *SPECIAL_TOKENS,
    *(f"##b{i}" for i in range(30)),
    *(f"c{i}" for i in range(1000)),
)
VOCABULARY = Vocabulary(TOKENS, True)
PAD, UNK, CLS, SEP, MASK = VOCABULARY.special_ids
UNMASKABLE = (PAD, CLS, SEP, MASK)


def _rows(rows: int, length: int, seed: int = 0) -> np.ndarray:
    """[CLS] ... [SEP] with some [UNK] and [SEP] inside and pieces of words."""
    rng = np.random.default_rng(seed)
    ids = rng.choice(VOCABULARY.ordinary_ids, (rows, length))
    pieces = rng.integers(45, 75, (rows, length))
    ids = np.where(rng.random((rows, length)) < 0.4, pieces, ids)
    ids[rng.random((rows, length)) < 0.02] = SEP
    ids[rng.random((rows, length)) < 0.02] = UNK
    ids[:, 0], ids[:, -1] = CLS, SEP
    return ids.astype(np.int32)


def _mask(
    ids: np.ndarray, predictions: int, whole_word: bool = False, seed: int = 0
) -> MlmBatch:
    batch = mask_tokens(ids, [7, seed], predictions, VOCABULARY, whole_word)
    return MlmBatch(*(field.numpy() for field in batch))


def _check(ids: np.ndarray, batch: MlmBatch, predictions: int) -> None:
    """What holds for every mask."""
    masked, positions, labels, weights = batch
    assert (masked.dtype, positions.dtype, labels.dtype) == (np.int32,) * 3
    assert weights.dtype == np.float32
    assert positions.shape == labels.shape == weights.shape == (len(ids), predictions)
    assert (np.diff(positions, axis=1) > 0).all()  # ascending, none twice
    assert np.isin(weights, (0, 1)).all()
    np.testing.assert_array_equal(labels, np.take_along_axis(ids, positions, 1))
    predicted = weights == 1
    assert not np.isin(labels[predicted], UNMASKABLE).any()
    inputs = np.take_along_axis(masked, positions, 1)
    np.testing.assert_array_equal(inputs[~predicted], labels[~predicted])
    elsewhere = np.ones_like(ids, bool)
    np.put_along_axis(elsewhere, positions, False, 1)
    np.testing.assert_array_equal(masked[elsewhere], ids[elsewhere])
    changed = predicted & (inputs != labels)
    drawn = inputs[changed]
    assert not np.isin(drawn[drawn != MASK], VOCABULARY.special_ids).any()


def test_shares_over_a_hundred_thousand_tokens() -> None:
    ids = _rows(800, 128)
    batch = _mask(ids, 19)
    _check(ids, batch, 19)
    assert (batch.masked_lm_weights == 1).all()
    inputs = np.take_along_axis(batch.input_ids, batch.masked_lm_positions, 1)
    count = inputs.size
    kept = (inputs == batch.masked_lm_ids).sum()
    masks = (inputs == MASK).sum()
    same_by_chance = 0.1 / len(VOCABULARY.ordinary_ids)
    for number, share in (
        (masks, 0.8),
        (kept, 0.1 + same_by_chance),
        (count - masks - kept, 0.1 - same_by_chance),
    ):
        assert abs(number - share * count) < 5 * np.sqrt(count * share * (1 - share))


def test_every_maskable_position_is_as_likely() -> None:
    ids = np.tile(_rows(1, 32), (20_000, 1))
    batch = _mask(ids, 5)
    hits = np.bincount(batch.masked_lm_positions.ravel(), minlength=32)
    maskable = ~np.isin(ids[0], UNMASKABLE)
    assert (hits[~maskable] == 0).all()
    share = 5 / maskable.sum()
    bound = 5 * np.sqrt(20_000 * share * (1 - share))
    assert (np.abs(hits[maskable] - 20_000 * share) < bound).all()


def test_random_tokens_are_spread_over_the_vocabulary() -> None:
    ids = np.full((2_000, 100), 100, np.int32)
    batch = _mask(ids, 90)
    inputs = np.take_along_axis(batch.input_ids, batch.masked_lm_positions, 1)
    drawn = inputs[(inputs != MASK) & (inputs != 100)]
    counts = np.bincount(drawn, minlength=VOCABULARY.size)
    assert (counts[list(VOCABULARY.special_ids)] == 0).all()
    others = np.setdiff1d(VOCABULARY.ordinary_ids, [100])
    expected = len(drawn) / len(others)
    chi_square = ((counts[others] - expected) ** 2 / expected).sum()
    freedom = len(others) - 1
    assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("whole_word", [False, True])
def test_the_seed_decides(whole_word: bool) -> None:
    ids = _rows(4, 64)
    one, again, other = (_mask(ids, 9, whole_word, seed) for seed in (1, 1, 2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.masked_lm_positions != other.masked_lm_positions).any()


def test_rows_with_too_few_tokens_are_filled_with_weight_0() -> None:
    ids = np.array([[CLS, 1, 2, SEP, PAD, PAD], [CLS, SEP, PAD, PAD, PAD, PAD]], np.int32)
    batch = _mask(ids, 4)
    _check(ids, batch, 4)
    assert batch.masked_lm_weights.sum(1).tolist() == [2, 0]
    np.testing.assert_array_equal(batch.input_ids[1], ids[1])


def _words(row: np.ndarray) -> list[list[int]]:
    """Positions of each word, by reading from left to right."""
    words: list[list[int]] = []
    inside = False
    for position, token in enumerate(row):
        if token in UNMASKABLE:
            inside = False
        elif inside and VOCABULARY.is_continuation[token]:
            words[-1].append(position)
        else:
            words.append([position])
            inside = True
    return words


def test_whole_words_are_never_split() -> None:
    ids = _rows(500, 64)
    batch = _mask(ids, 10, whole_word=True)
    _check(ids, batch, 10)
    for row, positions, weights in zip(
        ids, batch.masked_lm_positions, batch.masked_lm_weights, strict=True
    ):
        hidden = set(positions[weights == 1].tolist())
        words = _words(row)
        assert all(hidden.issuperset(word) or hidden.isdisjoint(word) for word in words)
        # What is left unused is less than the longest word there is.
        assert 10 - len(hidden) < max(map(len, words))
    assert batch.masked_lm_weights.mean() > 0.85


def test_a_window_that_starts_inside_a_word() -> None:
    ids = np.array([[CLS, 50, 51, 1, 52, SEP]] * 200, np.int32)
    batch = _mask(ids, 2, whole_word=True)
    choices = {tuple(p) for p in batch.masked_lm_positions[batch.masked_lm_weights.all(1)]}
    assert choices == {(1, 2), (3, 4)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([1, 50, 51, 200, UNK, SEP, PAD, MASK]), min_size=4, max_size=10),
    st.integers(1, 10),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_any_row(row: list[int], predictions: int, whole_word: bool, seed: int) -> None:
    ids = np.array([row, row[::-1]], np.int32)
    predictions = min(predictions, len(row))
    batch = _mask(ids, predictions, whole_word, seed)
    _check(ids, batch, predictions)
    if not whole_word:
        maskable = (~np.isin(ids, UNMASKABLE)).sum(1)
        np.testing.assert_array_equal(
            batch.masked_lm_weights.sum(1), np.minimum(maskable, predictions)
        )
