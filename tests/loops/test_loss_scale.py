"""The loss scale of float16: what it does after good and bad steps, and in a real step."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from bert_core.compute import product, set_compute
from bert_core.errors import RunError, UserError
from bert_core.models import MaskedLanguageModel
from loops import stopping, train_step
from loops.loss_scale import CEILING, FLOOR, MOST_SKIPPED, START, LossScale
from loops.metrics_log import read_metrics
from loops.options import RuntimeOptions
from loops.session import open_session
from loops.train_loop import train
from loops.train_step import TrainState, TrainSteps
from tests import toy
from tests.small_bert import random_mlm_batch, small_config

HALF = RuntimeOptions(precision="float16")


def columns_of(scale: LossScale, steps: str) -> list[tuple[float, float]]:
    """(scale, skipped in a row) of each step; "+" is a good one, "-" is not finite."""
    update = tf.function(scale.update, autograph=False)
    rows = [update(tf.constant(step == "+")) for step in steps]
    return [(float(x["loss_scale"]), float(x["skipped_in_a_row"])) for x in rows]


def test_halved_when_skipped_and_doubled_after_a_stretch() -> None:
    scale = LossScale(start=8.0, doubled_after=3)
    rows = columns_of(scale, "--+++++-+++++++")
    assert [x for x, _ in rows] == [8, 4, 2, 2, 2, 4, 4, 4, 2, 2, 2, 4, 4, 4, 8]
    assert [x for _, x in rows] == [1, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    scale.reset()
    assert (float(scale.scale), int(scale.streak)) == (8.0, 0)


def test_floor_and_ceiling() -> None:
    down = columns_of(LossScale(), "-" * MOST_SKIPPED)
    assert down[0] == (START, 1)
    assert down[-1] == (FLOOR, MOST_SKIPPED)  # tried at the floor before a run ends
    assert down[-2][0] == FLOOR
    assert CEILING / 2 ** (MOST_SKIPPED - 1) < FLOOR
    assert columns_of(LossScale(doubled_after=1), "+" * 9)[-1][0] == CEILING


def test_an_overflow_is_skipped_and_recovered_from() -> None:
    """A real step, by micro-batches, with a scale that float16 cannot hold."""
    config = small_config(num_hidden_layers=1)
    model = MaskedLanguageModel(config)
    set_compute(model, "float16", recompute=False)
    state = TrainState(model, AdamWOptions(), precision="float16")
    state.loss_scale = LossScale(start=2.0**24, doubled_after=4)
    batches = [random_mlm_batch(config, batch_size=3, seed=0)] * 24
    fields = map(np.stack, zip(*batches, strict=True))
    dataset = tf.data.Dataset.from_tensor_slices(type(batches[0])(*fields))
    steps, iterator = TrainSteps(state, 0, False, 3, micro_batch_size=1), iter(dataset)
    before = model.encoder.embeddings.word.numpy()
    while True:
        row = {name: x.item() for name, x in steps(iterator, [1e-2]).items()}
        if np.isfinite(row["gradient_norm"]):
            break
        assert np.isfinite(row["loss_sum"])  # it is the scaled gradient that overflows
        assert row["skipped_in_a_row"] == int(state.step)
        np.testing.assert_array_equal(model.encoder.embeddings.word.numpy(), before)
    skipped = int(state.step) - 1
    assert 2 <= skipped <= 16
    assert row["loss_scale"] == 2.0 ** (24 - skipped)
    assert row["skipped_in_a_row"] == 0
    assert np.any(model.encoder.embeddings.word.numpy() != before)
    later = steps(iterator, [1e-2] * 7)
    assert np.sum(np.isfinite(later["gradient_norm"])) >= 6
    assert max(later["loss_scale"]) == 2 * row["loss_scale"]  # after four good steps
    assert later["loss_sum"][-1] < row["loss_sum"]


def test_a_scale_moves_no_bit_of_an_update() -> None:
    """float32, so that what the scale does is all that there could be to see."""
    config = small_config(num_hidden_layers=1)
    states, norms = [], []
    for scale in (None, LossScale(start=2.0**10, doubled_after=2)):
        state = TrainState(MaskedLanguageModel(config), AdamWOptions())
        state.loss_scale = scale or state.loss_scale
        batches = [random_mlm_batch(config, batch_size=3, seed=i) for i in range(5)]
        fields = map(np.stack, zip(*batches, strict=True))
        dataset = tf.data.Dataset.from_tensor_slices(type(batches[0])(*fields))
        steps = TrainSteps(state, 0, False, 3)
        norms.append(steps(iter(dataset), [1e-2] * 5)["gradient_norm"])
        states.append([*state.model.variables, *state.optimizer.m, *state.optimizer.v])
    np.testing.assert_array_equal(norms[0], norms[1])
    for plain, scaled in zip(*states, strict=True):
        np.testing.assert_array_equal(plain.numpy(), scaled.numpy())


# ---- in a run ----


class Half(toy.Linear):
    """The toy, with a product in float16."""

    compute_dtype = tf.float32

    def sums(self, batch, seed=None):
        predicted = product(tf.cast(batch.input_ids, tf.float32), self.w, self.compute_dtype)
        error = tf.reduce_sum(tf.square(predicted[:, 0] - batch.targets))
        return {"loss": (error, tf.constant(float(toy.BATCH_SIZE)))}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch):
    """opened(path, bad_steps, **options): a float16 run whose scale has to be found."""
    stopping._requested = 0
    monkeypatch.setattr(toy, "Linear", Half)
    monkeypatch.setattr(
        train_step, "loss_scale", lambda precision: LossScale(2.0**18, doubled_after=6)
    )
    return functools.partial(toy.open_toy, runtime=HALF)


def test_a_resume_is_exact_in_the_scale_too(tmp_path, opened) -> None:
    def run(path, stops):
        for stop in stops:
            session = opened(path, bad_steps=(17,))
            if stop:
                note = session.recorder.progress.update

                def update(step, values, note=note, stop=stop):
                    note(step, values)
                    stopping._requested = 15 if step == stop else 0

                session.recorder.progress.update = update
                with pytest.raises(stopping.Stopped):
                    train(session, toy.evaluate_with(session))
                stopping._requested = 0
            else:
                train(session, toy.evaluate_with(session))
        state = session.state
        return [
            *toy.weights(session),
            state.loss_scale.scale.numpy(),
            state.loss_scale.streak.numpy(),
            read_metrics(session.run.metrics),
        ]

    # Stopped while the scale is still coming down, and in a stretch of good steps.
    whole = run(tmp_path / "whole", [None])
    assert run(tmp_path / "stopped", [5, 25, None]) == whole
    skipped = {x["step"]: x["skipped_steps"] for x in whole[-1] if "skipped_steps" in x}
    assert skipped[5] >= 2  # overflows
    assert skipped[20] >= 1  # a batch that is not finite, and no end of the run
    scales = [x["loss_scale"] for x in whole[-1] if x["split"] == "train"]
    assert max(scales[1:]) > min(scales)


def test_too_many_in_a_row_end_the_run(tmp_path, opened) -> None:
    session = opened(tmp_path, bad_steps=tuple(range(20, 60)), steps=60)
    with pytest.raises(RunError) as caught:
        train(session, toy.evaluate_with(session))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("step 39: 20 steps in a row are not finite in float16, with a ")
    assert "loss scale of 1 at the end, see" in message
    assert f"the last good checkpoint is {tmp_path / 'checkpoints' / 'ckpt-30'}." in message
    assert "--precision=bfloat16, or lower --learning_rate, and name another" in message


def test_a_run_changes_neither_to_nor_from_float16(tmp_path, opened) -> None:
    session = opened(tmp_path)
    train(session, toy.evaluate_with(session))
    for precision in ("float32", "bfloat16"):
        drifting = RuntimeOptions(precision=precision, allow_drift=True)
        plan = toy.plan(toy.options(runtime=drifting))
        with pytest.raises(UserError, match=rf"--precision={precision}: .*--init_checkpoint="):
            open_session(toy.own(tmp_path), plan)
