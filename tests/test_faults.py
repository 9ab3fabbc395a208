"""The faults of machines and people, on the programs themselves."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from loops.metrics_log import last_of
from loops.run_directory import RunDirectory
from tests.programs import (
    ROOT,
    Runs,
    Zygote,
    error_of,
    pretrain_command,
    variables_of,
)


def test_the_newest_checkpoint_is_damaged(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path
) -> None:
    """The one before is taken, both are named, and the run ends as if nothing had been."""
    run, cache = tmp_path / "run", untouched.pretrain.parent / "cache"
    shutil.copytree(untouched.pretrain, run)
    for file in (run / "checkpoints").glob("ckpt-60.data-*"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    # What a run records of its place is its command alone.
    command = pretrain_command(data, run, cache)
    ended = zygote.run(*command)
    assert ended.status == 0, ended.output
    warnings = [line for line in ended.output.splitlines() if line.startswith("warning")]
    (warning,) = (line for line in warnings if "plateau" not in line)  # so short a run is on it
    assert re.search(r"ckpt-60: .*SHA-256 differs\); going on from ckpt-50$", warning)
    assert "resuming at step 50" in ended.output
    ends = [variables_of(r / "checkpoints" / "ckpt-60") for r in (run, untouched.pretrain)]
    assert ends[0] == ends[1]
    for file in (run / "checkpoints").glob("ckpt-*.index"):
        file.write_bytes(b"")
    assert "no whole checkpoint is left" in error_of(zygote.run(*command), 2)


def test_a_run_directory_of_another_process(
    zygote: Zygote, data: Path, untouched: Runs
) -> None:
    owned = RunDirectory(untouched.pretrain)
    cache = untouched.pretrain.parent / "cache"
    command = pretrain_command(data, untouched.pretrain, cache)
    line = error_of(zygote.run(*command), 2)
    assert f"process {os.getpid()} is writing to it" in line
    owned._lock.close()


def test_a_cache_that_another_process_prepares(
    zygote: Zygote, data: Path, tmp_path: Path, untouched: Runs
) -> None:
    (entry,) = (untouched.pretrain.parent / "cache").iterdir()
    with (entry / ".lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = pretrain_command(data, tmp_path / "run", entry.parent, "--prepare_only")
        program = zygote.start(*command)
        assert program.until(lambda: f"{entry}; waiting for it" in program.output)
        assert program.alive()
    ended = program.end()
    assert ended.status == 0
    assert "pieces are used" in ended.output
    assert "tokens per document, median" in ended.output
    assert "training would be 60 steps of 64 tokens" in ended.output


def test_a_run_of_other_settings(zygote: Zygote, data: Path, untouched: Runs) -> None:
    cache = untouched.pretrain.parent / "cache"
    command = pretrain_command(
        data, untouched.pretrain, cache, "--batch_size=8", "--dropout=0.2", "--num_threads=2"
    )
    before = (untouched.pretrain / "run.json").read_bytes()
    line = error_of(zygote.run(*command), 2)
    for difference in (
        "mlm.batch_size: 4 then, 8 now",
        "model.hidden_dropout_prob: 0.1 then, 0.2 now",
        "num_threads: 1 then, 2 now",
    ):
        assert difference in line
    assert "--allow_drift" in line
    assert (untouched.pretrain / "run.json").read_bytes() == before


def test_all_that_numbers_depend_on_is_compared(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(untouched.pretrain, run)
    record = json.loads((run / "run.json").read_text())
    expected = {
        "tensorflow": "1.0", "num_threads": 9, "xla": True, "onednn": "?", "device": "TPU",
        "corpus": "c", "dev_fraction": 0.3,
    }  # fmt: skip
    assert set(expected) < set(record)
    record |= expected
    record["mlm"]["seed"], record["adamw"]["beta1"] = 7, 0.8
    (run / "run.json").write_text(json.dumps(record))
    again = pretrain_command(data, run, untouched.pretrain.parent / "cache")
    line = error_of(zygote.run(*again), 2)
    for field in (*expected, "mlm.seed", "adamw.beta1"):
        assert re.search(rf"[(; ]{field}: .* then, ", line), field
    # What weights mean is not up to the user.
    model = {**record["model"], "hidden_size": 99}
    (run / "run.json").write_text(json.dumps({**record, "vocabulary": "v", "model": model}))
    line = error_of(zygote.run(*again, "--allow_drift"), 2)
    assert "its weights were trained with another model.hidden_size, vocabulary; name" in line


def test_other_settings_on_purpose(zygote: Zygote, untouched: Runs, tmp_path: Path) -> None:
    """Allowed once, recorded, and from then on the settings of the run."""
    run = tmp_path / "run"
    shutil.copytree(untouched.pretrain, run)
    flagfile = run / "flags.txt"
    flagfile.write_text(flagfile.read_text().replace(str(untouched.pretrain), str(run)))
    command = ["run_pretrain.py", f"--flagfile={flagfile}"]
    more = ["--num_train_steps=65", "--allow_drift"]
    ended = zygote.run(*command, *more)
    assert ended.status == 0, ended.output
    assert "warning: going on although length.num_train_steps: 60 then, 65 now" in ended.output
    record = json.loads((run / "run.json").read_text())
    assert [entry["step"] for entry in record["drift"]] == [60]
    assert record["num_train_steps"] == 65
    assert last_of(run / "metrics.jsonl", "dev")["step"] == 65
    ended = zygote.run(*command)
    assert ended.status == 0, ended.output
    assert "warning: going on" not in ended.output


def test_a_rate_at_which_training_explodes(
    zygote: Zygote, data: Path, untouched: Runs, tmp_path: Path
) -> None:
    cache = untouched.pretrain.parent / "cache"
    exploding = ("--learning_rate=1e30", "--clip_norm=0")
    run = tmp_path / "run"
    line = error_of(zygote.run(*pretrain_command(data, run, cache, *exploding)), 1)
    step = int(re.search(r"step (\d+): loss or gradient is not finite", line)[1])
    text = (run / f"bad_batch-{step}.txt").read_text()
    assert text.startswith("row 0\n  [CLS] ")
    assert f"To skip it: python run_pretrain.py --flagfile={run}/flags.txt" in line


LOWERS = """
from pipelines.words import clean_text
print(clean_text(["I TITLE \u0130"], lower_case=True).numpy()[0].decode())
"""


def test_turkish_does_not_change_capitals(zygote: Zygote, tmp_path: Path) -> None:
    """ICU would make a dotless i of "I" there, which no vocabulary here has."""
    (tmp_path / "lowers.py").write_text(LOWERS)
    ended = zygote.run(str(tmp_path / "lowers.py"), LC_ALL="tr_TR.UTF-8")
    assert ended.output.endswith("i title i\n")


def test_locale_c_and_a_reader_that_leaves(data: Path, untouched: Runs, tmp_path: Path) -> None:
    """As in `LC_ALL=C python run_pretrain.py ... | head -n 1`, with a path in German."""
    run = tmp_path / "L\u00e4ufe"
    cache = untouched.pretrain.parent / "cache"
    process = subprocess.Popen(
        [sys.executable, *pretrain_command(data, run, cache)],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "LANG": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"token store ")
    process.stdout.close()
    errors = process.stderr.read().decode()
    assert process.wait() == 0, errors
    assert errors == ""
    assert (run / "metrics.jsonl").read_bytes() == (
        untouched.pretrain / "metrics.jsonl"
    ).read_bytes()
