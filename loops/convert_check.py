"""What can be wrong with a conversion, found before TensorFlow is imported."""

from collections.abc import Callable, Collection
from pathlib import Path

from bert_core.config import BertConfig
from bert_core.errors import UserError
from bert_core.foreign_config import check_exportable, check_for_google, from_google
from loops import huggingface_files
from loops.portable import fitted, read_json, read_lines
from loops.run_directory import check_weights, read_lower_case, read_record, read_run_config
from loops.use_options import ConvertOptions
from loops.vocabulary_files import read_tokenizer

GOOGLES_CONFIG, GOOGLES_PREFIX = "bert_config.json", "bert_model.ckpt"

Known = tuple[BertConfig, tuple[str, ...]]  # the architecture, the tokens by id


def check_input(options: ConvertOptions) -> tuple[str, ...]:
    """Checks as much of the input as it can without TensorFlow; returns its vocabulary.

    That is all of Hugging Face's layout but the values of the weights, and all of the
    other layouts but their checkpoints.
    """
    config, tokens = _KNOWN[options.source](options.input, options.lower_case)
    classifies = options.source == "run" and (options.input / "labels.txt").exists()
    parts = ("output",) if classifies else ()
    check_target(options.target, config, parts, str(options.input))
    return fitted(tokens, config.vocab_size, options.input)


def check_target(target: str, config: BertConfig, parts: Collection[str], where: str) -> None:
    """UserError if the target has no place for a model with these name_map.PARTS."""
    if target == "google":
        check_for_google(config, parts, where)
    elif target == "huggingface":
        check_exportable(config, parts, where)


def find_google_prefix(directory: Path) -> Path:
    """The prefix of the checkpoint with Google's published name, or of the only one."""
    if (directory / f"{GOOGLES_PREFIX}.index").exists():
        return directory / GOOGLES_PREFIX
    found = sorted(directory.glob("*.index"))
    if len(found) != 1:
        there = f"{len(found)} other checkpoints" if found else "no other checkpoint"
        raise UserError(
            f"{directory}: has no {GOOGLES_PREFIX}.index and {there}; name or keep one"
        )
    return found[0].with_suffix("")


def _huggingface(directory: Path, lower_case: bool | None) -> Known:
    found = huggingface_files.find(directory, lower_case)
    return found.config, found.tokenizer.tokens


def _google(directory: Path, lower_case: bool | None) -> Known:
    path = directory / GOOGLES_CONFIG
    config = from_google(read_json(path), str(path))
    find_google_prefix(directory)
    return config, read_tokenizer(directory, lower_case).tokens


def _run(directory: Path, lower_case: bool | None) -> Known:
    task = read_record(directory).get("task", "classification")
    if task != "classification":
        raise UserError(
            f"{directory}: its last layer is for {task}, which no other layout here has a "
            "place for; convert the run it was started from"
        )
    config = read_run_config(directory)
    check_weights(directory, config)
    read_lower_case(directory)
    return config, read_lines(directory / "vocab.txt")


_KNOWN: dict[str, Callable[[Path, bool | None], Known]] = {
    "google": _google,
    "huggingface": _huggingface,
    "run": _run,
}
