"""The best weights of a run, and its scores in input order."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bert_core.batch import ClassificationBatch
from bert_core.errors import UserError
from loops.checkpoints import marked_steps
from loops.finetuning import BestWeights, Questions, Scorer, best_at, over_seeds
from tests.save_program import State


def best_of(path: Path, figures: list[tuple[int, float, float]], lines: list | None = None):
    """Offers (step, accuracy, loss) one after the other; (best, lines, what was kept)."""
    state = State()
    lines = [] if lines is None else lines
    best = BestWeights(path, state, lines, "accuracy")
    kept = []
    for step, accuracy, loss in figures:
        state.set(step)
        values = {"accuracy": accuracy, "loss": loss}
        if best.offer(step, values):
            kept.append(step)
        lines.append({"split": "dev", "step": step, **values})
    state.set(0)
    return best, state, lines, kept


def test_the_highest_accuracy_is_kept(tmp_path: Path) -> None:
    figures = [(1, 0.5, 0.9), (2, 0.7, 0.8), (3, 0.6, 0.1), (4, 0.7, 0.8)]
    best, state, _, kept = best_of(tmp_path, figures)
    assert kept == [1, 2]
    assert best.restore() == state.step == 2


def test_the_task_says_which_figure_ranks(tmp_path: Path) -> None:
    state = State()
    best = BestWeights(tmp_path, state, [], "f1")
    assert best.offer(1, {"accuracy": 0.9, "f1": 0.1, "loss": 1.0})
    lines = [{"split": "dev", "step": 1, "accuracy": 0.9, "f1": 0.1, "loss": 1.0}]
    best = BestWeights(tmp_path, state, lines, "f1")
    assert not best.offer(2, {"accuracy": 1.0, "f1": 0.1, "loss": 1.5})
    assert best.offer(3, {"accuracy": 0.1, "f1": 0.2, "loss": 2.0})


def test_of_equal_accuracies_the_lower_loss(tmp_path: Path) -> None:
    figures = [(1, 0.7, 0.9), (2, 0.7, 0.8), (3, 0.7, 0.8), (4, 0.7, 0.85)]
    best, _, _, kept = best_of(tmp_path, figures)
    assert kept == [1, 2]
    assert best.restore() == 2


def test_a_resumed_run_judges_as_one_that_was_not_stopped(tmp_path: Path) -> None:
    figures = [(1, 0.5, 1.0), (2, 0.6, 1.0), (3, 0.7, 1.0), (4, 0.8, 1.0), (5, 0.1, 1.0)]
    _, _, lines, _ = best_of(tmp_path, figures)
    # Killed and taken up at step 2: what was best later is still to come.
    best, state, _, kept = best_of(tmp_path, figures[2:], lines[:2])
    assert kept == [3, 4]
    assert best.restore() == state.step == 4
    # Killed after the offer and before its line was written.
    best, state, _, kept = best_of(tmp_path, figures[3:], lines[:3])
    assert kept == [4]
    assert best.restore() == state.step == 4


def test_what_was_best_later_is_not_when_it_does_not_come_again(tmp_path: Path) -> None:
    figures = [(1, 0.5, 1.0), (2, 0.6, 1.0), (3, 0.7, 1.0), (4, 0.8, 1.0)]
    _, _, lines, _ = best_of(tmp_path, figures)
    best, state, _, kept = best_of(tmp_path, [(3, 0.4, 1.0), (4, 0.3, 1.0)], lines[:2])
    assert kept == [3]
    assert best.restore() == state.step == 3


def test_nothing_is_held_against_weights_that_are_gone(tmp_path: Path) -> None:
    _, _, lines, _ = best_of(tmp_path, [(1, 0.9, 1.0), (2, 0.95, 1.0), (3, 0.97, 1.0)])
    assert marked_steps(tmp_path) == [2, 3]
    # Goes on from step 1 under other settings: its best weights are gone for good.
    best, state, _, _ = best_of(tmp_path, [(2, 0.85, 1.0), (3, 0.88, 1.0)], lines[:1])
    assert best.restore() == state.step == 3
    shutil.rmtree(tmp_path)
    with pytest.raises(UserError, match="the best weights are gone"):
        best.restore()


def test_a_damaged_best_falls_back_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    best, state, _, _ = best_of(tmp_path, [(1, 0.5, 1.0), (2, 0.6, 1.0)])
    (tmp_path / "ckpt-2.index").write_bytes(b"")
    assert best.restore() == state.step == 1
    assert "warning" in capsys.readouterr().out
    assert marked_steps(tmp_path) == [1]


class Table(tf.Module):
    """Logits that are the first two tokens."""

    def logits(self, batch: ClassificationBatch) -> tf.Tensor:
        return tf.cast(batch.input_ids, tf.float32)


def batches(rows: list[list[int]], fill: int) -> list[ClassificationBatch]:
    ids = tf.constant([*rows, *[[9, 9]] * fill], tf.int32)
    weights = tf.constant([1.0] * len(rows) + [0.0] * fill)
    zeros = tf.zeros_like(ids)
    return [ClassificationBatch(ids, zeros, zeros, zeros[:, 0], weights)]


def test_scores_are_in_input_order_without_the_filling() -> None:
    rows = batches([[0, 2], [3, 0]], 0) + batches([[0, 0]], 1)

    def score(truth: str, answers: np.ndarray) -> dict[str, float]:
        assert truth == "truth"
        return {"first": float(answers[0, 0])}

    scored = Scorer(Table(), score)(Questions(rows, np.array([2, 0, 1]), "truth"))
    assert scored.answers.tolist() == [[3, 0], [0, 0], [0, 2]]
    assert scored.values == {"first": 3.0}


@pytest.mark.parametrize(
    ("step", "total", "hint"), [(12, 12, True), (8, 12, False), (200, 200, False)]
)
def test_few_steps_are_worth_a_word(step: int, total: int, hint: bool) -> None:
    line = best_at(step, total)
    assert line.startswith(f"best on dev at step {step}")
    assert ("more --num_epochs" in line) == hint


def test_mean_and_deviation_over_seeds() -> None:
    assert over_seeds("test", [{"macro_f1": 0.5}, {"macro_f1": 0.7}]) == (
        "test, over 2 seeds: macro f1 0.6000 ± 0.1414"
    )
