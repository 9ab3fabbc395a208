"""Starting from the weights of another run, with a report of every variable."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from bert_core.errors import UserError
from bert_core.names import named_variables
from loops.checkpoint_reader import read_variables
from loops.checkpoints import digest, latest_whole


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What became of each variable, by name."""

    where: Path  # the checkpoint
    loaded: list[str]
    fresh: list[str]  # in the model, not in the checkpoint
    ignored: list[str]  # in the checkpoint, not in the model
    grown: dict[str, tuple[int, int]]  # more rows in the model: how many loaded, how many fresh

    @property
    def source(self) -> dict[str, str]:
        """What a run records about where its weights are from."""
        return {"init_checkpoint": str(self.where), "init_sha256": digest(self.where)}

    def lines(self) -> list[str]:
        """One line per kind; the few names that matter are spelled out."""
        lines = [f"loaded {len(self.loaded)} variables"]
        for kind, names in (("newly initialised", self.fresh), ("ignored", self.ignored)):
            lines.append(f"{kind} {len(names)}" + (f": {', '.join(names)}" if names else ""))
        for name, (loaded, fresh) in self.grown.items():
            lines.append(f"{name}: {loaded:,} rows loaded, {fresh:,} newly initialised")
        return lines


def load_weights(
    model: tf.Module,
    values: Mapping[str, np.ndarray],
    where: Path,
    required: tuple[str, ...] = ("encoder/",),
    may_grow: tuple[str, ...] = (),
) -> LoadReport:
    """Assigns `values` to the model's variables of the same name.

    A variable whose name starts with one of `may_grow` may have more rows in the model than
    there are in `values`: the first ones are loaded, the others stay as they are.

    Raises UserError when a variable whose name starts with one of `required` is
    missing or a shape differs; nothing is assigned then.
    """
    variables = named_variables(model)
    loaded = [name for name in variables if name in values]
    fresh = [name for name in variables if name not in values]
    missing = [name for name in fresh if name.startswith(required)]
    if missing:
        raise UserError(f"{where}: has no {missing[0]}; this model cannot start from it")
    grown: dict[str, tuple[int, int]] = {}
    for name in loaded:
        theirs, ours = tuple(values[name].shape), tuple(variables[name].shape)
        if name.startswith(may_grow) and theirs[1:] == ours[1:] and theirs[0] < ours[0]:
            grown[name] = theirs[0], ours[0] - theirs[0]
        elif theirs != ours:
            raise UserError(
                f"{where}: {name} has shape {list(theirs)}, the model needs {list(ours)}"
            )
    for name in loaded:
        value = values[name]
        if name in grown:
            value = np.concatenate([value, variables[name].numpy()[len(value) :]])
        variables[name].assign(value)
    ignored = [name for name in values if name not in variables]
    return LoadReport(where, loaded, fresh, ignored, grown)


def load_run(
    model: tf.Module,
    run: Path,
    required: tuple[str, ...] = ("encoder/",),
    left: tuple[str, ...] = (),
    may_grow: tuple[str, ...] = (),
) -> LoadReport:
    """Loads the newest whole checkpoint of a run directory; the best one, if it has one.

    Variables whose names start with one of `left` stay as they are in the model.
    """
    prefix = newest_checkpoint(run)
    values = {k: v for k, v in read_variables(prefix).items() if not k.startswith(left)}
    return load_weights(model, values, prefix, required, may_grow)


def loaded(model: Any, run: Path) -> Any:
    """The model, with all of its weights loaded from a run; UserError if one is missing."""
    load_run(model, run, required=("",))
    return model


def newest_checkpoint(run: Path) -> Path:
    """The prefix of a run's newest whole checkpoint; of the best one, if it has one."""
    best = run / "best"
    return latest_whole(best if best.is_dir() else run / "checkpoints")
