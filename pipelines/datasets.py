"""Public datasets by name."""

from typing import Any

from pipelines import docstrings, tfds_text
from pipelines.options import PrepareOptions
from pipelines.prepared import write_source


def write_dataset(options: PrepareOptions) -> dict[str, Any]:
    """Writes `options.dataset` to `options.data_dir`, unless it is there already.

    Returns what `source.json` says of it. Raises UserError for an unknown dataset, one
    that cannot be had, or a directory that holds something else.
    """
    if options.dataset == docstrings.NAME:
        source = docstrings.source()
    else:
        source = tfds_text.source(options)
    return write_source(source, options.data_dir, options.overwrite)
