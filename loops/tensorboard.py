"""TensorBoard logs: scalars of train and dev in one chart, texts, images, words, hparams."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import summary_v2 as hparams_summary

from bert_core.escapes import escaped
from loops import stopping
from loops.failures import disk_errors
from loops.files import sync, write_whole

AFTER_TRAINING = "test"  # the subdirectory for what is made when all steps are done


class TensorBoard:
    """Writes below `logs`: one subdirectory per split, so that their charts overlap."""

    def __init__(self, logs: Path, last_step: int):
        """Opens for appending; events after `last_step` are dropped first."""
        trim(logs, last_step)
        self._logs = logs
        self._writers: dict[str, tf.summary.SummaryWriter] = {}

    def scalars(self, split: str, step: int, values: dict[str, float]) -> None:
        with self._writing(split, step):
            for name, value in values.items():
                tf.summary.scalar(name, value)

    def text(self, name: str, step: int, markdown: str) -> None:
        with self._writing("dev", step):
            tf.summary.text(name, markdown)

    def image(self, name: str, step: int, png: bytes, split: str = AFTER_TRAINING) -> None:
        """A picture of the finished run, or of a step if a split is named."""
        with self._writing(split, step):
            tf.summary.image(name, tf.io.decode_png(png, channels=3)[tf.newaxis])

    def embeddings(self, table: np.ndarray, tokens: Sequence[str]) -> None:
        """Writes the word embeddings [V, H] for the projector, over any earlier ones."""
        directory = self._logs / "dev"  # they are only looked for next to events
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / "embeddings.bin", table.astype("<f4").tobytes())
        write_whole(directory / "vocabulary.tsv", "".join(f"{escaped(t)}\n" for t in tokens))
        shape = "".join(f"  tensor_shape: {size}\n" for size in table.shape)
        write_whole(
            directory / "projector_config.pbtxt",
            'embeddings {\n  tensor_name: "words"\n  tensor_path: "embeddings.bin"\n'
            f'{shape}  metadata_path: "vocabulary.tsv"\n}}\n',
        )

    def hparams(self, run: str, values: dict[str, Any]) -> None:
        """Writes the settings of the run of that name, to compare with those of others.

        They go above the splits, as TensorBoard looks for the figures that belong to them
        below: train/loss, dev/loss.
        """
        with self._writing(".", 0):
            tf.summary.experimental.write_raw_pb(
                hparams_summary.hparams_pb(values, run).SerializeToString(), step=0
            )

    def sync(self) -> None:
        """Waits until all events are on the disk."""
        for split, writer in self._writers.items():
            with disk_errors(self._logs / split):
                writer.flush()
        for file in _event_files(self._logs):
            sync(file)

    @contextlib.contextmanager
    def _writing(self, split: str, step: int) -> Iterator[None]:
        directory = self._logs / split
        with disk_errors(directory):
            if split not in self._writers:
                self._writers[split] = tf.summary.create_file_writer(str(directory))
            with self._writers[split].as_default(step):
                yield


def trim(logs: Path, last_step: int) -> None:
    """Rewrites event files without the events after `last_step`.

    They would otherwise be there twice once the run has taken those steps again. A record
    cut by a kill ends its file.
    """
    for file in _event_files(logs):
        if file.suffix == ".trimmed":
            file.unlink()
    for file in _event_files(logs):
        if file.parent.name == AFTER_TRAINING:
            file.unlink()
            continue
        trimmed = file.with_name(file.name + ".trimmed")
        with disk_errors(file), tf.io.TFRecordWriter(str(trimmed)) as writer:
            for number, record in enumerate(_whole_records(file)):
                if number % 1000 == 0:  # millions take minutes: a sign of life
                    stopping.check()
                event = tf.compat.v1.Event.FromString(record)
                if event.step <= last_step or event.HasField("file_version"):
                    writer.write(record)
        sync(trimmed)
        trimmed.replace(file)


def _event_files(logs: Path) -> list[Path]:
    """Those of the splits, and those above them."""
    return [*logs.glob("events.*"), *logs.glob("*/events.*")]


def _whole_records(file: Path) -> Iterator[bytes]:
    records = iter(tf.data.TFRecordDataset(str(file)))
    # A damaged record is what was being written when the process died.
    with contextlib.suppress(StopIteration, tf.errors.DataLossError):
        while True:
            yield next(records).numpy()
