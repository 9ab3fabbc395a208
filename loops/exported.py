"""What an exported model offers: functions of raw strings, and the module they belong to.

Names and shapes are those of TensorFlow Serving's Predict: every input and output has
the batch as its first dimension, so that REST requests may be rows ("instances").
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bert_core.models import (
    Classifier,
    MaskedLanguageModel,
    Regressor,
    SentenceEncoder,
    mean_vectors,
)

Signatures = dict[str, Any]  # name -> a tf.function of one fixed signature
DEFAULT = "serving_default"
_TEXT = tf.TensorSpec([None], tf.string, name="text")
_TEXT_PAIR = tf.TensorSpec([None], tf.string, name="text_pair")


def classifying(
    model: Classifier, to_batch: Callable[..., Any], labels: Sequence[str], pairs: bool
) -> Signatures:
    """text [B] (and text_pair [B]) -> label [B], labels [B, C], probabilities [B, C]."""

    def classify(text: tf.Tensor, text_pair: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(model.logits(to_batch(text, text_pair)))
        names = tf.constant(labels, tf.string)
        return {
            "label": tf.gather(names, tf.argmax(probabilities, axis=1)),
            "labels": tf.tile(names[tf.newaxis], [tf.shape(text)[0], 1]),
            "probabilities": probabilities,
        }

    return {DEFAULT: _traced(classify, _texts(pairs))}


def regressing(
    model: Regressor, to_batch: Callable[..., Any], scale: tuple[float, float], pairs: bool
) -> Signatures:
    """text [B] (and text_pair [B]) -> predicted [B], in units of mean and deviation `scale`."""
    mean, deviation = scale

    def regress(text: tf.Tensor, text_pair: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        numbers = tf.squeeze(model.logits(to_batch(text, text_pair)), axis=1)
        # float32 is too coarse to tell, for example, two close dates apart.
        return {"predicted": tf.cast(numbers, tf.float64) * deviation + mean}

    return {DEFAULT: _traced(regress, _texts(pairs))}


def filling_masks(
    model: MaskedLanguageModel, to_batch: Callable[..., Any], tokens: Sequence[str], top_k: int
) -> Signatures:
    """text [B] -> words [B, P, K] and probabilities [B, P, K] of each [MASK], best first.

    P is the largest number of masks in a text of the batch; past a text's own masks,
    words are empty and probabilities 0.
    """

    def fill_mask(text: tf.Tensor) -> dict[str, tf.Tensor]:
        batch, input_mask = to_batch(text)
        odds = tf.nn.softmax(model.logits(batch, input_mask=input_mask))
        values, ids = tf.math.top_k(odds, min(top_k, len(tokens)))
        shape = tf.concat([tf.shape(batch.masked_lm_positions), tf.shape(ids)[1:]], axis=0)
        weights = batch.masked_lm_weights[:, :, tf.newaxis]
        words = tf.gather(tf.constant(tokens, tf.string), tf.reshape(ids, shape))
        return {
            "words": tf.where(weights > 0, words, ""),
            "probabilities": tf.reshape(values, shape) * weights,
        }

    return {DEFAULT: _traced(fill_mask, [_TEXT])}


def embedding(encoder: Any, to_batch: Callable[..., Any], name: str = "embed") -> Signatures:
    """text [B] -> vectors [B, H]."""

    def embed(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"vectors": mean_vectors(encoder, to_batch(text))}

    return {name: _traced(embed, [_TEXT])}


def _texts(pairs: bool) -> list[tf.TensorSpec]:
    return [_TEXT, _TEXT_PAIR] if pairs else [_TEXT]


def _traced(function: Callable[..., Any], inputs: list[tf.TensorSpec]) -> Any:
    return tf.function(function, input_signature=inputs, autograph=False)


class Exported(tf.Module):
    """Model and batchers held together, so that a SavedModel has all they need."""

    def __init__(
        self,
        model: Classifier | Regressor | MaskedLanguageModel | SentenceEncoder,
        batchers: Sequence[tf.Module],
    ):
        super().__init__(name="exported")
        self.model = model
        self.batchers = list(batchers)
