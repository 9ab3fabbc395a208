"""20 steps on some virtual devices, in a process of their own, as TensorFlow divides the CPU
before its first operation only.

  mirrored_steps.py DEVICES MICRO_BATCH_SIZE DROPOUT OUT   writes weights and moments
"""

import sys

import numpy as np
import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from bert_core.models import MaskedLanguageModel
from loops.distribution import Replicas, mirrored
from loops.train_step import TrainState, TrainSteps
from tests.small_bert import random_mlm_batch, small_config

BATCH, STEPS = 8, 20


def main(devices: int, micro_batch_size: int, dropout: float, out: str) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, parts)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    config = small_config(num_hidden_layers=1, **rates)
    found = tf.config.list_logical_devices("CPU")
    replicas = Replicas(mirrored(found)) if devices > 1 else Replicas()
    assert replicas.count == devices
    with replicas.scope():
        # A large epsilon: at the usual one Adam makes a whole step of a rounding error
        # where a gradient is nothing else.
        state = TrainState(MaskedLanguageModel(config), AdamWOptions(epsilon=1e-3))
    steps = TrainSteps(state, 3, False, BATCH, micro_batch_size, replicas)
    batches = [random_mlm_batch(config, BATCH, seed=i) for i in range(STEPS)]
    fields = map(np.stack, zip(*batches, strict=True))
    dataset = tf.data.Dataset.from_tensor_slices(type(batches[0])(*fields))
    steps(iter(dataset), [1e-2] * STEPS)
    assert int(state.step.numpy()) == STEPS
    np.savez(out, **{str(i): x.numpy() for i, x in enumerate(state.variables)})


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
