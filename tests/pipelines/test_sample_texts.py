"""A run's own texts: beginnings of documents, different, from all over, kept as they were."""

import random
from pathlib import Path

import numpy as np
import pytest

from bert_core.errors import UserError
from pipelines import sample_texts
from pipelines.masked_text import marked_ids, masked_in_turn
from pipelines.token_store import SplitStatistics, TokenStream
from pipelines.tokenized import Rows
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *"abcdefgh", "##a", "##b"), True)
TOKENIZER = Tokenizer(VOCABULARY)


def stream(documents: list[list[int]]) -> TokenStream:
    ids = np.array([i for document in documents for i in (*document, VOCABULARY.sep_id)])
    statistics = SplitStatistics(len(documents), len(ids), 0.1, 1.0)
    return TokenStream(
        "dev", [ids[:50].astype(np.uint16), ids[50:].astype(np.uint16)], statistics
    )


def test_samples_begin_where_documents_begin() -> None:
    chooser = random.Random(0)
    documents = [chooser.choices(range(5, 15), k=chooser.randint(1, 60)) for _ in range(400)]
    samples = sample_texts.of_stream(stream(documents), VOCABULARY)
    assert len(samples) == 6
    beginnings = {tuple(document[:24]): i for i, document in enumerate(documents)}
    places = [beginnings[tuple(sample.tolist())] for sample in samples]
    assert len(set(places)) == 6
    assert min(places) < 100
    assert max(places) > 250  # from all over
    assert min(map(len, samples)) >= 4


@pytest.mark.parametrize("documents", [[[5]], [[5, 6]] * 9, [[5, 6, 7, 8, 9]], [[1] * 30] * 9])
def test_few_short_or_unknown_documents(documents: list) -> None:
    samples = sample_texts.of_stream(stream(documents), VOCABULARY)
    assert [x.tolist() for x in samples] == ([documents[0]] if len(documents[0]) == 5 else [])


def test_samples_of_texts() -> None:
    rows = Rows.of([np.array([5 + i % 8] * (i % 7), np.int32) for i in range(1000)])
    samples = sample_texts.of_texts(rows, VOCABULARY)
    assert 1 <= len(samples) <= 6
    assert all(4 <= len(sample) <= 6 for sample in samples)
    assert sample_texts.looked_at(samples, VOCABULARY, 64).tolist() == [2, *samples[0], 3]
    assert sample_texts.looked_at(samples, VOCABULARY, 5).tolist() == [2, *samples[0][:3], 3]
    assert sample_texts.looked_at([], VOCABULARY, 64) is None


def test_they_are_kept_as_text(tmp_path: Path) -> None:
    assert sample_texts.kept_texts(tmp_path) == sample_texts.DEFAULTS
    samples = [np.array([5, 13, 6, 7]), np.array([8, 9, 10, 14])]
    lines = sample_texts.as_lines(samples, TOKENIZER.words)
    (tmp_path / "samples.txt").write_text(lines)
    kept = sample_texts.kept_texts(tmp_path)
    assert kept == ("aa b c", "d e fb")
    for text, ids in zip(kept, samples, strict=True):
        assert marked_ids(text, TOKENIZER).tolist() == [2, *ids, 3]
    (tmp_path / "samples.txt").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"samples\.txt: cannot be read"):
        sample_texts.kept_texts(tmp_path)


def test_each_token_is_hidden_once() -> None:
    ids = marked_ids("aa b", TOKENIZER)
    batch = masked_in_turn(ids, VOCABULARY.mask_id)
    assert batch.input_ids.tolist() == [[2, 4, 13, 6, 3], [2, 5, 4, 6, 3], [2, 5, 13, 4, 3]]
    assert batch.masked_lm_positions.tolist() == [[1], [2], [3]]
    assert batch.masked_lm_ids.tolist() == [[5], [13], [6]]
    assert batch.masked_lm_weights.tolist() == [[1.0]] * 3
