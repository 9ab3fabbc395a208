"""TensorBoard logs: scalars of train and dev in one chart, texts, images, hparams."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import summary_v2 as hparams_summary

SPLITS = ("train", "dev", "test")


class TensorBoard:
    """Writes below `logs`: one subdirectory a split, so that charts lie over each other."""

    def __init__(self, logs: Path, last_step: int):
        """Opens for appending; events after `last_step` are dropped first."""
        trim(logs, last_step)
        self._logs = logs
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def scalars(self, split: str, step: int, values: dict[str, float]) -> None:
        with self._writer(split).as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def text(self, name: str, step: int, markdown: str) -> None:
        with self._writer("dev").as_default(step):
            tf.summary.text(name, markdown)

    def image(self, name: str, step: int, png: bytes) -> None:
        with self._writer("dev").as_default(step):
            tf.summary.image(name, tf.io.decode_png(png, channels=3)[tf.newaxis])

    def hparams(self, values: dict[str, Any]) -> None:
        with self._writer("train").as_default(0):
            tf.summary.experimental.write_raw_pb(
                hparams_summary.hparams_pb(values).SerializeToString(), step=0
            )

    def flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _writer(self, split: str) -> tf.summary.SummaryWriter:
        if split not in self._writers:
            self._writers[split] = tf.summary.create_file_writer(str(self._logs / split))
        return self._writers[split]


def trim(logs: Path, last_step: int) -> None:
    """Rewrites event files without the events after `last_step`.

    They would otherwise stand there twice once the run has gone over those steps
    again. A record cut by a kill ends its file.
    """
    for file in sorted(logs.glob("*/events.out.tfevents.*")):
        if file.name.endswith(".trimmed"):
            file.unlink()
            continue
        trimmed = file.with_name(file.name + ".trimmed")
        with tf.io.TFRecordWriter(str(trimmed)) as writer:
            for record in _whole_records(file):
                if tf.compat.v1.Event.FromString(record).step <= last_step:
                    writer.write(record)
        trimmed.replace(file)


def _whole_records(file: Path) -> list[bytes]:
    records = []
    try:
        for record in tf.data.TFRecordDataset(str(file)):
            records.append(record.numpy())
    except tf.errors.DataLossError:
        pass  # the record being written when the process died
    return records
