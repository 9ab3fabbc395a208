"""Public datasets by name."""

from pathlib import Path

from bert_core.errors import UserError
from pipelines import docstrings, tfds_text
from pipelines.options import EMBEDDED, PrepareOptions
from pipelines.prepared import check_data_dir
from pipelines.source import Source


def find_dataset(options: PrepareOptions) -> Source:
    """The dataset `options.dataset`, for pipelines.prepared.write_source to write.

    Nothing is fetched, read or written yet, and TensorFlow is not imported. Raises UserError
    for a dataset that is unknown or unavailable, or a directory that holds something else.
    """
    source = _source(options)
    check_data_dir(source, options.data_dir, options.overwrite)
    return source


def find_labelled(options: PrepareOptions) -> tuple[Source, Path]:
    """The same, and its directory below `options.data_dir`: each version and each choice of
    fields has its own.

    UserError if its texts have no labels to learn.
    """
    source = _source(options)
    if not source.has_labels:
        raise UserError(
            f"--dataset={source.name}: has no field label; --label_key names the one to learn"
        )
    data_dir = options.data_dir / source.fingerprint
    check_data_dir(source, data_dir, overwrite=False)
    return source, data_dir


def _source(options: PrepareOptions) -> Source:
    if options.dataset == EMBEDDED:
        return docstrings.source()
    return tfds_text.source(options)
