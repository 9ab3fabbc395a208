"""Learns a WordPiece vocabulary by merging the most frequent pairs of pieces.

Byte-pair encoding on the words of BERT's pre-tokenisation (Sennrich et al. 2016),
the way Hugging Face's `BertWordPieceTokenizer` trains: seconds, not minutes.
"""

import array
import collections
import heapq
import itertools
import zlib
from collections.abc import Iterable, Iterator

import tensorflow as tf

from pipelines.vocabulary import CONTINUATION, SPECIAL_TOKENS
from pipelines.words import CJK_CHARACTER, MAX_WORD_BYTES, clean_text, split_words

_SAMPLE_BYTES = 256 * 2**20  # of text to count; more would hardly change the counts
_MAX_CHUNKS = 1_000_000  # different chunks held while counting, about 150 MB
_MAX_CHARACTERS = 2**26  # of all of them
_MAX_WORDS = 300_000  # the most frequent words; the rest would decide no merge
_BATCH = 50_000  # chunks cleaned at a time
# The alphabet leaves out the rarest characters, together a millionth of the text,
# and may fill at most this share of the vocabulary (Chinese has many characters).
_ALPHABET_COVERAGE = 1 - 1e-6
_ALPHABET_SHARE = 0.5

_Pair = tuple[int, int]


def learn_vocabulary(documents: Iterable[str], vocab_size: int, lower_case: bool) -> list[str]:
    """At most `vocab_size` tokens: the special ones, the alphabet, then merges in order.

    Fewer when the corpus has no more pairs that occur twice. Deterministic: ties are
    broken by the pieces.
    """
    words = count_words(documents, lower_case)
    room = vocab_size - len(SPECIAL_TOKENS)
    merger = _Merger(words, _alphabet(words, int(room * _ALPHABET_SHARE)))
    del words  # the merger has them in another form
    return [*SPECIAL_TOKENS, *merger.pieces(room)]


def sample(documents: Iterable[str], text_bytes: int) -> Iterator[str]:
    """About _SAMPLE_BYTES of documents of `text_bytes` in total; all, if that is less.

    The same ones every time, from all over the corpus: whether a document is one of them
    depends on its text and on `text_bytes` alone, not on those before it.
    """
    limit = 2**32 * _SAMPLE_BYTES / max(1, text_bytes)
    if limit >= 2**32:
        return iter(documents)
    return (text for text in documents if zlib.crc32(text.encode("utf-8", "replace")) < limit)


def count_words(documents: Iterable[str], lower_case: bool) -> dict[str, int]:
    """How often each pre-tokenised word occurs; words too long for WordPiece left out.

    Memory is bounded: the rarest chunks are dropped while there are too many.
    """
    chunks: collections.Counter[str] = collections.Counter()
    characters = 0  # of the chunks, at most
    for text in documents:
        # The cheap split first: the exact one then sees each different chunk once.
        if not text.isascii():
            text = CJK_CHARACTER.sub(r" \g<0> ", text)
        chunks.update((text.lower() if lower_case else text).split())
        characters += len(text)
        if len(chunks) > _MAX_CHUNKS or characters > _MAX_CHARACTERS:
            chunks = _without_rarest(chunks)
            characters = sum(map(len, chunks))
    words: collections.Counter[str] = collections.Counter()
    for batch in _batches(sorted(chunks)):
        data = [chunk.encode("utf-8", "replace") for chunk in batch]
        cleaned = clean_text(tf.constant(data, tf.string), lower_case).numpy()
        for chunk, text in zip(batch, cleaned, strict=True):
            for word in split_words(text.decode()):
                words[word] += chunks[chunk]
    short = {w: count for w, count in words.items() if len(w.encode()) <= MAX_WORD_BYTES}
    # The highest counts; equal ones in the order of the strings.
    kept = sorted(short.items(), key=lambda item: (-item[1], item[0]))[:_MAX_WORDS]
    return dict(kept)


