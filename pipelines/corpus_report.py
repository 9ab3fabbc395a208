"""What a corpus is like: kept in its token store's manifest and shown before training."""

import dataclasses
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bert_core.errors import UserError
from bert_core.escapes import escaped
from pipelines.corpus_summary import counted
from pipelines.token_counts import LONGEST, TokenCounts
from pipelines.token_store import StoreError
from pipelines.vocabulary import Vocabulary

if TYPE_CHECKING:  # it imports TensorFlow, which a reader of reports can do without
    from pipelines.unknown_words import UnknownWords

NEAR_EMPTY = 5  # tokens; a document with fewer
# The upper ends of the histogram's spans of lengths, in tokens.
_SPANS = (*(str(8 << i) for i in range(13)), "more")
_MOST = 1 << 63  # no count reaches it
_BAR = 40  # characters
_LEAST_SHARE = 0.0005  # of the characters, for a kind to be shown by name


@dataclasses.dataclass(frozen=True)
class CorpusReport:
    """Counts of a whole corpus, train and dev; [SEP] is not among the tokens."""

    files: int
    documents: int
    duplicates: int  # documents equal to an earlier one
    near_empty: int  # documents of fewer than NEAR_EMPTY tokens
    characters: int
    median_characters: int  # of a document
    longest_characters: int
    character_classes: dict[str, int]  # pipelines.characters.kind_of -> characters
    skipped: int  # documents, by --on_bad_text=skip
    replaced: int  # lines, by --on_bad_text=replace
    first_bad: str  # "file:line" of the first of either
    advice: str  # on the document boundary, or ""
    tokens: int
    words: int
    tokens_a_word: float
    unknown_rate: float  # of the tokens that are [UNK]
    unknown_reasons: dict[str, int]  # in a sample; see pipelines.unknown_words
    unknown_examples: dict[str, list[str]]
    median_tokens: int  # of a document
    token_lengths: dict[str, int]  # the most tokens of a span -> documents in it
    pieces: int  # V
    pieces_used: int  # that occur at all

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"

    def lines(self) -> list[str]:
        """The figures shown at every start, then warnings."""
        share = self.duplicates / max(1, self.documents)
        result = [
            f"corpus: {self.documents:,} documents in {counted(self.files, 'file')}, "
            f"{self.characters:,} characters, {self.tokens:,} tokens",
            f"  a document: median {self.median_characters:,} characters, longest "
            f"{self.longest_characters:,}; exact duplicates {share:.1%}; under {NEAR_EMPTY} "
            f"tokens {self.near_empty / max(1, self.documents):.1%}",
            f"  {self.tokens_a_word:.3f} tokens per word, {self.unknown_rate:.2%} unknown; "
            f"{self.pieces_used:,} of {self.pieces:,} pieces are used",
        ]
        if self.skipped:
            result.append(
                f"  skipped as not text: {counted(self.skipped, 'document')}, "
                f"the first at {self.first_bad}"
            )
        if self.replaced:
            result.append(
                f"  not text, replaced by U+FFFD: in {counted(self.replaced, 'line')}, "
                f"the first at {self.first_bad}"
            )
        return [*result, f"  warning: {self.advice}"] if self.advice else result

    def details(self) -> list[str]:
        """What is worth a look before long training."""
        total = max(1, self.characters)
        named = {k: n for k, n in self.character_classes.items() if n >= _LEAST_SHARE * total}
        rest = total - sum(named.values())
        kinds = [f"{kind} {count / total:.1%}" for kind, count in named.items()]
        kinds += [f"the rest {rest / total:.2%}"] if rest and self.characters else []
        lines = [
            "  characters: " + escaped(", ".join(kinds)),
            f"  tokens per document, median {self.median_tokens:,}:",
        ]
        most = max([1, *self.token_lengths.values()])
        first = 1
        for label, count in self.token_lengths.items():
            span = f"over {first - 1:,}" if label == "more" else f"{first:,} to {int(label):,}"
            bar = "#" * round(_BAR * count / most)
            lines.append(f"  {span:>16} {count / max(1, self.documents):6.1%} {bar}".rstrip())
            first = first if label == "more" else int(label) + 1
        return lines


def make_report(
    summary: dict[str, Any],
    counts: TokenCounts,
    vocabulary: Vocabulary,
    unknown: "UnknownWords",
) -> CorpusReport:
    """The report of what was counted while a corpus was read (`summarise`) and tokenised."""
    pieces = counts.pieces.copy()
    pieces[vocabulary.sep_id] = 0
    tokens, words = int(pieces.sum()), int(pieces[~vocabulary.is_continuation].sum())
    lengths = counts.lengths.copy()
    lengths[0] += summary["documents"] - lengths.sum()  # those without a token
    up_to = np.cumsum(lengths)
    return CorpusReport(
        **summary,
        near_empty=int(up_to[NEAR_EMPTY - 1]),
        tokens=tokens,
        words=words,
        tokens_a_word=tokens / max(1, words),
        unknown_rate=float(pieces[vocabulary.unk_id] / max(1, tokens)),
        unknown_reasons=unknown.reasons,
        unknown_examples=unknown.examples,
        median_tokens=int(np.searchsorted(up_to, summary["documents"] // 2, side="right")),
        token_lengths=_histogram(up_to),
        pieces=vocabulary.size,
        pieces_used=int(np.count_nonzero(pieces)),
    )


def _histogram(up_to: np.ndarray) -> dict[str, int]:
    """Documents by length, in spans whose ends double; no empty ones after the longest."""
    ends = [int(up_to[LONGEST if span == "more" else int(span)]) for span in _SPANS]
    counts = [end - before for before, end in itertools.pairwise([0, *ends])]
    while len(counts) > 1 and not counts[-1]:
        counts.pop()
    return dict(zip(_SPANS, counts, strict=False))


def read_report(manifest: dict[str, Any]) -> CorpusReport:
    """The report of an opened store. Raises StoreError if it is missing or damaged."""
    try:
        report = CorpusReport(**manifest["corpus"])
    except (KeyError, TypeError) as error:
        raise StoreError(f"the store's report is incomplete ({error})") from None
    for field in dataclasses.fields(CorpusReport):
        if not _fits(getattr(report, field.name), field.type):
            raise StoreError(f"the store's report: {field.name} is not what it should be")
    if not set(report.token_lengths) <= set(_SPANS):
        raise StoreError("the store's report: token_lengths is not what it should be")
    return report


def read_corpus_json(path: Path) -> CorpusReport:
    """The report that a run keeps. Raises UserError if it is damaged."""
    try:
        return read_report({"corpus": json.loads(path.read_bytes())})
    except (OSError, ValueError, RecursionError, StoreError) as error:
        raise UserError(
            f"{path}: is not as run_pretrain.py wrote it ({error}); bring it back or delete it"
        ) from None


def _fits(value: Any, declared: Any) -> bool:
    """Whether a value read from JSON is of the type of a field."""
    if declared == dict[str, int]:
        return isinstance(value, dict) and all(_fits(x, int) for x in value.values())
    if declared == dict[str, list[str]]:
        return isinstance(value, dict) and all(
            isinstance(x, list) and all(_fits(word, str) for word in x) for x in value.values()
        )
    if declared is int:
        return isinstance(value, int) and 0 <= value < _MOST
    return isinstance(value, declared)
