"""The options of programs that use a trained run, or convert one. No TensorFlow here."""

import dataclasses
from pathlib import Path

from bert_core.errors import UserError
from loops.files import check_new_file
from loops.new_directory import check_new

FORMATS = ("google", "huggingface", "run")


@dataclasses.dataclass(frozen=True)
class ConvertOptions:
    """A conversion of one directory into another."""

    source: str  # format, of FORMATS
    target: str
    input: Path
    output: Path
    lower_case: bool | None = None  # of the vocabulary; None: as the input says

    def __post_init__(self) -> None:
        for flag, name in (("from", self.source), ("to", self.target)):
            if name not in FORMATS:
                raise UserError(f"--{flag}={name}: must be one of {', '.join(FORMATS)}")
        if self.input.is_file():
            raise UserError(
                f"--input={self.input}: is a file; name the directory that holds it"
            )
        if not self.input.is_dir():
            raise UserError(f"--input={self.input}: no such directory")


ACTIONS = ("fill_mask", "classify", "regress", "tag", "embed")
ANSWER_FILES = {"embed": (".npy",), "tag": (".conll",)}  # of other actions, TABLE_FILES
TABLE_FILES = (".jsonl", ".csv", ".tsv")


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """What to make of which texts, and where to put it."""

    action: str  # of ACTIONS
    texts: tuple[str, ...] = ()  # from the command line
    input: Path | None = None  # a file of texts instead; neither: standard input
    output: Path | None = None  # with `input`
    top_k: int = 5  # words or classes to show

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise UserError(f"--top_k={self.top_k}: must be at least 1")
        for text in self.texts:
            check_encodes(text)
            if self.action == "fill_mask" and "[MASK]" not in text:
                raise UserError(f"--fill_mask={text!r}: has no [MASK] to fill in; write one")
        if self.texts and (self.input or self.output):
            raise UserError(f"--input and --output are for files; leave out {self.texts[0]!r}")
        if self.action == "embed" and not self.input:
            raise UserError("--embed: --input is missing, a file of texts; --help shows one")
        for flag, path, other in (
            ("input", self.input, self.output),
            ("output", self.output, self.input),
        ):
            if other and not path:
                raise UserError(f"--{flag} is missing; --help shows examples")
        if self.output:
            self._check_output(self.output)

    def _check_output(self, output: Path) -> None:
        suffixes = ANSWER_FILES.get(self.action, TABLE_FILES)
        if output.suffix not in suffixes:
            raise UserError(f"--output={output}: must end in {' or '.join(suffixes)}")
        check_new_file(output, "--output")


@dataclasses.dataclass(frozen=True)
class SecondOpinionOptions:
    """Which guesses to amend, and the labels to learn from."""

    train_file: Path
    guessed_files: tuple[Path, ...]
    output: Path
    dev_share: float = 0.1  # of the training file, not learned from

    def __post_init__(self) -> None:
        if not self.guessed_files:
            raise UserError("--guessed_file is missing; --help shows examples")
        if not 0 <= self.dev_share < 1:
            raise UserError(f"--dev_share={self.dev_share}: must be at least 0 and below 1")
        if self.output.suffix != ".jsonl":
            raise UserError(f"--output={self.output}: must end in .jsonl")
        check_new_file(self.output, "--output")


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What to export besides the SavedModel, and where."""

    output_dir: Path
    top_k: int = 5  # words for each [MASK]
    quantize: str | None = None  # "dynamic": 8-bit weights, activations when computed
    eval_file: Path | None = None  # labelled, to compare the quantised classifier on

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise UserError(f"--top_k={self.top_k}: must be at least 1")
        if self.quantize not in (None, "dynamic"):
            raise UserError(f"--quantize={self.quantize}: must be dynamic")
        if bool(self.quantize) != bool(self.eval_file):
            raise UserError(
                "--quantize and --eval_file go together: labelled texts show what it costs"
            )
        check_new(self.output_dir, "--output_dir")


@dataclasses.dataclass(frozen=True)
class InspectOptions:
    """Which page to write about a run, and the texts to show it on."""

    output: Path
    texts: tuple[str, ...] = ()  # none: those that the run has kept

    def __post_init__(self) -> None:
        for text in self.texts:
            if not text.strip():
                raise UserError("--text: is empty; give a sentence, or leave it out")
            check_encodes(text, "--text=")
        if self.output.suffix not in (".html", ".htm"):
            raise UserError(f"--output={self.output}: must end in .html")
        check_new_file(self.output, "--output")


def check_encodes(text: str, flag: str = "") -> None:
    """UserError for an argument whose bytes are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{flag}{text[:80]!r}: is not UTF-8; encode it as UTF-8") from None
