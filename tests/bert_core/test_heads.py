"""The heads against the oracle."""

import numpy as np
import pytest

from bert_core.heads import DetectorPooler, MeanPooler, MlmHead, Pooler, pooler
from bert_core.layers import Initializer
from tests import oracles
from tests.small_bert import (
    MODES,
    architecture,
    assert_close,
    random_inputs,
    randomise,
    small_config,
)

INIT = Initializer(0, 0.02)
MODE = pytest.mark.parametrize("mode", ["eager", "function"])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@MODE
@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new", "relu"])
def test_mlm_head(mode, hidden_act):
    config = small_config(hidden_act=hidden_act, layer_norm_eps=1e-3)
    head = MlmHead(INIT, config)
    parameters = randomise(head)
    x, word = normal(6, 15), 0.3 * normal(19, 15, seed=1)
    expected = oracles.mlm_head(
        parameters, x.astype(np.float64), word.astype(np.float64), architecture(config)
    )
    assert_close(MODES[mode](head)(x, word), expected)


@MODE
def test_cls_pooler(mode):
    config = small_config()
    layer = Pooler(INIT, config)
    parameters = randomise(layer)
    _, mask, _ = random_inputs(config)
    x = normal(*mask.shape, 15)
    expected = oracles.cls_pooler(parameters, x.astype(np.float64))
    assert_close(MODES[mode](layer)(x.reshape(-1, 15), mask), expected)


@MODE
def test_mean_pooler(mode):
    _, mask, _ = random_inputs(small_config())
    x = normal(*mask.shape, 15)
    actual = MODES[mode](MeanPooler(15))(x.reshape(-1, 15), mask)
    assert_close(actual, oracles.mean_pooler(x.astype(np.float64), mask))


def test_the_mean_of_no_token_is_zero():
    assert not MeanPooler(15)(normal(6, 15), np.zeros((2, 3), np.int32)).numpy().any()


@MODE
def test_detector_pooler(mode):
    config = small_config()
    layer = DetectorPooler(INIT, config)
    parameters = randomise(layer)
    _, mask, _ = random_inputs(config)
    x = normal(*mask.shape, 15)
    x[mask == 0] = 9.0  # what padding holds must not count
    actual = MODES[mode](layer)(x.reshape(-1, 15), mask)
    assert actual.shape == (len(mask), layer.width)
    assert_close(actual, oracles.detector_pooler(parameters, x.astype(np.float64), mask))


def test_the_config_names_the_pooler():
    assert isinstance(pooler(INIT, small_config(pooling="detectors")), DetectorPooler)
    assert isinstance(pooler(INIT, small_config(pooling="cls")), Pooler)
    assert isinstance(pooler(INIT, small_config(pooling="mean")), MeanPooler)
