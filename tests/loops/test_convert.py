"""Models from format to format, bit for bit, and the report of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bert_core.adamw_options import AdamWOptions
from bert_core.errors import UserError
from bert_core.models import Classifier, MaskedLanguageModel
from loops import google_files, huggingface_files, run_files
from loops.checkpoints import Checkpoints
from loops.finetuning import BestWeights
from loops.run_directory import trained_pooling
from loops.safetensors_file import SafetensorsFile
from loops.train_step import TrainState
from loops.use_options import FORMATS
from loops.warm_start import load_run
from tests.conversions import GOLDEN, READ, bits, edit, edit_tensors, google_tensors, transform
from tests.small_bert import randomise, small_config


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_pair_of_formats_keeps_every_bit(
    source: str, target: str, converted: dict[str, Path], tmp_path: Path
) -> None:
    transform(source, target, converted[source], tmp_path / "out")
    there, here = READ[target](tmp_path / "out", None), READ["huggingface"](GOLDEN, None)
    assert bits(there) == bits(here)
    assert there.parts == ("encoder", "head", "pooler", "output")
    assert there.config == here.config
    assert there.tokens == here.tokens
    assert there.lower_case is here.lower_case
    assert there.labels == here.labels == ("sad", "so so", "glad")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "out"]  # nothing left beside it


@pytest.mark.parametrize("source", FORMATS)
def test_huggingface_files_come_out_the_same_from_all(
    source: str, converted: dict[str, Path], tmp_path: Path
) -> None:
    transform(source, "huggingface", converted[source], tmp_path / "out")
    for name in ("model.safetensors", "config.json", "vocab.txt", "tokenizer_config.json"):
        expected = (converted["huggingface"] / name).read_bytes()
        assert (tmp_path / "out" / name).read_bytes() == expected


def test_a_run_that_came_with_a_conversion(converted: dict[str, Path]) -> None:
    run = converted["run"]
    record = json.loads((run / "run.json").read_text())
    assert record["program"] == "convert"
    assert record["from"] == "huggingface"
    assert set(record["source"]) == {"config.json", "model.safetensors"}
    assert all(len(digest) == 64 for digest in record["source"].values())
    assert str(GOLDEN) not in (run / "run.json").read_text()
    config = run_files.read(run, None).config
    assert config.pooling == "cls"
    for model in (MaskedLanguageModel(config), Classifier(config, 3)):
        assert load_run(model, run).fresh == []


def test_which_pooler_is_trained(
    converted: dict[str, Path], theirs: Path, tmp_path: Path
) -> None:
    assert trained_pooling(converted["run"]) == "cls"
    removed = {"bert__pooler__dense__weight": None, "bert__pooler__dense__bias": None}
    edit_tensors(theirs / "model.safetensors", **removed)
    transform("huggingface", "run", theirs, tmp_path / "without")
    assert trained_pooling(tmp_path / "without") == "mean"
    pretrained = Path(shutil.copytree(converted["run"], tmp_path / "pretrained"))
    edit(pretrained / "run.json", program="pretrain")  # says "cls" but has trained none
    assert trained_pooling(pretrained) == "mean"


@pytest.mark.parametrize("keeps_best", [False, True])
def test_a_trained_run_is_exported_without_its_optimiser(
    keeps_best: bool, tmp_path: Path
) -> None:
    config = small_config(pooling="cls")
    model = Classifier(config, 2)
    randomise(model)
    run = tmp_path / "run"
    Checkpoints(run / "checkpoints", TrainState(model, AdamWOptions())).save(3)
    if keeps_best:
        randomise(model, seed=1)
        best = BestWeights(run / "best", model, [], "accuracy")
        best.offer(2, {"accuracy": 1.0, "loss": 0.0})
    (run / "config.json").write_text(config.to_json())
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmn"]
    (run / "vocab.txt").write_text("\n".join(tokens) + "\n")
    (run / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    (run / "labels.txt").write_text("no\nyes\n")
    (run / "run.json").write_text('{"program": "finetune"}')
    lines = transform("run", "google", run, tmp_path / "out")
    exported = google_files.read(tmp_path / "out", None)
    assert exported.labels == ("no", "yes")
    assert exported.lower_case is False
    names = tf.train.load_checkpoint(str(tmp_path / "out" / "bert_model.ckpt"))
    assert not [x for x in names.get_variable_to_shape_map() if "adam" in x or "step" in x]
    assert any("of the optimiser" in line for line in lines) != keeps_best
    again = Classifier(config, 2)
    load_run(again, run)
    for name, value in exported.variables.items():
        np.testing.assert_array_equal(value, run_files.read(run, None).variables[name])
    assert any("newly initialised 0 (no masked-token head there" in line for line in lines)


def test_a_label_that_begins_like_a_file(converted: dict[str, Path], tmp_path: Path) -> None:
    """With U+FEFF, which at the beginning of a file is a byte order mark and dropped."""
    hub = Path(shutil.copytree(converted["huggingface"], tmp_path / "hub"))
    names = {"0": "\ufeffa", "1": "a", "2": "\ufeff"}
    edit(hub / "config.json", id2label=names)
    for source, target in (("hub", "run"), ("run", "google"), ("google", "again")):
        formats = {"hub": "huggingface", "again": "run"}
        transform(
            *(formats.get(x, x) for x in (source, target)), tmp_path / source, tmp_path / target
        )
    assert run_files.read(tmp_path / "again", None).labels == tuple(names.values())


def test_report_names_every_variable(theirs: Path, tmp_path: Path) -> None:
    edit_tensors(theirs / "model.safetensors", qa_outputs__bias=np.ones(2, np.float32))
    output = "\n".join(transform("huggingface", "google", theirs, tmp_path / "out"))
    for name in SafetensorsFile(theirs / "model.safetensors").shapes:
        assert name in output
    for name in google_tensors(tmp_path / "out"):
        assert name in output
    assert "skipped qa_outputs.bias: this project has no part that uses it" in output
    assert "skipped cls.seq_relationship.bias: next-sentence" in output
    assert "mapped 38 variables: encoder, masked-token head, pooler, classifier" in output


@pytest.mark.parametrize(
    ("target", "changes", "said"),
    [
        ("huggingface", {"alibi_slopes": [1, 1, 1, 1, 1]}, "alibi_slopes is set"),
        ("google", {"alibi_slopes": [1, 1, 1, 1, 1]}, "alibi_slopes is set"),
        ("google", {"neighbour_offsets": [-1]}, "neighbour_offsets is set"),
        ("huggingface", {"attention_window": 8}, "attention_window is set"),
        ("huggingface", {"pooling": "mean"}, "pooling is 'mean'"),
        ("google", {"pooling": "mean"}, "pooling is 'mean'"),
        ("google", {"pooling": "detectors"}, "pooling is 'detectors'"),
        ("google", {"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05"),
    ],
)
def test_runs_that_are_no_bert_stay_here(
    target: str,
    changes: dict[str, Any],
    said: str,
    converted: dict[str, Path],
    tmp_path: Path,
) -> None:
    run = Path(shutil.copytree(converted["run"], tmp_path / "run"))
    edit(run / "config.json", **changes)
    with pytest.raises(UserError, match=said):
        transform("run", target, run, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep").exists()


def test_a_full_disk_leaves_nothing(
    converted: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(huggingface_files, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        transform("run", "huggingface", converted["run"], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
