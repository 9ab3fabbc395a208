"""Vectors of the company that tokens keep."""

import math
from collections import Counter

import numpy as np
import pytest

from pipelines import word_vectors as module
from pipelines.token_store import SplitStatistics, TokenStream
from pipelines.word_vectors import word_vectors

SEP = 3
VOCAB_SIZE = 40


def _stream(ids: np.ndarray, shards: int = 1) -> TokenStream:
    statistics = SplitStatistics(1, len(ids), 0.0, 0.0)
    return TokenStream("train", np.array_split(ids.astype(np.uint16), shards), statistics)


def _two_subjects(documents: int = 300) -> np.ndarray:
    """Documents of tokens 10 to 19, or of 20 to 29, each with 5 to 9 strewn in."""
    random = np.random.default_rng(1)
    parts = []
    for document in range(documents):
        subject = random.integers(10, 20, size=30) + 10 * (document % 2)
        common = random.integers(5, 10, size=30)
        parts += [np.where(random.random(30) < 0.5, common, subject), [SEP]]
    return np.concatenate(parts)


def _information_by_loops(ids: np.ndarray, company: list[int]) -> np.ndarray:
    """The definition, pair by pair."""
    pairs: Counter[tuple[int, int]] = Counter()
    for here, token in enumerate(ids):
        for offset in module.OFFSETS:
            for there in (here - offset, here + offset):
                between = ids[min(here, there) : max(here, there) + 1]
                if 0 <= there < len(ids) and SEP not in between and ids[there] in company:
                    pairs[int(token), company.index(ids[there])] += 1
    total = sum(pairs.values())
    of_token: Counter[int] = Counter()
    of_other: Counter[int] = Counter()
    for (token, other), count in pairs.items():
        of_token[token] += count
        of_other[other] += count
    expected = np.zeros((VOCAB_SIZE, len(company)))
    for (token, other), count in pairs.items():
        information = math.log(count * total / (of_token[token] * of_other[other]))
        expected[token, other] = max(0.0, information)
    return expected


@pytest.mark.parametrize("at_once", [1, 7, 2**18])
def test_information_is_that_of_the_definition(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COUNTS_AT_A_TIME", at_once)
    ids = _two_subjects(20)
    company = [12, 25, 7]
    pieces = ids[np.newaxis]
    frequency = np.bincount(ids, minlength=VOCAB_SIZE)
    actual = module._information(pieces, frequency, np.array(company), SEP)
    np.testing.assert_allclose(actual, _information_by_loops(ids, company), atol=1e-5)


def test_pieces_do_not_keep_company() -> None:
    ids = np.array([10, 11, 12, 13])
    apart = np.array([[10, 11], [12, 13]])
    frequency = np.bincount(ids, minlength=VOCAB_SIZE)
    company = np.array([10, 11, 12, 13])
    actual = module._information(apart, frequency, company, SEP)
    assert {(int(i), int(company[j])) for i, j in np.argwhere(actual > 0)} == {
        *((10, 11), (11, 10), (12, 13), (13, 12))
    }


def test_factor_is_the_largest_part_of_a_singular_value_decomposition() -> None:
    random = np.random.default_rng(0)
    scales = 0.5 ** np.arange(20)
    left, _ = np.linalg.qr(random.standard_normal((50, 20)))
    right, _ = np.linalg.qr(random.standard_normal((30, 20)))
    information = ((left * scales) @ right.T).astype(np.float32)
    actual = module._factor(information, 4, seed=0)
    # Up to the signs of columns.
    np.testing.assert_allclose(
        np.abs(actual), np.abs(left[:, :4] * np.sqrt(scales[:4])), atol=1e-3
    )


def test_tokens_of_one_subject_are_alike() -> None:
    vectors = word_vectors(_stream(_two_subjects()), VOCAB_SIZE, 8, SEP, seed=0)
    alike = (vectors @ vectors.T) / (8 * module.LENGTH**2)  # cosines
    first, second = slice(10, 20), slice(20, 30)
    assert alike[first, first].min() > 0.0
    assert alike[second, second].min() > 0.0
    assert alike[first, second].max() < -0.3


def test_what_is_never_seen_is_told_nothing() -> None:
    vectors = word_vectors(_stream(_two_subjects()), VOCAB_SIZE, 8, SEP, seed=0)
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.shape == (VOCAB_SIZE, 8)
    assert vectors.dtype == np.float32
    assert not lengths[:5].any()  # [SEP] among them
    assert not lengths[30:].any()
    np.testing.assert_allclose(lengths[10:30], module.LENGTH * math.sqrt(8), rtol=1e-5)


def test_shards_and_calls_make_no_difference() -> None:
    ids = _two_subjects()
    whole = word_vectors(_stream(ids), VOCAB_SIZE, 8, SEP, seed=0)
    np.testing.assert_array_equal(
        whole, word_vectors(_stream(ids, 5), VOCAB_SIZE, 8, SEP, seed=0)
    )


def test_of_a_long_stream_pieces_from_all_of_it_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 100)
    monkeypatch.setattr(module, "PIECE", 10)
    pieces = module.pieces_of(_stream(np.arange(1000)))
    assert pieces.shape == (10, 10)
    assert pieces[0, 0] == 0
    assert pieces[-1, -1] == 999
    assert (np.diff(pieces[:, 0]) >= 109).all()


@pytest.mark.parametrize("num_tokens", [1, 9, 10, 11, 19, 25, 99])
def test_of_a_short_stream_nearly_all_is_counted_and_nothing_twice(
    num_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 10)
    pieces = module.pieces_of(_stream(np.arange(num_tokens))).ravel()
    assert len(set(pieces.tolist())) == len(pieces) > num_tokens - len(pieces) / 5
    assert {0, num_tokens - 1} <= set(pieces.tolist())


@pytest.mark.parametrize("ids", [[7], [SEP], [7] * 50, [7, SEP] * 20, list(range(5, 12))])
def test_little_text_is_no_mistake(ids: list[int]) -> None:
    vectors = word_vectors(_stream(np.array(ids)), VOCAB_SIZE, 64, SEP, seed=0)
    assert vectors.shape == (VOCAB_SIZE, 64)
    assert np.isfinite(vectors).all()
