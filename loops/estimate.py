"""How long training would take, before there is a model: an estimate, and what it assumes."""

import time

import tensorflow as tf

from bert_core.config import BertConfig
from bert_core.flops import training_flops
from loops.console import format_seconds
from loops.length import num_steps
from loops.options import LengthOptions

# Steps reach 60 to 86% of the speed of the matrix products, more in larger models, and less
# where memory is slow compared with the processor (docs/performance.md).
ASSUMED_SHARE = 0.5


def estimate(
    config: BertConfig,
    batch_shape: tuple[int, int, int],
    steps_per_epoch: float,
    length: LengthOptions,
) -> str:
    """A line on how long pretraining would take; batch_shape: (B, S, P)."""
    speed = matmul_gflops(repeats=5)
    seconds = training_flops(config, *batch_shape) / (ASSUMED_SHARE * speed * 1e9)
    steps = num_steps(length, steps_per_epoch, seconds)
    return (
        f"training would be {steps:,} steps of {batch_shape[0] * batch_shape[1]:,} "
        f"tokens, {steps / steps_per_epoch:.1f} epochs, in about "
        f"{format_seconds(steps * seconds)}; this assumes that a step reaches "
        f"{ASSUMED_SHARE:.0%} of the {speed:.0f} GFLOP/s that a matrix product reaches "
        "here now, and leaves out evaluation"
    )


def matmul_gflops(size: int = 2048, repeats: int = 7) -> float:
    """The best speed of a few square float32 products, in GFLOP/s."""
    x = tf.random.stateless_normal([size, size], seed=[0, 0])
    product = tf.function(lambda: tf.matmul(x, x)[0, 0])
    product()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        product().numpy()
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times) / 1e9
