"""What is shown of a model is what the oracle says of it."""

import numpy as np
import pytest

from bert_core.models import MaskedLanguageModel
from loops.attention_maps import attention_maps, mean_distances
from loops.inspection import fill_in, neighbours, read_in_turn
from pipelines.masked_text import masked_in_turn, with_gaps
from tests import oracles
from tests.small_bert import architecture, assert_close, randomise, small_config

CONFIG = small_config(alibi_slopes=(1.0, 0.25, 0.0))
TOKENS = tuple(f"t{i}" for i in range(CONFIG.vocab_size))
IDS = np.array([2, 7, 7, 11, 16, 3], np.int32)  # [CLS] ... [SEP]
MASK = 4


@pytest.fixture(scope="module")
def model() -> tuple:
    built = MaskedLanguageModel(CONFIG)
    return built, randomise(built)


def odds(parameters: dict, ids: np.ndarray, place: int) -> np.ndarray:
    """[V], by the oracle: of the token at a place."""
    logits = oracles.mlm_logits(
        parameters, architecture(CONFIG), ids[None], np.array([[place]])
    )
    return oracles.softmax(logits.reshape(-1))


def test_each_word_in_turn(model: tuple) -> None:
    bert, parameters = model
    words = read_in_turn(bert, masked_in_turn(IDS, MASK), TOKENS, 3)
    assert [word.token for word in words] == ["t7", "t7", "t11", "t16"]
    for place, word in enumerate(words, start=1):
        hidden = IDS.copy()
        hidden[place] = MASK
        expected = odds(parameters, hidden, place)
        assert word.odds == pytest.approx(expected[IDS[place]], abs=1e-5)
        best = np.argsort(-expected)[:3]
        assert [token for token, _ in word.guesses] == [TOKENS[i] for i in best]
        assert [share for _, share in word.guesses] == pytest.approx(expected[best], abs=1e-5)
        assert not word.was_hidden


def test_gaps_of_a_text(model: tuple) -> None:
    bert, parameters = model
    ids = np.array([2, 7, MASK, 11, MASK, 3], np.int32)
    words = fill_in(bert, with_gaps(ids, MASK), TOKENS, 2)
    assert [word.was_hidden for word in words] == [False, True, False, True]
    assert [words[0].token, words[2].token] == ["t7", "t11"]
    assert words[0].odds is None
    for place in (2, 4):
        expected = odds(parameters, ids, place)
        assert words[place - 1].token == TOKENS[expected.argmax()]
        assert words[place - 1].odds == pytest.approx(expected.max(), abs=1e-5)
        assert len(words[place - 1].guesses) == 2


def test_attention_maps_of_every_layer_and_head(model: tuple) -> None:
    bert, parameters = model
    maps = attention_maps(bert.encoder, IDS)
    mask, encoder = np.ones((1, len(IDS))), oracles.under(parameters, "encoder")
    states = oracles.hidden_states(
        encoder, architecture(CONFIG), IDS[None], mask, np.zeros((1, len(IDS)), int)
    )
    assert maps.shape == (2, 3, 6, 6)
    for layer in range(2):
        expected = oracles.attention_maps(
            oracles.under(encoder, f"layers/{layer}/attention"),
            states[layer], mask, 3, CONFIG.alibi_slopes,
        )  # fmt: skip
        assert_close(maps[layer], np.concatenate(expected))


def test_mean_distances() -> None:
    stay, left = np.eye(3), np.eye(3)[[0, 0, 1]]
    np.testing.assert_allclose(mean_distances(np.stack([stay, left])), [0, 2 / 3])


def test_neighbours_are_the_nearest_by_angle() -> None:
    table = np.array([[1, 0], [9, 1], [1, 1], [0, 2], [-1, 0], [0, 0]], np.float32)
    (found,) = neighbours(table, [0], np.array([0, 1, 2, 4, 5]), 3)
    assert [i for i, _ in found] == [1, 2, 5]
    assert [x for _, x in found] == pytest.approx([9 / 82**0.5, 0.5**0.5, 0.0])
