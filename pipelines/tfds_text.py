"""Text datasets from TensorFlow Datasets, `imdb_reviews` above all.

Held-out splits (`test*`, `validation*` and similar, `ca_test` too) never reach the
pretraining corpus: only `test` and `validation` are read, as labelled examples. Every
other split is corpus, and `train` is labelled examples as well. Nothing is deduplicated:
the dataset stays the published one.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import logging

from bert_core.errors import UserError
from pipelines.cleaning import clean_text
from pipelines.options import PrepareOptions
from pipelines.source import SPLITS, Document, Source

_HELD_OUT = ("test", "val", "minival", "dev", "eval", "holdout", "held")
_READ_AT_ONCE = 1024


def source(options: PrepareOptions) -> Source:
    """The dataset `options.dataset`; fetched, if need be and allowed, when it is read.

    Until then TensorFlow is not imported.
    """
    builder = _builder(options)
    features = dict(builder.info.features)
    text_key = options.text_key
    label_key = options.label_key or ("label" if "label" in features else None)
    _check_field(features, "text_key", text_key, "O", "text")
    if label_key:
        _check_field(features, "label_key", label_key, "Oiub", "a class")
    identity = {
        "tfds": builder.info.full_name,
        "text_key": text_key,
        "label_key": label_key or "",
        "format": "3",  # 1: splits such as ca_test were corpus; 2: such as val
    }
    splits = [x for x in sorted(builder.info.splits) if _is_wanted(x, options.unlabelled)]
    if not options.unlabelled:
        identity["splits"] = " ".join(splits)
    names = tuple(getattr(features[label_key], "names", ())) if label_key else ()
    documents = _documents(builder, splits, text_key, label_key, names)
    return Source(options.dataset, identity, documents, names, bool(label_key))


def _is_wanted(split: str, unlabelled: bool) -> bool:
    words = re.split(r"[^a-z]+", split.lower())
    held_out = any(word.startswith(_HELD_OUT) for word in words)
    return split in SPLITS or (unlabelled and not held_out)


def _check_field(features: dict[str, Any], flag: str, key: str, kinds: str, what: str) -> None:
    if key not in features:
        fields = ", ".join(sorted(features))
        raise UserError(f"--{flag}={key}: the dataset has no such field, only {fields}")
    feature = features[key]
    if feature.shape != () or np.dtype(feature.np_dtype).kind not in kinds:
        raise UserError(f"--{flag}={key}: is not {what} but {feature}")


def _builder(options: PrepareOptions) -> Any:
    """The TFDS builder. TFDS raises many types of error here; each becomes one line."""
    flag = f"--dataset={options.dataset}"
    os.environ.setdefault("NO_COLOR", "1")  # the screen shows escapes, it does not obey them
    try:  # takes a second, so only when a dataset is wanted
        import tensorflow_datasets as tfds

        not_found = tfds.core.DatasetNotFoundError  # missing after a half-failed import
    except Exception as error:
        raise UserError(
            f"{flag}: TensorFlow Datasets does not import ({_first_line(error)})"
        ) from None
    logging.set_verbosity(logging.ERROR)
    data_dir = options.tfds_data_dir and str(options.tfds_data_dir.expanduser())
    try:
        builder = tfds.builder(options.dataset, data_dir=data_dir)
        is_prepared = builder.is_prepared()
    except not_found:
        raise UserError(
            f"{flag}: TensorFlow Datasets has no such dataset, and it is not docstrings; "
            "https://www.tensorflow.org/datasets/catalog lists them"
        ) from None
    except Exception as error:
        raise UserError(
            f"{flag}: TensorFlow Datasets cannot open it ({_first_line(error)}); "
            "https://www.tensorflow.org/datasets/catalog shows its name"
        ) from None
    if not is_prepared and not options.download:
        raise UserError(
            f"{flag}: not found in {builder.data_dir}; give its --tfds_data_dir, or --download"
        )
    return builder


def _fetch(builder: Any) -> None:
    """Downloads and builds a dataset that is not there yet."""
    try:
        builder.download_and_prepare()  # does nothing otherwise
    except Exception as error:
        raise UserError(
            f"--dataset={builder.info.full_name}: download failed ({_first_line(error)})"
        ) from None


def _documents(
    builder: Any,
    splits: list[str],
    text_key: str,
    label_key: str | None,
    names: tuple[str, ...],
) -> Iterator[Document]:
    import tensorflow_datasets as tfds

    _fetch(builder)
    wanted = {text_key, label_key} - {None}
    for split in splits:
        dataset = builder.as_dataset(
            split=split,
            shuffle_files=False,  # the same order every time
            decoders=tfds.decode.PartialDecoding(dict.fromkeys(wanted, True)),
        )
        batches = iter(tfds.as_numpy(dataset.batch(_READ_AT_ONCE)))
        while batch := _next_of(batches, builder):
            labels = batch[label_key] if label_key else [None] * len(batch[text_key])
            for text, label in zip(batch[text_key], labels, strict=True):
                yield Document(
                    clean_text(text.decode("utf-8", "replace")),
                    split if split in SPLITS else "corpus",
                    _label_name(label, names),
                )


def _next_of(batches: Iterator[dict[str, Any]], builder: Any) -> dict[str, Any] | None:
    """The next batch, None at the end; UserError for damaged files."""
    import tensorflow as tf

    try:
        return next(batches, None)
    except tf.errors.OpError as error:
        raise UserError(
            f"{builder.data_path}: cannot be read ({_first_line(error)}); fetch it again"
        ) from None


def _label_name(label: Any, names: tuple[str, ...]) -> str | None:
    """The class's name, or the value itself; None for the -1 of an unlabelled text."""
    if label is None or (names and not 0 <= label < len(names)):
        return None
    if names:
        return names[label]
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
