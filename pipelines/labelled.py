"""Labelled files to tokenised splits: what fine-tuning trains and scores on."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.examples import (
    Example,
    label_ids,
    label_names,
    majority_baseline,
    read_examples,
    split_dev,
)
from pipelines.options import ClassificationOptions, ExamplesOptions
from pipelines.tokenized import TextEncoder, TokenizedTexts, tokenize_examples


class LabelledSplit(NamedTuple):
    """n texts with their labels, in the order of the file."""

    texts: TokenizedTexts
    label_ids: np.ndarray  # [n] int32
    majority: float  # accuracy of always answering the commonest training label


class LabelledData(NamedTuple):
    """The splits of a classification task; `test` is None without a test file."""

    names: list[str]  # C label names, by id
    train: LabelledSplit
    dev: LabelledSplit
    test: LabelledSplit | None

    def fingerprint(self) -> str:
        """SHA-256 of all tokens and labels."""
        digest = hashlib.sha256()
        for split in (self.train, self.dev, self.test):
            if split is not None:
                digest.update(split.label_ids.tobytes())
                for rows in (split.texts.first, split.texts.second):
                    if rows is not None:
                        digest.update(rows.ids.tobytes() + rows.row_splits.tobytes())
        return digest.hexdigest()

    def lines(self) -> list[str]:
        """What was found, for the screen."""
        lines = [f"labels: {', '.join(self.names)}"]
        for name in ("train", "dev", "test"):
            split = getattr(self, name)
            if split is not None:
                cut = split.texts.num_truncated
                lines.append(
                    f"{name}: {len(split.texts):,} texts"
                    + (f", {cut:,} of them cut to length" if cut else "")
                )
        return lines


class LabelledExamples(NamedTuple):
    """The same as read, all labels known."""

    names: list[str]
    splits: dict[str, list[Example]]  # "train", "dev", perhaps "test"
    files: dict[str, str]  # of each split, for errors


def read_labelled(
    files: dict[str, Path | None], columns: ExamplesOptions, dev_share: float
) -> LabelledExamples:
    """Reads files["train"], files["dev"] and files["test"]; the last two may be None.

    Without a dev file, a share of the training file is set aside, the same in every
    run whatever its seed. Raises UserError for whatever is wrong with a file.
    """
    splits = {
        name: read_examples(path, columns) for name, path in files.items() if path is not None
    }
    names = label_names(splits["train"])
    where = {name: str(files[name] or files["train"]) for name in ("train", "dev", "test")}
    for name, examples in splits.items():
        label_ids(examples, names, where[name])  # all labels known before long work
    if "dev" not in splits:
        splits["train"], splits["dev"] = split_dev(splits["train"], dev_share, seed=0)
    return LabelledExamples(names, splits, where)


def tokenize_labelled(
    labelled: LabelledExamples, options: ClassificationOptions, tokenizer: TextEncoder
) -> LabelledData:
    """The splits as token ids, cut to length, and label ids."""
    names, found, where = labelled
    train_ids = label_ids(found["train"], names, where["train"])

    def split(name: str) -> LabelledSplit:
        ids = label_ids(found[name], names, where[name])
        texts = tokenize_examples(
            found[name], tokenizer, options.max_seq_length, options.truncation
        )
        return LabelledSplit(texts, ids, majority_baseline(train_ids.tolist(), ids.tolist()))

    return LabelledData(
        names, split("train"), split("dev"), split("test") if "test" in found else None
    )
