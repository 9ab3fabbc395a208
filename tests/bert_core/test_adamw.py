"""AdamW, LAMB and clipping against the oracle."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from bert_core.adamw import AdamW, adamw_update, clip_scale, global_norm
from bert_core.adamw_options import AdamWOptions
from bert_core.errors import UserError
from bert_core.lamb import Lamb
from tests import oracles
from tests.small_bert import MODES, assert_close

SHAPES = {"kernel": (4, 3), "bias": (3,), "word": (7, 4), "gamma": (4,)}
# Gradients down to epsilon, so that it matters where epsilon stands.
SCALES = {"kernel": 1.0, "bias": 1e-2, "word": 1e-6, "gamma": 1e-3}
OTHER = AdamWOptions(beta1=0.5, beta2=0.999, epsilon=1e-3, weight_decay=0.3)


def random_values(seed, scales=None):
    rng = np.random.default_rng(seed)
    return {
        name: ((scales or {}).get(name, 1.0) * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in SHAPES.items()
    }


ADAMW, LAMB = (AdamW, oracles.AdamW), (Lamb, oracles.Lamb)


@pytest.mark.parametrize(
    ("mode", "pair", "options"),
    [
        *itertools.product(["eager", "function", "xla"], [ADAMW], [AdamWOptions(), OTHER]),
        *itertools.product(["function", "xla"], [LAMB], [OTHER]),
    ],
)
def test_many_updates(mode, pair, options):
    kind, its_oracle = pair
    num_updates = 4 if mode == "eager" else 50  # each of which is compiled anew
    variables = {name: tf.Variable(x) for name, x in random_values(0).items()}
    optimizer = kind(list(variables.values()), options)
    oracle = its_oracle(options.beta1, options.beta2, options.epsilon, options.weight_decay)
    parameters = {name: x.numpy().astype(np.float64) for name, x in variables.items()}

    def apply(gradients, step, rate):
        optimizer.apply(list(variables.values()), gradients, step, rate)

    apply = MODES[mode](apply)
    for step in range(num_updates):
        gradients = random_values(step + 1, SCALES)
        rate = oracles.schedule(step, 0.02, 50, 5, 1.0)
        apply(
            list(gradients.values()), tf.constant(step, tf.int64), tf.constant(rate, "float32")
        )
        parameters = oracle.update(
            parameters, {k: g.astype(np.float64) for k, g in gradients.items()}, rate
        )
        for name, variable in variables.items():
            assert_close(variable, parameters[name])
    for slots, moments in ((optimizer.m, oracle.m), (optimizer.v, oracle.v)):
        for slot, (name, moment) in zip(slots, moments.items(), strict=True):
            assert_close(slot / SCALES[name], moment / SCALES[name])


def test_the_first_update_has_the_size_of_the_rate():
    # m / (1 - beta1) and v / (1 - beta2) are g and g^2: a step of rate * sign(g).
    gradient = np.array([1e-2, -3.0, 40.0], np.float32)
    x, m, v = adamw_update(
        np.zeros(3, np.float32), gradient, 0.0, 0.0, 1.0, 0.1, 0.0, AdamWOptions(epsilon=1e-12)
    )
    assert_close(x, -0.1 * np.sign(gradient), 1e-6)
    assert_close(m, 0.1 * gradient)
    assert_close(v / gradient**2, np.full(3, 0.02))


def test_only_matrices_decay_and_by_the_rate():
    variables = [tf.Variable(tf.ones(shape)) for shape in SHAPES.values()]
    optimizer = AdamW(variables, AdamWOptions(weight_decay=0.25))
    zeros = [tf.zeros(shape) for shape in SHAPES.values()]
    optimizer.apply(variables, zeros, tf.constant(0, tf.int64), tf.constant(0.1))
    for variable in variables:
        left = 1 - 0.1 * 0.25 if variable.shape.rank == 2 else 1.0
        assert_close(variable, np.full(variable.shape, left), 1e-7)


def test_reset_forgets_the_moments():
    variables = [tf.Variable(x) for x in random_values(0).values()]
    optimizer = AdamW(variables, AdamWOptions())
    assert not any(slot.trainable for slot in (*optimizer.m, *optimizer.v))
    gradients = list(random_values(1).values())
    optimizer.apply(variables, gradients, tf.constant(0, tf.int64), tf.constant(0.1))
    assert all(np.any(slot != 0) for slot in (*optimizer.m, *optimizer.v))
    optimizer.reset()
    assert not any(np.any(slot != 0) for slot in (*optimizer.m, *optimizer.v))


def test_an_update_for_other_variables_is_refused():
    variables = [tf.Variable(x) for x in random_values(0).values()]
    optimizer = AdamW(variables, AdamWOptions())
    with pytest.raises(ValueError, match="zip"):
        optimizer.apply(
            variables[:3], variables[:3], tf.constant(0, tf.int64), tf.constant(0.1)
        )


@pytest.mark.parametrize("clip_norm", [0.5, 2.0, 1e3])
def test_clipping(clip_norm):
    gradients = random_values(1)
    norm = global_norm(list(gradients.values()))
    expected = {k: g.astype(np.float64) for k, g in gradients.items()}
    assert_close(norm, oracles.global_norm(expected.values()))
    scale = clip_scale(norm, clip_norm)
    for name, clipped in oracles.clip(expected, clip_norm).items():
        assert_close(gradients[name] * scale, clipped)
    clipped_norm = global_norm([g * scale for g in gradients.values()])
    assert float(clipped_norm) == pytest.approx(min(clip_norm, float(norm)), rel=1e-6)


def test_no_clipping_and_gradients_of_zero():
    assert float(clip_scale(tf.constant(1e6), 0.0)) == 1.0
    assert float(clip_scale(tf.constant(0.0), 1.0)) == 1.0
    assert float(clip_scale(tf.constant(0.0), 0.0)) == 1.0


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("beta1", [-0.1, 1.0, float("nan")]),
        ("beta2", [-0.1, 1.0, float("nan"), 0.99999999]),  # the last is 1 in float32
        ("epsilon", [0.0, -1.0, float("nan"), float("inf")]),
        ("weight_decay", [-0.1, float("nan"), float("inf")]),
        ("clip_norm", [-1.0, float("nan"), float("inf")]),
    ],
)
def test_constants_out_of_range_are_refused_by_name(field, values):
    for value in values:
        with pytest.raises(UserError, match=f"--{field}="):
            AdamWOptions(**{field: value})
