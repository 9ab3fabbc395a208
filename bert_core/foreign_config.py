"""Google's `bert_config.json` and Hugging Face's `config.json`, to and from BertConfig.

"gelu" was the erf form when Google released BERT and is the tanh form in today's
google-research/bert, under one name. Here, as in Hugging Face's code, it is the erf form,
whoever wrote the configuration; the tanh form is "gelu_new".
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from bert_core.config import BertConfig, from_dict
from bert_core.errors import UserError
from bert_core.huggingface_names import CLASSIFIER

_OURS_ONLY = ("alibi_slopes", "attention_window", "neighbour_offsets", "pooling")
_GOOGLES_EPSILON = 1e-12  # a constant in modeling.py, not a field


def from_google(values: dict[str, Any], where: str) -> BertConfig:
    """The architecture of a parsed `bert_config.json`; UserError naming a field."""
    _check(values, {"directionality": ("bidi", None)}, where)
    # The default is modeling.py's own.
    return from_dict({"type_vocab_size": 16, **_shared(values)}, where)


def to_google(config: BertConfig) -> dict[str, Any]:
    """What to write as `bert_config.json`."""
    values = _shared(dataclasses.asdict(config))
    del values["layer_norm_eps"]
    return values


def from_huggingface(values: dict[str, Any], where: str) -> BertConfig:
    """The architecture of a parsed `config.json`; UserError naming what is not BERT."""
    bert = {
        "model_type": ("bert",),
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
        "add_cross_attention": (False, None),
    }
    _check(values, bert, where)
    architectures = values.get("architectures")
    if architectures is not None and not (
        isinstance(architectures, list) and all(isinstance(x, str) for x in architectures)
    ):
        raise UserError(f"{where}: architectures must be a list of names")
    return from_dict(_shared(values), where)


def to_huggingface(
    config: BertConfig, parts: Collection[str], labels: Sequence[str], pad_id: int
) -> dict[str, Any]:
    """What to write as `config.json` of a model of these name_map.PARTS."""
    values: dict[str, Any] = {"architectures": [architecture(parts)], "model_type": "bert"}
    values |= _shared(dataclasses.asdict(config))
    values |= {"pad_token_id": pad_id, "position_embedding_type": "absolute"}
    if "output" in parts:
        values["id2label"] = {str(i): name for i, name in enumerate(labels)}
        values["label2id"] = {name: i for i, name in enumerate(labels)}
    return values


def architecture(parts: Collection[str]) -> str:
    """The class that finds all its weights; a pooler alongside an MLM head is for others."""
    if "output" in parts:
        return CLASSIFIER
    return "BertForMaskedLM" if "head" in parts else "BertModel"


def labels_of(values: dict[str, Any], num_classes: int, where: str) -> tuple[str, ...]:
    """The C class names by id: `id2label`, or LABEL_0, LABEL_1, ..., as transformers has."""
    names = values.get("id2label")
    if names is None or not num_classes:
        return tuple(f"LABEL_{i}" for i in range(num_classes))
    ids = [str(i) for i in range(num_classes)]
    if not isinstance(names, dict) or sorted(names) != sorted(ids):
        raise UserError(f"{where}: id2label does not name the model's {num_classes} classes")
    labels = tuple(str(names[i]) for i in ids)
    if len(set(labels)) < num_classes or any(not x or "\n" in x or "\r" in x for x in labels):
        raise UserError(f"{where}: id2label must hold different names, each on one line")
    return labels


def check_exportable(config: BertConfig, parts: Collection[str], where: str) -> None:
    """Raises UserError naming the field that makes a model something other than BERT."""
    for field in ("alibi_slopes", "neighbour_offsets"):
        if getattr(config, field):
            raise UserError(
                f"{where}: {field} is set, which no other program's BERT has; only a run "
                "trained with --locality=none can be exported"
            )
    if config.attention_window:
        raise UserError(
            f"{where}: attention_window is set, but elsewhere all tokens see each other; only "
            "a run fine-tuned without --attention_window can be exported"
        )
    if "output" in parts and config.pooling != "cls":
        raise UserError(
            f"{where}: pooling is {config.pooling!r}, BERT's classifiers read 'cls'; only "
            "a run fine-tuned with --pooling=cls can be exported"
        )


def check_for_google(config: BertConfig, parts: Collection[str], where: str) -> None:
    """`check_exportable`, and what Google's code has no field for."""
    check_exportable(config, parts, where)
    if config.layer_norm_eps != _GOOGLES_EPSILON:
        raise UserError(
            f"{where}: layer_norm_eps is {config.layer_norm_eps}, but Google's code always "
            f"has {_GOOGLES_EPSILON}; export with --to=huggingface"
        )


def _check(values: dict[str, Any], allowed: dict[str, tuple[Any, ...]], where: str) -> None:
    """Each field must be one of its allowed values; None stands for its absence."""
    for field, fitting in allowed.items():
        value = values.get(field)
        if not any(type(value) is type(x) and value == x for x in fitting):
            raise UserError(
                f"{where}: {field} is {value!r}; only BERT encoders can be read, with "
                f"{field} {fitting[0]!r}"
            )


def _shared(values: dict[str, Any]) -> dict[str, Any]:
    """The fields that BERT's own configuration shares with BertConfig."""
    fields = [x.name for x in dataclasses.fields(BertConfig) if x.name not in _OURS_ONLY]
    return {name: values[name] for name in fields if name in values}
