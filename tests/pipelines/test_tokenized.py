"""Tokenized examples against truncation done slowly, token by token."""

import numpy as np
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bert_core.errors import UserError
from pipelines.examples import Example
from pipelines.options import TextOptions
from pipelines.tokenized import (
    Rows,
    TokenizedTexts,
    cut,
    pair_budgets,
    tokenize_examples,
    unknown_warning,
)
from pipelines.vocabulary import Vocabulary


class Letters:
    """A tokenizer: one token per character."""

    def __init__(self):
        self.call_sizes = []

    def encode(self, texts):
        self.call_sizes.append(len(texts))
        return [np.array([ord(letter) for letter in text], np.int32) for text in texts]


def truncate_seq_pair(tokens_a, tokens_b, max_num_tokens):
    """What google-research/bert does."""
    while len(tokens_a) + len(tokens_b) > max_num_tokens:
        longer = tokens_a if len(tokens_a) > len(tokens_b) else tokens_b
        longer.pop()


def test_pair_budgets_are_those_of_popping_the_longer():
    for length_a in range(25):
        for length_b in range(25):
            for budget in range(25):
                a, b = [0] * length_a, [0] * length_b
                truncate_seq_pair(a, b, budget)
                assert pair_budgets(length_a, length_b, budget) == (len(a), len(b))


def test_head_and_tail_are_those_of_the_paper():
    ids = np.arange(1000)
    kept = cut(ids, 510, "head_tail")
    np.testing.assert_array_equal(kept, [*range(128), *range(1000 - 382, 1000)])
    np.testing.assert_array_equal(cut(ids, 510, "head"), ids[:510])


@pytest.mark.parametrize(("unknown", "says"), [(0, None), (1, None), (2, "10%"), (20, "100%")])
def test_texts_that_the_vocabulary_does_not_know(unknown, says):
    vocabulary = Vocabulary(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"), True)
    ids = np.array([vocabulary.unk_id] * unknown + [5] * (20 - unknown), np.int32)
    lines = unknown_warning(TokenizedTexts(Rows.of([ids, ids]), None, 0), vocabulary)
    assert [x.split()[1] for x in lines] == ([says] if says else [])
    assert unknown_warning(TokenizedTexts(Rows.of([]), None, 0), vocabulary) == []


@pytest.mark.parametrize("truncation", ["head", "head_tail"])
@pytest.mark.parametrize("budget", [0, 1, 2, 3, 6, 7])
@pytest.mark.parametrize("length", [0, 1, 5, 6, 7, 8, 20])
def test_cut_keeps_what_fits_and_else_exactly_the_budget(truncation, budget, length):
    ids = np.arange(length)
    kept = cut(ids, budget, truncation)
    assert len(kept) == min(length, budget)
    assert (np.diff(kept) > 0).all()  # tokens stay in order, none twice
    if truncation == "head_tail" and length > budget > 1:
        assert (kept[0], kept[-1]) == (0, length - 1)


TEXTS = st.text("abcdef", max_size=30)


@seed(0)
@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.integers(8, 20))
def test_single_texts_keep_their_heads(texts, max_seq_length):
    examples = [Example(text, None, None) for text in texts]
    tokenized = tokenize_examples(examples, Letters(), max_seq_length)
    kept = [text[: max_seq_length - 2] for text in texts]
    assert tokenized.second is None
    assert ["".join(map(chr, tokenized.first[i])) for i in range(len(texts))] == kept
    assert tokenized.lengths.tolist() == [len(text) + 2 for text in kept]
    assert tokenized.num_truncated == sum(text not in kept for text in texts)


@seed(0)
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8), st.integers(8, 40))
def test_pairs_are_popped_to_fit(texts, max_seq_length):
    examples = [Example(*pair, None) for pair in texts]
    tokenized = tokenize_examples(examples, Letters(), max_seq_length)
    num_truncated = 0
    for index, pair in enumerate(texts):
        a, b = map(list, pair)
        truncate_seq_pair(a, b, max_seq_length - 3)
        assert tokenized.first[index].tolist() == list(map(ord, a))
        assert tokenized.second[index].tolist() == list(map(ord, b))
        assert tokenized.lengths[index] == len(a) + len(b) + 3
        num_truncated += len(a) + len(b) < sum(map(len, pair))
    assert tokenized.num_truncated == num_truncated


def test_head_tail_reaches_both_texts_of_a_pair():
    example = Example("abcdefghijkl", "mnopqrstuvwx", None)
    tokenized = tokenize_examples([example], Letters(), 19, "head_tail")
    assert "".join(map(chr, tokenized.first[0])) == "abghijkl"
    assert "".join(map(chr, tokenized.second[0])) == "mnstuvwx"
    assert tokenized.num_truncated == 1


def test_arrays_are_flat_and_the_tokenizer_gets_many_texts_a_call():
    letters = Letters()
    examples = [Example("ab" * (index % 3), None, None) for index in range(2500)]
    tokenized = tokenize_examples(examples, letters, 16)
    assert letters.call_sizes == [1000, 1000, 500]
    assert tokenized.first.ids.dtype == np.int32
    assert tokenized.first.row_splits.dtype == np.int64
    assert tokenized.first.row_splits.shape == (2501,)
    assert tokenized.first.ids.shape == (tokenized.first.row_splits[-1],)
    assert len(tokenized) == 2500


def test_no_rows_at_all():
    rows = Rows.of([])
    assert len(rows) == 0
    assert rows.ids.dtype == np.int32
    assert rows.lengths.tolist() == []


def test_a_second_text_on_some_examples_only_is_an_error():
    examples = [Example("a", "b", None), Example("a", None, None)]
    with pytest.raises(UserError, match="give all or none"):
        tokenize_examples(examples, Letters(), 16)


def test_truncation_is_checked_by_the_options():
    assert TextOptions(truncation="head_tail").truncation == "head_tail"
    with pytest.raises(UserError, match=r"--truncation=tail: must be one of head, head_tail"):
        TextOptions(truncation="tail")
