"""keras-hub's BertMaskedLM on TensorFlow, as a contestant; in a venv of its own.

Its quickest way here is `fit` over a tf.data pipeline, with no metrics; the masked
positions are gathered by its own head.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import turns


def prepare(job: dict[str, Any]) -> Any:
    # Not the default on every CPU; this project sets it for itself (loops/startup.py).
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(job["threads"])
    import keras

    class Stopwatch(keras.callbacks.Callback):
        """The seconds of each step of a `fit`."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.seconds: list[float] = []
            self._last = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            now = time.perf_counter()
            self.seconds.append(now - self._last)
            self._last = now

    model, stopwatch = compiled_model(job), Stopwatch()
    batch = np.load(job["batch"])
    dataset = tf.data.Dataset.from_tensors(
        (
            features(batch["input_ids"], batch["masked_lm_positions"]),
            batch["masked_lm_ids"],
        )
    ).repeat()

    def run(n: int) -> turns.Answer:
        model.fit(dataset, steps_per_epoch=n, verbose=0, callbacks=[stopwatch])
        return {"seconds": stopwatch.seconds}

    run(2)  # traces, and warms up
    return run


def compiled_model(job: dict[str, Any]) -> Any:
    """The model of the job's config, with the same optimiser as the project's."""
    import keras
    import keras_hub

    config = job["config"]
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=config["vocab_size"],
        num_layers=config["num_hidden_layers"],
        num_heads=config["num_attention_heads"],
        hidden_dim=config["hidden_size"],
        intermediate_dim=config["intermediate_size"],
        dropout=job["dropout"],
        max_sequence_length=config["max_position_embeddings"],
    )
    model = keras_hub.models.BertMaskedLM(backbone)
    optimizer = keras.optimizers.AdamW(
        1e-4, weight_decay=0.01, beta_2=0.98, epsilon=1e-6, global_clipnorm=1.0
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, weighted_metrics=[], jit_compile=job["compile"])
    return model


def features(input_ids: Any, positions: Any) -> dict[str, Any]:
    """Rows without padding, as the model takes them."""
    import numpy as np

    return {
        "token_ids": input_ids,
        "segment_ids": np.zeros_like(input_ids),
        "padding_mask": np.ones_like(input_ids),
        "mask_positions": positions,
    }


if __name__ == "__main__":
    turns.serve(prepare)
