"""This project's numbers against those of Hugging Face's transformers.

tests/golden/make_huggingface.py made the weights and what is expected of them; here
they come in through run_convert.py, in every spelling of their names there is.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from bert_core.batch import ClassificationBatch, MlmBatch
from bert_core.huggingface_names import canonical
from bert_core.losses import cross_entropy
from bert_core.models import Classifier, MaskedLanguageModel
from loops.checkpoint_reader import read_variables
from loops.checkpoints import latest_whole
from loops.run_directory import read_run_config
from loops.safetensors_file import SafetensorsFile, write_safetensors
from loops.warm_start import load_run
from tests.conversions import transform
from tests.programs import Zygote
from tests.small_bert import assert_close

GOLDEN = Path(__file__).resolve().parent / "golden" / "huggingface"
HEADS = {"encoder", "pooler", "head", "output"}
Tensors = dict[str, np.ndarray]
Expected = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def expected() -> Expected:
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    file = SafetensorsFile(GOLDEN / "model" / "model.safetensors")
    return {name: file.read(name) for name in file.shapes}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Path:
    """The golden model as a run of this project."""
    path = tmp_path_factory.mktemp("golden") / "run"
    convert(zygote, GOLDEN / "model", path)
    return path


def convert(zygote: Zygote, source: Path, run: Path) -> str:
    ended = zygote.run(
        *("run_convert.py", "--from=huggingface", "--to=run"),
        *(f"--input={source}", f"--output={run}"),
    )
    assert ended.status == 0, ended.output
    return ended.output


def weights(run: Path) -> Tensors:
    return read_variables(latest_whole(run / "checkpoints"))


def test_hidden_states_pooled_and_classes(run: Path, expected: Expected) -> None:
    model = Classifier(read_run_config(run), expected["class_logits"].shape[1])
    load_run(model, run, required=("encoder/", "pooler/", "output/"))
    ids, mask, segments = (
        tf.constant(expected[name]) for name in ("input_ids", "input_mask", "segment_ids")
    )
    states = model.encoder.hidden_states(ids, mask, segments)
    wanted = expected["hidden_states"]  # [layers + 1, B, S, H]
    assert len(states) == len(wanted)
    for state, values in zip(states, wanted, strict=True):
        assert_close(tf.reshape(state, values.shape), values)
    assert_close(model.pooler(states[-1], mask), expected["pooled"])
    batch = ClassificationBatch(ids, mask, segments, tf.zeros(4, tf.int32), tf.ones(4))
    assert_close(model.logits(batch), expected["class_logits"])
    assert (run / "labels.txt").read_text() == "sad\nso so\nglad\n"


def test_all_512_positions(run: Path, expected: Expected) -> None:
    model = MaskedLanguageModel(read_run_config(run))
    load_run(model, run, required=("encoder/", "head/"))
    assert_close(
        model.encoder(tf.constant(expected["long_ids"]))[::16], expected["long_states"]
    )


def test_masked_tokens_and_their_loss(run: Path, expected: Expected) -> None:
    model = MaskedLanguageModel(read_run_config(run))
    load_run(model, run, required=("encoder/", "head/"))
    ids, mask = tf.constant(expected["input_ids"]), tf.constant(expected["input_mask"])
    states = model.encoder(ids, mask, tf.constant(expected["segment_ids"]))
    logits = model.head(states, model.encoder.embeddings.word)
    assert_close(tf.reshape(logits, expected["mlm_logits"].shape), expected["mlm_logits"])

    labels = expected["mlm_labels"].reshape(-1)
    weighed = (labels >= 0).astype(np.float32)  # theirs says -100 for "not to predict"
    (total, weight), _ = cross_entropy(logits, np.maximum(labels, 0), weighed)
    assert_close(total / weight, expected["mlm_loss"])


def test_logits_of_chosen_positions(run: Path, expected: Expected) -> None:
    """As training makes them: gathered before the head. No padding: the full row."""
    model = MaskedLanguageModel(read_run_config(run))
    load_run(model, run, required=("encoder/", "head/"))
    ids = tf.constant(expected["input_ids"][:1])
    places = np.array([[0, 5, 16]], np.int32)
    batch = MlmBatch(ids, places, np.zeros_like(places), np.ones((1, 3), np.float32))
    everywhere = model.head(model.encoder(ids), model.encoder.embeddings.word)
    assert_close(model.logits(batch), tf.gather(everywhere, places[0]))


def bare(name: str) -> str:
    return name.removeprefix("bert.")


def old_norms(name: str) -> str:
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    )


def same(name: str) -> str:
    return name


LAYOUTS: dict[str, tuple[str, Callable[[str], str], tuple[str, ...], set[str]]] = {
    # class, spelling, prefixes left out, parts expected
    "BertModel": (
        "BertModel",
        bare,
        ("cls.", "classifier."),
        {"encoder", "pooler"},
    ),
    "BertModel with prefix": (
        "BertModel",
        same,
        ("cls.", "classifier."),
        {"encoder", "pooler"},
    ),
    "BertModel without pooler": (
        "BertModel",
        bare,
        ("cls.", "classifier.", "bert.pooler."),
        {"encoder"},
    ),
    "BertForMaskedLM": (
        "BertForMaskedLM",
        same,
        ("classifier.", "bert.pooler.", "cls.seq"),
        {"encoder", "head"},
    ),
    "BertForPreTraining": (
        "BertForPreTraining",
        same,
        ("classifier.",),
        {"encoder", "head", "pooler"},
    ),
    "BertForSequenceClassification": (
        "BertForSequenceClassification",
        same,
        ("cls.",),
        {"encoder", "pooler", "output"},
    ),
    "gamma and beta": ("BertForPreTraining", old_norms, ("classifier.",), HEADS - {"output"}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_bits(
    layout: str, tensors: Tensors, run: Path, tmp_path: Path
) -> None:
    architecture, spell, left_out, parts = LAYOUTS[layout]
    source = shutil.copytree(GOLDEN / "model", tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "architectures": [architecture]}))
    kept = {spell(k): x for k, x in tensors.items() if not k.startswith(left_out)}
    if architecture == "BertForMaskedLM":  # older versions save the tied tensors as well
        kept["cls.predictions.decoder.weight"] = tensors[
            "bert.embeddings.word_embeddings.weight"
        ]
        kept["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
    write_safetensors(source / "model.safetensors", kept)
    output = "\n".join(transform("huggingface", "run", source, tmp_path / "run"))
    found, wanted = weights(tmp_path / "run"), weights(run)
    assert {name.split("/")[0] for name in found} == parts
    for name, value in found.items():
        np.testing.assert_array_equal(value, wanted[name])
    assert read_run_config(tmp_path / "run").pooling == ("cls" if "pooler" in parts else "mean")
    for name in kept:  # a line for each, in today's spelling
        assert name in output or canonical(name) in output
