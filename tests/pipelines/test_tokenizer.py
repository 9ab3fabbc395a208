"""Tokenisation against a slow transcription of google-research/bert's tokenization.py."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_core.errors import UserError
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary

_LETTERS = [chr(c) for c in range(33, 127)] + list("éüßñœøıабвгд中文字日本語カナ한국…“”½™№ﬁ²")
_PIECES = ["the", "un", "##aff", "##able", "mask", "MASK", "##ing", "play", "don", "##", "an"]


def _vocabulary(lower_case: bool) -> Vocabulary:
    tokens = [*SPECIAL_TOKENS, *_LETTERS, *("##" + c for c in _LETTERS), *_PIECES]
    return Vocabulary(tuple(dict.fromkeys(tokens)), lower_case)


TOKENIZERS = {lower: Tokenizer(_vocabulary(lower)) for lower in (True, False)}


def _oracle(text: str, vocabulary: Vocabulary) -> list[int]:
    """`FullTokenizer` of google-research/bert, private characters dropped as by HF."""
    text = "".join(
        c
        for c in text
        if c in "\t\n\r" or not (unicodedata.category(c) in ("Cc", "Cf", "Co") or c == "\ufffd")
    )
    if vocabulary.lower_case:
        text = unicodedata.normalize("NFD", text.lower())
        text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    spread = ""
    for c in text:
        cjk = (
            "\u4e00" <= c <= "\u9fff" or "\u3400" <= c <= "\u4dbf" or "\uf900" <= c <= "\ufaff"
        )
        symbol = 33 <= ord(c) < 127 and not c.isalnum()
        alone = cjk or symbol or unicodedata.category(c).startswith("P")
        spread += f" {c} " if alone else c
    known = {token: number for number, token in enumerate(vocabulary.tokens)}
    ids = []
    for word in spread.split():
        start, pieces = 0, []
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in known:
                    pieces.append(known[piece])
                    start = end
                    break
            else:
                start, pieces = len(word), [vocabulary.unk_id]
        ids += pieces
    return ids


@pytest.mark.parametrize("lower_case", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "The unaffable player's playing.",
        "ÉTÉ naïve Über Straße ŒUVRE ΣΊΣΥΦΟΣ İstanbul \u0131\u0131",
        "中文字 mixed日本語カナ 한국",
        "a\x00b\x01c\td\ne\x85f\u00adg\u200bh\ufeffi\ue000j\ufffdk",
        "no\u00a0break\u3000wide\u2009thin\u2028line",
        "½ ™ № ﬁ ² … “quoted” a…b",
        "don't $5 `a` ^b~ a_b <tag> {x|y}",
        "e\u0301 \u0301x",
        "[MASK] [SEP][CLS] [PAD] [UNK] [mask] ##ing # #ing ##",
        "\U0001f600 emoji\U0001f600",
    ],
)
def test_ids_are_those_of_bert(text: str, lower_case: bool) -> None:
    tokenizer = TOKENIZERS[lower_case]
    (ids,) = tokenizer.encode([text])
    assert ids.tolist() == _oracle(text, tokenizer.vocabulary)


@settings(max_examples=150, deadline=None)
@given(
    st.text(
        st.sampled_from([*_LETTERS, " ", "\n", "\t", "\u0301", "\u00a0", "\x00"]), max_size=60
    ),
    st.booleans(),
)
def test_ids_are_those_of_bert_for_any_text(text: str, lower_case: bool) -> None:
    tokenizer = TOKENIZERS[lower_case]
    (ids,) = tokenizer.encode([text])
    assert ids.tolist() == _oracle(text, tokenizer.vocabulary)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4), st.booleans())
def test_no_bytes_break_it_or_give_special_ids(texts: list[bytes], lower_case: bool) -> None:
    tokenizer = TOKENIZERS[lower_case]
    ids = tokenizer(tf.constant([b"[MASK]" + t + b"[SEP]" for t in texts]))
    assert ids.nrows() == len(texts)
    special = set(tokenizer.vocabulary.special_ids) - {tokenizer.vocabulary.unk_id}
    assert not special & set(ids.values.numpy().tolist())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("abcXYZ09", min_size=1, max_size=20), min_size=1, max_size=8))
def test_joined_pieces_give_the_words_back(words: list[str]) -> None:
    text = " ".join(words)
    tokenizer = TOKENIZERS[False]
    assert tokenizer.words(tokenizer.encode([text])[0]) == text


def test_words_over_400_bytes_are_unknown() -> None:
    tokenizer = TOKENIZERS[True]
    fits, over = tokenizer.encode(["x" * 400, "x" * 401])
    assert len(fits) == 400
    assert over.tolist() == [tokenizer.vocabulary.unk_id]


def test_encode_keeps_the_number_of_texts() -> None:
    tokenizer = TOKENIZERS[True]
    assert tokenizer.encode([]) == []
    assert [ids.tolist() for ids in tokenizer.encode(["", "", " "])] == [[], [], []]


def test_words_shows_special_tokens() -> None:
    tokenizer = TOKENIZERS[True]
    ids = [2, *tokenizer.encode(["unaffable play"])[0], 4, 3]
    assert tokenizer.words(np.array(ids)) == "[CLS] unaffable play [MASK] [SEP]"


def test_same_ids_in_a_dataset_and_in_a_saved_model(tmp_path: Path) -> None:
    texts = ["The unaffable player", "ÉTÉ…", ""]
    tokenizer = TOKENIZERS[True]
    expected = tokenizer(tf.constant(texts)).to_list()
    dataset = tf.data.Dataset.from_tensors(texts).map(tokenizer)
    assert next(iter(dataset)).to_list() == expected

    module = tf.Module()
    module.tokenizer = tokenizer
    module.encode = tf.function(tokenizer, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "model"))
    assert tf.saved_model.load(str(tmp_path / "model")).encode(texts).to_list() == expected


def test_an_unusable_token_is_a_user_error() -> None:
    with pytest.raises(UserError, match="cannot be used"):
        Tokenizer(Vocabulary((*SPECIAL_TOKENS, "a", "##", "\x11"), False))
