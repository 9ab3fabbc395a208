"""Opening a run: new, resumed, under other settings, with its checkpoints gone."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from bert_core.errors import UserError
from bert_core.lamb import Lamb
from loops.metrics_log import read_metrics
from loops.options import RuntimeOptions
from loops.session import open_session
from loops.train_loop import train
from tests.toy import evaluate_with, open_toy, options, own, plan, weights

DRIFT = RuntimeOptions(allow_drift=True)


def finished(path: Path, **more) -> None:
    session = open_toy(path, **more)
    train(session, evaluate_with(session))


def test_a_new_run_is_recorded_and_measuring_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    session = open_toy(tmp_path)
    assert [list(x) for x in session.state.model.w.numpy()] == [[0.5], [-0.5]]
    assert not any(tf.reduce_any(m != 0) for m in session.state.optimizer.m)
    assert session.state.step.numpy() == 0
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["program"] == "toy"
    assert record["num_train_steps"] == 40
    assert {"tensorflow", "num_threads", "xla", "onednn", "device"} <= set(record)
    assert (tmp_path / "vocab.txt").exists()
    assert "40 steps = 4.0 epochs" in capsys.readouterr().out


def test_max_minutes_are_fixed_to_steps_once(tmp_path: Path) -> None:
    first = open_toy(tmp_path, steps=None).num_train_steps
    assert first >= 1
    record = json.loads((tmp_path / "run.json").read_text())
    record["num_train_steps"] = 12345
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert open_toy(tmp_path, steps=None).num_train_steps == 12345


def test_other_settings_are_refused_with_their_names(tmp_path: Path) -> None:
    finished(tmp_path)
    with pytest.raises(UserError, match=r"loop\.eval_steps: 20 then, 10 now"):
        open_toy(tmp_path, eval_steps=10)
    with pytest.raises(UserError, match=r"num_threads: \d+ then, 77 now"):
        open_toy(tmp_path, runtime=RuntimeOptions(num_threads=77))
    changed = plan(options(), corpus="other")
    with pytest.raises(UserError, match="corpus: None then, 'other' now"):
        open_session(own(tmp_path), changed)


def test_micro_batches_stay_as_large_as_they_were(tmp_path: Path) -> None:
    finished(tmp_path, micro_batch_size=2)
    assert open_toy(tmp_path).steps.micro_batch_size == 2
    with pytest.raises(UserError, match="micro_batch_size: 2 then, 1 now"):
        open_toy(tmp_path, micro_batch_size=1)


def test_what_changes_no_number_may_change(tmp_path: Path) -> None:
    finished(tmp_path)
    session = open_toy(tmp_path, max_to_keep=7, max_bad_steps=2)
    assert session.loop.max_bad_steps == 2


@pytest.mark.parametrize("steps", [30, 39])
def test_a_length_that_is_behind_the_run_is_refused(steps: int, tmp_path: Path) -> None:
    finished(tmp_path)
    before = (tmp_path / "run.json").read_bytes()
    with pytest.raises(UserError, match=f"is at step 40, and the length asked for is {steps}"):
        open_toy(tmp_path, steps=steps, runtime=DRIFT)
    assert (tmp_path / "run.json").read_bytes() == before


def test_drift_is_allowed_recorded_and_from_then_on_the_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    finished(tmp_path)
    session = open_toy(tmp_path, steps=60, eval_steps=30, runtime=DRIFT)
    assert session.num_train_steps == 60
    assert "warning: going on although loop.eval_steps: 20 then" in capsys.readouterr().out
    train(session, evaluate_with(session))
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["drift"] == [
        {
            "step": 40,
            "differences": [
                "length.num_train_steps: 40 then, 60 now",
                "loop.eval_steps: 20 then, 30 now",
            ],
        }
    ]
    assert open_toy(tmp_path, steps=60, eval_steps=30).num_train_steps == 60
    with pytest.raises(UserError, match="60 then, 40 now"):
        open_toy(tmp_path)
    open_toy(tmp_path, steps=80, eval_steps=30, runtime=DRIFT)
    assert len(json.loads((tmp_path / "run.json").read_text())["drift"]) == 2


def test_the_optimizer_and_how_products_are_computed_are_settings(tmp_path: Path) -> None:
    finished(tmp_path)
    for more, says in (
        ({"optimizer": "lamb"}, "optimizer: 'adamw' then, 'lamb' now"),
        ({"runtime": RuntimeOptions(precision="bfloat16")}, "precision: 'float32' then"),
        ({"runtime": RuntimeOptions(recompute=True)}, "recompute: False then, True now"),
    ):
        with pytest.raises(UserError, match=says):
            open_toy(tmp_path, **more)


def test_lamb_goes_on_with_lamb(tmp_path: Path) -> None:
    finished(tmp_path, optimizer="lamb")
    session = open_toy(tmp_path, optimizer="lamb")
    assert isinstance(session.state.optimizer, Lamb)
    untouched = open_toy(tmp_path / "untouched")
    train(untouched, evaluate_with(untouched))
    assert list(weights(session)) != list(weights(untouched))


def test_a_resume_restores_everything(tmp_path: Path) -> None:
    session = open_toy(tmp_path)
    train(session, evaluate_with(session))
    expected = list(weights(session))
    assert list(weights(open_toy(tmp_path))) == expected


def test_checkpoints_that_are_gone_are_missed(tmp_path: Path) -> None:
    finished(tmp_path)
    metrics = (tmp_path / "metrics.jsonl").read_bytes()
    shutil.rmtree(tmp_path / "checkpoints")
    with pytest.raises(UserError, match="the checkpoints are gone"):
        open_toy(tmp_path)
    assert (tmp_path / "metrics.jsonl").read_bytes() == metrics


def test_figures_that_are_gone_are_missed(tmp_path: Path) -> None:
    finished(tmp_path)
    log = tmp_path / "metrics.jsonl"
    for lose in (log.unlink, log.touch):
        lose()
        with pytest.raises(UserError, match=r"metrics\.jsonl: is gone, or empty, though"):
            open_toy(tmp_path)


def test_a_run_that_was_moved_knows_its_new_command(tmp_path: Path) -> None:
    finished(tmp_path)
    (tmp_path / "flags.txt").write_text("--output_dir=elsewhere\n")
    open_toy(tmp_path)
    assert (tmp_path / "flags.txt").read_text() == "--seed=0\n"


def test_killed_before_the_first_checkpoint_it_starts_again(tmp_path: Path) -> None:
    session = open_toy(tmp_path)
    session.recorder.tensorboard.sync()
    (tmp_path / "checkpoints" / "ckpt-0.index").write_bytes(b"half")
    again = open_toy(tmp_path)
    assert read_metrics(again.run.metrics) == []
    assert again.state.step.numpy() == 0


@pytest.mark.parametrize(
    ("steps", "ahead"), [((0, 1), True), ((39, 99), True), ((40, 99), False)]
)
def test_steps_to_profile_that_are_not_ahead_are_said(
    steps: tuple[int, int], ahead: bool, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    open_toy(tmp_path, profile_steps=steps, steps=40)
    said = f"--profile_steps={steps[0]}:{steps[1]}: not ahead; nothing is traced"
    assert (said in capsys.readouterr().out) is not ahead


def test_steps_per_call_are_settled_without_measuring(tmp_path: Path) -> None:
    session = open_toy(tmp_path, steps_per_loop=None, eval_steps=None)
    assert session.loop.steps_per_loop == 10  # the model is tiny
    assert session.loop.eval_steps == 10  # an epoch
