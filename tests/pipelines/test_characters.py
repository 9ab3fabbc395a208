"""Kinds of characters against the scripts and categories of RE2, counts against Counter."""

import collections
import random

import pytest
import tensorflow as tf

from pipelines import characters
from pipelines.characters import CharacterCounts, kind_of

SCRIPTS = {
    name: {"Han": "CJK"}.get(name, name)
    for name in (
        *("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Thai"),
        *("Hangul", "Hiragana", "Katakana", "Han", "Armenian", "Georgian", "Tamil"),
    )
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_letters_are_told_apart_by_script(script: str) -> None:
    code_points = [chr(c) for c in range(0x3100) if not 0xD800 <= c < 0xE000]
    code_points += [chr(c) for c in (*range(0x4E00, 0x4F00), *range(0xAC00, 0xAD00), 0x20000)]
    texts = tf.constant([c.encode() for c in code_points])
    letters = tf.strings.regex_full_match(texts, r"\pL").numpy()
    of_script = tf.strings.regex_full_match(texts, rf"\p{{{script}}}").numpy() & letters
    found = collections.Counter(
        kind_of(c) for c, is_its in zip(code_points, of_script, strict=True) if is_its
    )
    # Letterlike signs, such as raised ones, go by their names: Latin has a hundred.
    odd = found.total() - found[SCRIPTS[script]]
    assert odd <= (180 if script == "Latin" else 10)
    assert found[SCRIPTS[script]] > 30
    others = [c for c, is_its in zip(code_points, of_script, strict=True) if not is_its]
    assert sum(kind_of(c) == SCRIPTS[script] for c in others) <= 4


def test_wide_and_narrow_forms_are_of_their_script() -> None:
    assert [kind_of(c) for c in "Ａｱº"] == ["Latin", "Katakana", "Latin"]


def test_what_is_no_letter() -> None:
    kinds = {
        "5": "digits",
        "½": "digits",
        "٣": "digits",
        ".": "punctuation",
        "«": "punctuation",
    }
    kinds |= {"$": "symbols", "☃": "symbols", " ": "spaces", "\u3000": "spaces"}
    kinds |= {"\u0301": "marks", "\u0096": "other", "\ufffd": "symbols", "\ue000": "other"}
    assert {c: kind_of(c) for c in kinds} == kinds


def test_counts_are_those_of_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(characters, "_AT_ONCE", 500)  # several times over
    chooser = random.Random(3)
    texts = [
        "".join(chooser.choices("abcéжя中文5.$ \U0001f600", k=chooser.randrange(90)))
        for _ in range(99)
    ]
    counts = CharacterCounts()
    for text in texts:
        counts.add(text)
    expected = collections.Counter(map(kind_of, "".join(texts)))
    assert counts.kinds() == dict(expected)
    assert list(counts.kinds().values()) == sorted(expected.values(), reverse=True)
    counts.add("\ud800")  # half a pair can stand in JSON
    assert counts.kinds()["other"] == 1
