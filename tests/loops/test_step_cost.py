"""What a training step is made of, as its graph tells it. Not a timed test: that something
became slower shows here as operations, bytes or arrays the size of the vocabulary."""

import collections
import functools
import re
from collections.abc import Iterator

import pytest
import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from bert_core.config import BertConfig
from bert_core.fused import COMPILED
from bert_core.models import MaskedLanguageModel
from loops.train_step import TrainState, TrainSteps
from tests.small_bert import random_mlm_batch

B, S, P, H, F, V = 2, 16, 3, 8, 24, 101  # no two products of them are alike
# These make no array: they name, read or reshape one, or are constants.
FREE = {"Const", "Identity", "IdentityN", "NoOp", "ReadVariableOp", "Reshape", "Squeeze"}


@functools.cache
def operations() -> list[tf.Operation]:
    """All operations of a step of two layers without dropout, those of its functions too."""
    config = BertConfig(
        vocab_size=V,
        hidden_size=H,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=F,
        max_position_embeddings=S,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    state = TrainState(MaskedLanguageModel(config), AdamWOptions())
    steps = TrainSteps(state, 0, jit_compile=False, batch_size=B)
    batch = random_mlm_batch(config, batch_size=B, seq_length=S)
    assert batch.masked_lm_ids.shape == (B, P)
    graph = steps._update.get_concrete_function(batch, tf.constant(0.1)).graph
    return [*walk(graph)]


def walk(graph: tf.Graph) -> Iterator[tf.Operation]:
    """The operations of a graph and of the functions it calls; what XLA compiles is one."""
    for op in graph.get_operations():
        yield op
        attributes = dict(op.node_def.attr)
        if "_XlaMustCompile" in attributes and attributes["_XlaMustCompile"].b:
            continue
        for value in attributes.values():
            if value.HasField("func"):
                yield from walk(graph._get_function(value.func.name).graph)


def outputs(kinds_left_out: set[str]) -> list[tf.Tensor]:
    kept = [op for op in operations() if op.type not in kinds_left_out]
    return [x for op in kept for x in op.outputs]


def test_arrays_of_predictions_by_vocabulary():
    """The product, with its bias (one operation when it runs), and the probabilities."""
    large = [x.op.type for x in outputs(FREE) if x.shape.num_elements() == B * P * V]
    assert sorted(large) == ["AddV2", "MatMul", "Softmax"]


def test_number_of_operations():
    assert sum(op.type not in FREE for op in operations()) <= 835  # 818 when written


def test_bytes_made():
    arrays = [x for x in outputs(FREE) if x.shape.is_fully_defined()]
    made = sum(x.shape.num_elements() * x.dtype.size for x in arrays)
    assert made <= 237_000  # 231,449 when written


@pytest.mark.skipif(not COMPILED, reason="no XLA here")
def test_what_is_compiled():
    """The update is one operation; so are gelu and its gradient, that of the scores, and the
    largest of each row, of the vocabulary's logits and of their probabilities."""
    calls = [op for op in operations() if "_XlaMustCompile" in op.node_def.attr]
    names = [op.get_attr("f").name for op in calls if op.get_attr("_XlaMustCompile")]
    kinds = [re.sub(r"^_*inference_+|_*\d+$", "", name) for name in names]
    layers, head = 2, 1
    assert collections.Counter(kinds) == {
        "update": 1,
        "gelu": layers + head,
        "gelu_gradient": layers + head,
        "scores_gradient": layers,
        "largest": 2,
    }


def test_every_product_is_of_matrices_but_those_of_attention():
    """A 3-D product against a weight would make its gradient once an example."""
    batched = [op for op in operations() if op.type.startswith("BatchMatMul")]
    assert len(batched) == 2 * 6  # layers; scores, context and two gradients of each


@pytest.mark.skipif(not COMPILED, reason="no XLA here")
def test_the_last_block_is_of_the_masked_positions():
    """Of its feed-forward layer and scores nothing is made for the others."""
    made = [x for x in outputs(FREE) if x.op.type.endswith("Call") and x.shape.rank == 2]
    fed = [x.shape[0] for x in made if x.shape[1] == F]
    assert sorted(fed) == [B * P, B * P, B * S, B * S]  # gelu and its gradient
    batched = [op.outputs[0] for op in operations() if op.type.startswith("BatchMatMul")]
    scores = [x.shape[2] for x in batched if x.shape[3] == S]
    assert sorted(scores) == [P, P, S, S]
