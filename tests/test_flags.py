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
        (["--corpus_dir=.", "--num_epochs=1", "--num_train_steps=1"], "not both"),
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


def as_flagfile(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What stands in flags.txt after such a command line; or the error."""
    code = (
        "import flags\n"
        "flags.launch(lambda: print(flags.as_flagfile(), end=''), flags.column_flags,\n"
        "             flags.recipe_flags, flags.training_flags, flags.output_flags)\n"
    )
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_a_flagfile_says_what_the_command_line_said(tmp_path: Path) -> None:
    """In two words, over again, without a value, with a # or spaces in front."""
    more = tmp_path / "more.txt"
    more.write_text("--seed=3\n--pretrain=b=2\n")
    given = ["--text_column", "#text", "--label_column", "", "--output_dir=x y", "--noxla"]
    given += ["--pretrain", "a=1", f"--flagfile={more}", "--allow_drift", "--seed=4"]
    written = as_flagfile(*given).stdout
    assert written.splitlines() == [
        *("--label_column=", "--output_dir=x y", "--pretrain=a=1", "--pretrain=b=2"),
        *("--seed=4", "--text_column=#text", "--noxla"),
    ]
    flagfile = tmp_path / "flags.txt"
    flagfile.write_text(written)
    assert as_flagfile(f"--flagfile={flagfile}").stdout == written
    for value in ("x ", "x\ny"):
        done = as_flagfile(f"--text_column={value}")
        assert done.returncode == 2
        assert "has a line break or ends in a space" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "slopes", "neighbours"),
    [
        (["--model=tiny"], [1.0, 0.1], [-1, 1]),
        (["--model=tiny", "--locality=alibi"], [1.0, 0.1], []),
        (["--model=tiny", "--locality=none"], [], []),
        (["--model=base"], [], []),
        (["--model=base", "--locality=neighbours"], 12, [-1, 1]),
        (["--model_config=configs/imdb_model.json"], [2.0, 0.7, 0.2, 0.02], [-1, 1]),
        (["--model_config=configs/imdb_model.json", "--locality=none"], [], []),
        (["--model_config=configs/imdb_model.json", "--locality=alibi"], 4, []),
    ],
)
def test_what_locality_makes_of_a_model(
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
