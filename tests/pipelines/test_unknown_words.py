"""What a vocabulary lacks is counted word by word, and its reason told."""

import pytest

from pipelines.unknown_words import explanation, unknown_words
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary


def vocabulary(*pieces: str, lower_case: bool = True) -> Vocabulary:
    return Vocabulary((*SPECIAL_TOKENS, *pieces), lower_case)


ETE = vocabulary("ete", "a", "##b", ".", lower_case=False)


@pytest.mark.parametrize(
    ("text", "known", "reason"),
    [
        ("ETE", ETE, "capitals"),
        ("été", ETE, "accents"),
        ("ÉTÉ", ETE, "capitals"),  # both: the advice is the same
        ("лето", ETE, "Cyrillic"),
        ("夏", ETE, "CJK"),
        ("☃", ETE, "symbols"),
        ("7", ETE, "digits"),
        ("a" * 401, ETE, "too long"),
        ("b", ETE, "parts"),
        ("gatc", vocabulary("GATC"), "capitals"),  # text is lower-cased, the pieces are not
        ("Été", vocabulary("ete"), None),
        ("ab a. ete", ETE, None),
    ],
)
def test_the_reason(text: str, known: Vocabulary, reason: str | None) -> None:
    found = unknown_words([text], known)
    assert found.reasons == ({} if reason is None else {reason: 1})
    assert found.rate == (0 if reason is None else 1)


def test_rate_and_reasons_count_every_occurrence() -> None:
    # Tokens: a ##b | [UNK] . | ete a | [UNK] [UNK]: three of eight.
    found = unknown_words(["ab жук.", "ete a", "жук Ete"], ETE)
    assert found.rate == 3 / 8
    assert found.reasons == {"Cyrillic": 2, "capitals": 1}
    assert list(found.reasons) == ["Cyrillic", "capitals"]
    assert found.examples == {"Cyrillic": ["жук"], "capitals": ["Ete"]}


def test_examples_are_few_and_the_most_frequent() -> None:
    words = [f"ж{'ж' * i}" for i in range(9)]
    texts = [" ".join([word] * (20 - i)) for i, word in enumerate(words)]
    assert unknown_words(texts, ETE).examples == {"Cyrillic": words[:5]}


@pytest.mark.parametrize(
    ("reason", "lower_case", "learned", "advice"),
    [
        ("capitals", False, False, "--lower_case"),
        ("capitals", True, False, "--nolower_case"),
        ("accents", False, False, "--lower_case"),
        ("Cyrillic", True, False, "--vocab_file"),
        ("CJK", True, True, "raise --vocab_size"),
        ("too long", True, True, "blanks between"),
        ("parts", True, False, "--vocab_file"),
    ],
)
def test_what_to_do(reason: str, lower_case: bool, learned: bool, advice: str) -> None:
    reasons = {reason: 3, "symbols": 1}
    line = explanation(reasons, {reason: ["x", "y"], "symbols": ["\x1b"]}, lower_case, learned)
    assert line.startswith("75% of the unknown words ")
    assert "'x', 'y'" in line
    assert advice in line
    assert "\x1b" not in line
    assert "\n" not in line
