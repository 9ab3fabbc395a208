"""Weights of another run: loaded by name, all or nothing, with a report."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import run_pretrain
from bert_core.config import BertConfig
from bert_core.errors import UserError
from bert_core.models import Classifier, MaskedLanguageModel
from bert_core.names import named_variables
from loops.checkpoints import Checkpoints
from loops.run_directory import RunDirectory
from loops.warm_start import load_run, load_weights
from tests.small_bert import small_config

CONFIG = BertConfig(20, 8, 1, 2, 16, max_position_embeddings=8, pooling="mean")


def save(directory: Path, model: tf.Module, step: int = 3) -> None:
    state = tf.Module()
    state.model = model
    Checkpoints(directory, state).save(step)


def test_the_encoder_of_a_run(tmp_path: Path) -> None:
    pretrained = MaskedLanguageModel(CONFIG, seed=1)
    save(tmp_path / "checkpoints", pretrained)
    classifier = Classifier(CONFIG, 3, seed=2)
    report = load_run(classifier, tmp_path)
    theirs, ours = named_variables(pretrained), named_variables(classifier)
    for name in report.loaded:
        np.testing.assert_array_equal(ours[name].numpy(), theirs[name].numpy())
    assert set(report.loaded) == {n for n in ours if n.startswith("encoder/")}
    assert set(report.fresh) == set(ours) - set(report.loaded)
    assert set(report.ignored) == {n for n in theirs if n.startswith("head/")}
    assert report.where == tmp_path / "checkpoints" / "ckpt-3"
    lines = report.lines()
    assert lines[0] == f"loaded {len(report.loaded)} variables"
    assert lines[1].startswith(f"newly initialised {len(report.fresh)}: ")
    assert lines[2].startswith(f"ignored {len(report.ignored)}: head/")


def test_the_best_weights_come_first(tmp_path: Path) -> None:
    save(tmp_path / "checkpoints", Classifier(CONFIG, 2, seed=1), 9)
    save(tmp_path / "best", Classifier(CONFIG, 2, seed=2), 4)
    assert load_run(Classifier(CONFIG, 2), tmp_path).where.name == "ckpt-4"


def test_other_weights_at_the_same_path_are_another_start(tmp_path: Path) -> None:
    sources = []
    for seed in (1, 2):
        shutil.rmtree(tmp_path / "start", ignore_errors=True)
        save(tmp_path / "start" / "checkpoints", MaskedLanguageModel(CONFIG, seed=seed))
        sources.append(load_run(Classifier(CONFIG, 3), tmp_path / "start").source)
    assert sources[0]["init_checkpoint"] == sources[1]["init_checkpoint"]
    run = RunDirectory(tmp_path / "run")
    run.record(sources[0])
    assert run.check_same(sources[0], allow_drift=False) == []
    with pytest.raises(UserError, match=r"init_sha256: '.*' then, '.*' now"):
        run.check_same(sources[1], allow_drift=False)
    moved = {**sources[0], "init_checkpoint": "/elsewhere"}  # the same ones
    assert run.check_same(moved, allow_drift=False) == []
    run.record({"init_checkpoint": "random"})
    with pytest.raises(UserError, match=r"init_checkpoint: 'random' then, '.*' now"):
        run.check_same(sources[0], allow_drift=False)


def test_what_is_left_stays_as_it_was(tmp_path: Path) -> None:
    save(tmp_path / "checkpoints", Classifier(CONFIG, 2, seed=1))
    model = Classifier(CONFIG, 3, seed=2)  # which the other's last layer would not fit
    before = named_variables(model)["output/kernel"].numpy()
    report = load_run(model, tmp_path, left=("output/",))
    assert set(report.fresh) == {"output/kernel", "output/bias"}
    np.testing.assert_array_equal(named_variables(model)["output/kernel"].numpy(), before)


def test_nothing_is_assigned_when_something_is_missing() -> None:
    model = Classifier(CONFIG, 3, seed=2)
    before = {n: v.numpy() for n, v in named_variables(model).items()}
    values = {n: np.ones_like(v) for n, v in before.items()}
    (name, *_) = (n for n in values if n.startswith("encoder/"))
    for broken, message in (
        ({n: v for n, v in values.items() if n != name}, f"has no {name}"),
        ({**values, name: values[name][:1]}, f"{name} has shape"),
    ):
        with pytest.raises(UserError, match=message):
            load_weights(model, broken, Path("there"))
        for n, variable in named_variables(model).items():
            np.testing.assert_array_equal(variable.numpy(), before[n])


def test_what_may_grow_keeps_its_first_rows() -> None:
    name = "encoder/embeddings/position"
    old = MaskedLanguageModel(CONFIG, seed=1)
    values = {n: v.numpy() for n, v in named_variables(old).items()}
    longer = dataclasses.replace(CONFIG, max_position_embeddings=12)
    model = MaskedLanguageModel(longer, seed=2)
    fresh = named_variables(model)[name].numpy()
    with pytest.raises(UserError, match=r"position has shape \[8, 8\], the model needs \[12"):
        load_weights(model, values, Path("there"))
    report = load_weights(model, values, Path("there"), may_grow=(name,))
    now = named_variables(model)[name].numpy()
    np.testing.assert_array_equal(now, np.concatenate([values[name], fresh[8:]]))
    assert report.lines()[-1] == f"{name}: 8 rows loaded, 4 newly initialised"
    # Never fewer rows, and never rows of another width.
    for shape in ((13, 8), (8, 4)):
        wrong = {**values, name: np.zeros(shape, np.float32)}
        with pytest.raises(UserError, match="position has shape"):
            load_weights(model, wrong, Path("there"), may_grow=(name,))


def test_all_that_has_a_row_a_token_or_a_position_grows_in_pretraining() -> None:
    ours = {"neighbour_offsets": (-1, 1)}
    old = MaskedLanguageModel(small_config(**ours), seed=1)
    more = small_config(**ours, vocab_size=21, max_position_embeddings=12)
    values = {n: v.numpy() for n, v in named_variables(old).items()}
    report = load_weights(
        MaskedLanguageModel(more), values, Path("there"), may_grow=run_pretrain.GROWING
    )
    tables = ("word", "neighbours/tables/0", "neighbours/tables/1")
    expected = {f"encoder/embeddings/{name}": (19, 2) for name in tables}
    expected |= {"encoder/embeddings/position": (11, 1), "head/bias": (19, 2)}
    assert report.grown == expected


def test_a_run_that_has_saved_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no whole checkpoint"):
        load_run(Classifier(CONFIG, 2), tmp_path)
