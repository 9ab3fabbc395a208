"""Tables of neighbours that begin as what stands beside each token."""

import math
from collections import Counter

import numpy as np
import pytest

from pipelines import neighbour_vectors as module
from pipelines.neighbour_vectors import neighbour_vectors
from pipelines.token_store import SplitStatistics, TokenStream
from pipelines.word_vectors import LENGTH

SEP, VOCAB_SIZE, HIDDEN_SIZE = 3, 20, 6


def _stream(ids: np.ndarray) -> TokenStream:
    statistics = SplitStatistics(1, len(ids), 0.0, 0.0)
    return TokenStream("train", [ids.astype(np.uint16)], statistics)


def _by_loops(ids: np.ndarray, offset: int, word: np.ndarray) -> np.ndarray:
    """The definition, pair by pair."""
    pairs: Counter[tuple[int, int]] = Counter()
    for here, token in enumerate(ids):
        there = here + offset
        if 0 <= there < len(ids) and SEP not in (token, ids[there]):
            pairs[int(ids[there]), int(token)] += 1
    said, found = Counter[int](), Counter[int]()
    for (sayer, token), count in pairs.items():
        said[sayer] += count
        found[token] += count
    vectors = np.zeros(word.shape)
    for (sayer, token), count in pairs.items():
        ratio = count * pairs.total() / (said[sayer] * found[token])
        vectors[sayer] += max(0.0, math.log(ratio)) * math.sqrt(count) * word[token]
    told = vectors.any(axis=1)
    vectors[told] -= vectors[told].mean(axis=0)
    lengths = np.linalg.norm(vectors[told], axis=1, keepdims=True)
    vectors[told] *= LENGTH * math.sqrt(word.shape[1]) / lengths
    return vectors


@pytest.mark.parametrize("at_once", [7, 2**16])
@pytest.mark.parametrize("offset", [-1, 1, -3])
def test_vectors_are_those_of_the_definition(
    offset: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAIRS_AT_A_TIME", at_once)
    random = np.random.default_rng(0)
    ids = random.choice([SEP, *range(5, 15)], size=400)
    word = random.standard_normal((VOCAB_SIZE, HIDDEN_SIZE)).astype(np.float32)
    vectors = neighbour_vectors(_stream(ids), offset, word, SEP)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, _by_loops(ids, offset, word), atol=1e-6)


def test_a_token_says_what_it_stands_beside() -> None:
    # 5 is before 10 and 6 before 11, always.
    ids = np.array([5, 10, 12, 6, 11, 12] * 50)
    word = np.random.default_rng(0).standard_normal((VOCAB_SIZE, 64)).astype(np.float32)
    before = neighbour_vectors(_stream(ids), -1, word, SEP)
    after = neighbour_vectors(_stream(ids), 1, word, SEP)
    for vectors, sayer, said, other in ((before, 5, 10, 11), (before, 6, 11, 10)):
        assert vectors[sayer] @ word[said] > 0 > vectors[sayer] @ word[other]
    assert after[10] @ word[5] > 0 > after[10] @ word[6]


@pytest.mark.parametrize("ids", [[7], [SEP], [7] * 50, [7, SEP] * 20, list(range(5, 12))])
def test_little_text_is_no_mistake(ids: list[int]) -> None:
    word = np.ones((VOCAB_SIZE, HIDDEN_SIZE), np.float32)
    vectors = neighbour_vectors(_stream(np.array(ids)), -1, word, SEP)
    assert vectors.shape == (VOCAB_SIZE, HIDDEN_SIZE)
    assert np.isfinite(vectors).all()
