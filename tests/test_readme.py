"""The README's targets and the reading tour's list of files are so."""

import ast
import re
from pathlib import Path

from tests.test_architecture import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs" / "reading_tour.md").read_text(encoding="utf-8")


def test_every_file_is_listed() -> None:
    """By its name, and what its docstring begins with."""
    listed = re.findall(r"^\| `(\w+\.py)` \| (.+) \|$", TOUR, re.M)
    shipped = [path for path in SHIPPED if path.name != "__init__.py"]
    assert sorted(name for name, _ in listed) == sorted(path.name for path in shipped)
    begins = {(path.name, first_paragraph(path)) for path in shipped}
    for name, says in listed:
        assert any(name == x and text.startswith(f"{says}.") for x, text in begins), name


def first_paragraph(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([\w-]+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
