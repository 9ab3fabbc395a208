"""run_convert.py as a person types it, and what can be done with its runs."""

import json
from pathlib import Path

import pytest

from tests.programs import Ended, Zygote, finetune_command

GOLDEN = Path(__file__).resolve().parent / "golden" / "huggingface" / "model"


def convert(zygote: Zygote, source: str, target: str, start: Path, end: Path) -> Ended:
    return zygote.run(
        *("run_convert.py", f"--from={source}", f"--to={target}"),
        *(f"--input={start}", f"--output={end}"),
    )


@pytest.fixture(scope="module")
def imported(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("imported") / "run"
    ended = convert(zygote, "huggingface", "run", GOLDEN, run)
    assert ended.status == 0, ended.output
    return run


@pytest.fixture(scope="module")
def classifier(
    zygote: Zygote, imported: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run fine-tuned from the imported one, and what its training printed."""
    run = tmp_path_factory.mktemp("finetuned") / "run"
    command = finetune_command(data, imported, run, "--num_train_steps=10", "--eval_steps=5")
    ended = zygote.run(*command)
    assert ended.status == 0, ended.output
    (run / "screen.txt").write_text(ended.output)
    return run


def test_fine_tuning_starts_with_the_imported_pooler(classifier: Path) -> None:
    screen = (classifier / "screen.txt").read_text()
    # Everything comes from the checkpoint but the classes, which are others: two for three.
    assert json.loads((classifier / "config.json").read_text())["pooling"] == "cls"
    assert json.loads((classifier / "run.json").read_text())["labels"] == ["a", "b"]
    assert "newly initialised 2: output/" in screen.replace("kernel", "bias")
    assert "best on dev at step" in screen


def test_the_last_layer_is_kept_for_the_same_labels_only(classifier: Path) -> None:
    from loops.finetuning import same_outputs

    assert same_outputs(classifier, "classification", ["a", "b"], "cls")
    assert not same_outputs(classifier, "classification", ["b", "a"], "cls")
    assert not same_outputs(classifier, "classification", ["a", "b"], "mean")
    assert not same_outputs(classifier, "token_classification", ["a", "b"], "cls")


def test_a_fine_tuned_run_goes_out_and_comes_back(
    zygote: Zygote, classifier: Path, tmp_path: Path
) -> None:
    for source, target, start in (
        ("run", "huggingface", classifier),
        ("huggingface", "google", tmp_path / "huggingface"),
        ("google", "run", tmp_path / "google"),
        ("run", "huggingface", tmp_path / "run"),
    ):
        end = tmp_path / ("again" if start == tmp_path / "run" else target)
        ended = convert(zygote, source, target, start, end)
        assert ended.status == 0, ended.output
    first, second = tmp_path / "huggingface", tmp_path / "again"
    assert sorted(x.name for x in first.iterdir()) == sorted(x.name for x in second.iterdir())
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()
    config = json.loads((first / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "a", "1": "b"}


def test_masked_words_are_filled_in(zygote: Zygote, imported: Path) -> None:
    ended = zygote.run(
        "run_predict.py", f"--checkpoint={imported}", "--fill_mask=the cat [MASK] on the mat"
    )
    assert ended.status == 0, ended.output
    assert "[MASK]: " in ended.output


def test_an_empty_directory_may_be_filled(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    ended = convert(zygote, "huggingface", "google", GOLDEN, tmp_path / "out")
    assert ended.status == 0, ended.output
    assert [x.name for x in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "bert_model.ckpt.index").exists()
