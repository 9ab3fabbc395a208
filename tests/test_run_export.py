"""run_export.py: what is written answers a stranger with what run_predict.py says."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.programs import Ended, Runs, Zygote

TEXTS = ["abc de [MASK]", "", "é … ￿", " ".join(["abcde"] * 50), "fgh ij"]
MASKED = ["a [MASK] b", "[MASK] [MASK] cd"]
TOLERANCE = 1e-6


class Served:
    """The SavedModels of the two runs, and a stranger's answers."""

    def __init__(self, directory: Path, screen: str, answers: list[dict[str, Any]]):
        self.directory, self.screen = directory, screen
        self.classes, self.vectors, self.words, self.other_vectors = answers


def export(zygote: Zygote, run: Path, target: Path, *more: str, **environment: str) -> Ended:
    arguments = (f"--checkpoint={run}", f"--output_dir={target}", "--num_threads=1", *more)
    return zygote.run("run_export.py", *arguments, **environment)


@pytest.fixture(scope="module")
def served(
    zygote: Zygote, untouched: Runs, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Served:
    directory = tmp_path_factory.mktemp("served")
    classifier, filler = directory / "classify" / "1", directory / "fill" / "1"
    quantise = ("--quantize=dynamic", f"--eval_file={data / 'train.jsonl'}")
    first = export(zygote, untouched.finetune, classifier, *quantise)
    assert first.status == 0, first.output
    second = export(zygote, untouched.pretrain, filler, "--top_k=3", "--max_seq_length=32")
    assert second.status == 0, second.output
    requests = [
        {"model": str(model), "signature": signature, "inputs": {"text": texts}}
        for model, signature, texts in (
            (classifier, "serving_default", TEXTS),
            (classifier, "embed", TEXTS),
            (filler, "serving_default", MASKED),
            (filler, "embed", TEXTS[:1]),
        )
    ]
    (directory / "requests.json").write_text(json.dumps(requests))
    ended = zygote.run("tests/load_export.py", str(directory / "requests.json"))
    assert ended.status == 0, ended.output
    return Served(directory, first.output, json.loads(ended.output.splitlines()[-1]))


def predict(zygote: Zygote, run: Path, directory: Path, action: str) -> Path:
    """The output of run_predict.py on TEXTS."""
    (directory / "in.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    output = directory / ("out.npy" if action == "embed" else "out.jsonl")
    files = (f"--input={directory / 'in.txt'}", f"--output={output}")
    ended = zygote.run("run_predict.py", f"--checkpoint={run}", f"--{action}", *files)
    assert ended.status == 0, ended.output
    return output


def test_classes_are_those_of_run_predict(
    served: Served, zygote: Zygote, untouched: Runs, tmp_path: Path
) -> None:
    output = predict(zygote, untouched.finetune, tmp_path, "classify")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert served.classes["label"] == [row["label"] for row in rows]
    assert served.classes["labels"] == [list(row["probabilities"]) for row in rows]
    expected = [list(row["probabilities"].values()) for row in rows]
    np.testing.assert_allclose(
        served.classes["probabilities"], expected, rtol=0, atol=TOLERANCE
    )


def test_vectors_are_those_of_run_predict(
    served: Served, zygote: Zygote, untouched: Runs, tmp_path: Path
) -> None:
    vectors = np.load(predict(zygote, untouched.finetune, tmp_path, "embed"))
    np.testing.assert_allclose(served.vectors["vectors"], vectors, rtol=0, atol=TOLERANCE)
    assert np.shape(served.other_vectors["vectors"]) == (1, 16)


def test_words_are_those_of_run_predict(
    served: Served, zygote: Zygote, untouched: Runs
) -> None:
    ended = zygote.run(
        "run_predict.py",
        f"--checkpoint={untouched.pretrain}",
        "--top_k=3",
        *(f"--fill_mask={text}" for text in MASKED),
    )
    shown = [line for line in ended.output.splitlines() if line.startswith("  [MASK]: ")]
    words, odds = served.words["words"], served.words["probabilities"]
    found = [
        "  [MASK]: "
        + ", ".join(f"{word} {share:.3f}" for word, share in zip(*pair, strict=True))
        for row in zip(words, odds, strict=True)
        for pair in zip(*row, strict=True)
        if pair[0][0]
    ]
    assert found == shown
    assert len(found) == 3
    assert words[0][1] == ["", "", ""]


def test_serving_finds_what_it_looks_for(served: Served) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    for name, outputs in (("classify", 3), ("fill", 2)):
        directory = served.directory / name / "1"
        assert (directory / "variables" / "variables.index").exists()
        assert (directory / "assets.extra" / "tf_serving_warmup_requests").exists()
        saved = saved_model_pb2.SavedModel.FromString(
            (directory / "saved_model.pb").read_bytes()
        )
        (graph,) = saved.meta_graphs
        assert list(graph.meta_info_def.tags) == ["serve"]
        for signature, count in (("serving_default", outputs), ("embed", 1)):
            found = graph.signature_def[signature]
            assert found.method_name == "tensorflow/serving/predict"
            assert list(found.inputs) == ["text"]
            assert found.inputs["text"].dtype == tf.string.as_datatype_enum
            assert len(found.outputs) == count
            # Rows of a REST request: everything has the batch first, of any size.
            for tensor in (*found.inputs.values(), *found.outputs.values()):
                assert tensor.tensor_shape.dim[0].size == -1


def test_the_quantised_classifier_comes_with_its_price(served: Served) -> None:
    assert (
        "serving_default: text [n] string -> label [n] string, labels [n, 2]" in served.screen
    )
    assert "of 80 texts get another label; probabilities change by at most 0.0" in served.screen
    directory = served.directory / "classify" / "1" / "tflite"
    assert sorted(os.listdir(directory)) == ["classifier.tflite", "labels.txt", "vocab.txt"]
    assert (directory / "labels.txt").read_text() == "a\nb\n"


def test_what_is_begun_and_fails_leaves_nothing(
    zygote: Zygote, untouched: Runs, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(untouched.finetune, tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "labels": ["a", "b", "c"]}))
    ended = export(zygote, run, tmp_path / "served" / "1")
    assert ended.status == 2, ended.output
    assert "the model needs [3]" in ended.output.replace("[16, ", "[")
    assert os.listdir(tmp_path) == ["run"]
