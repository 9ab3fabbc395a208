"""Small configurations, random weights and random batches for the tests of the model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bert_core.batch import (
    ClassificationBatch,
    MlmBatch,
    RegressionBatch,
    TokenClassificationBatch,
)
from bert_core.config import BertConfig
from bert_core.names import named_variables
from tests.oracles import Architecture, Parameters

# How a function of tensors can be run. XLA compiles for about a second: used sparingly.
MODES: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "eager": lambda function: function,
    "function": lambda function: tf.function(function, autograph=False),
    "xla": lambda function: tf.function(function, autograph=False, jit_compile=True),
}
TOLERANCE = 1e-5  # absolute, float32 against float64, for values of order 1


def small_config(**fields: Any) -> BertConfig:
    """Two layers, three heads of size 5, and dropout, which evaluation must not apply."""
    small = {
        "vocab_size": 19,
        "hidden_size": 15,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 22,
        "max_position_embeddings": 11,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.2,
    }
    return BertConfig(**{**small, **fields})


def architecture(config: BertConfig) -> Architecture:
    return Architecture(
        config.num_attention_heads,
        config.hidden_act,
        config.layer_norm_eps,
        config.alibi_slopes,
        config.neighbour_offsets,
        config.pooling,
    )


def randomise(module: tf.Module, seed: int = 0, scale: float = 0.3) -> Parameters:
    """Gives every variable random values, biases and norms as well; returns them.

    Activations are then of order 1 and attention is far from uniform.
    """
    rng = np.random.default_rng(seed)
    for name, variable in named_variables(module).items():
        around = 1.0 if name.endswith("gamma") else 0.0
        variable.assign(around + scale * rng.standard_normal(variable.shape))
    return parameters_of(module)


def parameters_of(module: tf.Module) -> Parameters:
    return {k: x.numpy().astype(np.float64) for k, x in named_variables(module).items()}


def random_inputs(
    config: BertConfig, lengths: tuple[int, ...] = (9, 6, 2, 1), seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """input_ids, input_mask and segment_ids [B, S], rows of these lengths.

    Padding holds random ids and segments, so that a mask that leaks shows.
    """
    rng = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths))
    input_ids = rng.integers(0, config.vocab_size, shape).astype(np.int32)
    input_mask = (np.arange(shape[1]) < np.array(lengths)[:, None]).astype(np.int32)
    segment_ids = rng.integers(0, config.type_vocab_size, shape).astype(np.int32)
    return input_ids, input_mask, segment_ids


def random_mlm_batch(
    config: BertConfig, batch_size: int = 3, seq_length: int = 8, seed: int = 0
) -> MlmBatch:
    """Three predictions per row at places of its own; the last row's last is only filling."""
    rng = np.random.default_rng(seed)
    rows = range(batch_size)
    positions = np.stack([np.sort(rng.permutation(seq_length)[:3]) for _ in rows])
    weights = np.ones((batch_size, 3), np.float32)
    weights[-1, -1] = 0.0
    return MlmBatch(
        rng.integers(0, config.vocab_size, (batch_size, seq_length)).astype(np.int32),
        positions.astype(np.int32),
        rng.integers(0, config.vocab_size, (batch_size, 3)).astype(np.int32),
        weights,
    )


def random_classification_batch(
    config: BertConfig,
    num_classes: int = 3,
    lengths: tuple[int, ...] = (9, 6, 2, 1),
    seed: int = 0,
) -> ClassificationBatch:
    """Rows of these lengths; the last is only filling, the others weigh 1."""
    rng = np.random.default_rng(seed + 1)
    weights = np.ones(len(lengths), np.float32)
    weights[-1] = 0.0
    return ClassificationBatch(
        *random_inputs(config, lengths, seed),
        rng.integers(0, num_classes, len(lengths)).astype(np.int32),
        weights,
    )


def random_regression_batch(config: BertConfig, seed: int = 0) -> RegressionBatch:
    """Four texts; the last is only filling."""
    batch = random_classification_batch(config, seed=seed)
    targets = np.random.default_rng(seed + 2).standard_normal(4).astype(np.float32)
    return RegressionBatch(*batch[:3], targets, batch.example_weights)


def random_token_batch(
    config: BertConfig, num_classes: int = 4, seed: int = 0
) -> TokenClassificationBatch:
    """Four sentences of which about half the visible tokens have a label."""
    inputs = random_inputs(config, seed=seed)
    rng = np.random.default_rng(seed + 3)
    weights = inputs[1] * rng.integers(0, 2, inputs[1].shape)
    labels = rng.integers(0, num_classes, weights.shape) * weights
    return TokenClassificationBatch(
        *inputs, labels.astype(np.int32), weights.astype(np.float32)
    )


def to_tensors(batch: Any) -> Any:
    return tf.nest.map_structure(tf.constant, batch)


def assert_close(actual: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    """Equal shapes, and no number further off than `tolerance`."""
    actual = np.asarray(actual)
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)
