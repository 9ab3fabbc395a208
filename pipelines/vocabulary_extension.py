"""More tokens for the vocabulary of a trained run; the old ones keep their ids."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bert_core.errors import UserError
from pipelines.options import StoreOptions
from pipelines.vocabulary import Vocabulary, read_tokens, read_vocabulary


def brought_vocabulary(options: StoreOptions) -> Vocabulary | None:
    """--vocab_file with what --extend_vocab_file adds to it; None where it is learned."""
    if options.vocab_file is None:
        return None
    vocabulary = read_vocabulary(options.vocab_file, options.lower_case)
    if options.extend_vocab_file is None:
        return vocabulary
    return extended(vocabulary, options.extend_vocab_file)


def extended(vocabulary: Vocabulary, path: Path) -> Vocabulary:
    """The vocabulary with the tokens of a file, one a line, that it does not have yet.

    Raises UserError for a line that is empty, repeated or of two words, or if no token
    is new.
    """
    known = set(vocabulary.tokens)
    tokens = read_tokens(path)
    for line, token in enumerate(tokens, start=1):
        if len(token.split()) != 1:
            raise UserError(
                f"{path}: line {line} holds a blank; a token is a word, or a part of one "
                "written ##part"
            )
    new = [token for token in tokens if token not in known]
    if not new:
        raise UserError(
            f"{path}: all its tokens are in the vocabulary already; leave "
            "--extend_vocab_file out"
        )
    return Vocabulary((*vocabulary.tokens, *new), vocabulary.lower_case)


def extension_lines(
    vocabulary: Vocabulary,
    old_size: int,
    encode: Callable[[Sequence[str]], Sequence[np.ndarray]],
) -> list[str]:
    """What was added, for the screen, with a warning of tokens that no text can give."""
    new = vocabulary.tokens[old_size:]
    lines = [f"vocabulary: {old_size:,} tokens as they were, {len(new):,} new"]
    # "##ing" is found only inside words, so trying it would take a word.
    ids = [i for i in range(old_size, vocabulary.size) if not vocabulary.is_continuation[i]]
    found = encode([vocabulary.tokens[i] for i in ids]) if ids else []
    lost = [vocabulary.tokens[i] for i, x in zip(ids, found, strict=True) if x.tolist() != [i]]
    if lost:
        shown = ", ".join(repr(token) for token in lost[:5])
        lines.append(
            f"warning: {len(lost):,} of the new tokens will not be found in any text: {shown}; "
            "texts are split at punctuation first"
            + (" and lower-cased without accents" if vocabulary.lower_case else "")
        )
    return lines
