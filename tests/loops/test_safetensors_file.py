"""The safetensors reader: exact on whole files, one line on any other."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_core.errors import UserError
from loops.safetensors_file import SafetensorsFile, write_safetensors

GOLDEN = Path(__file__).resolve().parents[1] / "golden/huggingface/model/model.safetensors"
FITTING = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def write(path: Path, header: Any, data: bytes = bytes(8), length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + data)
    return path


def test_written_and_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "b": rng.standard_normal((3, 5)).astype(np.float32),
        "a": np.array([np.nan, -0.0, np.inf, 1e-45], np.float32),
        "scalar": np.float32(7).reshape(()),
        "none": np.zeros((0, 4), np.float32),
        "turned": rng.standard_normal((4, 2)).astype(np.float32).T,
    }
    write_safetensors(tmp_path / "x", tensors)
    file = SafetensorsFile(tmp_path / "x")
    assert file.shapes == {name: x.shape for name, x in tensors.items()}
    for name, value in tensors.items():
        assert file.read(name).tobytes() == value.tobytes()


def test_a_file_of_theirs_is_written_as_they_do(tmp_path: Path) -> None:
    file = SafetensorsFile(GOLDEN)
    write_safetensors(tmp_path / "x", {name: file.read(name) for name in file.shapes})
    assert (tmp_path / "x").read_bytes() == GOLDEN.read_bytes()


def test_half_precision_is_read_exactly(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0, 0.0, 65504.0], np.float16)
    upper = np.array([1.5, -2.0, 3e38, 1e-40], np.float32).view(np.uint32) >> 16
    header = {
        "half": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]},
        "brain": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [8, 16]},
    }
    data = values.tobytes() + upper.astype(np.uint16).tobytes()
    file = SafetensorsFile(write(tmp_path / "x", header, data))
    np.testing.assert_array_equal(file.read("half"), values.astype(np.float32))
    np.testing.assert_array_equal(file.read("brain").ravel().view(np.uint32), upper << 16)
    assert file.read("brain").dtype == np.float32


def test_other_types_are_refused_when_read(tmp_path: Path) -> None:
    header = {"a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}
    file = SafetensorsFile(write(tmp_path / "x", header))
    with pytest.raises(UserError, match="a is I64"):
        file.read("a")


def entry(**changes: Any) -> dict[str, Any]:
    return {"a": {**FITTING["a"], **changes}}


BAD = {
    "no object": [],
    "entry no object": {"a": 1},
    "no dtype": {"a": {"shape": [2], "data_offsets": [0, 8]}},
    "unknown type": entry(dtype="F31"),
    "type no text": entry(dtype=["F32"]),
    "negative size": entry(shape=[-2]),
    "size no number": entry(shape=["2"]),
    "true as a size": entry(shape=[True, 2]),
    "one offset": entry(data_offsets=[8]),
    "offsets backwards": entry(data_offsets=[8, 0]),
    "beyond the file": entry(shape=[2**40], data_offsets=[0, 2**42]),
    "overflow": entry(shape=[2**32, 2**32], data_offsets=[0, 0]),
    "shape too large": entry(shape=[3]),
    "gap": entry(shape=[1], data_offsets=[4, 8]),
    "bytes at the end": entry(shape=[1], data_offsets=[0, 4]),
    "overlap": {**FITTING, "b": FITTING["a"]},
    "twice": b'{"a": {"dtype": "F32"}, "a": {"dtype": "F32"}}',
    "no JSON": b"{",
    "no UTF-8": b'{"\xff": 1}',
    "nested": b"[" * 200_000,
    "long number": b'{"a": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_headers_are_one_line(case: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x", BAD[case])
    with pytest.raises(UserError) as caught:
        SafetensorsFile(path)
    assert str(caught.value).startswith(f"{path}: has a damaged header")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 2**63, 2**64 - 1, 60])
def test_lengths_that_do_not_fit(length: int, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        SafetensorsFile(write(tmp_path / "x", FITTING, length=length))


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    whole = write(tmp_path / "x", FITTING).read_bytes()
    SafetensorsFile(tmp_path / "x")
    for size in range(len(whole)):
        (tmp_path / "x").write_bytes(whole[:size])
        with pytest.raises(UserError):
            SafetensorsFile(tmp_path / "x")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        SafetensorsFile(tmp_path)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode), st.binary(max_size=20))
def test_any_bytes_are_a_file_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, header: bytes, data: bytes
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.safetensors", header, data)
    with contextlib.suppress(UserError):
        file = SafetensorsFile(path)
        assert sum(np.prod(shape) for shape in file.shapes.values()) <= len(data)
