"""The vocabulary file, and the learner against tensorflow-text's."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bert_core.errors import UserError
from pipelines import vocabulary_learner
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary, read_vocabulary
from pipelines.vocabulary_learner import learn_vocabulary
from pipelines.words import clean_text, split_words

WORDS = ["play", "playing", "player", "walk", "walked", "walking", "unhappy", "happiness"]


def _texts(count: int, seed: int = 0) -> list[str]:
    """English-looking words: stems and endings, frequencies like Zipf's."""
    rng = random.Random(seed)
    letters, endings = "etaoinshrdlu", ["", "s", "ed", "ing", "er", "ness", "ly"]
    shapes = random.Random(1)
    stems = ["".join(shapes.choices(letters, k=shapes.randint(2, 7))) for _ in range(600)]
    weights = [1 / rank for rank in range(1, len(stems) + 1)]
    return [
        " ".join(s + rng.choice(endings) for s in rng.choices(stems, weights, k=60)) + "."
        for _ in range(count)
    ]


def test_write_and_read_give_the_same_vocabulary(tmp_path: Path) -> None:
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "play", "##ing", "##", "\u2028", "é"), True)
    vocabulary.write(tmp_path / "vocab.txt")
    assert read_vocabulary(tmp_path / "vocab.txt", lower_case=True) == vocabulary
    assert vocabulary.is_continuation.tolist() == [False] * 6 + [True] + [False] * 3
    assert vocabulary.special_ids == (0, 1, 2, 3, 4)
    assert vocabulary.ordinary_ids.tolist() == [5, 6, 7, 8, 9]


def test_windows_line_ends_and_any_order_of_special_tokens(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(b"a\r\n[MASK]\r\n[SEP]\r\n[CLS]\r\n[UNK]\r\n[PAD]\r\nb")
    vocabulary = read_vocabulary(path, lower_case=False)
    assert vocabulary.special_ids == (5, 4, 3, 2, 1)
    assert vocabulary.ordinary_ids.tolist() == [0, 6]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\na\n", r"line 8 repeats .* line 6"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n", r"\[MASK\] is missing"),
        (b"[PAD]\n[UNK]\n\n[CLS]\n[SEP]\n[MASK]\na\n", "line 3 is empty"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\xff\n", "line 6 is not UTF-8"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", "nothing but special"),
        (b"", "line 1 is empty"),
    ],
)
def test_a_bad_file_names_the_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_vocabulary(path, lower_case=True)


def test_a_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_vocabulary(tmp_path / "none.txt", lower_case=True)


def test_hash_tells_case_apart() -> None:
    tokens = (*SPECIAL_TOKENS, "a")
    assert Vocabulary(tokens, True).sha256 != Vocabulary(tokens, False).sha256


def test_learner_agrees_with_recounting_everything_at_each_merge() -> None:
    """The oracle counts all pairs from nothing after each merge."""
    texts = [" ".join(random.Random(3).choices(WORDS, range(1, 9), k=400))]
    words = {word: texts[0].split().count(word) for word in WORDS}
    pieces = {w: [w[0], *("##" + c for c in w[1:])] for w in words}
    expected = sorted({p for ps in pieces.values() for p in ps})
    while True:
        pairs: dict[tuple[str, str], int] = {}
        for word, count in words.items():
            for pair in zip(pieces[word], pieces[word][1:], strict=False):
                pairs[pair] = pairs.get(pair, 0) + count
        if not pairs:
            break
        best = min(pairs, key=lambda p: (-pairs[p], expected.index(p[0]), expected.index(p[1])))
        joined = best[0] + best[1].removeprefix("##")
        if joined not in expected:
            expected.append(joined)
        for word in words:
            old, new = pieces[word], []
            while old:
                size = 2 if tuple(old[:2]) == best else 1
                new.append(joined if size == 2 else old[0])
                old = old[size:]
            pieces[word] = new
    assert learn_vocabulary(texts, 200, lower_case=True) == [*SPECIAL_TOKENS, *expected]


def test_learning_is_deterministic_and_ignores_the_order_of_documents() -> None:
    texts = _texts(30)
    learned = learn_vocabulary(texts, 300, lower_case=True)
    assert learned == learn_vocabulary(texts[::-1], 300, lower_case=True)
    assert len(learned) == 300
    assert tuple(learned[:5]) == SPECIAL_TOKENS


