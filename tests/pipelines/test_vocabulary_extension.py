"""Tokens added to a vocabulary: old ids stay, mistakes are said."""

from pathlib import Path

import pytest

from bert_core.errors import UserError
from pipelines.options import StoreOptions
from pipelines.tokenizer import Tokenizer
from pipelines.vocabulary import SPECIAL_TOKENS, Vocabulary
from pipelines.vocabulary_extension import brought_vocabulary, extended, extension_lines

OLD = Vocabulary((*SPECIAL_TOKENS, "a", "##b", "c"), lower_case=True)


def write(path: Path, *tokens: str) -> Path:
    path.write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return path


def test_new_tokens_come_last_and_known_ones_stay_where_they_are(tmp_path: Path) -> None:
    new = extended(OLD, write(tmp_path / "new.txt", "ab", "c", "[MASK]", "##ab"))
    assert new.tokens == (*OLD.tokens, "ab", "##ab")
    assert new.lower_case
    old_ids, new_ids = Tokenizer(OLD).encode(["ab c"])[0], Tokenizer(new).encode(["ab c"])[0]
    assert old_ids.tolist() == [5, 6, 7]
    assert new_ids.tolist() == [8, 7]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["a", "c"], "all its tokens are in the vocabulary already"),
        (["x", "", "y"], "line 2 is empty"),
        (["x", "new york"], "line 2 holds a blank"),
        (["x", "\u2028"], "line 2 holds a blank"),
        (["x", "y", "x"], "line 3 repeats the token 'x' of line 1"),
    ],
)
def test_mistakes(tmp_path: Path, tokens: list[str], message: str) -> None:
    path = write(tmp_path / "new.txt", *tokens)
    with pytest.raises(UserError) as caught:
        extended(OLD, path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_what_options_bring(tmp_path: Path) -> None:
    OLD.write(tmp_path / "vocab.txt")
    write(tmp_path / "new.txt", "d")
    options = {"cache_dir": tmp_path, "vocab_file": tmp_path / "vocab.txt"}
    assert brought_vocabulary(StoreOptions(tmp_path)) is None
    assert brought_vocabulary(StoreOptions(**options)) == OLD
    more = StoreOptions(**options, extend_vocab_file=tmp_path / "new.txt")
    found = brought_vocabulary(more)
    assert found is not None
    assert found.tokens == (*OLD.tokens, "d")


def test_tokens_that_no_text_holds_are_warned_of(tmp_path: Path) -> None:
    path = write(tmp_path / "new.txt", "covid", "##ing", "covid-19", "Rome", "\u00e9")
    new = extended(OLD, path)
    first, warning = extension_lines(new, OLD.size, Tokenizer(new).encode)
    assert first == "vocabulary: 8 tokens as they were, 5 new"
    assert warning.startswith("warning: 3 of the new tokens will not be found in any text: ")
    assert "'covid-19', 'Rome', '\u00e9'; texts are split" in warning
    fine = extended(OLD, write(tmp_path / "fine.txt", "##ing", "covid"))
    assert len(extension_lines(fine, OLD.size, Tokenizer(fine).encode)) == 1
