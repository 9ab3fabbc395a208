"""Labelled files to tokenised splits: what fine-tuning trains and scores on."""

import dataclasses
import hashlib
from pathlib import Path
from typing import NamedTuple

from bert_core.errors import UserError
from pipelines.dev_split import split_dev
from pipelines.examples import Example
from pipelines.options import ExamplesOptions, TextOptions
from pipelines.task import Split, Task
from pipelines.tokenized import TextEncoder


class LabelledExamples(NamedTuple):
    """The splits of a task as read, all labels known."""

    task: Task
    splits: dict[str, list[Example]]  # "train", "dev", perhaps "test"
    files: dict[str, str]  # of each split, for errors
    num_guessed: int  # at the end of "train": examples whose labels a model guessed

    def fingerprint(self) -> str:
        """SHA-256 of the texts and labels that the weights depend on, so not of the test's."""
        digest = hashlib.sha256()
        for name, examples in self.splits.items():
            if name == "test":
                continue
            digest.update(f"{name} {len(examples)}\n".encode())
            for example in examples:
                digest.update(repr(tuple(example)).encode())
        return digest.hexdigest()


class LabelledData(NamedTuple):
    """The same as token ids; `test` is None without a test file."""

    task: Task
    train: Split
    dev: Split
    test: Split | None
    fingerprint: str
    num_guessed: int  # at the end of `train`

    def lines(self) -> list[str]:
        """What was found, for the screen."""
        lines = [self.task.description()]
        for name in ("train", "dev", "test"):
            split = getattr(self, name)
            if split is not None:
                lines.append(f"{name}: {len(split.texts):,} texts{split.note}")
        if self.num_guessed:
            lines.append(f"labels of {self.num_guessed:,} texts in train are guessed")
        return lines


def read_labelled(
    task_class: type[Task],
    files: dict[str, Path | None],
    columns: ExamplesOptions,
    dev_share: float,
) -> LabelledExamples:
    """Reads files["train"], and those of "guessed", "dev" and "test" that are not None.

    Without a dev file, a share of the training file is set aside, the same in every
    run, whatever its seed. Guessed labels are for training only: the set of labels is the
    training file's, and a guess for a text that any other split holds is dropped.
    Raises UserError for whatever is wrong with a file.
    """
    splits = {
        name: task_class.read(path, guess_columns(columns) if name == "guessed" else columns)
        for name, path in files.items()
        if path is not None
    }
    names = ("train", "guessed", "dev", "test")
    where = {name: str(files.get(name) or files["train"]) for name in names}
    task = task_class(splits["train"], where["train"])
    for name, examples in splits.items():
        task.targets(examples, where[name])  # finds unknown labels before long work
    if "dev" not in splits:
        splits["train"], splits["dev"] = split_dev(
            splits["train"], dev_share, seed=0, by_label=task.by_label
        )
    guessed = splits.pop("guessed", [])
    known = {(x.text, x.text_pair) for examples in splits.values() for x in examples}
    guessed = [x for x in guessed if (x.text, x.text_pair) not in known]
    splits["train"] += guessed
    return LabelledExamples(task, splits, where, len(guessed))


def files_of_dataset(directory: Path) -> dict[str, Path | None]:
    """The files of a dataset for `read_labelled`; UserError if there is nothing to train on."""
    names = {"train": "train.jsonl", "dev": "validation.jsonl", "test": "test.jsonl"}
    files = {k: file if (file := directory / v).exists() else None for k, v in names.items()}
    if files["train"] is None:
        raise UserError(f"{directory}: the dataset has no labelled texts to train on")
    return files


def guess_columns(columns: ExamplesOptions) -> ExamplesOptions:
    """The columns that run_predict.py --classify writes for texts of such columns."""
    return dataclasses.replace(columns, label_column="label")


def tokenize_labelled(
    labelled: LabelledExamples, options: TextOptions, tokenizer: TextEncoder
) -> LabelledData:
    """The splits as token ids, cut to length."""
    task, splits, where, num_guessed = labelled
    tokenised = {
        name: task.tokenize(examples, where[name], tokenizer, options)
        for name, examples in splits.items()
    }
    return LabelledData(
        task,
        tokenised["train"],
        tokenised["dev"],
        tokenised.get("test"),
        labelled.fingerprint(),
        num_guessed,
    )
