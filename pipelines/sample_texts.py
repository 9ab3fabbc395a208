"""The beginnings of a few of a run's own texts, kept to show its model on later."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from bert_core.errors import UserError
from pipelines.token_store import TokenStream
from pipelines.tokenized import Rows
from pipelines.vocabulary import Vocabulary

FILE = "samples.txt"  # of a run directory: one text per line
_COUNT = 6
_TRIED = 8 * _COUNT
_FEWEST, _MOST = 4, 24  # tokens of a sample
_LOOK_AHEAD = 4096  # tokens in which a document should begin

# For a model whose run kept no texts: from another program, or an older run.
DEFAULTS = (
    "The capital of France is Paris, and the capital of Italy is Rome.",
    "She opened the door, looked around the room and sat down on a chair.",
    "The function returns a list of numbers, or an empty list if there are none.",
)


def kept_texts(run: Path) -> tuple[str, ...]:
    """The texts in a run directory; DEFAULTS where it has none."""
    file = run / FILE
    if not file.exists():
        return DEFAULTS
    try:
        lines = file.read_bytes().decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); delete it or give --text") from None
    return tuple(line for line in lines if line.strip())[:_COUNT] or DEFAULTS


def as_lines(samples: Sequence[np.ndarray], words: Callable[[Iterable[int]], str]) -> str:
    """The contents of FILE; `words` makes text of ids."""
    return "".join(" ".join(words(ids).split()) + "\n" for ids in samples)


def of_stream(stream: TokenStream, vocabulary: Vocabulary) -> list[np.ndarray]:
    """Beginnings of documents from all over a split, [tokens] int32 each."""
    return _few(_documents(stream, vocabulary.sep_id), vocabulary)


def of_texts(rows: Rows, vocabulary: Vocabulary) -> list[np.ndarray]:
    """Beginnings of tokenised texts from all over a split, [tokens] int32 each."""
    every = max(1, len(rows) // _TRIED)
    return _few((rows[i] for i in range(0, len(rows), every)), vocabulary)


def looked_at(
    samples: Sequence[np.ndarray], vocabulary: Vocabulary, longest: int
) -> np.ndarray | None:
    """`[CLS] text [SEP]` of the first sample, [S] int32, whose attention is drawn.

    longest: the largest S: as many tokens as can see each other.
    """
    if not samples:
        return None
    text = samples[0][: longest - 2]
    return np.array([vocabulary.cls_id, *text, vocabulary.sep_id], np.int32)


def _documents(stream: TokenStream, sep_id: int) -> Iterator[np.ndarray]:
    """The first document from each of evenly spaced places on, or as much as is needed."""
    for number in range(_TRIED):
        place = number * stream.num_tokens // _TRIED
        length = min(_LOOK_AHEAD, stream.num_tokens - place)
        window = stream.windows(np.array([place]), length)[0]
        ends = np.flatnonzero(window == sep_id)
        if number == 0:
            first = 0
        elif len(ends) > 1:
            first = ends[0] + 1
        else:
            continue
        yield window[first : min([end for end in ends if end >= first], default=length)]


def _few(documents: Iterator[np.ndarray], vocabulary: Vocabulary) -> list[np.ndarray]:
    """A few from all over that are different, long enough, and without [UNK]."""
    kept: dict[bytes, np.ndarray] = {}
    for document in documents:
        ids = document[:_MOST].astype(np.int32)
        if len(ids) >= _FEWEST and vocabulary.unk_id not in ids:
            kept.setdefault(ids.tobytes(), ids)
    return list(kept.values())[:: max(1, len(kept) // _COUNT)][:_COUNT]
