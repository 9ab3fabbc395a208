"""Scoring a fine-tuned model, and keeping its best weights. The same for every task."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bert_core.errors import UserError
from loops.checkpoints import Checkpoints, marked_steps
from loops.evaluate import Predictor
from loops.portable import read_lines
from loops.run_directory import read_record, read_run_config

# (truth, answers [m, C] in input order) -> figures
Score = Callable[[Any, np.ndarray], dict[str, float]]

FEW_STEPS = 200  # of a whole training: the weights may still get better at its end


class Questions(NamedTuple):
    """Batches of a whole split, and what the answers are compared with."""

    batches: Any
    order: np.ndarray  # [m] int64: answer i of the batches is answer order[i] of the split
    truth: Any


class Scored(NamedTuple):
    """What the model answers, and how good that is."""

    answers: np.ndarray  # [m, C] float32, in input order
    values: dict[str, float]


class Scorer:
    """Scores splits with one traced function."""

    def __init__(self, model: tf.Module, score: Score):
        self._predict = Predictor(model.logits)
        self._score = score

    def __call__(self, questions: Questions) -> Scored:
        rows = self._predict(questions.batches)
        answers = np.empty_like(rows)
        answers[questions.order] = rows
        return Scored(answers, self._score(questions.truth, answers))


class BestWeights:
    """The weights whose dev `metric` is the highest so far; the lower loss breaks ties.

    What was best is read from the metrics, so a resumed run judges like one that was
    never stopped.
    """

    def __init__(
        self, directory: Path, model: tf.Module, lines: list[dict[str, Any]], metric: str
    ):
        self._weights = tf.Module()
        self._weights.model = model
        self._directory = directory
        self._checkpoints = Checkpoints(directory, self._weights, max_to_keep=2)
        self._lines = lines
        self._metric = metric
        last = max((line["step"] for line in lines), default=-1)
        self._checkpoints.forget_after(last)

    def offer(self, step: int, values: dict[str, float]) -> bool:
        """Saves the weights if `values` beat those of all kept ones; returns whether."""
        # Not those of all dev lines so far: a run resumed under other settings may never
        # be as good again.
        kept = marked_steps(self._directory)
        earlier = [
            self._rank(x)
            for x in self._lines
            if x["split"] == "dev" and x["step"] < step and x["step"] in kept
        ]
        if earlier and self._rank(values) <= max(earlier):
            return False
        self._checkpoints.save(step)
        return True

    def restore(self) -> int:
        """Puts the best weights into the model; returns their step."""
        step = self._checkpoints.restore_latest()
        if step is None:
            raise UserError(
                f"{self._directory}: the best weights are gone; bring them back, or start "
                "again in another directory"
            )
        return step

    def _rank(self, values: dict[str, Any]) -> tuple[float, float]:
        return values[self._metric], -values["loss"]


def best_at(step: int, num_train_steps: int) -> str:
    """A line on when the best weights were found."""
    line = f"best on dev at step {step:,}"
    if step == num_train_steps < FEW_STEPS:
        line += ", the last of few: more --num_epochs may do better"
    return line


def same_outputs(start: Path, task: str, names: Sequence[str], pooling: str) -> bool:
    """Whether `start` was trained for this very task, converted classifiers included, and
    has these very outputs, so that its last layer can be used.

    pooling: what that layer is to read of a text, if the task is about whole texts.
    """
    labels = start / "labels.txt"
    same_task = read_record(start).get("task", "classification") == task
    if task != "token_classification" and read_run_config(start).pooling != pooling:
        return False
    return same_task and labels.exists() and list(read_lines(labels)) == list(names)


def over_seeds(split: str, results: Sequence[dict[str, float]]) -> str:
    """Mean and standard deviation (n - 1) of each score on a split over several runs."""
    parts = []
    for name in results[0]:
        values = np.array([result[name] for result in results])
        parts.append(f"{name.replace('_', ' ')} {values.mean():.4f} ± {values.std(ddof=1):.4f}")
    return f"{split}, over {len(results)} seeds: {', '.join(parts)}"
