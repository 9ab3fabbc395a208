"""Text of any size whose word frequencies are as uneven as those of a language.

The n-th commonest word is drawn in proportion to 1/n (Zipf), and spelled by a number of
syllables that grows with n. Some words begin with a capital or end with a punctuation mark,
so that there are several million different ones between spaces in 2 GB.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

SYLLABLES = [c + v for c in "bcdfghklmnprstvwz" for v in ("a", "e", "i", "o", "u", "an", "er")]
DIFFERENT_WORDS = 2_000_000
WORDS_A_DOCUMENT = 230  # on average, like IMDb's reviews
DOCUMENTS_AT_ONCE = 2000
FILE_BYTES = 64 * 2**20


def write_corpus(directory: Path, size: int, seed: int = 0) -> None:
    """Writes `size` bytes of documents, one per line, to DIR/00000.txt and so on."""
    directory.mkdir(parents=True)
    documents, written, number = synthetic_documents(seed), 0, 0
    while written < size:
        with (directory / f"{number:05d}.txt").open("wb") as file:
            while file.tell() < FILE_BYTES and written + file.tell() < size:
                file.write(next(documents))
            written += file.tell()
        number += 1


def synthetic_documents(seed: int = 0) -> Iterator[bytes]:
    """Endless lines of text, some thousands at a time."""
    words = [spelled(rank) for rank in range(1, DIFFERENT_WORDS + 1)]
    chooser = np.random.default_rng(seed)
    while True:
        lengths = 1 + chooser.geometric(1 / WORDS_A_DOCUMENT, DOCUMENTS_AT_ONCE)
        # The inverse of Zipf's distribution function, if ranks were continuous.
        ranks = (DIFFERENT_WORDS ** chooser.random(lengths.sum())).astype(np.int64) - 1
        drawn = [words[rank] for rank in ranks.tolist()]
        for place in np.flatnonzero(chooser.random(len(drawn)) < 0.1).tolist():
            drawn[place] += ".,!?;"[place % 5]
        for place in np.flatnonzero(chooser.random(len(drawn)) < 0.1).tolist():
            drawn[place] = drawn[place].capitalize()
        for end in np.cumsum(lengths).tolist():
            drawn[end - 1] += "\n"
        yield " ".join(drawn).replace("\n ", "\n").encode()


def spelled(rank: int) -> str:
    """The word of a rank: its number in syllables, frequent ones short."""
    syllables = []
    while rank:
        rank, digit = divmod(rank - 1, len(SYLLABLES))
        syllables.append(SYLLABLES[digit])
    return "".join(syllables)
