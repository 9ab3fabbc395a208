"""What the pipelines can be told, as frozen dataclasses. No TensorFlow here."""

import dataclasses
from pathlib import Path

from bert_core.errors import UserError

DOCUMENT_BOUNDARIES = ("line", "blank_line", "file")
MAX_SEED = 2**31 - 1000  # leaves room for --num_seeds
BAD_TEXT_POLICIES = ("error", "replace", "skip")
TRUNCATIONS = ("head", "head_tail")


@dataclasses.dataclass(frozen=True)
class CorpusOptions:
    """A folder of text: which files count, and where a document ends."""

    corpus_dir: Path
    document_boundary: str = "line"  # of .txt files; a line of .jsonl is a document
    text_key: str = "text"  # field of a .jsonl line
    on_bad_text: str = "error"  # for bytes that are not UTF-8, and NUL characters

    def __post_init__(self) -> None:
        for flag, value, allowed in (
            ("document_boundary", self.document_boundary, DOCUMENT_BOUNDARIES),
            ("on_bad_text", self.on_bad_text, BAD_TEXT_POLICIES),
        ):
            if value not in allowed:
                raise UserError(f"--{flag}={value}: not one of {', '.join(allowed)}")


EMBEDDED = "docstrings"  # the one dataset that is not from TFDS


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """Which public dataset to write out as a folder, and where."""

    dataset: str  # "docstrings", or the name of a TensorFlow Datasets dataset
    data_dir: Path  # filled as pipelines/prepared.py describes
    overwrite: bool = False
    tfds_data_dir: Path | None = None  # None: TFDS's own default, ~/tensorflow_datasets
    download: bool = True
    unlabelled: bool = True  # whether splits without labels join the corpus
    text_key: str = "text"
    label_key: str | None = None  # None: "label", where the dataset has it


@dataclasses.dataclass(frozen=True)
class StoreOptions:
    """How a corpus becomes a vocabulary and a token store; all of it is cached."""

    cache_dir: Path
    vocab_size: int = 8192
    vocab_file: Path | None = None  # bring one instead of learning it
    extend_vocab_file: Path | None = None  # tokens to add to the one that is brought
    lower_case: bool = True  # lowercase and strip accents, as BERT's uncased models do
    dev_fraction: float = 0.01  # share of the documents kept for the dev split
    max_unknown_rate: float = 0.05  # of the tokens; above it, something needs mending

    def __post_init__(self) -> None:
        if self.vocab_size < 200:
            raise UserError(f"--vocab_size={self.vocab_size}: needs at least 200")
        if not 0 < self.dev_fraction < 0.5:
            raise UserError(
                f"--dev_fraction={self.dev_fraction}: must be above 0 and below 0.5"
            )
        if not 0 <= self.max_unknown_rate <= 1:
            raise UserError(
                f"--max_unknown_rate={self.max_unknown_rate}: must be at least 0 and at most 1"
            )


@dataclasses.dataclass(frozen=True)
class MlmOptions:
    """How packed sequences are cut from a store, ordered and masked."""

    seq_length: int = 128  # S
    batch_size: int = 32  # B, sequences per step
    masked_share: float = 0.15  # P = round(masked_share * S)
    whole_word_masking: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seq_length < 8:
            raise UserError(f"--seq_length={self.seq_length}: needs at least 8")
        if self.batch_size < 1:
            raise UserError(f"--batch_size={self.batch_size}: needs at least 1")
        if not 0 < self.masked_share < 1:
            raise UserError(f"--masked_share={self.masked_share}: must be above 0 and below 1")
        check_seed(self.seed)

    @property
    def num_predictions(self) -> int:
        """P, the masked positions of each sequence."""
        return max(1, round(self.masked_share * self.seq_length))


def check_seed(seed: int) -> None:
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"--seed={seed}: must be at least 0 and at most {MAX_SEED}")


@dataclasses.dataclass(frozen=True)
class ExamplesOptions:
    """Which columns of a labelled .jsonl, .csv or .tsv file hold what."""

    text_column: str = "text"
    label_column: str | None = "label"  # None: there are no labels to read
    text_pair_column: str | None = None

    def __post_init__(self) -> None:
        flags_of: dict[str, str] = {}
        for flag in ("text_column", "label_column", "text_pair_column"):
            column = getattr(self, flag)
            if column and column in flags_of:
                raise UserError(
                    f"--{flag}={column}: is --{flags_of[column]} already; name another column"
                )
            flags_of[column] = flag


@dataclasses.dataclass(frozen=True)
class TextOptions:
    """How labelled texts become length-bucketed batches."""

    max_seq_length: int = 256
    batch_size: int = 32
    truncation: str = "head"  # which part of a longer text is kept
    token_dropout: float = 0.0  # share of the tokens hidden behind [MASK] in training
    seed: int = 0

    def __post_init__(self) -> None:
        if self.truncation not in TRUNCATIONS:
            raise UserError(
                f"--truncation={self.truncation}: must be one of {', '.join(TRUNCATIONS)}"
            )
        if not 0 <= self.token_dropout < 1:
            raise UserError(
                f"--token_dropout={self.token_dropout}: must be at least 0 and below 1"
            )
        check_seed(self.seed)
        if self.max_seq_length < 8:
            raise UserError(f"--max_seq_length={self.max_seq_length}: needs at least 8")
        if self.batch_size < 1:
            raise UserError(f"--batch_size={self.batch_size}: needs at least 1")
