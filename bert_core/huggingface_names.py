"""Tensor names of Hugging Face's BERT (transformers, models/bert/modeling_bert.py)."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bert_core import google_names
from bert_core.config import BertConfig
from bert_core.name_map import Row

PREFIXES = {"head": "cls.predictions.", "pooler": "bert.pooler.", "output": "classifier."}
CLASSIFIER = "BertForSequenceClassification"
# Second names of a tensor; whether a file holds one or both depends on its age.
TIED = {
    "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
_NAMES = {
    "cls/predictions/output_bias": "cls/predictions/bias",
    "output_weights": "classifier/weight",
    "output_bias": "classifier/bias",
}
_LEAVES = {"kernel": "weight", "gamma": "weight", "beta": "bias"}


def rows(config: BertConfig, parts: Collection[str], num_classes: int = 0) -> Iterator[Row]:
    """Google's rows as `BertForPreTraining` and similar classes spell them."""
    for row in google_names.rows(config, parts, num_classes):
        names = tuple(_respelled(name) for name in row.theirs)
        if row.ours.endswith("/kernel"):  # torch.nn.Linear keeps [out, in]
            shape = row.shape if row.transposed else row.shape[::-1]
            yield Row(row.ours, names, shape, transposed=True)
        else:
            yield row._replace(theirs=names)


def _respelled(name: str) -> str:
    name = _NAMES.get(name, name).replace("/layer_", "/layer/")
    stem, _, leaf = name.rpartition("/")
    if leaf.endswith("_embeddings"):
        stem, leaf = name, "weight"
    return f"{stem}/{_LEAVES.get(leaf, leaf)}".replace("/", ".")


def canonical(name: str) -> str:
    """One spelling of a tensor's name for the several in use.

    `BertModel` saves without the prefix "bert."; files converted from TensorFlow say
    gamma and beta.
    """
    name = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", name)
    name = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", name)
    return f"bert.{name}" if name.startswith(("embeddings.", "encoder.", "pooler.")) else name


def why_skipped(
    name: str, config: Mapping[str, Any], has_pooler: bool, num_outputs: int
) -> str | None:
    """Why a tensor, given by its canonical name, is not wanted; None if it may be.

    num_outputs: of the file's classifier.
    """
    if name in ("bert.embeddings.position_ids", "bert.embeddings.token_type_ids"):
        return "a constant"
    if name.startswith("cls.seq_relationship."):
        return "next-sentence prediction, which this project does without"
    if not name.startswith(PREFIXES["output"]):
        return None
    architectures = config.get("architectures") or [CLASSIFIER]
    if CLASSIFIER not in architectures:
        return f"of {architectures[0]}, which does not classify texts"
    if not has_pooler:
        return "a classifier without BERT's pooler"
    if config.get("problem_type") not in (None, "single_label_classification"):
        return f"problem_type is {config['problem_type']!r}"
    if num_outputs == 1:
        return "a single output, which is a regression"
    return None
