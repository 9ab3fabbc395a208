"""What the README says of the code is so."""

import re
import shlex
from pathlib import Path

import pytest

from tests.test_architecture import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_file_is_listed_with_its_length() -> None:
    said: dict[str, list[int]] = {}
    for name, lines in re.findall(r"^\| `(\w+\.py)` \| .* \| (\d+) \|$", README, re.M):
        said.setdefault(name, []).append(int(lines))
    for path in SHIPPED:
        if path.name == "__init__.py":
            continue
        lines = path.read_text(encoding="utf-8").count("\n")
        assert any(abs(lines - x) <= 5 + lines // 5 for x in said.get(path.name, [])), (
            f"{path.name}: {lines} lines, README says {said.get(path.name)}"
        )


def commands() -> list[str]:
    """The program calls in the README's shell blocks, a line each."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", README, re.S)).replace("\\\n", " ")
    return [line for line in blocks.splitlines() if line.startswith("python run_")]


@pytest.mark.parametrize("command", commands())
def test_commands_use_flags_that_exist(command: str) -> None:
    program, *arguments = shlex.split(command)[1:]
    assert (ROOT / program).is_file()
    text = (ROOT / "flags.py").read_text(encoding="utf-8")
    for argument in (x for x in arguments if x.startswith("--")):
        name = argument.removeprefix("--").split("=")[0].removeprefix("no")
        assert re.search(rf'DEFINE_\w+\(\s*"(no)?{name}"', text), argument


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([\w-]+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
