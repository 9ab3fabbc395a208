"""Every task through run_finetune.py: it learns, keeps its best, writes, resumes to the bit."""

import csv
import json
import random
import re
import shutil
import signal
from pathlib import Path

import pytest

from loops.metrics_log import last_of, read_metrics
from loops.run_directory import read_record
from tests.programs import Runs, Zygote, finetune_command
from tests.test_resume import result_of

TASKS = {
    "regression": ("numbers.tsv", "pearson"),
    "token_classification": ("names.conll", "f1"),
}
TASK = pytest.mark.parametrize("task", TASKS)


@pytest.fixture(scope="module")
def files(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of the corpus: how many words begin with a to d, and which do, as entities."""
    directory = tmp_path_factory.mktemp("tasks")
    chooser = random.Random(1)
    texts = (data / "corpus" / "a.txt").read_text().splitlines()[:160]
    with (directory / "numbers.tsv").open("w", newline="") as file:
        writer = csv.writer(file, dialect="excel-tab")
        writer.writerow(("first", "second", "score"))
        for text in texts:
            first, second = text.split()[:6], text.split()[6:]
            score = sum(word[0] in "abcd" for word in first + second) + chooser.random() / 2
            writer.writerow((" ".join(first), " ".join(second), 100 + 10 * score))
    tags = dict.fromkeys("ab", "B-X") | dict.fromkeys("cd", "I-X")
    lines = [
        "".join(f"{word} NN {tags.get(word[0], 'O')}\n" for word in text.split())
        for text in texts
    ]
    (directory / "names.conll").write_text("-DOCSTART- -X- O\n\n" + "\n".join(lines))
    return directory


def command(task: str, files: Path, start: Path, run: Path, *more: str) -> list[str]:
    file = files / TASKS[task][0]
    columns = ("first", "second", "score") if task == "regression" else ()
    names = ("text_column", "text_pair_column", "label_column")
    return [
        *finetune_command(files, start, run, f"--task={task}", "--learning_rate=1e-2"),
        *(f"--train_file={file}", f"--test_file={file}", "--num_train_steps=90"),
        *(f"--{name}={column}" for name, column in zip(names, columns, strict=False)),
        *more,
    ]


@pytest.fixture(scope="module")
def finished(zygote: Zygote, files: Path, untouched: Runs) -> dict[str, tuple[Path, str]]:
    """Each task's run that nobody disturbed, and what was on the screen."""
    runs = {}
    for task in TASKS:
        run = files / task
        ended = zygote.run(*command(task, files, untouched.pretrain, run))
        assert ended.status == 0, ended.output
        runs[task] = run, ended.output
    return runs


@TASK
def test_it_learns_and_keeps_its_best(finished: dict[str, tuple[Path, str]], task: str) -> None:
    run, screen = finished[task]
    metric = TASKS[task][1]
    dev = [x for x in read_metrics(run / "metrics.jsonl") if x["split"] == "dev"]
    test = last_of(run / "metrics.jsonl", "test")
    assert test[metric] > 0.8
    best = max(dev, key=lambda x: (x[metric], -x["loss"]))
    assert f"best on dev at step {best['step']}" in screen
    assert read_record(run)["task"] == task
    assert "newly initialised 2: output/bias, output/kernel" in screen
    for name in ("labels.txt", "curves.png", "predictions.tsv"):
        assert (run / name).stat().st_size > 0


@TASK
def test_predictions_are_those_scored_in_the_order_of_the_file(
    finished: dict[str, tuple[Path, str]], files: Path, task: str
) -> None:
    run, _ = finished[task]
    with (run / "predictions.tsv").open() as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    test = last_of(run / "metrics.jsonl", "test")
    if task == "regression":
        with (files / "numbers.tsv").open() as file:
            scores = [float(x["score"]) for x in csv.DictReader(file, dialect="excel-tab")]
        assert [float(x["target"]) for x in rows] == pytest.approx(scores)
        errors = [abs(float(x["target"]) - float(x["predicted"])) for x in rows]
        assert sum(errors) / len(errors) == pytest.approx(test["mean_absolute_error"], rel=1e-4)
        assert [x["index"] for x in rows] == [str(i) for i in range(len(scores))]
        return
    words = [x.split() for x in (files / "names.conll").read_text().split("\n") if x][1:]
    assert [[x["word"], "NN", x["label"]] for x in rows] == words
    right = [x["label"] == x["predicted"] for x in rows]
    assert sum(right) / len(right) == pytest.approx(test["word_accuracy"])


@TASK
def test_run_predict_answers_as_fine_tuning_did(
    finished: dict[str, tuple[Path, str]],
    files: Path,
    zygote: Zygote,
    tmp_path: Path,
    task: str,
) -> None:
    """predictions.tsv is of the same texts; a file of them, and one on the command line."""
    run, _ = finished[task]
    with (run / "predictions.tsv").open() as file:
        expected = [x["predicted"] for x in csv.DictReader(file, dialect="excel-tab")]
    predict = ("run_predict.py", f"--checkpoint={run}")
    if task == "regression":
        output = tmp_path / "out.tsv"
        columns = ("--text_column=first", "--text_pair_column=second", "--batch_size=7")
        where = (f"--input={files / 'numbers.tsv'}", f"--output={output}")
        ended = zygote.run(*predict, "--regress", *where, *columns)
        assert ended.status == 0, ended.output
        with output.open() as file:
            found = [x["predicted"] for x in csv.DictReader(file, dialect="excel-tab")]
        assert [float(x) for x in found] == pytest.approx([float(x) for x in expected], 1e-4)
        return
    words = (files / "names.conll").read_text().split("\n\n")[1:]
    texts = [" ".join(line.split()[0] for line in x.splitlines()) for x in words]
    (tmp_path / "in.txt").write_text("\n".join([*texts[:5], "", *texts[5:]]))
    output = tmp_path / "out.conll"
    where = (f"--input={tmp_path / 'in.txt'}", f"--output={output}", "--batch_size=7")
    ended = zygote.run(*predict, "--tag", *where)
    assert ended.status == 0, ended.output
    rows = [line.split() for line in output.read_text().splitlines() if line]
    assert [row[0] for row in rows] == " ".join(texts).split()
    assert [row[1] for row in rows] == expected
    ended = zygote.run(*predict, "--tag", texts[0])
    line = " ".join("/".join(row) for row in rows[: len(texts[0].split())])
    assert ended.output == f"{texts[0]}\n  {line}\n"


@pytest.mark.soak  # tests/test_resume.py kills a pretraining and a classifier
@TASK
def test_killed_and_started_again_it_ends_the_same(
    zygote: Zygote,
    finished: dict[str, tuple[Path, str]],
    files: Path,
    untouched: Runs,
    tmp_path: Path,
    task: str,
) -> None:
    run, metrics = tmp_path / "run", tmp_path / "run" / "metrics.jsonl"
    again = command(task, files, untouched.pretrain, run)
    program = zygote.start(*again)
    assert program.until(lambda: metrics.exists() and b'"dev"' in metrics.read_bytes())
    assert program.kill().status == -signal.SIGKILL
    assert zygote.run(*again).status == 0
    assert result_of(run) == result_of(finished[task][0])


@TASK
def test_a_finished_run_is_scored_on_another_file(
    zygote: Zygote,
    finished: dict[str, tuple[Path, str]],
    files: Path,
    untouched: Runs,
    tmp_path: Path,
    task: str,
) -> None:
    """Of which the first half is the first half of the other; nothing is trained anew."""
    run = tmp_path / "run"
    shutil.copytree(finished[task][0], run)
    before = [x for x in read_metrics(run / "metrics.jsonl") if x["split"] != "test"]
    lines = (files / TASKS[task][0]).read_text().split("\n")
    half = tmp_path / TASKS[task][0]
    half.write_text("\n".join(lines[: len(lines) // 2]) + "\n")
    ended = zygote.run(*command(task, files, untouched.pretrain, run), f"--test_file={half}")
    assert ended.status == 0, ended.output
    after = read_metrics(run / "metrics.jsonl")
    assert [x for x in after if x["split"] != "test"] == before
    scored = (run / "predictions.tsv").read_text().splitlines()
    all_scored = (finished[task][0] / "predictions.tsv").read_text().splitlines()
    assert 1 < len(scored) < len(all_scored)
    cells = [line.split("\t")[:2] for line in scored]  # the answers' last digits may differ
    assert cells == [line.split("\t")[:2] for line in all_scored[: len(scored)]]


def test_from_scratch_with_two_seeds_and_a_dev_file(
    zygote: Zygote, files: Path, untouched: Runs, tmp_path: Path
) -> None:
    more = ("--from_scratch", "--num_seeds=2", f"--dev_file={files / 'names.conll'}")
    ended = zygote.run(
        *command("token_classification", files, untouched.pretrain, tmp_path / "runs", *more),
        "--num_train_steps=5",
    )
    assert ended.status == 0, ended.output
    assert "random weights in the shape of" in ended.output
    assert re.search(r"over 2 seeds: loss .* ± .*f1 0\.\d{4} ± ", ended.output)
    one = command("token_classification", files, untouched.pretrain, tmp_path / "runs", *more)
    ended = zygote.run(*one, "--num_train_steps=5", "--num_seeds=1")  # goes on in seed-0
    assert ended.status == 0, ended.output
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"seed-0", "seed-1"}


def test_the_last_layer_is_kept_for_the_same_task_only(
    zygote: Zygote, finished: dict[str, tuple[Path, str]], files: Path, tmp_path: Path
) -> None:
    start = finished["token_classification"][0]
    for task, said in (("token_classification", "newly initialised 0"), ("regression", "2: ")):
        run = tmp_path / task
        ended = zygote.run(*command(task, files, start, run, "--num_train_steps=2"))
        assert ended.status == 0, ended.output
        assert said in ended.output
        assert json.loads((run / "config.json").read_text())["pooling"] == "mean"


def test_a_text_is_read_as_the_start_read_it_unless_told_otherwise(
    zygote: Zygote, finished: dict[str, tuple[Path, str]], files: Path, tmp_path: Path
) -> None:
    start = finished["regression"][0]
    for name, more, fresh in (("told", ["--pooling=detectors"], 3), ("as_before", [], 0)):
        run = tmp_path / name
        ended = zygote.run(
            *command("regression", files, start, run, "--num_train_steps=2", *more)
        )
        assert ended.status == 0, ended.output
        assert f"newly initialised {fresh}" in ended.output
        assert json.loads((run / "config.json").read_text())["pooling"] == "detectors"
        start = run


def test_what_is_not_a_classifier_is_not_converted(
    zygote: Zygote, finished: dict[str, tuple[Path, str]], tmp_path: Path
) -> None:
    ended = zygote.run(
        *("run_convert.py", "--from=run", "--to=huggingface"),
        *(f"--input={finished['regression'][0]}", f"--output={tmp_path / 'out'}"),
    )
    assert ended.status == 2
    assert "its last layer is for regression" in ended.output
    assert not (tmp_path / "out").exists()
