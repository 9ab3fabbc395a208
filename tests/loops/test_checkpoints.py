"""Only what is marked counts, damage of every kind is found, leftovers are swept."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from bert_core.errors import UserError
from loops.checkpoint_reader import read_variables
from loops.checkpoints import Checkpoints, latest_whole, marked_steps
from tests.save_program import State


def save(directory: Path, *steps: int, max_to_keep: int = 3) -> Checkpoints:
    state = State()
    checkpoints = Checkpoints(directory, state, max_to_keep)
    for step in steps:
        state.set(step)
        checkpoints.save(step)
    return checkpoints


def restore(directory: Path) -> tuple[int | None, State]:
    state = State()
    return Checkpoints(directory, state).restore_latest(), state


def test_what_is_saved_is_restored(tmp_path: Path) -> None:
    save(tmp_path, 5, 10)
    step, state = restore(tmp_path)
    assert step == state.step == 10
    assert latest_whole(tmp_path) == tmp_path / "ckpt-10"
    marker = json.loads((tmp_path / "ckpt-10.json").read_text())
    assert marker["step"] == 10
    assert marker["tensorflow"] == tf.__version__
    assert set(marker["files"]) == {"ckpt-10.index", "ckpt-10.data-00000-of-00001"}
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "ckpt-10")


def test_no_checkpoint_yet(tmp_path: Path) -> None:
    assert restore(tmp_path)[0] is None
    with pytest.raises(UserError, match="no whole checkpoint"):
        latest_whole(tmp_path)


def test_old_ones_go_also_after_a_restart(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3, 4, max_to_keep=2)
    assert marked_steps(tmp_path) == [3, 4]
    save(tmp_path, 5, 6, max_to_keep=2)
    assert marked_steps(tmp_path) == [5, 6]
    assert {path.name.split(".")[0] for path in tmp_path.glob("ckpt-*")} == {"ckpt-5", "ckpt-6"}


def test_a_step_is_never_saved_twice(tmp_path: Path) -> None:
    checkpoints = save(tmp_path, 5)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("ckpt-*")}
    checkpoints.save(5)
    Checkpoints(tmp_path, State()).save(5)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("ckpt-*")} == files


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES = [
    (kind, name)
    for name in ("index", "data-00000-of-00001", "json")
    for kind in (_flip, _cut, _empty, Path.unlink)
    if (kind, name) != (Path.unlink, "json")  # without a marker there is no checkpoint
]


@pytest.mark.parametrize(("damage", "name"), DAMAGES)
def test_the_previous_is_restored_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture, damage: Callable[[Path], None], name: str
) -> None:
    save(tmp_path, 5, 10, 15)
    damage(tmp_path / f"ckpt-15.{name}")
    if (damage, name) == (_flip, "json"):
        (tmp_path / "ckpt-15.json").write_text('{"files": {"ckpt-15.index": 5}}')
    assert latest_whole(tmp_path) == tmp_path / "ckpt-10"
    said = capsys.readouterr()
    assert "reading ckpt-10" in said.err
    assert said.out == ""  # where answers may stand
    state = State()
    checkpoints = Checkpoints(tmp_path, state)
    assert checkpoints.restore_latest() == state.step == 10
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"warning: {tmp_path / 'ckpt-15'}: ")
    assert line.endswith("; going on from ckpt-10")
    # Training comes to step 15 again, and the directory is as if nothing had been.
    state.set(15)
    checkpoints.save(15)
    assert marked_steps(tmp_path) == [5, 10, 15]
    assert restore(tmp_path)[0] == 15


def test_what_cannot_be_restored_is_not_deleted(tmp_path: Path) -> None:
    class Other(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = tf.Variable(0.0)

    save(tmp_path, 5, 10)
    with pytest.raises(UserError, match=r"ckpt-10: cannot be restored .* no whole checkpoint"):
        Checkpoints(tmp_path, Other()).restore_latest()
    assert restore(tmp_path)[0] == 10


def test_all_damaged_is_an_error(tmp_path: Path) -> None:
    save(tmp_path, 5, 10)
    for file in tmp_path.glob("*.index"):
        _cut(file)
    for read in (lambda: restore(tmp_path), lambda: latest_whole(tmp_path)):
        with pytest.raises(UserError, match=r"ckpt-10.*bytes instead of.*") as caught:
            read()
        assert "\n" not in str(caught.value)


def test_leftovers_of_dead_saves_are_swept(tmp_path: Path) -> None:
    save(tmp_path, 5)
    (tmp_path / "ckpt-10_temp").mkdir()
    leftovers = ["ckpt-10_temp/part-00000-of-00001.index", "ckpt-10.index", "ckpt-10.json.tmp"]
    leftovers += ["ckpt-10.data-00000-of-00001", "checkpoint.tmp123", "ckpt-15.index"]
    for name in leftovers:
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("somebody's")
    assert restore(tmp_path)[0] == 5
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint", "ckpt-5.data-00000-of-00001", "ckpt-5.index", "ckpt-5.json", "notes.txt",
    }  # fmt: skip


def test_forgetting_keeps_as_many_as_asked(tmp_path: Path) -> None:
    checkpoints = save(tmp_path, 10, 20, max_to_keep=2)
    checkpoints.forget_after(10)
    assert marked_steps(tmp_path) == [10]
    checkpoints.save(25)
    assert marked_steps(tmp_path) == [10, 25]
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "ckpt-25")


def test_the_clock_may_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = iter(range(10**6, 0, -1))
    monkeypatch.setattr("time.time", lambda: 3600.0 * next(hours))
    save(tmp_path, 1, 2, 3, max_to_keep=2)
    save(tmp_path, 4, max_to_keep=2)
    assert marked_steps(tmp_path) == [3, 4]


def test_variables_are_read_by_name(tmp_path: Path) -> None:
    state = tf.Module()
    state.model = tf.Module()
    state.model.weight, state.step = tf.Variable([7.0, 8.0]), tf.Variable(7)
    Checkpoints(tmp_path, state).save(7)
    ((name, value),) = read_variables(latest_whole(tmp_path)).items()
    assert (name, value.tolist()) == ("weight", [7.0, 8.0])
