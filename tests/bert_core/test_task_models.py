"""The models of regression and token classification against the oracle."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core import encoder, models
from bert_core.batch import RegressionBatch, TokenClassificationBatch
from bert_core.models import Regressor, TokenClassifier
from bert_core.names import named_variables
from tests import oracles
from tests.bert_core.test_models import CONFIG, CONFIGS, MODE, check_gradients
from tests.small_bert import (
    MODES,
    architecture,
    assert_close,
    random_regression_batch,
    random_token_batch,
    randomise,
    small_config,
    to_tensors,
)


def regressor_case(config):
    model = Regressor(config, 1)
    return model, randomise(model), random_regression_batch(config)


def token_case(config):
    model = TokenClassifier(config, 4)
    return model, randomise(model), random_token_batch(config)


@MODE
@CONFIG
def test_regressor(mode, config):
    model, parameters, batch = regressor_case(config)
    a = architecture(config)
    logits = MODES[mode](model.logits)(to_tensors(batch))
    assert_close(logits, oracles.classifier_logits(parameters, a, *batch[:3]))
    sums = MODES[mode](model.sums)(to_tensors(batch))
    assert list(sums) == ["loss"]
    total, weight = sums["loss"]
    assert float(weight) == 3
    assert_close(total / weight, oracles.regressor_loss(parameters, a, *batch))


@MODE
@CONFIG
def test_token_classifier(mode, config):
    model, parameters, batch = token_case(config)
    a = architecture(config)
    expected = oracles.token_logits(parameters, a, *batch[:3])
    visible = batch.input_mask == 1
    logits = MODES[mode](model.logits)(to_tensors(batch)).numpy()
    assert logits.shape == (4, 9, 4)
    assert_close(logits[visible], expected[visible])
    sums = MODES[mode](model.sums)(to_tensors(batch))
    total, weight = sums["loss"]
    assert float(weight) == batch.example_weights.sum() > 4
    assert_close(total / weight, oracles.token_classifier_loss(parameters, a, *batch))
    rows = expected.reshape(-1, 4), batch.label_ids.ravel(), batch.example_weights.ravel()
    assert tuple(map(float, sums["accuracy"])) == oracles.accuracy(*rows)


def test_gradients():
    config = CONFIGS["departures"]
    check_gradients(*regressor_case(config), config, oracles.regressor_loss)
    check_gradients(*token_case(config), config, oracles.token_classifier_loss)


def test_shapes_unknown_when_traced():
    ids, numbers = tf.TensorSpec([4, None], tf.int32), tf.TensorSpec([4, None])
    config = CONFIGS["bert"]
    model, parameters, batch = token_case(config)
    signature = TokenClassificationBatch(ids, ids, ids, ids, numbers)
    total, weight = tf.function(model.sums, input_signature=[signature])(to_tensors(batch))[
        "loss"
    ]
    expected = oracles.token_classifier_loss(parameters, architecture(config), *batch)
    assert_close(total / weight, expected)
    model, parameters, batch = regressor_case(config)
    row = tf.TensorSpec([4])
    signature = RegressionBatch(ids, ids, ids, row, row)
    total, weight = tf.function(model.sums, input_signature=[signature])(to_tensors(batch))[
        "loss"
    ]
    expected = oracles.regressor_loss(parameters, architecture(config), *batch)
    assert_close(total / weight, expected)


def test_tokens_are_read_without_a_pooler():
    config = small_config(num_hidden_layers=1)
    assert not [x for x in named_variables(TokenClassifier(config, 4)) if "pooler" in x]
    assert "pooler/dense/kernel" in named_variables(Regressor(config, 1))


def test_padding_changes_no_tag_at_all():
    model, _, batch = token_case(small_config())
    visible = batch.input_mask == 1
    other = batch._replace(input_ids=np.where(visible, batch.input_ids, 7))
    before, after = (model.logits(to_tensors(x)).numpy()[visible] for x in (batch, other))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("case", [regressor_case, token_case])
def test_dropout_has_a_seed_for_each_place(case, monkeypatch):
    model, _, batch = case(small_config())
    tensors = to_tensors(batch)

    def loss(*seed):
        return float(model.sums(tensors, tf.constant(seed) if seed else None)["loss"][0])

    assert len({loss(), loss(1, 2), loss(1, 3)}) == 3
    assert loss(1, 2) == loss(1, 2)
    seeds = []

    def spy(x, rate, seed):
        seeds.append((rate, *seed.numpy()))
        return x

    for module in (encoder, models):
        monkeypatch.setattr(module, "dropout", spy)
    loss(1, 2)
    assert len(set(seeds)) == len(seeds) == 6
    assert seeds[-1][0] == model.config.hidden_dropout_prob
