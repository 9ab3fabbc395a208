"""The two models against the oracle: logits, losses, and every gradient."""

import numpy as np
import pytest
import tensorflow as tf

from bert_core import attention, layers
from bert_core.batch import ClassificationBatch, MlmBatch
from bert_core.config import preset
from bert_core.models import (
    Classifier,
    MaskedLanguageModel,
    Regressor,
    SentenceEncoder,
    TokenClassifier,
)
from bert_core.names import named_variables
from tests import oracles
from tests.small_bert import (
    MODES,
    architecture,
    assert_close,
    random_classification_batch,
    random_mlm_batch,
    randomise,
    small_config,
    to_tensors,
)

MODE = pytest.mark.parametrize("mode", ["eager", "function"])
CONFIGS = {
    "bert": small_config(),
    "departures": small_config(
        pooling="mean",
        alibi_slopes=(1.0, 0.3, 0.0),
        neighbour_offsets=(-1, 2),
        hidden_act="gelu_new",
    ),
    "relu": small_config(hidden_act="relu", num_attention_heads=5),
}
CONFIG = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
# Every variable of a model of one layer, as checkpoints and the oracle name them.
ENCODER_NAMES = {
    f"encoder/{name}"
    for name in (
        "embeddings/word",
        "embeddings/position",
        "embeddings/segment",
        "embeddings/norm/gamma",
        "embeddings/norm/beta",
        "layers/0/attention/qkv/kernel",
        "layers/0/attention/qkv/bias",
        "layers/0/attention/output/kernel",
        "layers/0/attention/output/bias",
        "layers/0/attention_norm/gamma",
        "layers/0/attention_norm/beta",
        "layers/0/intermediate/kernel",
        "layers/0/intermediate/bias",
        "layers/0/output/kernel",
        "layers/0/output/bias",
        "layers/0/output_norm/gamma",
        "layers/0/output_norm/beta",
    )
}
MLM_NAMES = {f"head/{x}" for x in ("transform/kernel", "transform/bias", "norm/gamma")}
MLM_NAMES |= {"head/norm/beta", "head/bias"}
OUTPUT_NAMES = {"output/kernel", "output/bias"}
CLASSIFIER_NAMES = {"pooler/dense/kernel", "pooler/dense/bias", *OUTPUT_NAMES}


def mlm_case(config, **batch):
    model = MaskedLanguageModel(config)
    return model, randomise(model), random_mlm_batch(config, **batch)


def classifier_case(config, **batch):
    model = Classifier(config, 3)
    return model, randomise(model), random_classification_batch(config, **batch)


# ---- values ----


@MODE
@CONFIG
def test_mlm_logits_and_sums(mode, config):
    model, parameters, batch = mlm_case(config)
    logits = oracles.mlm_logits(parameters, architecture(config), *batch[:2]).reshape(-1, 19)
    assert_close(MODES[mode](model.logits)(to_tensors(batch)), logits)
    rows = (logits, batch.masked_lm_ids.ravel(), batch.masked_lm_weights.ravel())
    check_sums(MODES[mode](model.sums)(to_tensors(batch)), "masked_accuracy", rows, 8)


@MODE
@CONFIG
def test_classifier_logits_and_sums(mode, config):
    model, parameters, batch = classifier_case(config)
    logits = oracles.classifier_logits(parameters, architecture(config), *batch[:3])
    assert_close(MODES[mode](model.logits)(to_tensors(batch)), logits)
    rows = (logits, batch.label_ids, batch.example_weights)
    check_sums(MODES[mode](model.sums)(to_tensors(batch)), "accuracy", rows, 3)


def test_mlm_logits_of_padded_texts():
    config = small_config()
    model, parameters, batch = mlm_case(config)
    short = MlmBatch(*(field[:, :6] for field in batch))._replace(
        masked_lm_positions=np.array([[0, 3, 5]] * 3, np.int32)
    )
    logits = oracles.mlm_logits(parameters, architecture(config), *short[:2]).reshape(-1, 19)
    mask = (np.arange(8) < 6).astype(np.int32)[None].repeat(3, axis=0)
    padded = to_tensors(short._replace(input_ids=batch.input_ids))  # any tokens behind the end
    assert_close(model.logits(padded, input_mask=tf.constant(mask)), logits)


