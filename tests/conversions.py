"""What the tests of conversion share."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from loops import convert, google_files, huggingface_files, run_files
from loops.checkpoint_reader import open_checkpoint
from loops.portable import Portable
from loops.safetensors_file import SafetensorsFile, write_safetensors
from loops.use_options import ConvertOptions

GOLDEN = Path(__file__).resolve().parent / "golden" / "huggingface" / "model"
READ = {
    "google": google_files.read,
    "huggingface": huggingface_files.read,
    "run": run_files.read,
}


def transform(source: str, target: str, start: Path, end: Path) -> list[str]:
    options = ConvertOptions(source, target, start, end)
    return convert.write(options, convert.read(options), "a hash")


def bits(model: Portable) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in model.variables.items()}


def edit(path: Path, **changes: Any) -> None:
    """Changes fields of a JSON file; None removes."""
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


def edit_tensors(path: Path, **changes: Any) -> None:
    """Changes tensors of a safetensors file; None removes, "__" stands for "."."""
    file = SafetensorsFile(path)
    tensors = {name: file.read(name) for name in file.shapes}
    tensors |= {name.replace("__", "."): value for name, value in changes.items()}
    write_safetensors(path, {k: x for k, x in tensors.items() if x is not None})


def save_google(directory: Path, tensors: dict[str, np.ndarray], name: str) -> None:
    for file in directory.glob("*.ckpt*"):
        file.unlink()
    tf.raw_ops.SaveV2(
        prefix=str(directory / name),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )


def google_tensors(directory: Path) -> dict[str, np.ndarray]:
    reader, shapes = open_checkpoint(directory / "bert_model.ckpt")
    return {name: reader.get_tensor(name) for name in shapes}


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)
