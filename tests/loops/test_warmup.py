"""Warm-up requests, read back with Serving's messages declared here for that."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from loops.warmup import FILE, write_requests

_FIELD = descriptor_pb2.FieldDescriptorProto
# Of tensorflow_serving/apis: message -> field -> (number, type); inputs is a map.
MESSAGES = {
    "ModelSpec": {"name": (1, "string"), "signature_name": (3, "string")},
    "InputsEntry": {"key": (1, "string"), "value": (2, ".tensorflow.TensorProto")},
    "PredictRequest": {"model_spec": (1, ".w.ModelSpec"), "inputs": (2, ".w.InputsEntry")},
    "PredictLog": {"request": (1, ".w.PredictRequest")},
    "PredictionLog": {"predict_log": (6, ".w.PredictLog")},
}


def prediction_log() -> Any:
    """The message class."""
    file = descriptor_pb2.FileDescriptorProto(name="w.proto", package="w", syntax="proto3")
    file.dependency.append("tensorflow/core/framework/tensor.proto")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = _FIELD.LABEL_REPEATED if field == "inputs" else _FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if kind == "string":
                added.type = _FIELD.TYPE_STRING
            else:
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, kind
    pool = descriptor_pool.Default()  # TensorProto is in it
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("w.PredictionLog"))


def test_requests_are_prediction_logs(tmp_path: Path) -> None:
    long = "word " * 5000  # a length of three bytes
    requests = [
        ("serving_default", {"text": ["é", ""], "text_pair": [long, "b"]}),
        ("embed", {"text": ["x"]}),
    ]
    write_requests(tmp_path, "reviews", requests)
    message = prediction_log()
    records = list(tf.data.TFRecordDataset(str(tmp_path / FILE)).as_numpy_iterator())
    logs = [message.FromString(record) for record in records]
    # Nothing is lost or unknown: written again, they are the same bytes.
    assert [log.SerializeToString(deterministic=True) for log in logs] == records
    found = []
    for log in logs:
        request = log.predict_log.request
        assert request.model_spec.name == "reviews"
        tensors = {entry.key: tf.make_ndarray(entry.value) for entry in request.inputs}
        texts = {name: [x.decode() for x in tensor] for name, tensor in tensors.items()}
        found.append((request.model_spec.signature_name, texts))
    assert found == requests
