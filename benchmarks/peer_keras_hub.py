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
    dataset, useful = reviews(job) if "reviews" in job else ready_batch(job)

    def run(n: int) -> turns.Answer:
        model.fit(dataset, steps_per_epoch=n, verbose=0, callbacks=[stopwatch])
        return {"seconds": stopwatch.seconds, "useful_tokens": useful * n}

    run(2)  # traces, and warms up
    return run


def ready_batch(job: dict[str, Any]) -> tuple[Any, float]:
    """A dataset that repeats the job's batch, and the useful tokens of a batch."""
    import numpy as np
    import tensorflow as tf

    batch = np.load(job["batch"])
    input_ids = batch["input_ids"]
    features = {
        "token_ids": input_ids,
        "segment_ids": np.zeros_like(input_ids),
        "padding_mask": np.ones_like(input_ids),
        "mask_positions": batch["masked_lm_positions"],
    }
    dataset = tf.data.Dataset.from_tensors((features, batch["masked_lm_ids"])).repeat()
    return dataset, input_ids.size


def reviews(job: dict[str, Any]) -> tuple[Any, float]:
    """The same for real text: rows shuffled and masked by keras-hub's own layer."""
    import keras_hub
    import numpy as np
    import tensorflow as tf

    source = np.load(job["reviews"])
    pad_id = int(source["special"][0])
    masker = keras_hub.layers.MaskedLMMaskGenerator(
        vocabulary_size=job["config"]["vocab_size"],
        mask_selection_rate=0.15,
        mask_selection_length=round(0.15 * job["seq_length"]),
        mask_token_id=int(source["mask_id"]),
        unselectable_token_ids=source["special"].tolist(),
    )

    def masked(rows: Any) -> Any:
        made = masker(rows)
        features = {
            "token_ids": made["token_ids"],
            "segment_ids": tf.zeros_like(rows),
            "padding_mask": tf.cast(rows != pad_id, tf.int32),
            "mask_positions": made["mask_positions"],
        }
        return features, made["mask_ids"], made["mask_weights"]

    rows = tf.data.Dataset.from_tensor_slices(source["rows"]).shuffle(10_000).repeat()
    batches = rows.batch(job["batch_size"], drop_remainder=True)
    dataset = batches.map(masked, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    return dataset, float(source["useful"]) * job["batch_size"]


def compiled_model(job: dict[str, Any]) -> Any:
    """The model of the job's config, with the same optimiser as the project."""
    import keras
    import keras_hub

    if job["precision"] != "float32":
        keras.mixed_precision.set_dtype_policy(f"mixed_{job['precision']}")
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


if __name__ == "__main__":
    turns.serve(prepare)
