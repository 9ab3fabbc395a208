"""What kinds of characters a text has: letters by script, digits, punctuation and so on."""

import collections
import unicodedata

import numpy as np

NOT_LETTERS = ("marks", "digits", "punctuation", "symbols", "spaces", "other")
_KINDS = dict(zip("MNPSZC", NOT_LETTERS, strict=True))  # by Unicode's general category
_WIDTHS = ("FULLWIDTH", "HALFWIDTH")
# First words of letters' names that are not the name of a script.
_OTHER_NAMES = {
    **dict.fromkeys(("MASCULINE", "FEMININE", "KELVIN", "ANGSTROM", "ROMAN"), "Latin"),
    **dict.fromkeys(("MATHEMATICAL", "MODIFIER", "DOUBLE", "SCRIPT", "BLACK"), "symbols"),
    **dict.fromkeys(("VERTICAL", "PLANCK", "MICRO", "TURNED", "SUPERSCRIPT"), "symbols"),
    "HENTAIGANA": "Hiragana",
    "CJK": "CJK",
}
_AT_ONCE = 1 << 20  # characters counted at a time
_CODE_POINTS = 0x110000


def kind_of(character: str) -> str:
    """The script of a letter, with which its Unicode name begins; else one of NOT_LETTERS."""
    kind = _KINDS.get(unicodedata.category(character)[0])
    if kind is not None:
        return kind
    first, *more = unicodedata.name(character, "OTHER").split()
    if first in _WIDTHS and more:
        first = more[0]
    return _OTHER_NAMES.get(first, first.capitalize())


class CharacterCounts:
    """Counts every code point of the texts added, in 20 MB whatever the texts."""

    def __init__(self) -> None:
        self._counts = np.zeros(_CODE_POINTS, np.int64)
        self._waiting: list[str] = []
        self._num_waiting = 0

    def __getstate__(self) -> tuple[np.ndarray, np.ndarray]:
        """Some kilobytes when it is sent to another process."""
        self._count()
        codes = np.flatnonzero(self._counts)
        return codes, self._counts[codes]

    def __setstate__(self, state: tuple[np.ndarray, np.ndarray]) -> None:
        self.__init__()  # type: ignore[misc]
        codes, counts = state
        self._counts[codes] = counts

    def add(self, text: str) -> None:
        self._waiting.append(text)
        self._num_waiting += len(text)
        if self._num_waiting >= _AT_ONCE:
            self._count()

    def include(self, other: "CharacterCounts") -> None:
        """Adds what another has counted."""
        other._count()
        self._counts += other._counts

    def kinds(self) -> dict[str, int]:
        """Characters of each kind, the most frequent first."""
        self._count()
        result: collections.Counter[str] = collections.Counter()
        for code in np.flatnonzero(self._counts):
            result[kind_of(chr(code))] += int(self._counts[code])
        return dict(result.most_common())

    def _count(self) -> None:
        data = "".join(self._waiting).encode("utf-32-le", "surrogatepass")
        self._counts += np.bincount(np.frombuffer(data, np.uint32), minlength=_CODE_POINTS)
        self._waiting, self._num_waiting = [], 0
