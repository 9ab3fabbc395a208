"""A run as a SavedModel that needs none of this project's code."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from loops.exported import DEFAULT, Exported, Signatures
from loops.failures import disk_errors
from loops.warmup import write_requests

_WARMUP_SIZES = (1, 8)  # texts per request


def save(
    directory: Path,
    name: str,
    exported: Exported,
    signatures: Signatures,
    examples: Sequence[str],
) -> None:
    """Writes the SavedModel, with warm-up requests, into an existing directory.

    Args:
      name: of the model, for the requests.
      examples: texts for the requests, for instance a short and a long one.
    """
    requests = [
        (signature, {spec.name: [text] * size for spec in function.input_signature})
        for signature, function in signatures.items()
        for size in _WARMUP_SIZES
        for text in examples
    ]
    with disk_errors(directory):
        tf.saved_model.save(exported, str(directory), signatures=signatures)
        write_requests(directory, name, requests)


def described(signatures: Signatures) -> list[str]:
    """One line per signature: what goes in, what comes out."""
    lines = []
    for name, function in sorted(signatures.items(), key=lambda item: item[0] != DEFAULT):
        outputs = function.get_concrete_function().structured_outputs
        shapes = (f"{key} {_shape(value)}" for key, value in outputs.items())
        inputs = (f"{spec.name} [n] string" for spec in function.input_signature)
        lines.append(f"  {name}: {', '.join(inputs)} -> {', '.join(shapes)}")
    return lines


def _shape(value: tf.TensorSpec) -> str:
    sizes = ["n" if i == 0 else str(size or "?") for i, size in enumerate(value.shape)]
    return f"[{', '.join(sizes)}] {value.dtype.name}"