def test_sentence_vectors_are_means_of_the_last_layer():
    config = small_config()
    model = SentenceEncoder(config)
    parameters = randomise(model)
    batch = random_classification_batch(config)
    states = oracles.hidden_states(
        oracles.under(parameters, "encoder"), architecture(config), *batch[:3]
    )
    expected = oracles.mean_pooler(states[-1], batch.input_mask)
    assert_close(model.vectors(to_tensors(batch)), expected)


def check_sums(sums, accuracy_name, rows, weight):
    assert list(sums) == ["loss", accuracy_name]
    loss = oracles.cross_entropy(*rows)
    assert_close(sums["loss"][0] / weight, loss[0] / weight)
    assert float(sums["loss"][1]) == loss[1] == weight
    assert tuple(map(float, sums[accuracy_name])) == oracles.accuracy(*rows)


def test_losses_are_the_oracles_means():
    model, parameters, batch = mlm_case(CONFIGS["bert"])
    total, weight = model.sums(to_tensors(batch))["loss"]
    assert_close(total / weight, oracles.mlm_loss(parameters, oracles.Architecture(3), *batch))
    model, parameters, batch = classifier_case(CONFIGS["bert"])
    total, weight = model.sums(to_tensors(batch))["loss"]
    expected = oracles.classifier_loss(parameters, oracles.Architecture(3), *batch)
    assert_close(total / weight, expected)


def test_shapes_unknown_when_traced():
    ids, numbers = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None])
    config = CONFIGS["departures"]
    model, parameters, _ = mlm_case(config)
    logits = tf.function(model.logits, input_signature=[MlmBatch(ids, ids, ids, numbers)])
    for size in (3, 2):
        batch = random_mlm_batch(config, size, size + 4)
        expected = oracles.mlm_logits(parameters, architecture(config), *batch[:2])
        assert_close(logits(to_tensors(batch)), expected.reshape(-1, 19))
    row = tf.TensorSpec([None], tf.int32)
    signature = ClassificationBatch(ids, ids, ids, row, tf.TensorSpec([None]))
    for pooling in ("cls", "mean", "detectors"):
        config = small_config(pooling=pooling)
        model, parameters, _ = classifier_case(config)
        logits = tf.function(model.logits, input_signature=[signature])
        for lengths in ((9, 6, 2, 1), (3, 4)):
            batch = random_classification_batch(config, lengths=lengths)
            expected = oracles.classifier_logits(parameters, architecture(config), *batch[:3])
            assert_close(logits(to_tensors(batch)), expected)


def test_variables_and_their_names():
    config = small_config(num_hidden_layers=1)
    for model, heads in (
        (MaskedLanguageModel(config), MLM_NAMES),
        (Classifier(config, 3), CLASSIFIER_NAMES),
        (Classifier(small_config(num_hidden_layers=1, pooling="mean"), 3), OUTPUT_NAMES),
    ):
        names = named_variables(model)
        assert set(names) == ENCODER_NAMES | heads
        assert {x.ref() for x in names.values()} == {x.ref() for x in model.trainable_variables}
        assert len(model.trainable_variables) == len(names)


def test_encoder_bytes_are_those_of_its_matrices():
    config = small_config(type_vocab_size=3)
    variables = Classifier(config, 3).encoder.trainable_variables
    expected = sum(4 * x.numpy().size for x in variables if x.shape.rank == 2)
    assert config.encoder_bytes == expected


def test_the_size_of_bert_tiny():
    # google-research/bert gives 4.4M for BERT-Tiny, encoder and pooler.
    model = Classifier(preset("tiny", 30522), 2)
    sizes = {k: int(tf.size(x)) for k, x in named_variables(model).items()}
    assert sum(n for k, n in sizes.items() if not k.startswith("output/")) == 4_385_920


