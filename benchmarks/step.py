"""The speed of a training step, against what the machine's matrix products can do.

  python benchmarks/step.py                 # shapes A, B and C
  python benchmarks/step.py --shapes=AB --dropout=0.1 --xla
  python benchmarks/step.py --precision=bfloat16

A step is forward, backward, clipping and AdamW on a ready batch, in float32 except for the
factors of products with --precision. Useful work is that of the matrix products
(bert_core/flops.py). The peak is the best of some square float32 products of 2048 in the same
process, just before and just after.
"""

import dataclasses
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from bert_core.config import BertConfig, preset
from bert_core.flops import training_flops
from loops import startup
from loops.options import PRECISIONS, RuntimeOptions

MASKED_SHARE = 0.15


class Shape(NamedTuple):
    config: BertConfig
    batch_size: int
    seq_length: int

    @property
    def num_predictions(self) -> int:
        return round(MASKED_SHARE * self.seq_length)

    @property
    def flops(self) -> float:
        """Useful work of a step."""
        return training_flops(
            self.config, self.batch_size, self.seq_length, self.num_predictions
        )


SHAPES = {
    "A": Shape(BertConfig(25_000, 128, 2, 8, 512), 32, 256),  # the inspiration's
    "B": Shape(preset("tiny", 8192), 64, 128),
    "C": Shape(preset("base", 30_522), 8, 128),
}


@flags.group
def benchmark_flags() -> None:
    """What to measure:"""
    absl_flags.DEFINE_string("shapes", "ABC", "Letters of the shapes.")
    absl_flags.DEFINE_integer("repeats", 15, "Timed steps per shape.")
    absl_flags.DEFINE_float("dropout", 0.0, "Dropout rate.")
    absl_flags.DEFINE_enum("precision", PRECISIONS[0], PRECISIONS, "Of matrix products.")
    absl_flags.DEFINE_bool("xla", False, "Compile the step with XLA.")


def main() -> None:
    runtime = dataclasses.replace(
        flags.runtime_options(), precision=flags.FLAGS.precision, xla=flags.FLAGS.xla
    )
    startup.start_tensorflow(runtime)
    print("shape  median     best    tokens/s  GFLOP/s    peak  share  memory so far")
    for name in flags.FLAGS.shapes:
        print(measure(name, SHAPES[name], flags.FLAGS.dropout, runtime), flush=True)


def measure(name: str, shape: Shape, dropout: float, runtime: RuntimeOptions) -> str:
    """A line of the table."""
    from loops.estimate import matmul_gflops
    from loops.length import peak_memory

    steps, batches = training_steps(shape, dropout, runtime)
    steps(batches, [1e-4, 1e-4])  # traces, and warms up
    peak = matmul_gflops()
    times = []
    for _ in range(flags.FLAGS.repeats):
        started = time.perf_counter()
        steps(batches, [1e-4])
        times.append(time.perf_counter() - started)
    peak = max(peak, matmul_gflops())
    median, best = statistics.median(times), min(times)
    speed = shape.flops / median / 1e9
    tokens = shape.batch_size * shape.seq_length / median
    return (
        f"{name:5} {median * 1e3:5.0f} ms {best * 1e3:5.0f} ms {tokens:11,.0f} {speed:8.1f} "
        f"{peak:7.1f} {speed / peak:6.0%} {peak_memory() / 1e9:10.1f} GB"
    )


def training_steps(shape: Shape, dropout: float, runtime: RuntimeOptions) -> tuple[Any, Any]:
    """The project's own step, and an iterator that repeats one random batch."""
    import tensorflow as tf

    from bert_core.adamw_options import AdamWOptions
    from bert_core.compute import set_compute
    from bert_core.models import MaskedLanguageModel
    from loops.train_step import TrainState, TrainSteps

    config = dataclasses.replace(
        shape.config, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    model = MaskedLanguageModel(config)
    set_compute(model, runtime.precision, runtime.recompute)
    state = TrainState(model, AdamWOptions(), precision=runtime.precision)
    dataset = tf.data.Dataset.from_tensors(random_batch(shape)).repeat()
    return TrainSteps(state, 0, runtime.xla, shape.batch_size), iter(dataset)


def random_batch(shape: Shape) -> Any:
    """Random tokens with P of the S positions masked in each row."""
    import numpy as np

    from bert_core.batch import MlmBatch

    random = np.random.default_rng(0)
    size, vocabulary = (shape.batch_size, shape.seq_length), shape.config.vocab_size
    places = random.permuted(np.tile(np.arange(size[1]), (size[0], 1)), axis=1)
    positions = np.sort(places[:, : shape.num_predictions], axis=1).astype(np.int32)
    return MlmBatch(
        input_ids=random.integers(0, vocabulary, size).astype(np.int32),
        masked_lm_positions=positions,
        masked_lm_ids=random.integers(0, vocabulary, positions.shape).astype(np.int32),
        masked_lm_weights=np.ones(positions.shape, np.float32),
    )


if __name__ == "__main__":
    flags.launch(main, benchmark_flags, flags.runtime_flags)
