"""Public datasets by name."""

from bert_core.errors import UserError
from pipelines import docstrings, tfds_text
from pipelines.options import PrepareOptions
from pipelines.prepared import Source, check_data_dir


def find_dataset(options: PrepareOptions) -> Source:
    """The dataset `options.dataset`, for pipelines.prepared.write_source to write.

    Nothing is fetched, read or written yet, nor TensorFlow imported. Raises UserError for
    an unknown dataset, one that cannot be had, or a directory that holds something else.
    """
    if options.dataset == docstrings.NAME:
        source = docstrings.source()
    else:
        source = tfds_text.source(options)
    check_data_dir(source, options.data_dir, options.overwrite)
    return source


def find_labelled(options: PrepareOptions) -> Source:
    """The same; UserError where its texts have no labels to learn."""
    source = find_dataset(options)
    if not source.has_labels:
        raise UserError(
            f"--dataset={source.name}: has no field label; --label_key names the one to learn"
        )
    return source
