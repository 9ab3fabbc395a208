"""A loaded WordPiece vocabulary: `vocab.txt`, one token per line, the line number is the id."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bert_core.errors import UserError

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Tokens by id. Raises UserError if one is empty or repeated, or a special one missing."""

    tokens: tuple[str, ...]
    lower_case: bool  # texts are lower-cased and stripped of accents before lookup

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        check_tokens(self.tokens, "vocabulary")

    @property
    def size(self) -> int:
        """V."""
        return len(self.tokens)

    @functools.cached_property
    def pad_id(self) -> int:
        return self.tokens.index(PAD)

    @functools.cached_property
    def unk_id(self) -> int:
        return self.tokens.index(UNK)

    @functools.cached_property
    def cls_id(self) -> int:
        return self.tokens.index(CLS)

    @functools.cached_property
    def sep_id(self) -> int:
        return self.tokens.index(SEP)

    @functools.cached_property
    def mask_id(self) -> int:
        return self.tokens.index(MASK)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of the five special tokens, in the order of SPECIAL_TOKENS."""
        return (self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id)

    @functools.cached_property
    def ordinary_ids(self) -> np.ndarray:
        """[V - 5] int32, ascending: every id that is not special."""
        return np.setdiff1d(np.arange(self.size), self.special_ids).astype(np.int32)

    @functools.cached_property
    def is_continuation(self) -> np.ndarray:
        """[V] bool: pieces inside a word, written "##...". "##" itself is a word."""
        return np.array(
            [len(t) > len(CONTINUATION) and t.startswith(CONTINUATION) for t in self.tokens]
        )

    @functools.cached_property
    def sha256(self) -> str:
        """Equal for two vocabularies exactly when they tokenise alike."""
        case = "lower" if self.lower_case else "cased"
        return hashlib.sha256("\n".join((case, *self.tokens)).encode()).hexdigest()

    def write(self, path: Path) -> None:
        """Writes `vocab.txt`. `lower_case` is not in it: the format has no place for it."""
        path.write_bytes("".join(f"{token}\n" for token in self.tokens).encode())


def read_vocabulary(path: Path, lower_case: bool, size: int | None = None) -> Vocabulary:
    """Reads a `vocab.txt`, Google's or one written by `Vocabulary.write`.

    Raises UserError naming the line that is empty, repeated or not UTF-8, or the
    special token that is missing; or if `size` is given and is not the file's.
    """
    tokens = read_tokens(path)
    check_tokens(tokens, str(path))
    if size is not None and len(tokens) != size:
        raise UserError(
            f"{path}: has {len(tokens)} tokens, the model's config.json says vocab_size "
            f"{size}; bring the vocabulary it was trained with"
        )
    return Vocabulary(tokens, lower_case)


def read_tokens(path: Path) -> tuple[str, ...]:
    """The lines of a file of tokens; UserError for one that is empty or repeated."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}: line {line} is not UTF-8; save the file as UTF-8") from None
    # Not splitlines(): published vocabularies hold tokens such as U+2028.
    lines = text.removesuffix("\n").split("\n")
    tokens = tuple(line.removesuffix("\r") for line in lines)
    _check_lines(tokens, str(path))
    return tokens


def _check_lines(tokens: Sequence[str], where: str) -> None:
    first_line: dict[str, int] = {}
    for line, token in enumerate(tokens, start=1):
        if not token.strip(" \t\r"):
            raise UserError(f"{where}: line {line} is empty; one token per line, no gaps")
        if token in first_line:
            raise UserError(
                f"{where}: line {line} repeats the token {token!r} of line "
                f"{first_line[token]}; each may occur only once"
            )
        first_line[token] = line


def check_tokens(tokens: Sequence[str], where: str) -> None:
    """UserError for an empty or repeated token, or a special one that is missing."""
    _check_lines(tokens, where)
    known = set(tokens)
    missing = [token for token in SPECIAL_TOKENS if token not in known]
    if missing:
        raise UserError(f"{where}: the special token {missing[0]} is missing; add it as a line")
    if len(tokens) == len(SPECIAL_TOKENS):
        raise UserError(f"{where}: holds nothing but special tokens; bring more text")
