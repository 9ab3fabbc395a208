"""A classifier for TensorFlow Lite: token ids in, probabilities out, 8-bit weights.

Quantised dynamically: kernels hold their weights in 8 bits and choose the scale of
their activations anew for each input, so that nothing has to be calibrated.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bert_core.batch import ClassificationBatch
from bert_core.errors import RunError
from bert_core.models import Classifier
from loops.console import Bar, stderr_held_back


def quantised(model: Classifier, pad_id: int, sep_id: int) -> bytes:
    """The flat buffer: input_ids [1, S] int32, padded or not -> probabilities [1, C].

    In a pair, `[CLS] a [SEP] b [SEP]`, the first [SEP] separates the segments. TFLite's
    own kernels only; raises RunError if they do not suffice.
    """

    def classify(input_ids: tf.Tensor) -> dict[str, tf.Tensor]:
        input_mask = tf.cast(input_ids != pad_id, tf.int32)
        separators = tf.cumsum(tf.cast(input_ids == sep_id, tf.int32), axis=1, exclusive=True)
        segment_ids = tf.minimum(separators, 1) * input_mask
        batch = ClassificationBatch(input_ids, input_mask, segment_ids, None, None)
        return {"probabilities": tf.nn.softmax(model.logits(batch))}

    # One text at a time: kernels can be prepared anew for each length, but not with two
    # unknown dimensions.
    signature = [tf.TensorSpec([1, None], tf.int32, name="input_ids")]
    traced = tf.function(classify, input_signature=signature, autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [traced.get_concrete_function()], model
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    problem: Exception | None = None
    with stderr_held_back():  # its compiler prints the whole program
        try:
            return bytes(converter.convert())
        except Exception as error:
            problem = error
    unsupported = [x for x in str(problem).splitlines() if "ops:" in x] or [repr(problem)]
    raise RunError(
        f"TensorFlow Lite has no kernels for this model ({unsupported[0][:200]}); export it "
        "without --quantize"
    )


class Comparison(NamedTuple):
    """The quantised classifier on labelled texts, compared with the original."""

    accuracy: float
    float_accuracy: float
    num_changed: int  # texts that get another label
    num_texts: int
    largest_change: float  # of a probability

    def line(self) -> str:
        return (
            f"accuracy {self.accuracy:.4f} quantised, {self.float_accuracy:.4f} before "
            f"({self.accuracy - self.float_accuracy:+.4f}); {self.num_changed:,} of "
            f"{self.num_texts:,} texts get another label; probabilities change by at most "
            f"{self.largest_change:.3f}"
        )


def comparison(
    probabilities: np.ndarray, label_ids: np.ndarray, before: np.ndarray
) -> Comparison:
    """Compares [n, C] probabilities on texts with labels [n] with those before quantising."""
    labels, earlier = probabilities.argmax(axis=1), before.argmax(axis=1)
    return Comparison(
        accuracy=float(np.mean(labels == label_ids)),
        float_accuracy=float(np.mean(earlier == label_ids)),
        num_changed=int(np.sum(labels != earlier)),
        num_texts=len(label_ids),
        largest_change=float(np.abs(probabilities - before).max()),
    )


def run(content: bytes, rows: list[np.ndarray], num_threads: int) -> np.ndarray:
    """[n, C] probabilities of the quantised classifier, in input order.

    Args:
      rows: the token ids of each text, special tokens included.
    """
    with stderr_held_back():  # at the first call it says which kernels it uses
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=num_threads)
        classify = interpreter.get_signature_runner()
        classify(input_ids=rows[0][np.newaxis])
    found, progress = {}, Bar(len(rows))
    # Sorted by length, as each new length takes time.
    for count, index in enumerate(sorted(range(len(rows)), key=lambda i: len(rows[i])), 1):
        found[index] = classify(input_ids=rows[index][np.newaxis])["probabilities"][0]
        progress.update(count, {})
    return np.stack([found[index] for index in range(len(rows))])
