"""What is read out of Linux' description of the processor."""

from pathlib import Path

import pytest

from loops.processor import fastest_precision

CORE = (
    "processor\t: {}\nmodel name\t: AMD EPYC\nflags\t\t: fpu sse2 {}\nbugs\t\t: avx512_bf16\n\n"
)


@pytest.mark.parametrize(
    ("cores", "precision"),
    [
        (["avx512f avx512_bf16"] * 2, "bfloat16"),
        (["avx512f amx_bf16 amx_int8"], "bfloat16"),
        (["avx2 avx512f", "avx2 avx512f"], "float32"),
        (["avx512_bf16", "avx512f"], "float32"),  # the slowest core sets the pace
        (["not_avx512_bf16"], "float32"),
        ([], "float32"),
    ],
)
def test_cores_say_what_they_multiply(cores: list[str], precision: str, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("".join(CORE.format(i, x) for i, x in enumerate(cores)), "utf-8")
    assert fastest_precision(cpuinfo) == precision


def test_without_linux_it_is_float32(tmp_path: Path) -> None:
    assert fastest_precision(tmp_path / "cpuinfo") == "float32"
