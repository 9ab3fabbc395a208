"""A run made by earlier code (tests/golden/make_run.py) is read by today's."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from bert_core.batch import MlmBatch
from bert_core.models import MaskedLanguageModel
from bert_core.names import named_variables
from loops.checkpoints import Checkpoints, latest_whole
from loops.run_directory import read_lower_case, read_run_config
from loops.train_step import TrainState
from loops.warm_start import load_run
from pipelines.vocabulary import read_vocabulary
from tests.small_bert import assert_close

GOLDEN = Path(__file__).resolve().parent / "golden" / "run"
NUM_TRAIN_STEPS = 20


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: opening checkpoints for training tidies their directory."""
    return Path(shutil.copytree(GOLDEN / "run", tmp_path_factory.mktemp("golden") / "run"))


def train_state(run: Path) -> TrainState:
    return TrainState(MaskedLanguageModel(read_run_config(run)), AdamWOptions())


def assert_logits(model: MaskedLanguageModel) -> None:
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as expected:
        ids, places = expected["input_ids"], expected["positions"]
        batch = MlmBatch(ids, places, places, np.ones(places.shape, np.float32))
        assert_close(model.logits(batch), expected["logits"])


def test_every_variable_is_used_and_none_is_left(run: Path) -> None:
    state = train_state(run)
    prefix = latest_whole(run / "checkpoints")
    tf.train.Checkpoint(state=state).restore(str(prefix)).assert_consumed()
    assert int(state.step) == NUM_TRAIN_STEPS
    assert_logits(state.model)


def test_training_goes_on_from_it(run: Path) -> None:
    state = train_state(run)
    assert Checkpoints(run / "checkpoints", state).restore_latest() == NUM_TRAIN_STEPS
    assert int(state.step) == NUM_TRAIN_STEPS
    assert all(np.any(slot.numpy() != 0) for slot in state.optimizer.v)


def test_weights_start_another_model(run: Path) -> None:
    model = MaskedLanguageModel(read_run_config(run))
    report = load_run(model, run, required=("encoder/", "head/"))
    assert sorted(report.loaded) == sorted(named_variables(model))
    assert not report.fresh
    assert not report.ignored
    assert_logits(model)


def test_what_another_program_needs_is_there(run: Path) -> None:
    config = read_run_config(run)
    vocabulary = read_vocabulary(run / "vocab.txt", read_lower_case(run))
    record = json.loads((run / "run.json").read_text())
    assert vocabulary.size == config.vocab_size
    assert record["program"] == "pretrain"
    assert record["vocabulary"] == vocabulary.sha256
    # Fields that came later have their defaults.
    assert record["model"].items() <= json.loads(config.to_json()).items()
    assert record["num_train_steps"] == NUM_TRAIN_STEPS