def test_the_encoder_starts_the_same_under_either_head():
    config = small_config()
    one, other = MaskedLanguageModel(config, seed=4), Classifier(config, 3, seed=4)
    for x, y in zip(
        one.encoder.trainable_variables, other.encoder.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(x, y)
    another = MaskedLanguageModel(config, seed=5)
    assert np.abs(another.encoder.embeddings.word - one.encoder.embeddings.word).max() > 0.01


# ---- gradients ----


@CONFIG
def test_gradients_of_the_mlm_loss(config):
    check_gradients(*mlm_case(config), config, oracles.mlm_loss)


@CONFIG
def test_gradients_of_the_classifier_loss(config):
    check_gradients(*classifier_case(config), config, oracles.classifier_loss)


def test_gradients_through_detectors():
    config = small_config(pooling="detectors")
    # The sum over a thousand of them leaves less of float32.
    check_gradients(*classifier_case(config), config, oracles.classifier_loss, rounding=2e-5)


def check_gradients(model, parameters, batch, config, oracle_loss, rounding=1e-6):
    """Four random coordinates of every variable against central differences."""
    variables = named_variables(model)
    tensors = to_tensors(batch)
    with tf.GradientTape() as tape:
        total, weight = model.sums(tensors)["loss"]
        loss = total / weight
    gradients = tape.gradient(loss, list(variables.values()))
    rng = np.random.default_rng(0)

    def loss_at(moved):
        return oracle_loss(moved, architecture(config), *batch)

    largest = 0.0
    for (name, variable), gradient in zip(variables.items(), gradients, strict=True):
        assert gradient is not None, name
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert gradient.shape == variable.shape
        # Half of them where something reaches: rows of tokens that do not occur have
        # gradient 0, and ought to.
        anywhere = np.argwhere(np.ones_like(gradient))
        reached = np.argwhere(gradient) if gradient.any() else anywhere
        drawn = [rng.choice(x, min(2, len(x)), replace=False) for x in (reached, anywhere)]
        for place in np.concatenate(drawn):
            index = tuple(place)
            expected = oracles.partial_derivative(loss_at, parameters, name, index)
            error = abs(gradient[index] - expected)
            assert error < 1e-5 * abs(expected) + rounding, (name, index)
            largest = max(largest, abs(expected))
    assert largest > 0.1


def test_tokens_and_positions_that_do_not_occur_have_no_gradient():
    model, _, batch = classifier_case(CONFIGS["bert"], lengths=(5, 3))
    visible = batch.input_mask == 1
    tensors = to_tensors(batch)
    embeddings = model.encoder.embeddings
    with tf.GradientTape() as tape:
        loss = model.sums(tensors)["loss"][0]
    word, position = map(
        tf.convert_to_tensor, tape.gradient(loss, [embeddings.word, embeddings.position])
    )
    seen = np.isin(np.arange(19), batch.input_ids[:1][visible[:1]])  # row 1 weighs 0
    np.testing.assert_array_equal(np.any(word.numpy() != 0, axis=1), seen)
    np.testing.assert_array_equal(np.any(position.numpy() != 0, axis=1), np.arange(11) < 5)


# ---- behaviour ----


def test_weights_begin_as_wide_as_the_configuration_says():
    config = small_config(initializer_range=0.2)
    for model in (
        MaskedLanguageModel(config),
        Classifier(config, 3),
        Regressor(config, 1),
        TokenClassifier(config, 3),
        SentenceEncoder(config),
    ):
        assert 0.1 < np.std(model.encoder.embeddings.word.numpy()) < 0.3


@MODE
@pytest.mark.parametrize("pooling", ["cls", "mean", "detectors"])
def test_padding_changes_nothing_at_all(mode, pooling):
    config = small_config(pooling=pooling)
    model, _, batch = classifier_case(config)
    run = MODES[mode](model.logits)
    padding = batch.input_mask == 0
    other = batch._replace(
        input_ids=np.where(padding, (batch.input_ids + 7) % 19, batch.input_ids),
        segment_ids=np.where(padding, 1 - batch.segment_ids, batch.segment_ids),
    )
    before, after = run(to_tensors(batch)), run(to_tensors(other))
    np.testing.assert_array_equal(before, after)  # bit by bit


@pytest.mark.parametrize(
    ("pooling", "window"), [("cls", 0), ("mean", 0), ("detectors", 0), ("detectors", 4)]
)
def test_more_padding_changes_nothing(pooling, window):
    model, _, batch = classifier_case(small_config(pooling=pooling, attention_window=window))
    longer = batch._replace(
        **{
            name: np.pad(getattr(batch, name), ((0, 0), (0, 2)))
            for name in ("input_ids", "input_mask", "segment_ids")
        }
    )
    assert_close(model.logits(to_tensors(longer)), model.logits(to_tensors(batch)), 5e-6)


@pytest.mark.parametrize("pooling", ["cls", "mean", "detectors"])
def test_every_visible_token_changes_its_text_and_no_other(pooling):
    model, _, batch = classifier_case(small_config(pooling=pooling))
    before = model.logits(to_tensors(batch)).numpy()
    for row, place in np.argwhere(batch.input_mask == 1):
        input_ids = batch.input_ids.copy()
        input_ids[row, place] = (input_ids[row, place] + 1) % 19
        after = model.logits(to_tensors(batch._replace(input_ids=input_ids))).numpy()
        moved = np.abs(after - before).max(axis=1) > 1e-5
        np.testing.assert_array_equal(moved, np.arange(len(before)) == row)


def test_every_token_reaches_every_prediction():
    model, _, batch = mlm_case(small_config())
    before = model.logits(to_tensors(batch)).numpy().reshape(3, 3, -1)
    for row, place in np.ndindex(batch.input_ids.shape):
        input_ids = batch.input_ids.copy()
        input_ids[row, place] = (input_ids[row, place] + 1) % 19
        after = model.logits(to_tensors(batch._replace(input_ids=input_ids))).numpy()
        moved = np.abs(after.reshape(before.shape) - before).max(axis=-1) > 1e-5
        np.testing.assert_array_equal(moved, np.arange(3)[:, None] == [row] * 3)


def test_a_text_of_padding_alone_does_no_harm():
    # The row that only fills a batch: no NaN may come through its weight of 0.
    for pooling in ("cls", "mean", "detectors"):
        config = small_config(pooling=pooling)
        model, parameters, batch = classifier_case(config)
        batch.input_mask[-1] = 0
        with tf.GradientTape() as tape:
            loss = model.sums(to_tensors(batch))["loss"][0]
        gradients = tape.gradient(loss, model.trainable_variables)
        assert all(np.isfinite(tf.convert_to_tensor(g)).all() for g in gradients)
        whole = ClassificationBatch(*(field[:-1] for field in batch))
        expected = oracles.classifier_loss(parameters, architecture(config), *whole)
        assert_close(loss / 3, expected)


@pytest.mark.parametrize("case", [mlm_case, classifier_case])
def test_dropout_is_drawn_from_the_seed_and_from_each_place(case, monkeypatch):
    model, _, batch = case(small_config())
    tensors = to_tensors(batch)

    def loss(*seed):
        return float(model.sums(tensors, tf.constant(seed) if seed else None)["loss"][0])

    assert loss() == loss() != loss(1, 2) == loss(1, 2)
    assert len({loss(), loss(1, 2), loss(1, 3), loss(2, 2)}) == 4
    seeds = []

    def spy(shape, rate, seed):
        seeds.append(tuple(seed.numpy()))

    for module in (attention, layers):
        monkeypatch.setattr(module, "kept_by_dropout", spy)
    loss(1, 2)
    # Embeddings, three in each of two blocks, and the classifier's pooled vector.
    assert len(set(seeds)) == len(seeds) == (7 if case is mlm_case else 8)
