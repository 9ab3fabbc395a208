"""What the programs say before any work: --help, and mistakes in flags."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = sorted(path.name for path in ROOT.glob("run_*.py"))


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_help(program: str) -> None:
    done = run(program, "--help")
    assert done.returncode == 0
    assert f"python {program}" in done.stdout  # an example to copy
    assert (
        "--output" in done.stdout
        or "--cache_dir" in done.stdout
        or "--data_dir" in done.stdout
        or "--checkpoint" in done.stdout
    )
    assert done.stderr == ""


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_mistakes_do_not_import_tensorflow(program: str) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{program!r}, sys.argv[1]]\n"
        "try:\n"
        f"    runpy.run_path({str(ROOT / program)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    loaded = 'tensorflow' in sys.modules\n"
        "    print(end.code, loaded)\n"
    )
    for argument, status in (("--help", 0), ("--nonsense=1", 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, argument],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        assert done.stdout.splitlines()[-1] == f"{status} False"


def test_unknown_flag_names_the_nearest() -> None:
    done = run("run_pretrain.py", "--corpusdir=x")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "corpusdir" in done.stderr
    assert "corpus_dir" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--corpus_dir is missing"),
        (["--corpus_dir=."], "--output_dir is missing"),
        (["--corpus_dir=.", "stray"], "'stray' is not a flag"),
        (["--corpus_dir=.", "--num_epochs=1", "--num_train_steps=1"], "one of the two"),
        (["--corpus_dir=.", "--learning_rate=0"], "--learning_rate=0.0: must be above 0"),
        (["--corpus_dir=.", "--warmup_share=1"], "--warmup_share=1.0"),
        (["--corpus_dir=.", "--masked_share=1"], "--masked_share=1.0"),
        (["--corpus_dir=.", "--masked_share=0"], "--masked_share=0.0"),
        (["--corpus_dir=.", "--seq_length=513"], "--seq_length=513"),
        (["--corpus_dir=.", "--batch_size=0"], "--batch_size=0"),
        (["--corpus_dir=.", "--batch_size=many"], "batch_size"),
        (["--corpus_dir=.", "--model=huge"], "--model=huge: not one of tiny"),
        (["--corpus_dir=.", "--locality=far"], "--locality=far"),
        (["--corpus_dir=.", "--word_init=zeros"], "--word_init=zeros"),
        (["--corpus_dir=.", "--vocab_size=7"], "--vocab_size=7"),
        (["--corpus_dir=.", "--dev_fraction=0"], "--dev_fraction=0.0"),
        (["--corpus_dir=.", "--max_to_keep=1"], "--max_to_keep=1"),
        (["--corpus_dir=.", "--document_boundary=page"], "--document_boundary=page"),
        (["--corpus_dir=.", "--dropout=1"], "--dropout=1.0: must be"),
        (["--corpus_dir=.", "--beta2=1"], "--beta2=1.0"),
        (["--corpus_dir=.", "--model_config=/nowhere.json"], "/nowhere.json: cannot be read"),
        (["--corpus_dir=.", "--model_config=/x", "--model=tiny"], "both name an architecture"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    if said != "--output_dir is missing":
        arguments = [*arguments, f"--output_dir={tmp_path / 'run'}"]
    done = run("run_pretrain.py", *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("run_pretrain.py: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []  # nothing written


@pytest.mark.parametrize(
    ("arguments", "slopes", "neighbours"),
    [
        (["--model=tiny"], [1.0, 0.1], [-1, 1]),
        (["--model=tiny", "--locality=alibi"], [1.0, 0.1], []),
        (["--model=tiny", "--locality=none"], [], []),
        (["--model=base"], [], []),
        (["--model=base", "--locality=neighbours"], 12, [-1, 1]),
    ],
)
def test_what_locality_makes_of_a_preset(
    arguments: list[str], slopes: list[float] | int, neighbours: list[int]
) -> None:
    code = (
        "import sys, flags\n"
        "flags.model_flags()\n"
        "flags.FLAGS(sys.argv)\n"
        "print(flags.model_config(100, 128).to_json())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    config = json.loads(done.stdout)
    found = config["alibi_slopes"]
    assert (len(found) if isinstance(slopes, int) else found) == slopes
    assert config["neighbour_offsets"] == neighbours
