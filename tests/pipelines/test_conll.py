"""CoNLL files, good and bad."""

import gzip
from pathlib import Path

import pytest

from bert_core.errors import UserError
from pipelines.conll import read_conll
from pipelines.examples import Example

GOOD = """\
-DOCSTART- -X- O O

EU NNP I-NP B-ORG
rejects VBZ I-VP O

   \t
German JJ I-NP I-MISC
-DOCSTART- -X- O O
, , O O
"""
EXPECTED = [
    Example("EU rejects", None, "B-ORG O"),
    Example("German", None, "I-MISC"),
    Example(",", None, "O"),
]


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_sentences(tmp_path: Path, gz: str) -> None:
    path = tmp_path / f"a.conll{gz}"
    data = GOOD.replace(" ", "\t").replace("\n", "\r\n").encode("utf-8-sig")
    path.write_bytes(gzip.compress(data) if gz else data)
    assert read_conll(path) == EXPECTED
    path.write_bytes(gzip.compress(GOOD.rstrip().encode()) if gz else GOOD.rstrip().encode())
    assert read_conll(path) == EXPECTED


def test_only_blanks_and_tabs_separate(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("10\u00a0000\u3000x  \t B-A B\n# O\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 1: tag 'B' is neither"):
        read_conll(path)
    path.write_text("10\u00a0000\u3000x  \t B-A\n# O\n", encoding="utf-8")
    assert read_conll(path) == [Example("10\u00a0000\u3000x #", None, "B-A O")]


BAD = {
    "empty": (b"", "a.conll: holds no sentences"),
    "headings": (b"-DOCSTART- O\n\n", "a.conll: holds no sentences"),
    "one column": (b"EU B-ORG\n\nGerman\n", "line 3: has one column"),
    "ragged": (b"\nEU NNP B-ORG\nrejects O\n", "line 3: has 2 columns where line 2 has 3"),
    "too many": (b"EU B-ORG\nNew York B-LOC\n", "line 2: has 3 columns where line 1 has 2"),
    "no scheme": (b"EU O\nx NNP\n", "line 2: tag 'NNP' is neither O nor B-"),
    "no kind": (b"EU B-\n", "line 1: tag 'B-' is neither"),
    "small o": (b"EU o\n", "line 1: tag 'o' is neither"),
    "BILOU": (b"EU U-ORG\n", "line 1: tag 'U-ORG' is neither"),
    "JSON": (b'{"text": "a", "label": "b"}\n', "line 1: tag '\"b\"}' is neither"),
    "Latin-1": (b"EU O\ncaf\xe9 O\n", "line 2: is not UTF-8"),
    "old mac": (b"EU O\rsays O\r", "line 1: lines end in CR alone; save"),
    "zero": (b"EU O\n\0 O\n", "line 2: holds a zero byte"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_one_line_that_says_where(tmp_path: Path, case: str) -> None:
    content, message = BAD[case]
    (tmp_path / "a.conll").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_conll(tmp_path / "a.conll")
    assert str(caught.value).startswith(str(tmp_path / "a.conll"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
