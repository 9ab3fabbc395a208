"""Where the heads of an encoder look."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_core.encoder import Encoder
from loops import pictures
from loops.tensorboard import TensorBoard


def attention_maps(encoder: Encoder, input_ids: Any) -> np.ndarray:
    """[S] ids of one text -> [L, N, S, S] float32: by layer, head, the token that looks
    and the one it looks at. Each row sums to 1."""
    ids = tf.constant(input_ids, tf.int32)[tf.newaxis]
    bias = encoder.attention_bias(ids.shape[1], None)
    states = encoder.hidden_states(ids)[:-1]  # what each layer reads
    maps = [
        layer.attention.probabilities(x, 1, bias)[0]
        for layer, x in zip(encoder.layers, states, strict=True)
    ]
    return tf.stack(maps).numpy()


def mean_distances(maps: np.ndarray) -> np.ndarray:
    """[..., S, S] -> [...]: how many tokens away a head looks, on average."""
    places = np.arange(maps.shape[-1])
    distance = np.abs(places[:, np.newaxis] - places)
    return (maps * distance).sum(axis=-1).mean(axis=-1)


def log_attention(
    board: TensorBoard, step: int, encoder: Encoder, input_ids: Any, tokens: Sequence[str]
) -> None:
    """Draws a picture per layer for TensorBoard. `tokens`: the vocabulary, by id."""
    shown = [tokens[i] for i in input_ids]
    for layer, maps in enumerate(attention_maps(encoder, input_ids), start=1):
        board.image(f"attention/layer_{layer}", step, pictures.attention(maps, shown), "dev")
