"""Checkpoints that count only when whole and on the disk.

`tf.train.CheckpointManager` writes data and index, renames in place and does not
sync. Here a small marker file `ckpt-N.json` (step, size and SHA-256 of each file)
is written after data and index are synced; files that no marker names do not count,
and are deleted at start. A step is never saved twice.
"""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import tensorflow as tf

from bert_core.errors import UserError
from loops.failures import disk_errors
from loops.files import sha256, sync, write_whole

PREFIX = "ckpt"


class Checkpoints:
    """The checkpoints of one directory, newest last.

    max_to_keep: at least 2 while training goes on, so that one whole checkpoint
    stays while the next is written.
    """

    def __init__(self, directory: Path, state: tf.Module, max_to_keep: int = 3):
        self._directory = directory
        self._checkpoint = tf.train.Checkpoint(state=state)
        self._max_to_keep = max_to_keep
        directory.mkdir(parents=True, exist_ok=True)
        self._manager = self._swept_manager()

    def save(self, step: int) -> None:
        """Saves, syncs, marks; does nothing if the step is already marked.

        Raises OSError if the disk fails or is full; earlier checkpoints stay whole.
        """
        if step in marked_steps(self._directory):
            return
        with disk_errors(self._directory):
            self._manager.save(checkpoint_number=step)
        files = _files_of(self._directory, step)
        for file in files:
            sync(file)
        sync(self._directory)
        entries = {
            file.name: {"bytes": file.stat().st_size, "sha256": sha256(file)} for file in files
        }
        marker = {"step": step, "tensorflow": tf.__version__, "files": entries}
        write_whole(_marker(self._directory, step), json.dumps(marker, indent=2) + "\n")
        self._remove_markers_of_deleted()

    def restore_latest(self) -> int | None:
        """Restores the newest whole checkpoint and returns its step.

        None when there has never been one. A damaged one is passed over with a
        warning; when all are damaged, UserError: never a silent fresh start.
        """
        damaged: list[str] = []
        for step in reversed(marked_steps(self._directory)):
            problem = self._restore(step)
            if problem is None:
                for name in damaged:
                    print(f"warning: {name}; going on from {PREFIX}-{step}", flush=True)
                self.forget_after(step)
                return step
            damaged.append(f"{self._directory / f'{PREFIX}-{step}'}: {problem}")
        if damaged:
            raise UserError(
                f"{damaged[0]}; no whole checkpoint is left. Start again in another directory"
            )
        return None

    def forget_after(self, step: int) -> None:
        """Removes checkpoints of later steps, which will be saved again."""
        later = [s for s in marked_steps(self._directory) if s > step]
        for each in later:
            _remove(self._directory, each)
        if later:
            self._manager = self._swept_manager()

    def _swept_manager(self) -> tf.train.CheckpointManager:
        """A manager that knows only the marked checkpoints; all else is deleted first."""
        _sweep(self._directory)
        return tf.train.CheckpointManager(
            self._checkpoint,
            str(self._directory),
            max_to_keep=self._max_to_keep,
            checkpoint_name=PREFIX,
        )

    def _restore(self, step: int) -> str | None:
        problem = damage(self._directory, step)
        if problem is not None:
            return problem
        try:
            prefix = str(self._directory / f"{PREFIX}-{step}")
            self._checkpoint.restore(prefix).assert_consumed()
        # What TensorFlow raises for a bad file varies: IndexError, DataLossError, ...
        except Exception as error:
            lines = str(error).splitlines() or [""]
            return f"cannot be restored ({type(error).__name__}: {lines[0]})"
        return None

    def _remove_markers_of_deleted(self) -> None:
        for step in marked_steps(self._directory):
            if not (self._directory / f"{PREFIX}-{step}.index").exists():
                _marker(self._directory, step).unlink()


def latest_whole(directory: Path) -> Path:
    """The newest undamaged checkpoint's path prefix, for readers of its variables."""
    problems: list[str] = []
    for step in reversed(marked_steps(directory)):
        problem = damage(directory, step)
        if problem is None:
            for earlier in problems:
                # Not to stdout: the answers go there, perhaps into a pipe.
                warning = f"warning: {directory}: {earlier}; reading {PREFIX}-{step}"
                print(warning, file=sys.stderr)
            return directory / f"{PREFIX}-{step}"
        problems.append(f"{PREFIX}-{step}: {problem}")
    raise UserError(
        f"{directory}: holds no whole checkpoint"
        + (f" ({problems[0]})" if problems else "")
        + "; name a run directory that training has saved into"
    )


def digest(prefix: Path) -> str:
    """A hash of a whole checkpoint's files, from the hashes in its marker."""
    entries = json.loads(prefix.with_name(f"{prefix.name}.json").read_bytes())["files"]
    hashes = sorted(entry["sha256"] for entry in entries.values())
    return hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:16]


def marked_steps(directory: Path) -> list[int]:
    """The steps that have a marker, ascending."""
    names = [
        path.stem.removeprefix(f"{PREFIX}-") for path in directory.glob(f"{PREFIX}-*.json")
    ]
    return sorted(int(name) for name in names if re.fullmatch("[0-9]{1,18}", name))


def damage(directory: Path, step: int) -> str | None:
    """What is wrong with a marked checkpoint; None if nothing is."""
    try:
        entries = json.loads(_marker(directory, step).read_bytes())["files"]
        expected = {name: (entry["bytes"], entry["sha256"]) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "its marker cannot be read"
    if f"{PREFIX}-{step}.index" not in expected:
        return "its marker names no index"
    for name, (size, digest) in expected.items():
        file = directory / name
        if not re.fullmatch(rf"{PREFIX}-{step}\.[\w.-]+", name):
            return f"its marker names {name!r}, which is not one of its files"
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size} bytes instead of {size}"
        if sha256(file) != digest:
            return f"{name} is not what was saved (SHA-256 differs)"
    return None


def _sweep(directory: Path) -> None:
    """Deletes what interrupted saves left; tells TensorFlow only of marked checkpoints."""
    steps = marked_steps(directory)
    keep = {_marker(directory, step).name for step in steps}
    for step in steps:
        keep |= {file.name for file in _files_of(directory, step)}
    for file in directory.iterdir():
        ours = file.name.startswith((f"{PREFIX}-", "checkpoint"))
        if ours and file.name not in keep:
            # TensorFlow first writes into a directory ckpt-N_temp.
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    if steps:
        lines = [f'model_checkpoint_path: "{PREFIX}-{steps[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{PREFIX}-{step}"' for step in steps]
        # The manager never deletes a checkpoint without a timestamp above 0.
        lines += ["all_model_checkpoint_timestamps: 1" for _ in steps]
        write_whole(directory / "checkpoint", "\n".join(lines) + "\n")


def _remove(directory: Path, step: int) -> None:
    """Removes the marker first: without it the rest does not count."""
    _marker(directory, step).unlink(missing_ok=True)
    sync(directory)
    for file in _files_of(directory, step):
        file.unlink()


def _files_of(directory: Path, step: int) -> list[Path]:
    names = [f"{PREFIX}-{step}.index", f"{PREFIX}-{step}.data-*"]
    return sorted(path for name in names for path in directory.glob(name))


def _marker(directory: Path, step: int) -> Path:
    return directory / f"{PREFIX}-{step}.json"
