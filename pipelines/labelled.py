"""Labelled files to tokenised splits: what fine-tuning trains and scores on."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from pipelines.dev_split import split_dev
from pipelines.examples import Example
from pipelines.options import ClassificationOptions, ExamplesOptions
from pipelines.task import Split, Task
from pipelines.tokenized import TextEncoder


class LabelledExamples(NamedTuple):
    """The splits of a task as read, all labels known."""

    task: Task
    splits: dict[str, list[Example]]  # "train", "dev", perhaps "test"
    files: dict[str, str]  # of each split, for errors

    def fingerprint(self) -> str:
        """SHA-256 of all texts and labels."""
        digest = hashlib.sha256()
        for name, examples in self.splits.items():
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

    def lines(self) -> list[str]:
        """What was found, for the screen."""
        lines = [self.task.description()]
        for name in ("train", "dev", "test"):
            split = getattr(self, name)
            if split is not None:
                lines.append(f"{name}: {len(split.texts):,} texts{split.note}")
        return lines


def read_labelled(
    task_class: type[Task],
    files: dict[str, Path | None],
    columns: ExamplesOptions,
    dev_share: float,
) -> LabelledExamples:
    """Reads files["train"], files["dev"] and files["test"]; the last two may be None.

    Without a dev file, a share of the training file is set aside, the same in every
    run whatever its seed. Raises UserError for whatever is wrong with a file.
    """
    splits = {
        name: task_class.read(path, columns) for name, path in files.items() if path is not None
    }
    where = {name: str(files[name] or files["train"]) for name in ("train", "dev", "test")}
    task = task_class(splits["train"], where["train"])
    for name, examples in splits.items():
        task.targets(examples, where[name])  # all labels known before long work
    if "dev" not in splits:
        splits["train"], splits["dev"] = split_dev(
            splits["train"], dev_share, seed=0, by_label=task.by_label
        )
    return LabelledExamples(task, splits, where)


def tokenize_labelled(
    labelled: LabelledExamples, options: ClassificationOptions, tokenizer: TextEncoder
) -> LabelledData:
    """The splits as token ids, cut to length."""
    task, splits, where = labelled
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
    )
