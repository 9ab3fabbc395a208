"""The README's targets and the reading tour's list of files are so."""

import re
from pathlib import Path

from tests.test_architecture import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs" / "reading_tour.md").read_text(encoding="utf-8")


def test_every_file_is_listed_with_its_length() -> None:
    said: dict[str, list[int]] = {}
    for name, lines in re.findall(r"^\| `(\w+\.py)` \| .* \| (\d+) \|$", TOUR, re.M):
        said.setdefault(name, []).append(int(lines))
    for path in SHIPPED:
        if path.name == "__init__.py":
            continue
        lines = path.read_text(encoding="utf-8").count("\n")
        assert any(abs(lines - x) <= 5 + lines // 5 for x in said.get(path.name, [])), (
            f"{path.name}: {lines} lines, the tour says {said.get(path.name)}"
        )


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([\w-]+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
