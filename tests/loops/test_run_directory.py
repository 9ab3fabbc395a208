"""A run directory has one owner, says what it was made with, and holds nothing half-made."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bert_core.errors import UserError
from loops.run_directory import RunDirectory, check_output_dir, flat
from tests.programs import ROOT

HOLD = """
import sys, time
from pathlib import Path
from typing import Any
from loops.run_directory import RunDirectory
run = RunDirectory(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(60)
"""


def test_another_owner_is_named_and_a_dead_one_no_obstacle(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    try:
        for looked_at in (check_pretraining_dir, RunDirectory):  # the first before long work
            with pytest.raises(UserError, match=f"process {owner.pid} is writing to it"):
                looked_at(tmp_path / "run")
    finally:
        owner.kill()
        owner.wait()
    RunDirectory(tmp_path / "run")
    assert (tmp_path / "run" / ".lock").read_text() == str(os.getpid())


def test_a_file_system_without_locks_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UserError, match=r"cannot be locked \(No locks available"):
        RunDirectory(tmp_path)


def test_a_name_that_is_not_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/L\xe4ufe"))
    with pytest.raises(UserError, match=r"L.udce4ufe': is not UTF-8"):
        check_pretraining_dir(path)


def test_two_in_one_process_are_two(tmp_path: Path) -> None:
    first = RunDirectory(tmp_path)
    with pytest.raises(UserError, match=f"process {os.getpid()}"):
        RunDirectory(tmp_path)
    del first
    RunDirectory(tmp_path)


def check_pretraining_dir(path: Path) -> None:
    check_output_dir(path, "pretrain")


SETTINGS = {"seed": 0, "model": {"slopes": (1.0, 0.1), "size": 128}, "corpus": "abc"}


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("vocabulary", {"vocabulary": "other"}),
        ("labels", {"labels": ["b", "a"]}),
        ("program, task", {"program": "finetune", "task": "regression"}),
        ("model.hidden_size", {"model": {"hidden_size": 64}}),
    ],
)
@pytest.mark.parametrize("allow_drift", [False, True])
def test_weights_are_not_given_another_meaning(
    name: str, now: dict[str, Any], allow_drift: bool, tmp_path: Path
) -> None:
    then = {"program": "pretrain", "vocabulary": "a", "labels": ["a", "b"]}
    then |= {"seed": 0, "model": {"hidden_size": 32}}
    run = RunDirectory(tmp_path)
    run.record(then)
    with pytest.raises(UserError, match=f"trained with another {name}; name another"):
        run.check_same({**then, "seed": 1, **now}, allow_drift)
    assert run.check_same({**then, "seed": 1}, allow_drift=True) == ["seed: 0 then, 1 now"]


def test_a_run_of_another_program_is_told_before_any_work(tmp_path: Path) -> None:
    RunDirectory(tmp_path).record({"program": "pretrain"})
    check_output_dir(tmp_path, "pretrain")
    with pytest.raises(UserError, match=r"holds a run of run_pretrain\.py; name another"):
        check_output_dir(tmp_path, "finetune")


def test_the_same_settings_are_the_same(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert run.is_new
    run.record({**SETTINGS, "num_train_steps": 5, "drift": []})
    assert not run.is_new
    assert run.check_same(SETTINGS, allow_drift=False) == []


def test_the_fields_that_differ_are_listed(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.record({**SETTINGS, "gone": 1, "num_train_steps": 5})
    now = {**SETTINGS, "model": {"slopes": (1.0, 0.2), "size": 128}, "new": True}
    with pytest.raises(UserError, match="--allow_drift") as caught:
        run.check_same(now, allow_drift=False)
    expected = [
        "model.slopes: [1.0, 0.1] then, [1.0, 0.2] now",
        "gone: 1 then, None now",
        "new: None then, True now",
    ]
    assert f"({'; '.join(expected)})" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert run.check_same(now, allow_drift=True) == expected


def test_flat() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": []}, "e": 2}) == {"a.b.c": 1, "a.d": [], "e": 2}


def test_the_command_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run_pretrain.py"])
    run = RunDirectory(tmp_path / "a run")
    assert run.command("--max_bad_steps=1") == (
        f"python run_pretrain.py '--flagfile={tmp_path}/a run/flags.txt' --max_bad_steps=1"
    )


def test_a_start_that_died_is_no_obstacle(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for name in ("config.json.tmp", "vocab.txt", "run.json.tmp"):
        (tmp_path / name).write_text("half")
    run.checkpoints.mkdir()
    assert run.is_new
    del run
    check_pretraining_dir(tmp_path)


@pytest.mark.parametrize(
    "theirs", ["checkpoints/model.bin", "logs/today.txt", "tokenizer/vocab.txt"]
)
def test_what_somebody_else_keeps_under_our_names_is_left_alone(
    theirs: str, tmp_path: Path
) -> None:
    (tmp_path / theirs).parent.mkdir()
    (tmp_path / theirs).write_text("precious")
    for path in (tmp_path, tmp_path / "tokenizer"):
        if path.exists():
            with pytest.raises(UserError, match="but no run; name a new directory"):
                check_pretraining_dir(path)


def test_places_that_are_no_run_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    for path, message in (
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "below", "cannot be written to"),
        (tmp_path / "mine", "holds thesis.tex but no run"),
    ):
        with pytest.raises(UserError, match=message):
            check_pretraining_dir(path)
    with pytest.raises(UserError, match="is a file"):
        RunDirectory(tmp_path / "file")
    check_pretraining_dir(tmp_path / "new" / "deep")
    (tmp_path / "mine" / "run.json").write_text(json.dumps({}))
    check_pretraining_dir(tmp_path / "mine")
