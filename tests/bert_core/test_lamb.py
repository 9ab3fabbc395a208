"""LAMB's ratio, and which variables it leaves alone; test_adamw.py has the oracle."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core.adamw import AdamW
from bert_core.adamw_options import AdamWOptions
from bert_core.lamb import Lamb, trust_ratio
from bert_core.models import Classifier, MaskedLanguageModel
from bert_core.names import named_variables
from tests.small_bert import randomise, small_config


def test_a_matrix_moves_by_the_rate_times_its_own_length_whatever_its_gradient():
    for scale in (1e-2, 1.0, 1e2):
        x = tf.Variable(tf.random.stateless_normal([5, 3], [1, 2]))
        before = x.numpy()
        gradient = scale * tf.random.stateless_normal([5, 3], [3, 4])
        options = AdamWOptions(epsilon=1e-12)
        Lamb([x], options).apply([x], [gradient], tf.constant(0, tf.int64), tf.constant(0.01))
        moved = np.linalg.norm(x.numpy() - before) / np.linalg.norm(before)
        assert moved == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("kind", [MaskedLanguageModel, lambda config: Classifier(config, 3)])
def test_biases_and_norms_take_the_step_of_adamw(kind):
    model = kind(small_config())
    randomise(model)
    names = list(named_variables(model))
    variables = list(named_variables(model).values())
    start = [x.numpy() for x in variables]
    gradients = [np.random.default_rng(i).standard_normal(x.shape) for i, x in enumerate(start)]
    ends = []
    for optimizer in (AdamW, Lamb):
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        optimizer(variables, AdamWOptions()).apply(
            variables,
            [tf.constant(g, tf.float32) for g in gradients],
            tf.constant(0, tf.int64),
            tf.constant(0.1),
        )
        ends.append([x.numpy() for x in variables])
    same = {name for name, a, b in zip(names, *ends, strict=True) if np.allclose(a, b, 0, 1e-6)}
    assert same == {n for n in names if n.endswith(("bias", "gamma", "beta"))}


def test_the_ratio_where_a_norm_is_0():
    zeros, ones = tf.zeros([2, 2]), tf.ones([2, 2])
    assert [float(trust_ratio(*pair)) for pair in ((zeros, ones), (ones, zeros))] == [1, 1]
    assert float(trust_ratio(3 * ones, ones)) == 3
