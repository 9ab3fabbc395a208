"""What is logged reads back through TensorBoard, each step once also after a resume."""

from pathlib import Path
from typing import Any

import numpy as np
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
    """By step: files that were begun in the same second may be read in any order."""
    return sorted(
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in events(logs, split).Tensors(tag)
    )


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
    board.hparams(
        "runs/a", {"mlm.seed": 0, "adamw.beta1": 0.9, "xla": False, "program": "pretrain"}
    )
    board.text("samples", 5, "| a | b |")
    board.image("confusion_test", 5, confusion(tf.eye(2).numpy(), ["no", "yes"]))
    board.sync()
    (text,) = events(tmp_path, "dev").Tensors("samples")
    assert tf.make_ndarray(text.tensor_proto).item() == b"| a | b |"
    width, height, png = tf.make_ndarray(
        events(tmp_path, "test").Tensors("confusion_test")[0].tensor_proto
    )
    assert tf.io.decode_png(png).shape == (int(height), int(width), 3)
    metadata = events(tmp_path, ".").SummaryMetadata("_hparams_/session_start_info")
    assert metadata.plugin_data.plugin_name == "hparams"


def test_hparams_of_runs_beside_each_other_come_with_their_last_figures(tmp_path: Path) -> None:
    """As TensorBoard joins them: settings of a run with what is logged below them."""
    for run, rate in (("a", 0.1), ("b", 0.2)):
        board = TensorBoard(tmp_path / run / "logs", -1)
        for _ in range(2):  # a start that died before its first checkpoint, and the next
            board = TensorBoard(tmp_path / run / "logs", -1)
            board.hparams(f"runs/{run}", {"schedule.learning_rate": rate})
        board.scalars("train", 5, {"loss": 9.0})
        board.scalars("dev", 5, {"loss": 8.0})
        board.scalars("dev", 10, {"loss": 7.0 + rate})
        board.sync()
    rows = {x["name"]: x for x in session_groups(tmp_path)}
    assert sorted(rows) == ["runs/a", "runs/b"]
    for name, rate in (("runs/a", 0.1), ("runs/b", 0.2)):
        row = rows[name]
        assert row["hparams"] == {"schedule.learning_rate": rate}
        assert row["metrics"]["train", "loss"] == 9.0
        assert row["metrics"]["dev", "loss"] == pytest.approx(7.0 + rate)
        assert row["sessions"] == 1


def session_groups(logdir: Path) -> list[dict[str, Any]]:
    """The rows of TensorBoard's table of hparams, by its own code."""
    from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.backend_context import Context
    from tensorboard.plugins.hparams.list_session_groups import Handler

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(logdir))
    context = Context(TBContext(data_provider=provider, logdir=str(logdir)))
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=10,
        allowed_statuses=[0, 1, 2, 3],
        aggregation_type=api_pb2.AGGREGATION_AVG,
    )
    for metric in (("train", "loss"), ("dev", "loss")):
        column = request.col_params.add()
        column.metric.group, column.metric.tag = metric
    groups = Handler(RequestContext(), context, "", request).run().session_groups
    return [
        {
            "name": group.name,
            "hparams": {k: x.number_value for k, x in group.hparams.items()},
            "metrics": {(m.name.group, m.name.tag): m.value for m in group.metric_values},
            "sessions": len(group.sessions),
        }
        for group in groups
    ]


def test_the_projector_finds_words_and_their_rows(tmp_path: Path) -> None:
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    table = np.random.default_rng(0).standard_normal([7, 4]).astype(np.float32)
    tokens = ("[PAD]", "a", "##b", "x\ty", "c\u2028d", '"', "=1")
    board = TensorBoard(tmp_path, -1)
    board.embeddings(np.zeros([7, 4], np.float32), tokens)
    board.embeddings(table, tokens)
    config = ProjectorConfig()
    text_format.Parse((tmp_path / "dev" / "projector_config.pbtxt").read_text(), config)
    (embedding,) = config.embeddings
    read = np.fromfile(tmp_path / "dev" / embedding.tensor_path, "<f4")
    np.testing.assert_array_equal(read.reshape(list(embedding.tensor_shape)), table)
    lines = (tmp_path / "dev" / embedding.metadata_path).read_text().split("\n")
    assert lines == ["[PAD]", "a", "##b", "x\\ty", "c\\u2028d", '"', "=1", ""]


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
