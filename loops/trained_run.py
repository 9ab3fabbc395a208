"""A trained run as its users see it, read and checked before TensorFlow is imported."""

import dataclasses
from pathlib import Path
from typing import Any

from bert_core.config import BertConfig
from bert_core.errors import UserError
from loops import run_directory


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """What a run directory can be used for, and how it was trained to read texts."""

    path: Path
    config: BertConfig
    lower_case: bool  # of the vocabulary
    labels: tuple[str, ...]  # class names by id; empty but for a classifier
    fills_masks: bool
    reads_pairs: bool | None  # whether the classifier was trained on pairs; None: unknown
    max_seq_length: int  # tokens it was trained on, or has positions for
    truncation: str  # what it was trained to keep of a longer text

    def check_can(self, action: str) -> None:
        """UserError unless the run is of the kind that `--action` needs."""
        if action == "classify" and not self.labels:
            raise UserError(f"{self.path}: is no classifier; run_finetune.py makes one of it")
        if action == "fill_mask" and not self.fills_masks:
            raise UserError(
                f"{self.path}: has no masked-language-model head; name a pretrained run"
            )

    def check_pairs(self, has_pairs: bool) -> None:
        """UserError if the classifier was trained on pairs and has single texts, or so."""
        if self.reads_pairs and not has_pairs:
            raise UserError(
                f"{self.path}: was trained on pairs of texts; give a file of pairs "
                "and name its second column with --text_pair_column"
            )
        if self.reads_pairs is False and has_pairs:
            raise UserError(
                f"{self.path}: was trained on single texts; leave out --text_pair_column"
            )

    def sequence_length(self, asked: int | None) -> int:
        """The tokens to cut texts to: what --max_seq_length asks for, or the run's own."""
        if asked is None:
            return self.max_seq_length
        self.config.check_length(asked, "--max_seq_length")
        if self.labels and self.config.pooling == "cls" and not self.config.sees_all(asked):
            raise UserError(
                f"--max_seq_length={asked}: {self.path} reads [CLS] alone, in windows of "
                f"{self.config.attention_window} tokens; give at most that many"
            )
        return asked

    def truncation_warning(self, num_truncated: int, length: int) -> str | None:
        """A line to show when texts have been cut."""
        if not num_truncated:
            return None
        texts = "1 text was" if num_truncated == 1 else f"{num_truncated:,} texts were"
        return f"warning: {texts} cut to {length} tokens"


def read_trained_run(path: Path) -> TrainedRun:
    """UserError for what is no run directory, or holds no weights of its own size."""
    config = run_directory.read_run_config(path)
    run_directory.check_weights(path, config)
    record = run_directory.read_record(path)
    program, pairs = record.get("program"), record.get("text_pairs")
    # Of a run for another task, labels are no classes.
    classifies = record.get("task", "classification") == "classification"
    labels = record.get("labels", []) if classifies else []
    if not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise UserError(f"{path / 'run.json'}: its labels are no list of names")
    length = _number(record, "classification", "max_seq_length")
    length = length or _number(record, "mlm", "seq_length") or config.max_position_embeddings
    truncation = _part(record, "classification").get("truncation")
    parts = record.get("parts")  # of an imported model
    return TrainedRun(
        path=path,
        config=config,
        lower_case=run_directory.read_lower_case(path),
        labels=tuple(labels),
        fills_masks=program == "pretrain" or (isinstance(parts, list) and "head" in parts),
        reads_pairs=pairs if isinstance(pairs, bool) else None,
        max_seq_length=length if config.reads(length) else config.max_position_embeddings,
        truncation=truncation if isinstance(truncation, str) else "head",
    )


def _part(record: dict[str, Any], part: str) -> dict[str, Any]:
    values = record.get(part)
    return values if isinstance(values, dict) else {}


def _number(record: dict[str, Any], part: str, name: str) -> int | None:
    value = _part(record, part).get(name)
    return value if isinstance(value, int) and value > 0 else None
