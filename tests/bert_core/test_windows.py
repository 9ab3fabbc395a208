"""Windows: what the encoder makes of a long text is what it makes of its pieces."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from bert_core.encoder import Encoder
from bert_core.layers import Initializer
from tests.small_bert import random_inputs, randomise, small_config


@pytest.mark.parametrize(
    ("window", "widths", "traced"),
    [(4, (4, 4, 1), False), (8, (8, 1), False), (5, (5, 4), True), (20, (9,), True)],
)
def test_a_long_text_is_read_piece_by_piece(window, widths, traced):
    config = small_config(alibi_slopes=())
    whole = Encoder(Initializer(0, 0.02), config)
    cut = Encoder(Initializer(0, 0.02), dataclasses.replace(config, attention_window=window))
    for one in (whole, cut):
        randomise(one)
    inputs = random_inputs(config)  # [4, 9] each
    if traced:  # lengths unknown, as in fine-tuning
        spec = tf.TensorSpec([4, None], tf.int32)
        run = tf.function(cut).get_concrete_function(spec, spec, spec)
    else:
        run = cut
    result = run(*map(tf.constant, inputs)).numpy().reshape(4, 9, -1)
    starts = np.cumsum((0, *widths))
    for start, end in itertools.pairwise(starts):
        piece = whole(*(x[:, start:end] for x in inputs)).numpy().reshape(4, end - start, -1)
        seen = inputs[1][:, start:end] == 1
        assert seen.any()
        np.testing.assert_allclose(result[:, start:end][seen], piece[seen], atol=1e-5)


def test_a_short_text_is_read_as_ever():
    config = small_config(attention_window=9)
    plain = Encoder(Initializer(0, 0.02), dataclasses.replace(config, attention_window=0))
    inputs = random_inputs(config)
    model = Encoder(Initializer(0, 0.02), config)
    np.testing.assert_array_equal(model(*inputs), plain(*inputs))


def test_without_a_mask_all_is_text():
    config = small_config(attention_window=4)
    model = Encoder(Initializer(0, 0.02), config)
    input_ids, mask, segment_ids = random_inputs(config)
    np.testing.assert_array_equal(
        model(input_ids, None, segment_ids), model(input_ids, np.ones_like(mask), segment_ids)
    )
