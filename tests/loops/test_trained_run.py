"""What a run says it can be used for."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bert_core.errors import UserError
from loops.trained_run import TrainedRun, read_trained_run
from tests.bad_input_cases import START
from tests.conversions import edit


def run(directory: Path, **record: Any) -> TrainedRun:
    """A run directory with that run.json; its model has 32 positions."""
    for name, content in START.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert isinstance(content, bytes)
        path.write_bytes(content)
    (directory / "start" / "run.json").write_text(json.dumps(record))
    return read_trained_run(directory / "start")


def test_a_pretrained_run_fills_masks(tmp_path: Path) -> None:
    found = run(tmp_path, program="pretrain", mlm={"seq_length": 16})
    assert (found.fills_masks, found.labels, found.max_seq_length) == (True, (), 16)
    found.check_can("fill_mask")
    found.check_can("embed")
    with pytest.raises(UserError, match="start: was not fine-tuned for classification; run_f"):
        found.check_can("classify")


@pytest.mark.parametrize(("window", "length"), [(0, 32), (16, 100), (32, 100), (64, 32)])
def test_no_more_is_read_than_there_are_positions_for(
    window: int, length: int, tmp_path: Path
) -> None:
    trained = {"max_seq_length": 100}  # of 32 positions; in windows of up to 32 it fits
    run(tmp_path, program="finetune", classification=trained, labels=["a", "b"])
    edit(tmp_path / "start" / "config.json", attention_window=window)
    assert read_trained_run(tmp_path / "start").max_seq_length == length


def test_what_reads_cls_alone_reads_no_second_window(tmp_path: Path) -> None:
    run(tmp_path, program="finetune", classification={"max_seq_length": 16}, labels=["a", "b"])
    config = tmp_path / "start" / "config.json"
    edit(config, attention_window=16, pooling="cls")
    assert read_trained_run(tmp_path / "start").sequence_length(16) == 16
    with pytest.raises(UserError, match=r"--max_seq_length=17: .*start reads \[CLS\] alone"):
        read_trained_run(tmp_path / "start").sequence_length(17)
    edit(config, pooling="mean")
    assert read_trained_run(tmp_path / "start").sequence_length(17) == 17


def test_a_run_of_another_task(tmp_path: Path) -> None:
    scale = {"target_mean": 3, "target_deviation": 0.5}
    found = run(tmp_path, program="finetune", task="regression", **scale)
    found.check_can("regress")
    np.testing.assert_array_equal(found.in_units(np.array([[0.0], [2.0]])), [3, 4])
    with pytest.raises(
        UserError, match=r"for regression; use run_predict\.py --regress or --embed"
    ):
        found.check_can("tag")
    tags = {"task": "token_classification", "tags": ["O", "B-X"], "labels": 7}
    found = run(tmp_path, program="finetune", **tags)
    assert found.labels == ("O", "B-X")
    found.check_can("tag")
    with pytest.raises(UserError, match="--tag"):
        found.check_can("classify")


def test_a_fine_tuned_run_classifies_as_it_was_trained_to(tmp_path: Path) -> None:
    trained = {"max_seq_length": 24, "truncation": "head_tail"}
    found = run(tmp_path, program="finetune", classification=trained, labels=["a", "b"])
    assert (found.labels, found.max_seq_length) == (("a", "b"), 24)
    assert found.truncation == "head_tail"
    found.check_can("classify")
    with pytest.raises(UserError, match="start: has no masked-language-model head"):
        found.check_can("fill_mask")


@pytest.mark.parametrize("task", ["regression", "token_classification"])
def test_a_run_for_another_task_does_not_classify(tmp_path: Path, task: str) -> None:
    found = run(tmp_path, program="finetune", task=task, labels=["a", "b"], text_pairs=True)
    found.check_can("embed")
    with pytest.raises(UserError, match=f"start: was fine-tuned for {task}; use run_predict"):
        found.check_can("classify")
    assert run(tmp_path, task="classification", labels=["a"]).labels == ("a",)


def test_an_imported_run_is_what_its_parts_are(tmp_path: Path) -> None:
    found = run(tmp_path, program="convert", parts=["encoder", "head"], labels=[])
    assert (found.fills_masks, found.labels, found.max_seq_length) == (True, (), 32)
    found = run(tmp_path, program="convert", parts=["encoder", "output"], labels=["0", "1"])
    assert (found.fills_masks, found.labels) == (False, ("0", "1"))
    assert found.reads_pairs is None
    found.check_pairs(True)
    found.check_pairs(False)


def test_pairs_are_asked_for_where_they_were_trained_on(tmp_path: Path) -> None:
    found = run(tmp_path, program="finetune", labels=["a", "b"], text_pairs=True)
    found.check_pairs(True)
    with pytest.raises(UserError, match="trained on pairs of texts; give a file of pairs"):
        found.check_pairs(False)
    found = dataclasses.replace(found, reads_pairs=False)
    found.check_pairs(False)
    with pytest.raises(UserError, match="trained on single texts"):
        found.check_pairs(True)


def test_lengths(tmp_path: Path) -> None:
    found = run(tmp_path, program="pretrain", mlm={"seq_length": 16})
    assert found.sequence_length(None) == 16
    assert found.sequence_length(32) == 32
    with pytest.raises(UserError, match="--max_seq_length=33: the model has"):
        found.sequence_length(33)
    assert found.truncation_warning(0, 16) is None
    assert found.truncation_warning(1, 32) == "warning: 1 text was cut to 32 tokens"
    # No word of positions up to 32: the run was trained on 16.
    assert found.truncation_warning(1200, 16) == "warning: 1,200 texts were cut to 16 tokens"
    for nonsense in (None, [], {"seq_length": "x"}, {"seq_length": 0}, {"seq_length": 999}):
        assert run(tmp_path, program="pretrain", mlm=nonsense).max_seq_length == 32


@pytest.mark.parametrize("labels", ["ab", [1, 2], {"a": 1}])
def test_labels_that_are_none(tmp_path: Path, labels: object) -> None:
    with pytest.raises(UserError, match=r"run\.json: its labels are not a list of names"):
        run(tmp_path, program="finetune", labels=labels)
