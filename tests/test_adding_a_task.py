"""docs/adding_a_task.md, followed to the letter in a copy of the project."""

import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loops.metrics_log import last_of
from tests.programs import ROOT, Runs, Zygote, finetune_command

PAGE = (ROOT / "docs" / "adding_a_task.md").read_text(encoding="utf-8")
# The file that the text before a block names last, and the block.
BLOCKS = re.findall(r"`([\w/]+\.py)`[^`]*?:\n\n```python\n(.*?)```", PAGE, re.S)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with what the page adds to it, and a program to start it by."""
    here = tmp_path_factory.mktemp("exercise")
    for room in ("bert_core", "pipelines", "loops"):
        shutil.copytree(ROOT / room, here / room, ignore=shutil.ignore_patterns("*.pyc"))
    for file in ROOT.glob("*.py"):
        shutil.copy(file, here)
    shutil.copy(ROOT / "pyproject.toml", here)
    for name, code in BLOCKS:
        add(here / name, code)
    (here / "start.py").write_text(
        f"import runpy, sys\nsys.path.insert(0, {str(here)!r})\n"
        f"runpy.run_path({str(here / 'run_finetune.py')!r}, run_name='__main__')\n"
    )
    return here


def add(path: Path, code: str) -> None:
    """Imports go to the imports, an entry into TASKS, the rest to the end."""
    if not path.exists():
        path.write_text(code)
        return
    text = path.read_text()
    for line in code.strip("\n").splitlines():
        if line.startswith("from "):
            first = "(?m)^from (bert_core|pipelines)"
            text = re.sub(first, f"{line}\n\\g<0>", text, count=1)
        elif re.match(r' +"\w+": \(', line):
            text = re.sub("(?m)^TASKS.*$", f"\\g<0>\n{line}", text)
        else:
            text += line + "\n"
    path.write_text(text)


def test_it_takes_fewer_than_eighty_lines() -> None:
    assert [name for name, _ in BLOCKS] == [
        *("bert_core/batch.py", "bert_core/models.py"),
        *("pipelines/multi_label.py", "run_finetune.py"),
    ]
    assert len(BLOCKS) == PAGE.count("```python")
    assert sum(code.count("\n") for _, code in BLOCKS) < 80


def test_the_code_is_as_clean_as_the_rest(copy: Path) -> None:
    files = [*{name for name, _ in BLOCKS}]
    command = [sys.executable, "-m", "ruff", "check", "--ignore=I001", *files]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_new_task_learns(copy: Path, zygote: Zygote, data: Path, untouched: Runs) -> None:
    chooser = random.Random(0)
    lines = []
    for _ in range(160):
        words = ["".join(chooser.choices("abcdefghij", k=3)) for _ in range(6)]
        labels = {f"has {x}" for x in "ab" if any(word[0] == x for word in words)}
        lines.append({"text": " ".join(words), "label": ";".join(sorted(labels)) or ";"})
    file = copy / "train.jsonl"
    file.write_text("".join(json.dumps(x) + "\n" for x in lines))
    run = copy / "run"
    _, *arguments = finetune_command(copy, untouched.pretrain, run, "--task=multi_label")
    arguments += ["--learning_rate=1e-2", "--num_train_steps=120"]
    ended = zygote.run(str(copy / "start.py"), *arguments)
    assert ended.status == 0, ended.output
    assert "any of the labels has a, has b" in ended.output
    assert last_of(run / "metrics.jsonl", "test")["f1"] > 0.85
    table = [x.split("\t") for x in (run / "predictions.tsv").read_text().splitlines()[1:]]
    assert [x[0] or ";" for x in table] == [x["label"] for x in lines]
    assert sum(true == said for true, said in table) > 100
    file.write_text(file.read_text() + '{"text": "", "label": "has c"}\n')
    dev = f"--dev_file={file}"
    arguments = [x for x in arguments if not x.startswith("--train_file")]
    (copy / "first.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    train = f"--train_file={copy / 'first.jsonl'}"
    ended = zygote.run(str(copy / "start.py"), *arguments, train, dev)
    assert ended.status == 2
    assert "label 'has c' of example 161 is a new one" in ended.output
