"""The README's targets and the reading tour's list of files are so."""

import re
from pathlib import Path

from tests.test_architecture import SHIPPED

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = (ROOT / "docs" / "reading_tour.md").read_text(encoding="utf-8")


def test_every_file_is_listed() -> None:
    listed = set(re.findall(r"^\| `(\w+\.py)` \| .+ \|$", TOUR, re.M))
    assert listed == {path.name for path in SHIPPED} - {"__init__.py"}


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([\w-]+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target
