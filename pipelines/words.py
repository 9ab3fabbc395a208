"""BERT's split of text into words and punctuation, before WordPiece.

An exact, slow twin of what tensorflow-text does inside `FastBertTokenizer`.
"""

import re
import unicodedata

MAX_WORD_BYTES = 100  # longer words are [UNK]

_ASCII_WORDS = re.compile(r"[0-9A-Za-z]+|[!-/:-@\[-`{-~]")
_CJK_RANGES = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def split_words(text: str, lower_case: bool) -> list[str]:
    """Words of a text: control characters dropped, punctuation and CJK characters alone.

    With `lower_case` the text is lower-cased and loses its accents (NFD).
    """
    if lower_case:
        text = text.lower()
    if text.isascii() and text.isprintable():
        return _ASCII_WORDS.findall(text)
    if lower_case:
        text = "".join(
            c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"
        )
    return "".join(map(_separated, text)).split()


def _separated(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or category == "Zs":
        return " "
    if category in ("Cc", "Cf") or character in "\0\ufffd":
        return ""
    if _is_punctuation(character, category) or _is_cjk(ord(character)):
        return f" {character} "
    return character


def _is_punctuation(character: str, category: str) -> bool:
    # BERT counts all ASCII that is no letter, digit or space, such as "$" and "`".
    ascii_symbol = character.isascii() and not character.isalnum()
    return ascii_symbol or category.startswith("P")


def _is_cjk(code: int) -> bool:
    return any(first <= code <= last for first, last in _CJK_RANGES)
