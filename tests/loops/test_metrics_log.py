"""Each step stands in metrics.jsonl once, whatever a kill left at its end."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bert_core.errors import UserError
from loops.metrics_log import MetricsLog, last_of, read_metrics


def write(path: Path, steps: range) -> None:
    log = MetricsLog(path, -1)
    for step in steps:
        log.add("train", step, {"loss": 1 / (step + 1)})
    log.sync()


def test_lines_read_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path, -1)
    log.add("train", 5, {"loss": 0.1})
    log.add("dev", 5, {"loss": 0.2})
    expected = [{"split": "train", "step": 5, "loss": 0.1}]
    expected += [{"split": "dev", "step": 5, "loss": 0.2}]
    assert read_metrics(path) == expected
    assert log.evaluations == expected[1:]
    assert log.has("dev", 5)
    assert not log.has("dev", 4)
    assert last_of(path, "train")["loss"] == 0.1
    with pytest.raises(KeyError, match="test"):
        last_of(path, "test")


@settings(deadline=None, max_examples=50)
@given(cut=st.integers(0, 200), last_step=st.integers(-1, 6))
def test_a_cut_line_is_left_out_and_later_steps_dropped(
    tmp_path_factory: pytest.TempPathFactory, cut: int, last_step: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    write(path, range(6))
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    left = path.read_bytes().count(b"\n")
    kept = min(left, last_step + 1)
    log = MetricsLog(path, last_step)
    assert [line["step"] for line in read_metrics(path)] == list(range(kept))
    for step in range(kept, 6):
        log.add("train", step, {"loss": 1 / (step + 1)})
    assert path.read_bytes() == whole


def test_test_figures_come_after_all_steps(tmp_path: Path) -> None:
    write(tmp_path / "log", range(3))
    MetricsLog(tmp_path / "log", 2).add("test", 2, {"accuracy": 1.0})
    MetricsLog(tmp_path / "log", 2)
    assert [line["split"] for line in read_metrics(tmp_path / "log")] == ["train"] * 3


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log"
    whole = json.dumps({"split": "dev", "step": 1}).encode()
    for damaged in (b"{\xff", b"[]", b'{"step": 1}', b'{"split": "dev", "step": "1"}'):
        path.write_bytes(whole + b"\n" + damaged + b"\n")
        with pytest.raises(UserError, match="line 2 is not as a run writes it"):
            read_metrics(path)


def test_no_file_is_no_lines(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "log") == []
