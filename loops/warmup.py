"""Requests with which TensorFlow Serving warms a model up before it answers others.

They are in assets.extra/tf_serving_warmup_requests: a TFRecord file of PredictionLog
protocol buffers. tensorflow-serving-api, which defines these, is not needed to write
five nested fields; a field is its number and kind, a length, and that many bytes
(https://protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import tensorflow as tf

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
_LENGTH_DELIMITED = 2
# Of tensorflow_serving/apis: prediction_log.proto, predict.proto and model.proto.
_LOG_PREDICT, _PREDICT_REQUEST = 6, 1
_REQUEST_MODEL, _REQUEST_INPUTS = 1, 2
_MODEL_NAME, _MODEL_SIGNATURE = 1, 3
_ENTRY_KEY, _ENTRY_VALUE = 1, 2  # of every map


def write_requests(
    directory: Path, model_name: str, requests: Sequence[tuple[str, Mapping[str, list[str]]]]
) -> None:
    """Writes (signature name, {input name: strings}) into a SavedModel directory."""
    path = directory / FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            writer.write(prediction_log(model_name, signature, inputs))


def prediction_log(
    model_name: str, signature: str, inputs: Mapping[str, Sequence[str]]
) -> bytes:
    """A PredictionLog of one PredictRequest."""
    model = _field(_MODEL_NAME, model_name.encode())
    model += _field(_MODEL_SIGNATURE, signature.encode())
    request = _field(_REQUEST_MODEL, model)
    for name, texts in inputs.items():
        tensor = tf.make_tensor_proto(list(texts), tf.string).SerializeToString()
        entry = _field(_ENTRY_KEY, name.encode()) + _field(_ENTRY_VALUE, tensor)
        request += _field(_REQUEST_INPUTS, entry)
    return _field(_LOG_PREDICT, _field(_PREDICT_REQUEST, request))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits per byte, the lowest first; all bytes but the last have the high bit set."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
