"""A trained run as its users see it, read and checked before TensorFlow is imported."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from bert_core.config import BertConfig
from bert_core.errors import UserError
from bert_core.units import in_units
from loops import run_directory

# What is asked of run_predict.py -> the --task of run_finetune.py that learns it.
TASK_OF = {
    "classify": "classification",
    "regress": "regression",
    "tag": "token_classification",
}


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """What a run directory can be used for, and how it was trained to read texts."""

    path: Path
    config: BertConfig
    lower_case: bool  # of the vocabulary
    task: str | None  # what it was fine-tuned for; None: nothing
    labels: tuple[str, ...]  # names of classes or of tags, by id; else empty
    target_scale: tuple[float, float]  # a regressor's numbers: mean, standard deviation
    fills_masks: bool
    reads_pairs: bool | None  # whether it was fine-tuned on pairs; None: unknown
    max_seq_length: int  # tokens it was trained on, or has positions for
    truncation: str  # what it was trained to keep of a longer text

    def check_can(self, action: str) -> None:
        """UserError unless the run is of the kind that `--action` needs."""
        task = TASK_OF.get(action)
        if task and not self.task:
            raise UserError(
                f"{self.path}: was not fine-tuned for {task}; run_finetune.py does it"
            )
        if task and task != self.task:
            able = [f"--{name}" for name, theirs in TASK_OF.items() if theirs == self.task]
            raise UserError(
                f"{self.path}: was fine-tuned for {self.task}; use run_predict.py "
                f"{' or '.join([*able, '--embed'])}"
            )
        if action == "fill_mask" and not self.fills_masks:
            raise UserError(
                f"{self.path}: has no masked-language-model head; name a pretrained run"
            )

    def check_pairs(self, has_pairs: bool) -> None:
        """UserError unless texts are single or pairs, as in the run's fine-tuning."""
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
        pools = self.task in ("classification", "regression")
        if pools and self.config.pooling == "cls" and not self.config.fits_one_window(asked):
            raise UserError(
                f"--max_seq_length={asked}: {self.path} reads [CLS] alone, in windows of "
                f"{self.config.attention_window} tokens; give at most that many"
            )
        return asked

    def in_units(self, answers: Any) -> Any:
        """A regressor's answers [n, 1], in the units of the file it was trained on: [n]."""
        return in_units(answers, *self.target_scale)

    def truncation_warning(self, num_truncated: int, length: int) -> str | None:
        """A line to show when texts have been cut."""
        if not num_truncated:
            return None
        texts = "1 text was" if num_truncated == 1 else f"{num_truncated:,} texts were"
        return f"warning: {texts} cut to {length} tokens"


def read_trained_run(path: Path) -> TrainedRun:
    """UserError if it is not a run directory, or holds too few weights for its model."""
    config = run_directory.read_run_config(path)
    run_directory.check_weights(path, config)
    record = run_directory.read_record(path)
    program, pairs = record.get("program"), record.get("text_pairs")
    task = record.get("task", "classification" if record.get("labels") else None)
    task = task if isinstance(task, str) else None
    names = {"classification": "labels", "token_classification": "tags"}.get(task or "")
    labels = record.get(names, []) if names else []
    if not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise UserError(f"{path / 'run.json'}: its {names} are not a list of names")
    scale = (record.get("target_mean", 0.0), record.get("target_deviation", 1.0))
    if not all(isinstance(x, int | float) and math.isfinite(x) for x in scale):
        raise UserError(f"{path / 'run.json'}: the mean of its targets is not a number")
    length = _number(record, "classification", "max_seq_length")
    length = length or _number(record, "mlm", "seq_length") or config.max_position_embeddings
    truncation = _part(record, "classification").get("truncation")
    parts = record.get("parts")  # of an imported model
    return TrainedRun(
        path=path,
        config=config,
        lower_case=run_directory.read_lower_case(path),
        task=task,
        labels=tuple(labels),
        target_scale=scale,
        fills_masks=program == "pretrain" or (isinstance(parts, list) and "head" in parts),
        reads_pairs=pairs if isinstance(pairs, bool) else None,
        max_seq_length=length
        if config.has_positions_for(length)
        else config.max_position_embeddings,
        truncation=truncation if isinstance(truncation, str) else "head",
    )


def _part(record: dict[str, Any], part: str) -> dict[str, Any]:
    values = record.get(part)
    return values if isinstance(values, dict) else {}


def _number(record: dict[str, Any], part: str, name: str) -> int | None:
    value = _part(record, part).get(name)
    return value if isinstance(value, int) and value > 0 else None
