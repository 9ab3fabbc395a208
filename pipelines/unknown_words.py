"""Which words of a text become [UNK], and what of them the vocabulary lacks."""

import collections
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tensorflow as tf

from bert_core.errors import UserError
from bert_core.escapes import escaped
from pipelines.characters import NOT_LETTERS, kind_of
from pipelines.options import StoreOptions
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import CONTINUATION, Vocabulary
from pipelines.words import MAX_WORD_BYTES, clean_text, split_words

CAPITALS, ACCENTS, TOO_LONG, PARTS = "capitals", "accents", "too long", "parts"
_EXAMPLES = 5  # words of a reason
_SHOWN_REASONS = 2
_CLEARLY = 2  # times the allowed rate of unknown tokens: not by chance of the sample


class UnknownWords(NamedTuple):
    """Of a sample of text. Any reason but those above is the `kind_of` a missing character."""

    rate: float  # of the tokens that are [UNK]
    reasons: dict[str, int]  # words, counted as often as they occur; the most frequent first
    examples: dict[str, list[str]]  # of each reason, the most frequent first


def unknown_words(texts: Sequence[str], vocabulary: Vocabulary) -> UnknownWords:
    """What the vocabulary does not know of some texts, and why, as far as can be seen."""
    counts = _words(texts, vocabulary.lower_case)
    known = _Known(vocabulary)
    words = sorted(counts, key=lambda word: (-counts[word], word))
    tokens, unknown = 0, []
    for word, ids in zip(words, known.encode(words), strict=True):
        tokens += counts[word] * len(ids)
        if known.unk_id in ids:
            unknown.append(word)
    reasons: collections.Counter[str] = collections.Counter()
    examples: dict[str, list[str]] = {}
    for word, reason in zip(unknown, known.reasons(unknown), strict=True):
        reasons[reason] += counts[word]
        examples.setdefault(reason, []).append(word)
    return UnknownWords(
        rate=sum(reasons.values()) / max(1, tokens),
        reasons=dict(reasons.most_common()),
        examples={reason: words[:_EXAMPLES] for reason, words in examples.items()},
    )


def check_sample(
    texts: Sequence[str], vocabulary: Vocabulary, options: StoreOptions
) -> UnknownWords:
    """What is unknown in a sample; UserError if it is clearly more than is allowed."""
    found = unknown_words(texts, vocabulary)
    check_known(found, _CLEARLY * options.max_unknown_rate, vocabulary, options)
    return found


def check_known(
    found: UnknownWords, limit: float, vocabulary: Vocabulary, options: StoreOptions
) -> None:
    """UserError if a higher share of the tokens than the limit is unknown."""
    if found.rate <= limit:
        return
    why = explanation(
        found.reasons, found.examples, vocabulary.lower_case, options.vocab_file is None
    )
    raise UserError(
        f"{found.rate:.1%} of the tokens are [UNK], more than --max_unknown_rate="
        f"{options.max_unknown_rate}{': ' if why else ''}{why}; or raise --max_unknown_rate"
    )


def _words(texts: Sequence[str], lower_case: bool) -> collections.Counter[str]:
    """The words of the texts, as the tokeniser sees them."""
    data = [text.encode("utf-8", "replace") for text in texts]
    cleaned = clean_text(tf.constant(data, tf.string), lower_case).numpy()
    return collections.Counter(word for text in cleaned for word in split_words(text.decode()))


class _Known:
    """What a vocabulary knows of words that are clean already."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.unk_id = vocabulary.unk_id
        self._lower_case = vocabulary.lower_case
        self._tokenizer = Tokenizer(Vocabulary(vocabulary.tokens, lower_case=False))
        special = set(vocabulary.special_ids)
        pieces = (t for i, t in enumerate(vocabulary.tokens) if i not in special)
        self._alphabet = {c for piece in pieces for c in piece.removeprefix(CONTINUATION)}

    def encode(self, words: Sequence[str]) -> list[list[int]]:
        return [ids.tolist() for ids in self._tokenizer.encode(words)]

    def reasons(self, words: Sequence[str]) -> list[str]:
        """Why each of some unknown words is unknown."""
        if self._lower_case:
            changes = {CAPITALS: [word.upper() for word in words]}
        else:
            lower = [word.lower() for word in words]
            plain = [_without_accents(word) for word in words]
            both = [_without_accents(word) for word in lower]
            changes = {CAPITALS: lower, ACCENTS: plain, "": both}
        helps = {
            reason: [self.unk_id not in ids for ids in self.encode(changed)]
            for reason, changed in changes.items()
        }
        return [
            next((reason or CAPITALS for reason in helps if helps[reason][i]), None)
            or self._missing(word)
            for i, word in enumerate(words)
        ]

    def _missing(self, word: str) -> str:
        if len(word.encode()) > MAX_WORD_BYTES:
            return TOO_LONG
        missing = next((c for c in word if c not in self._alphabet), None)
        return PARTS if missing is None else kind_of(missing)


def _without_accents(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def explanation(
    reasons: dict[str, int],
    examples: dict[str, list[str]],
    lower_case: bool,
    learned: bool,
) -> str:
    """What is wrong with the unknown words and what to do about it, in one line."""
    shown = list(reasons)[:_SHOWN_REASONS]
    total = sum(reasons.values())
    parts = [
        f"{reasons[reason] / total:.0%} of the unknown words {_phrase(reason)}, such as "
        + ", ".join(escaped(repr(word[:30])) for word in examples[reason][:3])
        for reason in shown
    ]
    advice = _advice(shown, lower_case, learned)
    return "; ".join([*parts, *advice])


def _phrase(reason: str) -> str:
    phrases = {
        CAPITALS: "would be known in another case",
        ACCENTS: "would be known without accents",
        TOO_LONG: f"are longer than {MAX_WORD_BYTES} bytes",
        PARTS: "have letters that the vocabulary holds only at another place in a word",
    }
    what = reason if reason in NOT_LETTERS else f"{reason} letters"
    return phrases.get(reason, f"have {what} that the vocabulary lacks")


def _advice(shown: Iterable[str], lower_case: bool, learned: bool) -> list[str]:
    """What to do, each thing once."""
    bring = "bring a vocabulary of such text (--vocab_file)"
    if learned:
        letters = "raise --vocab_size, of which the alphabet gets up to half, or " + bring
    else:
        letters = (
            f"{bring}, or leave it out to learn one, or go on from a run with "
            "--extend_vocab_file"
        )
    case = "--nolower_case" if lower_case else "--lower_case, which also drops accents"
    advice = {
        CAPITALS: f"change the text's case or give {case}",
        ACCENTS: f"change the text or give {case}",
        TOO_LONG: "check that it is text with blanks between its words",
    }
    return list(dict.fromkeys(advice.get(reason, letters) for reason in shown))