def _without_rarest(chunks: collections.Counter[str]) -> collections.Counter[str]:
    """Half as many chunks and characters as are allowed, or fewer."""
    rare = 0
    while len(chunks) > _MAX_CHUNKS // 2 or sum(map(len, chunks)) > _MAX_CHARACTERS // 2:
        rare += 1
        chunks = collections.Counter({c: count for c, count in chunks.items() if count > rare})
    return chunks


def _batches(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _characters(word: str) -> list[str]:
    """The smallest pieces: the first character, the others with "##"."""
    return [word[0], *(CONTINUATION + character for character in word[1:])]


def _alphabet(words: dict[str, int], most: int) -> list[str]:
    """The frequent smallest pieces, sorted."""
    counts: collections.Counter[str] = collections.Counter()
    for word, count in words.items():
        for piece in _characters(word):
            counts[piece] += count
    left_out = (1 - _ALPHABET_COVERAGE) * sum(counts.values())
    kept = sorted(counts, key=lambda piece: (-counts[piece], piece))
    while kept and (len(kept) > most or counts[kept[-1]] <= left_out):
        left_out -= counts[kept.pop()]
    return sorted(kept)


class _Merger:
    """Words as lists of piece numbers, and how often each neighbouring pair occurs."""

    def __init__(self, words: dict[str, int], alphabet: list[str]) -> None:
        self._pieces = list(alphabet)
        self._numbers = {piece: number for number, piece in enumerate(alphabet)}
        self._words: list[list[int]] = []
        self._word_counts: list[int] = []
        self._pair_counts: collections.Counter[_Pair] = collections.Counter()
        # Words that had the pair at some time, some of them twice; some may have lost it.
        self._pair_words: dict[_Pair, array.array[int]] = collections.defaultdict(
            lambda: array.array("I")
        )
        for word, count in sorted(words.items()):
            numbers = [self._numbers.get(piece, -1) for piece in _characters(word)]
            if len(numbers) < 2 or min(numbers) < 0:
                continue  # nothing to merge, or [UNK]
            for pair in itertools.pairwise(numbers):
                self._pair_counts[pair] += count
                self._pair_words[pair].append(len(self._words))
            self._words.append(numbers)
            self._word_counts.append(count)

    def pieces(self, room: int) -> list[str]:
        """The alphabet and merged pieces, at most `room`."""
        # Counts in the heap may be too high, never too low: checked when popped.
        heap = [(-count, pair) for pair, count in self._pair_counts.items()]
        heapq.heapify(heap)
        while heap and len(self._pieces) < room:
            negative, pair = heapq.heappop(heap)
            count = self._pair_counts[pair]
            if count < 2:
                continue
            if count != -negative:
                heapq.heappush(heap, (-count, pair))
                continue
            for risen in self._merge(pair):
                heapq.heappush(heap, (-self._pair_counts[risen], risen))
        return self._pieces

    def _merge(self, pair: _Pair) -> set[_Pair]:
        """Replaces the pair in every word; returns the pairs that became more frequent."""
        merged = self._number_of(pair)
        counts, pair_words = self._pair_counts, self._pair_words
        risen: set[_Pair] = set()
        first, second = pair
        for word_number in pair_words.pop(pair):
            word = self._words[word_number]
            count = self._word_counts[word_number]
            place = 0
            while place < len(word) - 1:
                if word[place] != first or word[place + 1] != second:
                    place += 1
                    continue
                neighbours = []
                if place > 0:
                    before = word[place - 1]
                    neighbours.append(((before, first), (before, merged)))
                if place + 2 < len(word):
                    after = word[place + 2]
                    neighbours.append(((second, after), (merged, after)))
                for old, new in neighbours:
                    counts[old] -= count
                    counts[new] += count
                    pair_words[new].append(word_number)
                    risen.add(new)
                word[place : place + 2] = [merged]
                place += 1
        del counts[pair]
        return risen

    def _number_of(self, pair: _Pair) -> int:
        """The number of the joined piece; another pair may have made it before."""
        first, second = (self._pieces[number] for number in pair)
        piece = first + second.removeprefix(CONTINUATION)
        if piece not in self._numbers:
            self._numbers[piece] = len(self._pieces)
            self._pieces.append(piece)
        return self._numbers[piece]
