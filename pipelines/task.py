"""What a fine-tuning task is: how it is read, batched and judged.

A task is a class here and a model in bert_core; run_finetune.py names the two in one
line. The loop knows of neither: it trains whatever has `sums`, and keeps the weights
whose dev figures a task ranks highest.
"""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from pipelines.examples import Example, read_examples
from pipelines.options import ExamplesOptions, TextOptions
from pipelines.tokenized import TextEncoder, TokenizedTexts, tokenize_examples


class Inputs(NamedTuple):
    """What every batch begins with (bert_core/batch.py)."""

    input_ids: np.ndarray  # [B, S] int32
    input_mask: np.ndarray  # [B, S] int32
    segment_ids: np.ndarray  # [B, S] int32


class Split(NamedTuple):
    """n tokenised examples in the order of the file."""

    texts: TokenizedTexts
    labels: Any  # what the model learns of each: goes to Task.batch
    truth: Any  # what its answers are compared with: goes to Task.score
    num_answers: np.ndarray  # [n] int64: how many answers the model gives for each example
    note: str  # for the screen: what was cut


class Task(abc.ABC):
    """Reads, batches and judges. Made from the training examples, it knows what to predict.

    Answers are what the model's `logits` gives where a batch's `example_weights` are not
    0: [m, C] float32, in the order of the examples, one row per text (or per word).
    """

    metric: ClassVar[str]  # the dev figure that ranks weights; the lower loss breaks ties
    by_label: ClassVar[bool] = False  # whether a dev split has its share of each label
    pools: ClassVar[bool] = True  # whether the model reads a text as one vector
    labels: Sequence[str]  # names of the C numbers the model gives
    record: dict[str, Any]  # what run.json says about what there is to predict

    @abc.abstractmethod
    def __init__(self, examples: Sequence[Example], where: str):
        """UserError where there is nothing to learn; `where` names the examples' file."""

    @classmethod
    def read(cls, path: Path, columns: ExamplesOptions) -> list[Example]:
        """The examples of a file; UserError names file and line."""
        return read_examples(path, columns)

    @abc.abstractmethod
    def targets(self, examples: Sequence[Example], where: str) -> np.ndarray:
        """What is to be predicted, [n, ...]; UserError for what cannot be."""

    def tokenize(
        self,
        examples: Sequence[Example],
        where: str,
        tokenizer: TextEncoder,
        options: TextOptions,
    ) -> Split:
        """The examples as token ids, cut to length, one target per text."""
        targets = self.targets(examples, where)
        texts = tokenize_examples(
            examples, tokenizer, options.max_seq_length, options.truncation
        )
        cut = texts.num_truncated
        note = f", {cut:,} of them cut to length" if cut else ""
        return Split(texts, targets, targets, np.ones(len(texts), np.int64), note)

    @abc.abstractmethod
    def batch(self, inputs: Inputs, labels: Any, indices: np.ndarray) -> Any:
        """The NamedTuple the model takes. Row i is example indices[i]; the rest is filling."""

    @abc.abstractmethod
    def score(self, truth: Any, answers: np.ndarray) -> dict[str, float]:
        """Figures by name, "loss" and the `metric` among them."""

    @abc.abstractmethod
    def table(self, truth: Any, answers: np.ndarray) -> str:
        """predictions.tsv, in the order of the file."""

    @abc.abstractmethod
    def description(self) -> str:
        """A line for the screen: what there is to predict."""

    def baseline(self, truth: Any) -> float | None:
        """What an answer that does not look at the text would get."""
        return None

    def summary(self, truth: Any, values: dict[str, float]) -> str:
        """The figures in words, for the last line on the screen."""
        return ", ".join(f"{k.replace('_', ' ')} {x:.4f}" for k, x in values.items())

    def confusion(self, truth: Any, answers: np.ndarray) -> np.ndarray | None:
        """[C, C] counts of (label, prediction), to be drawn; None where there are none."""
        return None

    def warning(self, truth: Any, answers: np.ndarray) -> str | None:
        """A line to show when the answers look as if nothing was learned."""
        return None


def filled(rows: np.ndarray, batch_size: int) -> np.ndarray:
    """[k, ...] -> [B, ...], zeros for the rows that only fill the batch."""
    padding = [(0, batch_size - len(rows)), *[(0, 0)] * (rows.ndim - 1)]
    return np.pad(rows, padding)
