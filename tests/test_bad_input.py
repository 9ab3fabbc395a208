"""Bad input is one line, exit code 2, no traceback, nothing written, before long work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input_cases import (
    CONFIG_CASES,
    CORPUS,
    CORPUS_CASES,
    FINETUNE,
    START,
    VOCABULARY_CASES,
    Case,
    Files,
)
from tests.bad_input_conversions import CONVERT_CASES, GOOGLE, HUB, RECIPE_CASES
from tests.bad_input_datasets import DATASET_CASES
from tests.bad_input_programs import (
    BEAM_CASES,
    CHECKPOINT_CASES,
    CLUSTER_CASES,
    CONLL,
    EXAMPLE_CASES,
    FLAG_CASES,
    PATH_CASES,
    PHASE_CASES,
    REGRESSION,
    TASK_CASES,
)
from tests.bad_input_use import (
    CLASSIFIER,
    EXPORT_CASES,
    FILES,
    INSPECT_CASES,
    PREDICT_CASES,
)
from tests.programs import Ended, Zygote

CASES = [
    *(CORPUS_CASES + VOCABULARY_CASES + CONFIG_CASES + FLAG_CASES),
    *(PATH_CASES + EXAMPLE_CASES + CHECKPOINT_CASES + TASK_CASES + PHASE_CASES),
    *(CONVERT_CASES + DATASET_CASES + RECIPE_CASES + BEAM_CASES),
    *(PREDICT_CASES + EXPORT_CASES + INSPECT_CASES + CLUSTER_CASES),
]


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Runs programs up to where they would import TensorFlow, the first long work."""
    process = Zygote(tmp_path_factory.mktemp("starter"), "--without_tensorflow")
    yield process
    process.close()


def lay_out(files: Files, here: Path) -> None:
    for name, content in files.items():
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.symlink_to(content)
        elif content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content())


def all_below(here: Path) -> dict[str, tuple[int, int]]:
    """Every path with its size and time of change."""
    found = {path: path.lstat() for path in here.rglob("*")}
    return {str(path): (stat.st_size, stat.st_mtime_ns) for path, stat in found.items()}


def run(case: Case, here: Path, starter: Zygote) -> Ended:
    arguments = [argument.replace("{here}", str(here)) for argument in case.arguments]
    return starter.run(case.program, *arguments, TF_CONFIG=case.tf_config)


def test_there_are_many_cases_and_each_has_a_name_of_its_own() -> None:
    assert len(CASES) >= 60
    assert len({name for name, _ in CASES}) == len(CASES)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_bad_input(case: Case, tmp_path: Path, starter: Zygote) -> None:
    lay_out(case.files, tmp_path)
    before = all_below(tmp_path)
    ended = run(case, tmp_path, starter)
    assert ended.status == 2, ended.output
    assert ended.output.count("\n") == 1, ended.output
    assert ended.output.startswith(f"{case.program}: ")
    for text in case.says:
        assert text in ended.output
    assert len(ended.output) < 700
    assert "\x1b" not in ended.output
    assert all_below(tmp_path) == before


LABELS_OUT_OF_ORDER = b"text,label\na,9\nb,0\nc,9\nd,10\ne,0\nf,10\n"
FINE_START = ("--init_checkpoint={here}/start", "--max_seq_length=16")
FINE = {
    "pretrain": Case("run_pretrain.py", CORPUS, ("--corpus_dir={here}/corpus",), ()),
    "bad text replaced": Case(
        "run_pretrain.py",
        {"corpus/a.txt": b"a\nb\xff\0\n"},
        ("--corpus_dir={here}/corpus", "--on_bad_text=replace"),
        (),
    ),
    "labels out of order": Case(
        "run_finetune.py",
        {**FINETUNE, "t.csv": LABELS_OUT_OF_ORDER},
        ("--init_checkpoint={here}/start", "--train_file={here}/t.csv", "--max_seq_length=16"),
        (),
    ),
    "dataset": Case(
        "run_prepare.py",
        {},
        ("--dataset=imdb_reviews", "--data_dir={here}/d", "--tfds_data_dir={here}/tfds"),
        (),
    ),
    "phase": Case(
        "run_pretrain.py",
        {**CORPUS, **START, "new.txt": b"one\ntwo\n"},
        (
            *("--corpus_dir={here}/corpus", "--init_checkpoint={here}/start"),
            *("--extend_vocab_file={here}/new.txt", "--seq_length=64"),
        ),
        (),
    ),
    "regression": Case(
        "run_finetune.py",
        {**FINETUNE, "t.csv": REGRESSION.encode()},
        (*FINE_START, "--task=regression", "--train_file={here}/t.csv"),
        (),
    ),
    "token classification": Case(
        "run_finetune.py",
        {**FINETUNE, "t.conll": CONLL},
        (*FINE_START, "--task=token_classification", "--train_file={here}/t.conll"),
        (),
    ),
    "predict": Case(
        "run_predict.py", FINETUNE, ("--checkpoint={here}/start", "--fill_mask=[MASK]"), ()
    ),
    **{
        f"convert from {source}": Case(
            "run_convert.py",
            files,
            (f"--from={source}", "--to=run", f"--input={{here}}/{where}", "--output={here}/o"),
            (),
        )
        for source, where, files in (
            ("huggingface", "hub", HUB),
            ("google", "google", GOOGLE),
            ("run", "start", START),
        )
    },
    "predict from a pipe": Case(
        "run_predict.py", CLASSIFIER, ("--checkpoint={here}/start", "--classify"), ()
    ),
    "predict on a file": Case(
        "run_predict.py", CLASSIFIER, ("--checkpoint={here}/start", "--classify", *FILES), ()
    ),
    "export": Case("run_export.py", CLASSIFIER, ("--checkpoint={here}/start",), ()),
    "inspect": Case(
        "run_inspect.py",
        CLASSIFIER,
        ("--checkpoint={here}/start", "--output={here}/r.html", "--text=a"),
        (),
    ),
    "profile and pictures": Case(
        "run_pretrain.py",
        CORPUS,
        ("--corpus_dir={here}/corpus", "--profile_steps=0:1", "--attention_images"),
        (),
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_good_input_gets_to_the_long_work(name: str, tmp_path: Path, starter: Zygote) -> None:
    """So that no case above passes because everything is refused."""
    case = FINE[name]
    lay_out(case.files, tmp_path)
    writes = case.program in ("run_pretrain.py", "run_finetune.py", "run_export.py")
    here = ("--output_dir={here}/run",) if writes else ()
    cache = ("--cache_dir={here}/cache",) if "pretrain" in case.program else ()
    case = case._replace(arguments=(*case.arguments, *here, *cache))
    ended = run(case, tmp_path, starter)
    assert (ended.status, ended.output) == (1, "would import TensorFlow now\n")