def test_a_small_corpus_gives_a_smaller_vocabulary() -> None:
    learned = learn_vocabulary(["aa ab"], 200, lower_case=True)
    assert learned == [*SPECIAL_TOKENS, "##a", "##b", "a"]


def test_rare_characters_are_left_out() -> None:
    texts = ["common words " * 500_000 + "\u4e00 na\u03b1 "]
    learned = learn_vocabulary(texts, 200, lower_case=True)
    assert "words" in learned
    assert not {"\u4e00", "##\u03b1"} & set(learned)


def test_the_alphabet_takes_at_most_half() -> None:
    text = "".join(chr(0x4E00 + i) * (1 + i % 7) for i in range(2000))
    assert len(learn_vocabulary([text], 205, lower_case=True)) <= 105


def test_counting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary_learner, "_MAX_CHUNKS", 50)
    texts = [f"the cat rare{i} odd{i}" for i in range(500)]
    words = vocabulary_learner.count_words(texts, lower_case=True)
    assert (words["the"], words["cat"]) == (500, 500)
    assert len(words) <= 52


def test_counting_text_without_spaces_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a sentence stands for a word: characters of Chinese alone, others dropped."""
    monkeypatch.setattr(vocabulary_learner, "_MAX_CHARACTERS", 1000)
    texts = ["\u4e2d\u6587" * 20 + "\u0e01" * (10 + i) for i in range(99)]
    seen: list[int] = []
    without_rarest = vocabulary_learner._without_rarest

    def spy(chunks: Counter[str]) -> Counter[str]:
        seen.append(sum(map(len, chunks)))
        return without_rarest(chunks)

    monkeypatch.setattr(vocabulary_learner, "_without_rarest", spy)
    words = vocabulary_learner.count_words(texts, lower_case=True)
    assert words["\u4e2d"] == words["\u6587"] == 99 * 20
    assert len(seen) > 5
    assert max(seen) < 1200


def test_a_sample_is_from_all_over_and_the_same_every_time() -> None:
    texts = [f"document {i}" for i in range(10_000)]
    assert list(vocabulary_learner.sample(texts, 2**28)) == texts
    chosen = list(vocabulary_learner.sample(texts, 2**30))
    assert chosen == list(vocabulary_learner.sample(texts, 2**30))
    assert len(chosen) == pytest.approx(2500, abs=150)
    last = sum(text > "document 75" for text in chosen)
    assert last == pytest.approx(2500 * 0.277, abs=100)


def test_special_tokens_in_the_text_are_not_words() -> None:
    learned = learn_vocabulary(["[MASK] [MASK]"] * 50, 200, lower_case=False)
    assert learned.count("[MASK]") == 1
    assert "MASK" in learned


def test_words_are_split_as_bert_does() -> None:
    (cleaned,) = clean_text(
        ["Don't re\u00adtry\u0000 caf\u00e9\u3000$5 \u4e2d\u6587!"], True
    ).numpy()
    assert split_words(cleaned.decode()) == [
        *("don", "'", "t", "retry", "cafe", "$", "5", "\u4e2d", "\u6587", "!")
    ]


def _tokens_per_word(tokens: list[str], texts: list[str]) -> float:
    vocabulary = Vocabulary(tuple(tokens), True)
    ids = np.concatenate(Tokenizer(vocabulary).encode(texts))
    return len(ids) / np.count_nonzero(~vocabulary.is_continuation[ids])


def _fertilities(train: int, size: int) -> tuple[float, float]:
    """Tokens per word on new text: ours, and tensorflow-text's learner at the same size."""
    tf = pytest.importorskip("tensorflow")
    from tensorflow_text.tools.wordpiece_vocab.bert_vocab_from_dataset import (
        bert_vocab_from_dataset,
    )

    texts, held_out = _texts(train), _texts(100, seed=9)
    theirs = bert_vocab_from_dataset(
        tf.data.Dataset.from_tensors(texts), size, list(SPECIAL_TOKENS), {"lower_case": True}
    )
    ours = learn_vocabulary(texts, len(theirs), lower_case=True)
    return _tokens_per_word(ours, held_out), _tokens_per_word(theirs, held_out)


def test_no_more_tokens_per_word_than_tensorflow_text_quick() -> None:
    ours, theirs = _fertilities(train=40, size=200)
    assert 1 <= ours <= theirs


@pytest.mark.soak
def test_no_more_tokens_per_word_than_tensorflow_text() -> None:
    for size in (500, 1500):
        ours, theirs = _fertilities(train=500, size=size)
        assert 1 <= ours <= theirs
