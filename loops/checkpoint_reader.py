"""Reading checkpoints from outside: names, shapes and values, nothing restored."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from bert_core.errors import UserError

# Around the name of a model's variable, in the checkpoints of loops/checkpoints.py.
START, END = "state/model/", "/.ATTRIBUTES/VARIABLE_VALUE"


def read_variables(prefix: Path) -> dict[str, np.ndarray]:
    """The model's variables in one of our checkpoints, "encoder/layers/0/..." -> array."""
    reader, shapes = open_checkpoint(prefix)
    names = [k[len(START) : -len(END)] for k in shapes if is_weight(k)]
    return {name: load(reader, f"{START}{name}{END}", prefix) for name in names}


def is_weight(key: str) -> bool:
    """Whether a variable of a checkpoint is the model's; moments and step are not."""
    return key.startswith(START) and key.endswith(END)


def open_checkpoint(prefix: Path) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """A checkpoint's reader, and the shape of each of its variables.

    Raises UserError when it is damaged, or announces more than its files can hold.
    """
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        shapes = {name: tuple(x) for name, x in reader.get_variable_to_shape_map().items()}
        dtypes = reader.get_variable_to_dtype_map()
    # What TensorFlow raises for a bad file varies.
    except Exception as error:
        raise UserError(f"{prefix}: cannot be read ({type(error).__name__})") from None
    # Memory for what the index claims is set aside before anything is read. The size of
    # strings is not known.
    claimed = sum(
        math.prod(shape) * (1 if dtypes[name] == tf.string else dtypes[name].size)
        for name, shape in shapes.items()
    )
    held = sum(file.stat().st_size for file in files_of(prefix) if file.suffix != ".index")
    if claimed > held:
        raise UserError(f"{prefix}: claims {claimed:,} bytes of variables, holds {held:,}")
    return reader, shapes


def load(reader: Any, name: str, where: Path) -> np.ndarray:
    """A variable as float32; UserError when it is damaged or not a float."""
    try:
        value = reader.get_tensor(name)
    except Exception as error:
        raise UserError(f"{where}: {name} cannot be read ({type(error).__name__})") from None
    if value.dtype not in (np.float32, np.float16, tf.bfloat16.as_numpy_dtype):
        raise UserError(
            f"{where}: {name} is {value.dtype}; only float32, float16 and bfloat16 can be read"
        )
    return value.astype(np.float32)


def files_of(prefix: Path) -> list[Path]:
    """The index and the data files of a checkpoint."""
    starts = (f"{prefix.name}.index", f"{prefix.name}.data-")
    return sorted(x for x in prefix.parent.iterdir() if x.name.startswith(starts))
