"""Files that are whole or absent."""

import os
from pathlib import Path

import pytest

from bert_core.errors import UserError
from loops.files import check_new_file, whole_file
from loops.new_directory import check_new


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as file:
        file.write(b"one ")
        file.flush()
        assert not (tmp_path / "a").exists()
        file.write(b"two")
    assert (tmp_path / "a").read_bytes() == b"one two"
    assert os.listdir(tmp_path) == ["a"]


def test_nothing_is_left_of_one_that_failed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")

    def fail() -> None:
        with whole_file(tmp_path / "a") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a").read_text() == "before"
    assert os.listdir(tmp_path) == ["a"]


def test_a_new_directory_takes_no_place_that_it_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mount")
    for name in ("empty", "mount"):
        (tmp_path / name).mkdir()
    for name in ("empty", "none"):
        check_new(tmp_path / name, "--output_dir")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    for name in ("link", "mount"):
        with pytest.raises(UserError, match=rf"--output_dir=.*{name}: is a link or a mount"):
            check_new(tmp_path / name, "--output_dir")


def test_a_new_file_can_be_written(tmp_path: Path) -> None:
    check_new_file(tmp_path / "a", "--output")
    assert os.listdir(tmp_path) == []
    with pytest.raises(UserError, match=r"--output=.*: already exists; name a new file"):
        check_new_file(tmp_path, "--output")
    for path in (tmp_path / "none" / "a", Path("/proc/a"), tmp_path / ("x" * 254)):
        with pytest.raises(UserError, match="cannot be written"):
            check_new_file(path, "--output")
