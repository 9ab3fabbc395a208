"""Apple's GPUs: what is refused there, and whether their results are to be believed.

tensorflow-metal 1.2.0 has been seen to compute wrongly, to raise and to hang where the
CPU does none of these, and this project is tested without such a device. So at start
a separate process takes one compiled training step on both devices; unless loss and
gradients agree, training is on the CPU. The process is separate because a device
cannot be hidden once it has been used, and because it may crash. Masks are drawn
inside tf.data, which always runs on the CPU.

  python -m loops.metal bfloat16   prints the largest difference between the devices
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bert_core.errors import UserError

TOLERANCE = 1e-3  # of a gradient's norm; sums in another order differ by about 1e-6
_COARSER = {"float32": 1, "bfloat16": 64, "float16": 8}  # by the bits they have
_SECONDS = 300


def has_metal(devices: Sequence[Any], platform: str = sys.platform) -> bool:
    """Whether one of TensorFlow's physical devices is Apple's GPU."""
    return platform == "darwin" and any(x.device_type == "GPU" for x in devices)


def refuse_xla(xla: bool) -> None:
    """UserError for XLA, which Metal devices do not have."""
    if xla:
        raise UserError("--xla: there is no XLA for Apple's GPU; leave it out")


def reason_against(precision: str, command: Sequence[str] | None = None) -> str | None:
    """Why not to use the GPU; None if it agrees with the CPU. Takes seconds.

    command: what prints the difference, for tests.
    """
    command = command or [sys.executable, "-m", "loops.metal", precision]
    root = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"a step on it did not end in {_SECONDS} seconds"
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return f"a step on it fails ({last[:200]})"
    difference = float(done.stdout.splitlines()[-1])
    tolerance = TOLERANCE * _COARSER[precision]
    if not difference <= tolerance:  # NaN too
        return f"its gradients differ from the CPU's by {difference:.2g} of their length"
    return None


def difference(precision: str, one: str = "/CPU:0", other: str = "/GPU:0") -> float:
    """The largest relative difference of a loss or gradient between two devices."""
    import numpy as np

    results = [loss_and_gradients(precision, device) for device in (one, other)]
    return max(
        float(np.linalg.norm(a - b) / max(np.linalg.norm(a), 1e-12))
        for a, b in zip(*results, strict=True)
    )


def loss_and_gradients(precision: str, device: str) -> list[Any]:
    """Those of one compiled step of a small BERT with every kind of layer.

    Arrays: the loss's sum, a gradient per variable, and how many tenths dropout keeps:
    a device may draw other numbers, but must draw some.
    """
    import tensorflow as tf

    from bert_core.batch import MlmBatch
    from bert_core.compute import set_compute
    from bert_core.config import BertConfig
    from bert_core.layers import kept_by_dropout
    from bert_core.models import MaskedLanguageModel

    config = BertConfig(
        vocab_size=512,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=32,
        alibi_slopes=(1.0, 0.1),
        neighbour_offsets=(-1, 1),
    )
    with tf.device("/CPU:0"):  # the same numbers for every device
        ids = tf.reshape(tf.range(8 * 32) * 7919 % 512, [8, 32])
        places = tf.tile([[1, 9, 17, 30]], [8, 1])
        batch = MlmBatch(ids, places, places * 16, tf.ones([8, 4]))
        start = [x.numpy() for x in MaskedLanguageModel(config).trainable_variables]
    with tf.device(device):
        model = MaskedLanguageModel(config)
        set_compute(model, precision, recompute=False)
        for variable, value in zip(model.trainable_variables, start, strict=True):
            variable.assign(value)

        @tf.function(autograph=False)
        def step() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                loss, _ = model.sums(batch)["loss"]
            gradients = tape.gradient(loss, model.trainable_variables)
            kept = kept_by_dropout([2**16], 0.5, tf.constant([1, 2]))
            tenths = tf.round(10.0 * tf.reduce_mean(tf.cast(kept, tf.float32)))
            return [loss, *map(tf.convert_to_tensor, gradients), tenths]

        return [x.numpy() for x in step()]


if __name__ == "__main__":
    print(difference(sys.argv[1]))
