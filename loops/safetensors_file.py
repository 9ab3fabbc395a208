"""The safetensors format, read and written with NumPy alone.

https://huggingface.co/docs/safetensors: 8 bytes of header length (little-endian), a JSON
header {name: {"dtype", "shape", "data_offsets": [start, end]}}, then the raw tensors,
little-endian, one after another without gaps. Nothing in it can be executed.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bert_core.errors import UserError

# Bytes per number. BF16 is the upper half of a float32.
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1}
_SIZES |= {"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
_FLOATS = ("F32", "F16", "BF16")
_LONGEST_HEADER = 100_000_000  # the reference implementation's limit


class _Entry(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    start: int  # in the file
    size: int  # numbers


class SafetensorsFile:
    """A file whose header has been read and checked; tensors are read one by one."""

    def __init__(self, path: Path):
        """Raises UserError, one line, unless the header fits the file to the byte."""
        self._path = path
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                length = int.from_bytes(file.read(8), "little")
                if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                    raise UserError(f"{path}: is not a safetensors file, or was cut short")
                header = json.loads(file.read(length), object_pairs_hook=_without_repeats)
            self._entries = _entries(header, 8 + length, size)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0] if isinstance(error, ValueError) else "nested"
            raise UserError(f"{path}: has a damaged header ({reason})") from None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each tensor, by name."""
        return {name: entry.shape for name, entry in self._entries.items()}

    def check_type(self, name: str) -> None:
        """UserError unless the tensor is of a type that `read` can read."""
        dtype = self._entries[name].dtype
        if dtype not in _FLOATS:
            raise UserError(
                f"{self._path}: {name} is {dtype}; only {', '.join(_FLOATS)} can be read"
            )

    def read(self, name: str) -> np.ndarray:
        """A tensor as float32; exactly, as F16 and BF16 are subsets of it."""
        self.check_type(name)
        entry = self._entries[name]
        stored = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[entry.dtype]
        array = np.fromfile(self._path, stored, entry.size, offset=entry.start)
        if len(array) != entry.size:
            raise UserError(f"{self._path}: became shorter while it was read")
        if entry.dtype == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(np.float32, copy=False).reshape(entry.shape)


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes float32 tensors, by name, with the metadata transformers asks for."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(tensors):
        start, end = end, end + tensors[name].nbytes
        shape = list(tensors[name].shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(tensors):
            file.write(np.ascontiguousarray(tensors[name], "<f4").tobytes())
        file.flush()
        os.fsync(file.fileno())


def _entries(header: Any, data_start: int, size: int) -> dict[str, _Entry]:
    """The checked header; ValueError says what is wrong with it."""
    if not isinstance(header, dict):
        raise ValueError("not an object")
    header.pop("__metadata__", None)
    entries: dict[str, _Entry] = {}
    spans = []
    for name, value in header.items():
        if not isinstance(value, dict) or not {"dtype", "shape", "data_offsets"} <= set(value):
            raise ValueError(f"{name!r} has no dtype, shape or data_offsets")
        dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
        if not isinstance(dtype, str) or dtype not in _SIZES:
            raise ValueError(f"{name!r} is of the unknown type {dtype!r}")
        if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
            raise ValueError(f"{name!r} has a shape or offsets that are not sizes")
        start, end = offsets
        if end - start != math.prod(shape) * _SIZES[dtype]:
            raise ValueError(f"{name!r} has offsets that do not fit its shape")
        spans.append((start, end))
        entries[name] = _Entry(dtype, tuple(shape), data_start + start, math.prod(shape))
    position = 0
    for start, end in sorted(spans):
        if start != position:
            raise ValueError("tensors overlap or leave a gap")
        position = end
    if data_start + position != size:
        raise ValueError(f"{data_start + position} bytes announced, {size} there")
    return entries


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(x) is int and x >= 0 for x in values)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name occurs twice")
    return values
