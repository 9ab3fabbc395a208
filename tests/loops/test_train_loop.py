"""The loop: what it logs and when, steps that are not finite, and going on after a stop."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from bert_core.errors import RunError
from bert_core.models import MaskedLanguageModel
from bert_core.schedule import warmup_then_decay
from loops import stopping
from loops.checkpoints import marked_steps
from loops.evaluate import Evaluator
from loops.metrics_log import read_metrics
from loops.options import RuntimeOptions, ScheduleOptions
from loops.plan import build
from loops.profiler import Profiler
from loops.train_loop import _means, train
from loops.train_step import TrainState, TrainSteps
from tests.small_bert import small_config
from tests.toy import Linear, evaluate_with, make_batches, open_toy, options, plan, weights


@pytest.fixture(autouse=True)
def no_signal() -> None:
    stopping._requested = 0


def test_each_window_is_logged_once_and_evaluated_when_due(tmp_path: Path) -> None:
    session = open_toy(tmp_path, steps=45)
    evaluate = evaluate_with(session)
    train(session, evaluate)
    lines = read_metrics(session.run.metrics)
    logged = [line["step"] for line in lines if line["split"] == "train"]
    assert logged == list(range(5, 50, 5))
    assert [line["step"] for line in lines if line["split"] == "dev"] == [20, 40, 45]
    assert evaluate.calls == [20, 40, 45]
    assert marked_steps(tmp_path / "checkpoints") == [30, 40, 45]
    assert session.steps.num_traces == 1


def test_a_profile_changes_nothing_but_that_it_is_there(tmp_path: Path) -> None:
    plain, traced, early = (tmp_path / name for name in ("plain", "traced", "early"))
    for run, steps in ((plain, None), (traced, (7, 12)), (early, (33, 99))):
        session = open_toy(run, profile_steps=steps, steps=40)
        train(session, evaluate_with(session))
    assert (traced / "metrics.jsonl").read_bytes() == (plain / "metrics.jsonl").read_bytes()
    assert not (plain / "logs" / "plugins").exists()
    for run in (traced, early):  # whole, also when training ends before the last step
        (trace,) = (run / "logs" / "plugins" / "profile").glob("*/*.xplane.pb")
        assert b"matmul/MatMul" in trace.read_bytes()


def test_the_steps_of_a_profile_are_whole_calls(tmp_path: Path) -> None:
    notes: list[str] = []
    profiler = Profiler(tmp_path, (7, 12), notes.append)
    for step in range(0, 30, 5):
        with profiler.watching(step, step + 5):
            pass
    assert notes == [f"profile of steps 5 to 14 in {tmp_path / 'plugins' / 'profile'}"]


def test_a_run_takes_and_logs_the_steps_that_its_settings_say(tmp_path: Path) -> None:
    adamw = AdamWOptions(beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3, clip_norm=1.0)
    schedule = ScheduleOptions(0.02, warmup_share=0.2, decay_power=2.0)
    session = open_toy(tmp_path, steps=40, adamw=adamw, schedule=schedule)
    train(session, evaluate_with(session))
    rate = warmup_then_decay(0.02, num_steps=40, warmup_steps=8, power=2.0)
    state = TrainState(Linear(), adamw)
    steps = TrainSteps(state, 0, False, 4)
    columns = steps(iter(make_batches()(0, 40)), [rate(step) for step in range(40)])
    assert columns["gradient_norm"].min() < 1.0 < columns["gradient_norm"].max()
    for of_run, of_steps in (
        (session.state.model.w, state.model.w),
        *zip(session.state.optimizer.m, state.optimizer.m, strict=True),
        *zip(session.state.optimizer.v, state.optimizer.v, strict=True),
    ):
        np.testing.assert_array_equal(of_run.numpy(), of_steps.numpy())
    lines = [x for x in read_metrics(session.run.metrics) if x["split"] == "train"]
    for line, end in zip(lines, range(5, 45, 5), strict=True):
        window = {name: column[end - 5 : end] for name, column in columns.items()}
        assert line == {
            "split": "train",
            "step": end,
            "loss": pytest.approx(window["loss_sum"].sum() / window["loss_weight"].sum()),
            "accuracy": 1.0,
            "gradient_norm": pytest.approx(window["gradient_norm"].mean()),
            "learning_rate": rate(end - 1),
        }


def test_a_mean_is_by_weight() -> None:
    window = {"loss_sum": [6, 10], "loss_weight": [2, 8], "gradient_norm": [1, 3]}
    found = _means({name: np.array(column, np.float32) for name, column in window.items()})
    assert found == {"loss": pytest.approx(1.6), "gradient_norm": 2.0}


def test_a_plan_is_built_with_its_own_seed_and_way_of_computing() -> None:
    model = MaskedLanguageModel(small_config())
    training = options(runtime=RuntimeOptions(recompute=True))
    _, steps = build(dataclasses.replace(plan(training), model=model, seed=3), None)
    assert steps._seed == 3
    assert model.encoder.recompute


def test_a_finished_run_is_finished(tmp_path: Path) -> None:
    session = open_toy(tmp_path)
    train(session, evaluate_with(session))
    before = (tmp_path / "metrics.jsonl").read_bytes()
    again = open_toy(tmp_path)
    evaluate = evaluate_with(again)
    train(again, evaluate)
    assert evaluate.calls == []
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def test_a_bad_step_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run_toy.py"])
    session = open_toy(tmp_path, bad_steps=(23,))
    with pytest.raises(RunError) as caught:
        train(session, evaluate_with(session))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(
        f"step 23: loss or gradient is not finite, see {tmp_path / 'bad_batch-23.txt'}; the "
        f"last good checkpoint is {tmp_path / 'checkpoints' / 'ckpt-20'}. To skip it: "
        f"python run_toy.py --flagfile={tmp_path / 'flags.txt'} --max_bad_steps=1; or"
    )
    text = (tmp_path / "bad_batch-23.txt").read_text()
    ids = next(iter(make_batches()(23, 24))).input_ids[0].numpy()
    words = ["zero", "one", "two", "three", "four"]
    assert text.startswith(f"row 0\n  {words[ids[0]]} {words[ids[1]]}\n  targets nan\nrow 1\n")
    assert marked_steps(tmp_path / "checkpoints") == [0, 10, 20]
    assert read_metrics(session.run.metrics)[-1]["step"] == 20


def test_an_infinite_loss_with_finite_gradients_is_bad_too() -> None:
    class Overflowing(Linear):
        def sums(self, batch, seed=None):
            loss = tf.reduce_sum(self.w) + tf.constant(math.inf)
            return {"loss": (loss, tf.constant(1.0))}

    state = TrainState(Overflowing(), AdamWOptions())
    before = state.model.w.numpy()
    window = TrainSteps(state, 0, False, 4)(iter(make_batches()(0, 1)), [0.1])
    assert np.isfinite(window["gradient_norm"][0])
    np.testing.assert_array_equal(state.model.w.numpy(), before)


def test_some_bad_steps_may_be_skipped_also_across_a_resume(tmp_path: Path) -> None:
    bad = (7, 23, 24, 33)
    session = open_toy(tmp_path, bad_steps=bad)
    with pytest.raises(RunError, match="--max_bad_steps=1;"):
        train(session, evaluate_with(session))
    session = open_toy(tmp_path, bad_steps=bad, max_bad_steps=1)
    with pytest.raises(RunError, match=r"step 23: .*--max_bad_steps=3;"):
        train(session, evaluate_with(session))
    session = open_toy(tmp_path, bad_steps=bad, max_bad_steps=4)
    train(session, evaluate_with(session))
    untouched = open_toy(tmp_path / "untouched", bad_steps=bad, max_bad_steps=4)
    train(untouched, evaluate_with(untouched))
    lines = read_metrics(session.run.metrics)
    assert lines == read_metrics(untouched.run.metrics)
    assert list(weights(session)) == list(weights(untouched))
    assert {x["step"]: x["skipped_steps"] for x in lines if "skipped_steps" in x} == {
        10: 1.0, 25: 2.0, 35: 1.0,
    }  # fmt: skip
    assert all(math.isfinite(x) for line in lines for x in line.values() if x != line["split"])


def test_a_window_of_bad_steps_only_is_still_json(tmp_path: Path) -> None:
    session = open_toy(tmp_path, bad_steps=tuple(range(5, 10)), max_bad_steps=5)
    train(session, evaluate_with(session))
    text = (tmp_path / "metrics.jsonl").read_text()
    lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert set(lines[1]) == {"split", "step", "learning_rate", "skipped_steps"}


@pytest.mark.parametrize("at", [20, 40])
def test_stopped_while_evaluating(tmp_path: Path, at: int) -> None:
    session = open_toy(tmp_path / "run")

    def evaluate(step: int) -> dict[str, float]:
        if step == at:
            stopping._handle(15, None)
            Evaluator(session.state.model)(make_batches()(0, 1))
            pytest.fail("evaluation went on")
        return {"loss": float(tf.reduce_sum(session.state.model.w))}

    with pytest.raises(stopping.Stopped):
        train(session, evaluate)
    assert stopping.exit_code() == 143
    assert read_metrics(session.run.metrics)[-1]["split"] == "train"
    assert marked_steps(tmp_path / "run" / "checkpoints")[-1] == at
    stopping._requested = 0
    resumed = open_toy(tmp_path / "run")
    train(resumed, evaluate_with(resumed))
    untouched = open_toy(tmp_path / "untouched")
    train(untouched, evaluate_with(untouched))
    assert read_metrics(resumed.run.metrics) == read_metrics(untouched.run.metrics)
    assert list(weights(resumed)) == list(weights(untouched))


def test_a_full_disk_is_said_with_the_way_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_toy(tmp_path)

    def full(step: int) -> None:
        raise OSError(28, "No space left on device", "ckpt-30.json.tmp")

    train_to_20 = session.checkpoints.save
    monkeypatch.setattr(
        session.checkpoints, "save", lambda step: full(step) if step > 20 else train_to_20(step)
    )
    expected = r"No space left.*ckpt-30.*the last good checkpoint is .*ckpt-20\. Once that is"
    with pytest.raises(RunError, match=expected):
        train(session, evaluate_with(session))


def test_out_of_memory_names_a_micro_batch_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*arguments) -> None:
        message = "Graph execution error:\n\nOOM when allocating tensor with shape[4,2]\n at"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    session = open_toy(tmp_path)
    monkeypatch.setattr(session.steps, "_many_steps", exhausted)
    with pytest.raises(RunError) as caught:
        train(session, evaluate_with(session))
    message = str(caught.value)
    assert "\n" not in message
    assert "out of memory with 4 sequences at a time (OOM when allocating" in message
    assert "; --micro_batch_size=2 --allow_drift takes less memory" in message
    assert "; the last good checkpoint is" in message


@pytest.mark.soak  # TensorFlow waits ten seconds for memory to come free
def test_memory_that_is_really_exhausted() -> None:
    class Huge(Linear):
        def sums(self, batch, seed=None):
            rows = tf.shape(batch.input_ids)[0] * 2**28  # 2^60 bytes
            huge = tf.random.normal([rows, 2**28])
            return {"loss": (tf.reduce_sum(huge) * tf.reduce_sum(self.w), tf.constant(1.0))}

    steps = TrainSteps(TrainState(Huge(), AdamWOptions()), 0, False, batch_size=32)
    with pytest.raises(RunError, match=r"out of memory.*; --micro_batch_size=16 ") as caught:
        steps(iter(make_batches()(0, 1)), [0.1])
    assert "\n" not in str(caught.value)
