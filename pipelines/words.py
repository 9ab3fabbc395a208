"""BERT's cleaning of text, and its split into words and punctuation, before WordPiece."""

import re
import unicodedata

import tensorflow as tf
import tensorflow_text as tf_text

# Longer words are [UNK]. BERT's own limit is 200 characters, of any number of bytes.
MAX_WORD_BYTES = 400

_CONTROL = r"[^\P{C}\t\n\r]+|\x{FFFD}+"
_ACCENT = r"\p{Mn}+"
_ASCII_WORDS = re.compile(r"[0-9A-Za-z]+|[!-/:-@\[-`{-~]")
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
CJK_CHARACTER = re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in _CJK) + "]")


def clean_text(texts: tf.Tensor, lower_case: bool) -> tf.Tensor:
    """[n] string -> [n] string without control characters or broken UTF-8.

    With `lower_case` it is also lower-cased, decomposed (NFD) and stripped of
    accents: "Ü" becomes "u", in every locale.
    """
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
    texts = tf.strings.regex_replace(texts, _CONTROL, "")
    if lower_case:
        # First, as ICU lower-cases by the process's locale: in Turkish "I" to a dotless "i".
        texts = tf.strings.regex_replace(texts, "I", "i")
        texts = tf.strings.regex_replace(texts, "\u0130", "i\u0307")
        texts = tf.strings.lower(texts, encoding="utf-8")
        texts = tf_text.normalize_utf8(texts, "NFD")
        texts = tf.strings.regex_replace(texts, _ACCENT, "")
    return texts


def split_words(text: str) -> list[str]:
    """Words of a cleaned text; each punctuation mark or CJK character is a word."""
    if text.isascii():
        return _ASCII_WORDS.findall(text)
    return "".join(f" {c} " if _stands_alone(c) else c for c in text).split()


def _stands_alone(character: str) -> bool:
    # BERT counts all ASCII but letters, digits and spaces, such as "$" and "`".
    if character.isascii():
        return not (character.isalnum() or character.isspace())
    return unicodedata.category(character)[0] == "P" or bool(CJK_CHARACTER.match(character))
