"""The golden model of Hugging Face's, for the tests of conversion."""

import shutil
from pathlib import Path

import pytest

from loops.use_options import FORMATS
from tests.conversions import GOLDEN, transform


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The golden model, with every part, in the three formats."""
    directory = tmp_path_factory.mktemp("converted")
    for name in FORMATS:
        transform("huggingface", name, GOLDEN, directory / name)
    return {name: directory / name for name in FORMATS}


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "theirs"))
