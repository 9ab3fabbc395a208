"""Labelled texts as token ids: flat arrays, cut to the length a model takes."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from bert_core.errors import UserError
from pipelines.examples import Example
from pipelines.vocabulary import Vocabulary

ENCODE_AT_ONCE = 1000  # texts per call of the tokenizer: many, for speed, but not all in memory
MOST_UNKNOWN = 0.05  # of the tokens, without a warning


class TextEncoder(Protocol):
    """What is needed of a tokenizer: the token ids of each text, [tokens] int32."""

    vocabulary: Vocabulary

    def encode(self, texts: list[str]) -> list[np.ndarray]: ...


@dataclasses.dataclass(frozen=True)
class Rows:
    """Arrays of different lengths laid end to end: a few objects however many texts."""

    ids: np.ndarray  # [tokens] int32
    row_splits: np.ndarray  # [n + 1] int64; row i is ids[row_splits[i] : row_splits[i + 1]]

    @classmethod
    def of(cls, rows: Sequence[np.ndarray]) -> "Rows":
        ids = np.concatenate([np.zeros(0, np.int32), *rows], dtype=np.int32)
        return cls(ids, np.cumsum([0, *map(len, rows)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.row_splits) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.ids[self.row_splits[index] : self.row_splits[index + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens in each row, [n] int64."""
        return np.diff(self.row_splits)


@dataclasses.dataclass(frozen=True)
class TokenizedTexts:
    """n texts, or pairs, without special tokens but short enough to add them."""

    first: Rows
    second: Rows | None  # of pairs
    num_truncated: int  # examples that were cut to fit

    def __len__(self) -> int:
        return len(self.first)

    @property
    def lengths(self) -> np.ndarray:
        """Positions each example takes up, [CLS] and [SEP]s included, [n] int64."""
        lengths = self.first.lengths + 2
        return lengths if self.second is None else lengths + self.second.lengths + 1


def unknown_warning(texts: TokenizedTexts, vocabulary: Vocabulary) -> list[str]:
    """A line to show when a vocabulary hardly knows the (first) texts; else nothing."""
    unknown = np.count_nonzero(texts.first.ids == vocabulary.unk_id) / max(
        1, texts.first.ids.size
    )
    if unknown <= MOST_UNKNOWN:
        return []
    return [
        f"warning: {unknown:.0%} of the tokens are unknown to the vocabulary, which was made "
        "from other text"
    ]


def tokenize_examples(
    examples: Sequence[Example],
    tokenizer: TextEncoder,
    max_seq_length: int,
    truncation: str = "head",
) -> TokenizedTexts:
    """Token ids of the examples, cut so that none takes more than `max_seq_length`.

    Of a pair, the longer text gives way first (`pair_budgets`). What is kept of a
    text that gives way is its head, or its head and tail (`cut`).

    Raises:
      UserError: only some of the examples have a second text.
    """
    has_pair = {example.text_pair is not None for example in examples}
    if len(has_pair) > 1:
        raise UserError("some examples have a second text and some have none; give all or none")
    firsts: list[np.ndarray] = []
    seconds: list[np.ndarray] = []
    num_truncated = 0
    for start in range(0, len(examples), ENCODE_AT_ONCE):
        chunk = examples[start : start + ENCODE_AT_ONCE]
        encoded = tokenizer.encode([example.text for example in chunk])
        if has_pair == {False}:
            budget = max_seq_length - 2
            num_truncated += sum(len(ids) > budget for ids in encoded)
            firsts += [cut(ids, budget, truncation) for ids in encoded]
            continue
        encoded_pair = tokenizer.encode([example.text_pair or "" for example in chunk])
        for ids, pair_ids in zip(encoded, encoded_pair, strict=True):
            budgets = pair_budgets(len(ids), len(pair_ids), max_seq_length - 3)
            num_truncated += budgets != (len(ids), len(pair_ids))
            firsts.append(cut(ids, budgets[0], truncation))
            seconds.append(cut(pair_ids, budgets[1], truncation))
    second = Rows.of(seconds) if has_pair == {True} else None
    return TokenizedTexts(Rows.of(firsts), second, num_truncated)


def cut(ids: np.ndarray, budget: int, truncation: str) -> np.ndarray:
    """At most `budget` of the ids: all head, or a quarter head and the rest tail.

    Sun et al. 2019 (https://arxiv.org/abs/1905.05583) found "head_tail" better for
    reviews: the first 128 and the last 382 of 510 tokens.
    """
    if len(ids) <= budget:
        return ids.copy()  # a view would keep its whole chunk in memory
    head = -(-budget // 4) if truncation == "head_tail" else budget
    tail = budget - head
    return np.concatenate([ids[:head], ids[len(ids) - tail :]])


def pair_budgets(length: int, pair_length: int, budget: int) -> tuple[int, int]:
    """How many tokens of each text of a pair are kept, `budget` in all.

    The same as popping tokens off the longer one, or the second if they are equally
    long, until they fit (google-research/bert, `truncate_seq_pair`): the shorter one
    stays whole if it fits into half the budget, else they share it.
    """
    kept = min(length, max(budget - pair_length, (budget + 1) // 2))
    return kept, min(pair_length, budget - kept)
