"""What --recompute saves: the peak memory of a few training steps, each in its own process.

  python benchmarks/memory.py

The shape is one whose activations outweigh its weights: L8 H128, S256, B16. An
argument names one of the variants, which then runs in this process.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "recompute": {"recompute": True},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, recompute": {"precision": "bfloat16", "recompute": True},
    "xla": {"xla": True},
    "xla, recompute": {"xla": True, "recompute": True},
    "micro_batch_size 4": {"micro_batch_size": 4},
}
SHAPE = (16, 256, 38)  # B, S, P


def main() -> None:
    if len(sys.argv) == 2:
        print(measure(**VARIANTS[sys.argv[1]]))
        return
    print(f"{'':20} {'start':>9} {'peak':>9}")
    for name in VARIANTS:
        command = [sys.executable, __file__, name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"{name:20} {done.stdout.strip()}", flush=True)


def measure(
    precision: str = "float32",
    recompute: bool = False,
    xla: bool = False,
    micro_batch_size: int | None = None,
) -> str:
    """The most resident memory once the model is built, and after two steps."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from loops import startup
    from loops.options import RuntimeOptions

    startup.start_tensorflow(RuntimeOptions(precision=precision, recompute=recompute, xla=xla))
    import tensorflow as tf

    from bert_core.adamw_options import AdamWOptions
    from bert_core.batch import MlmBatch
    from bert_core.compute import set_compute
    from bert_core.config import BertConfig
    from bert_core.models import MaskedLanguageModel
    from loops.length import peak_memory
    from loops.train_step import TrainState, TrainSteps

    batch_size, length, predictions = SHAPE
    model = MaskedLanguageModel(
        BertConfig(
            vocab_size=8192,
            hidden_size=128,
            num_hidden_layers=8,
            num_attention_heads=4,
            intermediate_size=512,
        )
    )
    set_compute(model, precision, recompute)
    state = TrainState(model, AdamWOptions(), precision=precision)
    steps = TrainSteps(state, 0, xla, batch_size, micro_batch_size)
    ids = tf.reshape(tf.range(batch_size * length) * 7919 % 8192, [batch_size, length])
    places = tf.tile(tf.range(predictions)[tf.newaxis] * 6, [batch_size, 1])
    batch = MlmBatch(ids, places, ids[:, :predictions], tf.ones(places.shape))
    iterator = iter(tf.data.Dataset.from_tensors(batch).repeat())
    start = peak_memory()
    steps(iterator, [1e-4] * 2)
    return f"{start / 1e6:6,.0f} MB {peak_memory() / 1e6:6,.0f} MB"


if __name__ == "__main__":
    main()
