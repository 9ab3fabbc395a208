"""metrics.jsonl: one JSON object per line, {"split", "step", name: value, ...}.

Each step is there once: opening the file to go on from a checkpoint drops the lines
after that checkpoint, which will be written again.
"""

import json
import os
from pathlib import Path
from typing import Any

from bert_core.errors import UserError
from loops.files import naming, write_whole


class MetricsLog:
    """Appends lines.

    evaluations: the file's lines but those of training, of which there can be millions.
    num_skipped: how many training steps have been skipped.
    """

    def __init__(self, path: Path, last_step: int):
        """Opens to go on after `last_step`; drops test figures, which come after all steps."""
        kept = [
            line
            for line in read_metrics(path)
            if line["step"] <= last_step and line["split"] != "test"
        ]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
        self.evaluations: list[dict[str, Any]] = []
        self.num_skipped = 0
        for line in kept:
            self._note(line)
        self._path, self._file = path, path.open("a", encoding="utf-8")

    def add(self, split: str, step: int, values: dict[str, float]) -> None:
        line = {"split": split, "step": step, **values}
        self._note(line)
        with naming(self._path):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def has(self, split: str, step: int) -> bool:
        """Whether there is a line of an evaluation on that split at that step."""
        return any(x["step"] == step and x["split"] == split for x in self.evaluations)

    def _note(self, line: dict[str, Any]) -> None:
        if line["split"] == "train":
            self.num_skipped += int(line.get("skipped_steps", 0))
        else:
            self.evaluations.append(line)

    def sync(self) -> None:
        """Waits until all lines are on the disk; due before a checkpoint is marked."""
        with naming(self._path):
            os.fsync(self._file.fileno())


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; a last line cut by a kill is left out."""
    if not path.exists():
        return []
    lines = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        found = _parsed(line)
        if found is None:
            raise UserError(
                f"{path}: line {number} is not as a run writes it; mend it, or start again in "
                "another directory"
            )
        lines.append(found)
    return lines


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The object, if it names its split and step."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    split, step = found.get("split"), found.get("step")
    return found if isinstance(split, str) and isinstance(step, int) else None


def last_of(path: Path, split: str) -> dict[str, Any]:
    """The last line of a split; KeyError when there is none."""
    lines = [line for line in read_metrics(path) if line["split"] == split]
    if not lines:
        raise KeyError(f"{path}: no line of split {split!r}")
    return lines[-1]
