"""The vocabulary of a Google or Hugging Face directory, and whether it is uncased."""

from pathlib import Path
from typing import Any, NamedTuple

from bert_core.errors import UserError
from loops.portable import read_json, read_lines

# Settings that change the ids of a text, with the values of BERT's own tokenisation.
_AS_IN_BERT: dict[str, tuple[Any, ...]] = {
    "tokenizer_class": (
        "BertTokenizer",
        "BertTokenizerFast",
        "BertTokenizerLegacy",
        None,
    ),
    "tokenize_chinese_chars": (True, None),
    "do_basic_tokenize": (True, None),
}


class FoundTokenizer(NamedTuple):
    tokens: tuple[str, ...]  # by id
    lower_case: bool
    line: str  # for the report


def read_tokenizer(directory: Path, lower_case: bool | None) -> FoundTokenizer:
    """Reads vocab.txt, or tokenizer.json where transformers has written only that, and
    tokenizer_config.json where there is one. `lower_case` overrides what they say.
    """
    vocab, fast = directory / "vocab.txt", directory / "tokenizer.json"
    said: bool | None = None
    if vocab.exists() or not fast.exists():
        tokens, origin = read_lines(vocab), vocab.name
    else:
        tokens, said = _read_fast(fast)
        origin = fast.name
    config = directory / "tokenizer_config.json"
    if config.exists():
        said = _checked_config(config, said)
    if lower_case is not None:
        reason = "as the flag says"
    elif said is not None:
        lower_case, reason = said, f"as {config.name if config.exists() else origin} says"
    else:
        lower_case = not any(token != token.lower() for token in tokens if token[:1] != "[")
        reason = "judged by its capital letters; --lower_case or --nolower_case overrides"
    case = "uncased" if lower_case else "cased"
    line = f"vocabulary: {len(tokens):,} tokens of {origin}, {case} ({reason})"
    return FoundTokenizer(tokens, lower_case, line)


def _checked_config(path: Path, otherwise: bool | None) -> bool | None:
    """do_lower_case; UserError for a setting that Tokenizer would not follow."""
    values = read_json(path)
    lower_case = values.get("do_lower_case", otherwise)
    if not isinstance(lower_case, bool | None):
        raise UserError(f"{path}: do_lower_case must be true or false, not {lower_case!r}")
    _check(path, values, {**_AS_IN_BERT, "strip_accents": (lower_case, None)})
    return lower_case


def _check(path: Path, values: dict[str, Any], allowed: dict[str, tuple[Any, ...]]) -> None:
    """UserError for a field whose value is none of those of BERT's tokenisation."""
    for field, fitting in allowed.items():
        if values.get(field) not in fitting:
            raise UserError(
                f"{path}: {field} is {values.get(field)!r}; this project's tokeniser is "
                f"BERT's, with {field} {fitting[0]!r}"
            )


def _read_fast(path: Path) -> tuple[tuple[str, ...], bool]:
    """Tokens and `lowercase` of a tokenizer.json, which must hold a WordPiece model."""
    values = read_json(path)
    model, normalizer = values.get("model"), values.get("normalizer")
    if not isinstance(model, dict) or model.get("type") != "WordPiece":
        raise UserError(f"{path}: does not hold a WordPiece model; add BERT's vocab.txt")
    if not isinstance(normalizer, dict):
        normalizer = {"type": normalizer}
    lower_case = normalizer.get("lowercase")
    _check(
        path,
        normalizer,
        {
            "type": ("BertNormalizer",),
            "lowercase": (True, False),
            "strip_accents": (lower_case, None),
            "handle_chinese_chars": (True, None),
        },
    )
    _check(path, model, {"continuing_subword_prefix": ("##", None)})
    ids = model.get("vocab")
    added = values.get("added_tokens") or []
    if not isinstance(ids, dict) or not isinstance(added, list):
        raise UserError(f"{path}: has no vocabulary; add BERT's vocab.txt")
    entries = [x for x in added if isinstance(x, dict) and isinstance(x.get("content"), str)]
    ids = ids | {x["content"]: x.get("id") for x in entries}
    tokens = {index: token for token, index in ids.items() if type(index) is int}
    if sorted(tokens) != list(range(len(ids))):
        raise UserError(f"{path}: the ids of its vocabulary are not 0, 1, 2, ...; repair it")
    if any("\n" in token or "\r" in token for token in ids):
        raise UserError(f"{path}: has a token of two lines, which vocab.txt cannot hold")
    return tuple(tokens[i] for i in range(len(ids))), bool(lower_case)
