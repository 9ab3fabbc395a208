"""What is logged reads back through TensorBoard, each step once also after a resume."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from loops.failures import disk_errors
from loops.pictures import confusion
from loops.tensorboard import TensorBoard
from tests.programs import scalar_steps


def events(logs: Path, split: str) -> Any:
    found = EventAccumulator(str(logs / split), size_guidance={"tensors": 0})
    found.Reload()
    return found


def values(logs: Path, split: str, tag: str) -> list[tuple[int, float]]:
    return [
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in events(logs, split).Tensors(tag)
    ]


def log(logs: Path, last_step: int, steps: range, scale: float = 1.0) -> None:
    board = TensorBoard(logs, last_step)
    for step in steps:
        board.scalars("train", step, {"loss": step * scale})
        board.scalars("dev", step, {"loss": -step * scale})
    board.sync()


def test_each_step_once_after_a_resume(tmp_path: Path) -> None:
    log(tmp_path, -1, range(8), 100.0)
    log(tmp_path, 5, range(6, 12), 1.0)
    log(tmp_path, 3, range(4, 10), 2.0)
    expected = [100.0 * s for s in range(4)] + [2.0 * s for s in range(4, 10)]
    assert values(tmp_path, "train", "loss") == list(enumerate(expected))
    assert values(tmp_path, "dev", "loss") == [(s, -x) for s, x in enumerate(expected)]
    assert list(scalar_steps(tmp_path)) == [
        ("dev", "loss", list(range(10))), ("train", "loss", list(range(10))),
    ]  # fmt: skip


def test_starting_over_leaves_nothing(tmp_path: Path) -> None:
    log(tmp_path, -1, range(3), 100.0)
    log(tmp_path, -1, range(2))
    assert values(tmp_path, "train", "loss") == [(0, 0.0), (1, 1.0)]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_record_cut_by_a_kill(tmp_path: Path, cut: int) -> None:
    log(tmp_path, -1, range(4))
    (file,) = (tmp_path / "train").iterdir()
    file.write_bytes(file.read_bytes()[:-cut])
    log(tmp_path, 2, range(3, 5))
    assert values(tmp_path, "train", "loss") == [(s, float(s)) for s in range(5)]


def test_a_trim_that_was_killed(tmp_path: Path) -> None:
    log(tmp_path, -1, range(4))
    for file in list(tmp_path.glob("*/events*")):
        file.with_name(file.name + ".trimmed").write_bytes(b"half")
    log(tmp_path, 2, range(3, 5))
    assert values(tmp_path, "train", "loss") == [(s, float(s)) for s in range(5)]
    assert not list(tmp_path.glob("*/*.trimmed"))


def test_text_image_and_hparams(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path, -1)
    board.hparams({"mlm.seed": 0, "adamw.beta1": 0.9, "xla": False, "program": "pretrain"})
    board.text("samples", 5, "| a | b |")
    board.image("confusion_test", 5, confusion(tf.eye(2).numpy(), ["no", "yes"]))
    board.sync()
    (text,) = events(tmp_path, "dev").Tensors("samples")
    assert tf.make_ndarray(text.tensor_proto).item() == b"| a | b |"
    width, height, png = tf.make_ndarray(
        events(tmp_path, "test").Tensors("confusion_test")[0].tensor_proto
    )
    assert tf.io.decode_png(png).shape == (int(height), int(width), 3)
    metadata = events(tmp_path, "train").SummaryMetadata("_hparams_/session_start_info")
    assert metadata.plugin_data.plugin_name == "hparams"


def test_what_follows_training_is_made_again(tmp_path: Path) -> None:
    for _ in range(2):
        board = TensorBoard(tmp_path, 9)
        board.scalars("test", 9, {"accuracy": 0.5})
        board.image("confusion_test", 9, confusion(tf.eye(2).numpy(), ["no", "yes"]))
        board.sync()
    assert [steps for *_, steps in scalar_steps(tmp_path)] == [[9], [9]]


def test_errors_of_the_disk(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"x: cannot be written \(no space\)"),
        disk_errors(Path("x")),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "no space\nat all")
