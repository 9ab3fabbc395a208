"""The whole training step: against the oracle, and what it must do when things go wrong."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from bert_core.config import BertConfig
from bert_core.models import Classifier, MaskedLanguageModel
from bert_core.schedule import warmup_then_decay
from loops.train_step import TrainState, TrainSteps
from tests import oracles
from tests.small_bert import (
    architecture,
    assert_close,
    parameters_of,
    random_classification_batch,
    random_mlm_batch,
    randomise,
    small_config,
)

JIT = pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
# 50 steps of central differences for every number: as small as a BERT can be.
MINUTE = BertConfig(
    vocab_size=5,
    hidden_size=4,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=3,
    max_position_embeddings=5,
    alibi_slopes=(1.0, 0.2),
    neighbour_offsets=(1,),
    **NO_DROPOUT,
)

ONE_LAYER = small_config(num_hidden_layers=1)


def dataset_of(batches):
    """The batches one after the other, as the NamedTuples they are."""
    fields = map(np.stack, zip(*batches, strict=True))
    return tf.data.Dataset.from_tensor_slices(type(batches[0])(*fields))


def steps_of(state, jit_compile=False, seed=0):
    return TrainSteps(state, seed=seed, jit_compile=jit_compile, batch_size=1)


def train_steps(model, batches, rates, jit_compile=False, **options):
    """Trains on `batches` in one call; returns the state and the columns."""
    state = TrainState(model, AdamWOptions(**options))
    return state, steps_of(state, jit_compile)(iter(dataset_of(batches)), rates)


def values_of(state):
    """Weights and moments."""
    return [x.numpy() for x in state.variables if x is not state.step]


# ---- against the oracle ----

NUM_STEPS, WARMUP, PEAK, CLIP_NORM = 50, 5, 0.02, 1.5
CONSTANTS = {"beta1": 0.9, "beta2": 0.98, "epsilon": 1e-3, "weight_decay": 0.1}


def fifty_batches():
    return [random_mlm_batch(MINUTE, 3, 5, seed=step) for step in range(NUM_STEPS)]


@functools.cache
def fifty_steps_of_the_oracle():
    """Parameters after 50 steps; and the loss and the gradient norm of each."""
    model = MaskedLanguageModel(MINUTE)
    parameters = randomise(model, scale=0.5)
    optimizer = oracles.AdamW(*CONSTANTS.values())
    losses, norms = [], []
    for step, batch in enumerate(fifty_batches()):

        def loss(at, batch=batch):
            return oracles.mlm_loss(at, architecture(MINUTE), *batch)

        gradients = oracles.gradient(loss, parameters)
        losses.append(loss(parameters))
        norms.append(oracles.global_norm(gradients.values()))
        parameters = optimizer.update(
            parameters,
            oracles.clip(gradients, CLIP_NORM),
            oracles.schedule(step, PEAK, NUM_STEPS, WARMUP, 1.0),
        )
    return parameters, np.array(losses), np.array(norms)


@JIT
def test_fifty_steps(jit_compile):
    parameters, losses, norms = fifty_steps_of_the_oracle()
    assert 10 < np.sum(norms > CLIP_NORM) < 40  # clipped in some steps, not in others
    model = MaskedLanguageModel(MINUTE)
    randomise(model, scale=0.5)
    schedule = warmup_then_decay(PEAK, NUM_STEPS, WARMUP)
    rates = [schedule(step) for step in range(NUM_STEPS)]
    state, columns = train_steps(
        model, fifty_batches(), rates, jit_compile, clip_norm=CLIP_NORM, **CONSTANTS
    )
    assert int(state.step) == NUM_STEPS
    assert_close(columns["loss_sum"] / columns["loss_weight"], losses)
    # Within 1.2e-5: LayerNorm over four numbers is sharp, so the gradient feels the last
    # bits of weights that are right to 1e-6.
    assert_close(columns["gradient_norm"] / norms, np.ones(NUM_STEPS), 3e-5)
    for name, x in parameters_of(model).items():
        assert_close(x, parameters[name])


@pytest.mark.parametrize("kind", ["mlm", "classifier"])
def test_the_norm_counts_an_embedding_that_occurs_twice_once(kind):
    if kind == "mlm":
        model, batch = MaskedLanguageModel(MINUTE), random_mlm_batch(MINUTE, 3, 5)
        oracle_loss = oracles.mlm_loss
    else:
        model = Classifier(MINUTE, 3)
        batch = random_classification_batch(MINUTE, lengths=(5, 3, 2))
        oracle_loss = oracles.classifier_loss
    batch.input_ids[:, :2] = 4  # six times the same token
    parameters = randomise(model)

    def loss(at):
        return oracle_loss(at, architecture(MINUTE), *batch)

    expected = oracles.global_norm(oracles.gradient(loss, parameters).values())
    _, columns = train_steps(model, [batch], [0.0])
    assert_close(columns["gradient_norm"], [expected])


# ---- behaviour ----


def test_a_batch_in_which_nothing_counts_pulls_nowhere():
    batch = random_mlm_batch(MINUTE, 3, 5)
    batch.masked_lm_weights[:] = 0
    model = MaskedLanguageModel(MINUTE)
    parameters = randomise(model)
    state, columns = train_steps(model, [batch], [0.1], weight_decay=0.0)
    assert [columns[k].item() for k in ("gradient_norm", "loss_sum", "loss_weight")] == [0] * 3
    for name, x in parameters_of(model).items():
        np.testing.assert_array_equal(x, parameters[name])
    assert int(state.step) == 1


@pytest.mark.parametrize(
    "jit_compile", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["plain", "xla"]
)
def test_a_step_that_is_not_finite_changes_nothing_but_the_count(jit_compile):
    good = random_mlm_batch(ONE_LAYER)
    weights = np.stack([good.masked_lm_weights] * 2)
    weights[:, 0, 1] = np.nan, np.inf
    nan, inf = (good._replace(masked_lm_weights=w) for w in weights)
    batches = [good, nan, good, inf, good]
    state = TrainState(MaskedLanguageModel(ONE_LAYER), AdamWOptions())
    steps, iterator = steps_of(state, jit_compile), iter(dataset_of(batches))
    for batch in batches:
        before = values_of(state)
        norm = steps(iterator, [1e-2])["gradient_norm"]
        after = values_of(state)
        assert np.isfinite(norm) == (batch is good)
        # Weights and moments, bit by bit.
        changed = [np.any(x != y) for x, y in zip(before, after, strict=True)]
        assert all(changed) if batch is good else not any(changed)
    assert int(state.step) == 5


def test_calls_of_any_length_make_the_same_steps_and_trace_once():
    state = TrainState(MaskedLanguageModel(ONE_LAYER), AdamWOptions())
    start = [x.numpy() for x in state.variables]
    batches = dataset_of([random_mlm_batch(ONE_LAYER, seed=seed) for seed in range(6)])
    rates = [1e-3 * (i + 1) for i in range(6)]
    steps, runs = steps_of(state), []
    for lengths in ([6], [1, 3, 2], [2, 2, 2]):
        for variable, value in zip(state.variables, start, strict=True):
            variable.assign(value)
        iterator, ends = iter(batches), np.cumsum(lengths)
        calls = [steps(iterator, rates[e - n : e]) for n, e in zip(lengths, ends, strict=True)]
        assert [len(call["loss_sum"]) for call in calls] == lengths
        columns = [np.concatenate([call[name] for call in calls]) for name in calls[0]]
        runs.append([*columns, *values_of(state), state.step.numpy()])
    for run in runs[1:]:
        for value, right in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(value, right)  # bit by bit
    assert steps.num_traces == 1
    assert int(state.step) == 6


@pytest.mark.parametrize(
    ("kind", "jit_compile"),
    [
        ("mlm", False),
        pytest.param("classifier", False, marks=pytest.mark.soak),
        pytest.param("mlm", True, marks=pytest.mark.soak),
    ],
)
def test_micro_batches_make_the_update_of_the_whole_batch(kind, jit_compile):
    config = small_config(num_hidden_layers=1, **NO_DROPOUT)
    if kind == "mlm":
        model, batch = MaskedLanguageModel(config), random_mlm_batch(config, batch_size=6)
        batch.masked_lm_weights[:2] = 0  # a part in which nothing counts
        batch.masked_lm_weights[3, 1:] = 0  # and parts that count differently
    else:
        model = Classifier(config, 3)
        batch = random_classification_batch(config, lengths=(8, 3, 5, 2, 8, 6))
        batch.example_weights[:3] = 0
    randomise(model)
    state = TrainState(model, AdamWOptions(epsilon=1e-3))
    start = [x.numpy() for x in state.variables]
    runs = []
    for micro_batch_size in (None, 2, 1):
        for variable, value in zip(state.variables, start, strict=True):
            variable.assign(value)
        steps = TrainSteps(state, 0, jit_compile, 6, micro_batch_size)
        columns = steps(iter(dataset_of([batch] * 3)), [1e-2] * 3)
        runs.append([*columns.values(), *values_of(state)])
        assert steps.num_traces == 1
        assert int(state.step) == 3  # a step is an update, however many parts it took
    assert np.any(runs[0][-1] != start[-1])
    for run in runs[1:]:
        for one, whole in zip(run, runs[0], strict=True):
            assert_close(one, whole, 1e-5)


def test_dropout_differs_between_micro_batches():
    config = small_config(num_hidden_layers=1)
    part = random_mlm_batch(config, batch_size=1)
    batch = type(part)(*(np.concatenate([x, x]) for x in part))  # twice the same row
    state = TrainState(MaskedLanguageModel(config), AdamWOptions())

    def losses(batch):
        steps = TrainSteps(state, 0, False, len(batch.input_ids), micro_batch_size=1)
        for _ in range(2):
            state.step.assign(0)
            yield steps(iter(dataset_of([batch])), [0.0])["loss_sum"].item()

    (both, again), (first, _) = losses(batch), losses(part)
    assert both == again  # bit by bit
    assert abs(both - 2 * first) > 1e-3


def test_dropout_is_a_function_of_seed_and_step():
    state = TrainState(MaskedLanguageModel(ONE_LAYER), AdamWOptions())
    batches = dataset_of([random_mlm_batch(ONE_LAYER)] * 4)
    one, other = steps_of(state, seed=1), steps_of(state, seed=2)

    def losses(steps, first_step):
        state.step.assign(first_step)
        return steps(iter(batches), [0.0] * 4)["loss_sum"]

    # The rate is 0, so only the masks can make two steps differ.
    first = losses(one, 0)
    assert len(set(first)) == 4
    np.testing.assert_array_equal(losses(one, 0), first)
    np.testing.assert_array_equal(losses(one, 2)[:2], first[2:])
    assert not set(first) & set(losses(other, 0))


@pytest.mark.parametrize("kind", ["mlm", pytest.param("cls", marks=pytest.mark.soak), "mean"])
def test_a_model_overfits_one_batch(kind):
    config = small_config(**NO_DROPOUT, pooling="mean" if kind == "mean" else "cls")
    if kind == "mlm":
        model, batch = MaskedLanguageModel(config), random_mlm_batch(config)
        accuracy = "masked_accuracy"
    else:
        model, batch = Classifier(config, 3), random_classification_batch(config)
        accuracy = "accuracy"
    schedule = warmup_then_decay(2e-2, 120, 10)
    _, columns = train_steps(model, [batch] * 120, [schedule(s) for s in range(120)])
    means = columns["loss_sum"] / columns["loss_weight"]
    assert means[0] > 0.8
    assert means[-1] < 0.02
    assert columns[f"{accuracy}_sum"][-1] == columns[f"{accuracy}_weight"][-1]
