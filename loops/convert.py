"""From one format to another, with a report of every variable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bert_core.name_map import PARTS
from loops import google_files, huggingface_files, run_files
from loops.convert_check import check_target
from loops.new_directory import new_directory
from loops.portable import Portable
from loops.use_options import ConvertOptions

_READ: dict[str, Callable[[Path, bool | None], Portable]] = {
    "google": google_files.read,
    "huggingface": huggingface_files.read,
    "run": run_files.read,
}
_NAMES = {"head": "masked-token head", "pooler": "pooler", "output": "classifier"}


def read(options: ConvertOptions) -> Portable:
    """Reads and checks the whole input; UserError for what cannot be converted."""
    return _READ[options.source](options.input, options.lower_case)


def write(options: ConvertOptions, model: Portable, vocabulary_sha256: str) -> list[str]:
    """Writes the output, whole or not at all; returns the lines of the report."""
    where = str(options.input)
    check_target(options.target, model.config, model.parts, where)
    with new_directory(options.output) as directory:
        if options.target == "google":
            written = google_files.write(directory, model)
        elif options.target == "huggingface":
            written = huggingface_files.write(directory, model)
        else:
            record: dict[str, Any] = {
                "from": options.source,
                "source": model.source,
                "vocabulary": vocabulary_sha256,
            }
            written = run_files.write(directory, model, record)
    return [
        *(f"read {line}" if " = " in line else line for line in model.report),
        *(f"wrote {line}" for line in written),
        _summary(model),
    ]


def _summary(model: Portable) -> str:
    parts = [_NAMES[part] for part in PARTS if part in model.parts and part in _NAMES]
    absent = [_NAMES[part] for part in _NAMES if part not in model.parts]
    line = f"mapped {len(model.variables)} variables: {', '.join(['encoder', *parts])}; "
    line += "newly initialised 0"
    if absent:
        line += f" (no {', no '.join(absent)} there; initialised where needed)"
    return line
