"""Starting from the weights of another run, with a report of every variable."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from bert_core.errors import UserError
from bert_core.names import named_variables
from loops.checkpoints import latest_whole, read_variables


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What became of each variable, by name."""

    where: Path  # the checkpoint
    loaded: list[str]
    fresh: list[str]  # in the model, not in the checkpoint
    ignored: list[str]  # in the checkpoint, not in the model

    def lines(self) -> list[str]:
        """One line a kind; the few names that matter are spelled out."""
        lines = [f"loaded {len(self.loaded)} variables"]
        for kind, names in (("newly initialised", self.fresh), ("ignored", self.ignored)):
            lines.append(f"{kind} {len(names)}" + (f": {', '.join(names)}" if names else ""))
        return lines


def load_weights(
    model: tf.Module,
    values: Mapping[str, np.ndarray],
    where: Path,
    required: tuple[str, ...] = ("encoder/",),
) -> LoadReport:
    """Assigns `values` to the model's variables of the same name.

    Raises UserError when a variable whose name starts with one of `required` is
    missing or a shape differs; nothing is assigned then.
    """
    variables = named_variables(model)
    loaded = [name for name in variables if name in values]
    fresh = [name for name in variables if name not in values]
    missing = [name for name in fresh if name.startswith(required)]
    if missing:
        raise UserError(f"{where}: has no {missing[0]}; this model cannot start from it")
    for name in loaded:
        if tuple(values[name].shape) != tuple(variables[name].shape):
            raise UserError(
                f"{where}: {name} has shape {list(values[name].shape)}, "
                f"the model needs {list(variables[name].shape)}"
            )
    for name in loaded:
        variables[name].assign(values[name])
    return LoadReport(where, loaded, fresh, [name for name in values if name not in variables])


def load_run(
    model: tf.Module,
    run: Path,
    required: tuple[str, ...] = ("encoder/",),
    left: tuple[str, ...] = (),
) -> LoadReport:
    """Loads the newest whole checkpoint of a run directory; the best one, if it has one.

    Variables whose names start with one of `left` stay as they are in the model.
    """
    prefix = newest_checkpoint(run)
    values = {k: v for k, v in read_variables(prefix).items() if not k.startswith(left)}
    return load_weights(model, values, prefix, required)


def newest_checkpoint(run: Path) -> Path:
    """The prefix of a run's newest whole checkpoint; of the best one, if it has one."""
    best = run / "best"
    return latest_whole(best if best.is_dir() else run / "checkpoints")
