"""What docs/ and configs/ say of programs and flags is so."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"])
PRESETS = sorted((ROOT / "configs").glob("*.flags"))
DEFINED = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', (ROOT / "flags.py").read_text()))
# Parses command lines as a program would, but runs nothing.
PARSE = """
import json, runpy, sys
import flags

def launch(main, *groups, takes_texts=False):
    for group in groups:
        group()
    flags.FLAGS.set_gnu_getopt(True)
    for argv in json.load(sys.stdin):
        try:
            extra = flags.FLAGS(["program", *argv])[1:]
            print(json.dumps("" if takes_texts or not extra else f"not a flag: {extra}"))
        except flags.flags.Error as error:
            print(json.dumps(str(error)))
        flags.FLAGS.unparse_flags()

flags.launch = launch
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def commands(page: Path) -> list[str]:
    """The calls of this project's programs in a page's shell blocks, a line each."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S))
    lines = blocks.replace("\\\n", " ").splitlines()
    found = [re.search(r"(?:^|\| )python (run_\w+\.py .*)", line) for line in lines]
    return [match[1].partition(" < ")[0] for match in found if match]


def usage(preset: Path) -> str:
    """The command that a preset's first line shows, with the preset found from anywhere."""
    first = preset.read_text(encoding="utf-8").splitlines()[0]
    name = f"configs/{preset.name}"
    assert first.startswith("# python run_"), first
    assert f"--flagfile={name} " in first
    return first.removeprefix("# python ").replace(name, str(preset))


def test_commands_parse() -> None:
    """Every command of the README, of docs/ and of the presets, by the program's own flags."""
    lines = [line for page in PAGES for line in commands(page)] + list(map(usage, PRESETS))
    assert len(lines) > 20
    by_program: dict[str, list[list[str]]] = {}
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        by_program.setdefault(program, []).append(arguments)
    for program, arguments in by_program.items():
        done = subprocess.run(
            [sys.executable, "-c", PARSE, str(ROOT / program)],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        errors = map(json.loads, done.stdout.splitlines())
        for argv, error in zip(arguments, errors, strict=True):
            assert not error, f"{program} {shlex.join(argv)}: {error}"


def test_the_page_of_flags_names_every_flag_and_no_other() -> None:
    page = (ROOT / "docs" / "flags.md").read_text(encoding="utf-8")
    named = set(re.findall(r"--(\w+)", page)) - {"help", "flagfile", "name", "noname"}
    negated = {name for name in named - DEFINED if name.removeprefix("no") in DEFINED}
    assert named - negated == DEFINED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = r"(?:bert_core|pipelines|loops|tests|docs|benchmarks|configs)"
    for name in re.findall(rf"`({places}/[\w/]+\.\w+)`", text):
        made = page.name == "adding_a_task.md" and "multi_label" in name
        assert made or (ROOT / name).is_file(), f"{page.name}: {name}"
    for link, _, heading in (x.partition("#") for x in re.findall(r"\]\(([^):]+)\)", text)):
        linked = page.parent / link if link else page
        assert linked.exists(), f"{page.name}: {link}"
        assert not heading or heading in headings(linked), f"{page.name}: {link}#{heading}"


def headings(page: Path) -> set[str]:
    """What links to the headings of a page call them."""
    lines = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_the_reading_tour_points_at_what_is_there() -> None:
    """`name` in `file`: a function, class or constant of that file."""
    page = (ROOT / "docs" / "reading_tour.md").read_text(encoding="utf-8")
    pairs = re.findall(r"((?:`\w+`(?:, | and )?)+)\s+in\s+`([\w/]+\.py)`", page)
    assert len(pairs) > 30
    for names, file in pairs:
        code = (ROOT / file).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            defined = rf"^( *(def|class) {name}\b|{name} = )"
            assert re.search(defined, code, re.M), f"{name} in {file}"
