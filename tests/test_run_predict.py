"""run_predict.py as a person uses it: arguments, a pipe, files."""

import csv
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.programs import Ended, Runs, Zygote, finetune_command

LONG = " ".join(["abc"] * 60)  # more than the 32 tokens of the model


@pytest.fixture(scope="module")
def texts(data: Path) -> list[str]:
    lines = (data / "train.jsonl").read_text().splitlines()
    return [json.loads(line)["text"] for line in lines][:37]


def classify(zygote: Zygote, run: Path, *arguments: str, **more: str) -> Ended:
    return zygote.run(
        "run_predict.py",
        f"--checkpoint={run}",
        "--classify",
        "--num_threads=1",
        *arguments,
        **more,
    )


def odds_in(line: str) -> dict[str, float]:
    """ "b 0.9, a 0.1" -> {"b": 0.9, "a": 0.1}, in that order."""
    pairs = (part.rsplit(" ", 1) for part in line.split(", "))
    return {name: float(odds) for name, odds in pairs}


@pytest.fixture(scope="module")
def by_arguments(zygote: Zygote, untouched: Runs, texts: list[str]) -> list[dict[str, float]]:
    """What is said of each text on the command line, flags before and behind them."""
    ended = classify(zygote, untouched.finetune, *texts, "--top_k=2")
    assert ended.status == 0, ended.output
    lines = ended.output.splitlines()
    assert lines[0::2] == texts
    return [odds_in(line.strip()) for line in lines[1::2]]


def test_probabilities_of_arguments(by_arguments: list[dict[str, float]]) -> None:
    for odds in by_arguments:
        assert sorted(odds) == ["a", "b"]
        assert list(odds.values()) == sorted(odds.values(), reverse=True)
        assert sum(odds.values()) == pytest.approx(1, abs=2e-6)
    assert len({odds["a"] for odds in by_arguments}) > 30  # so that a wrong order shows


def test_the_answers_of_fine_tuning(
    by_arguments: list[dict[str, float]], untouched: Runs
) -> None:
    """predictions.tsv was made of the same texts, in batches, when the run was trained."""
    with (untouched.finetune / "predictions.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[: len(by_arguments)]
    for row, odds in zip(rows, by_arguments, strict=True):
        assert row["predicted"] == max(odds, key=odds.__getitem__)
        assert float(row["p(a)"]) == pytest.approx(odds["a"], abs=2e-6)


def test_a_pipe_is_answered_line_by_line(
    zygote: Zygote, untouched: Runs, texts: list[str], by_arguments: list, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    lines = [texts[0], "", LONG, texts[1]]
    program = None

    def write() -> None:
        with pipe.open("w") as file:
            for number, line in enumerate(lines):
                file.write(line + "\n")
                file.flush()
                # The next line is written when this one is answered.
                assert program.until(lambda n=number: program.output.count("\n") > n)

    writer = threading.Thread(target=write)
    program = zygote.start(
        *("run_predict.py", f"--checkpoint={untouched.finetune}", "--classify"),
        "--top_k=1",
        stdin=str(pipe),
    )
    writer.start()
    ended = program.end()
    writer.join()
    assert ended.status == 0, ended.output
    *answers, warning = ended.output.splitlines()
    assert len(answers) == len(lines)
    for place, index in ((0, 0), (3, 1)):
        (answer,) = odds_in(answers[place]).items()
        assert answer[1] == pytest.approx(by_arguments[index][answer[0]], abs=2e-6)
    assert warning == "warning: 1 text was cut to 32 tokens"


@pytest.fixture(scope="module")
def table(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "texts.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["review"], *([text] for text in [*texts, LONG, LONG])])
    return path


def test_a_file_in_its_order(
    zygote: Zygote, untouched: Runs, table: Path, by_arguments: list, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    ended = classify(
        zygote,
        untouched.finetune,
        f"--input={table}",
        f"--output={output}",
        "--text_column=review",
        "--batch_size=8",
    )
    assert ended.status == 0, ended.output
    assert "texts.csv: 39 texts" in ended.output
    assert "[####################] 39/39" in ended.output
    assert ended.output.count("warning: 2 texts were cut to 32 tokens") == 1
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    with table.open(newline="") as file:
        assert [row["review"] for row in rows] == [x["review"] for x in csv.DictReader(file)]
    for row, odds in zip(rows, by_arguments, strict=False):
        assert row["label"] == max(odds, key=odds.__getitem__)
        assert row["probabilities"] == pytest.approx(odds, abs=2e-6)
    assert os.listdir(tmp_path) == ["out.jsonl"]


def test_what_is_guessed_can_be_learned(
    zygote: Zygote, untouched: Runs, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("one text\nanother text\n\n")
    guesses = tmp_path / "guessed.jsonl"
    where = (f"--input={tmp_path / 'texts.txt'}", f"--output={guesses}")
    assert classify(zygote, untouched.finetune, *where).status == 0
    run = tmp_path / "student"
    more = (f"--guessed_file={guesses}", "--num_train_steps=2")
    ended = zygote.run(*finetune_command(data, untouched.pretrain, run, *more))
    assert ended.status == 0, ended.output
    assert "labels of 3 texts in train are guessed" in ended.output
    assert "step 2" in ended.output


def test_vectors_of_a_file(
    zygote: Zygote, untouched: Runs, texts: list[str], tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("\n".join([*texts, texts[0]]))
    ended = zygote.run(
        "run_predict.py",
        f"--checkpoint={untouched.pretrain}",
        "--embed",
        f"--input={tmp_path / 'texts.txt'}",
        f"--output={tmp_path / 'vectors.npy'}",
        "--max_seq_length=32",
    )
    assert ended.status == 0, ended.output
    vectors = np.load(tmp_path / "vectors.npy", allow_pickle=False)
    assert vectors.shape == (38, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0], vectors[-1], rtol=0, atol=1e-5)
    assert np.abs(vectors[1:-1] - vectors[0]).max(axis=1).min() > 1e-3


def test_classes_that_do_not_fit_the_weights(
    zygote: Zygote, untouched: Runs, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(untouched.finetune, tmp_path / "run"))
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "labels": ["a", "b", "c"]}))
    ended = classify(zygote, run, "text")
    assert ended.status == 2, ended.output
    assert "has shape [2], the model needs [3]" in ended.output.replace("[16, ", "[")
    assert ended.output.count("\n") == 1
