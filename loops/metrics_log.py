"""metrics.jsonl: one JSON object a line, {"split", "step", name: value, ...}.

Each step stands there once: opening it to go on from a checkpoint drops the lines
after that checkpoint, which will be written again.
"""

import json
import os
from pathlib import Path
from typing import Any

from loops.files import write_whole


class MetricsLog:
    """Appends lines; `lines` holds all that stand in the file."""

    def __init__(self, path: Path, last_step: int):
        self.lines = [line for line in read_metrics(path) if line["step"] <= last_step]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in self.lines))
        self._file = path.open("a", encoding="utf-8")

    def add(self, split: str, step: int, values: dict[str, float]) -> None:
        line = {"split": split, "step": step, **values}
        self.lines.append(line)
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def sync(self) -> None:
        """Waits until all lines are on the disk; due before a checkpoint is marked."""
        os.fsync(self._file.fileno())


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; a last line cut by a kill is left out."""
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in whole]


def last_of(path: Path, split: str) -> dict[str, Any]:
    """The last line of a split; KeyError when there is none."""
    lines = [line for line in read_metrics(path) if line["split"] == split]
    if not lines:
        raise KeyError(f"{path}: no line of split {split!r}")
    return lines[-1]
