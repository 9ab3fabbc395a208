"""What a recipe runs, in which order and for how long. The programs are not run here."""

import json
import shutil
import sys
from pathlib import Path

import pytest

import flags
import run_recipe
from bert_core.errors import RunError, UserError
from loops import recipe_summary, stopping
from loops.recipe_options import SHARE_OF_STEPS, STARTING, Budget, RecipeOptions


class Programs:
    """Stands for the programs: keeps their command lines, and leaves what they would."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        budget: Budget | None,
        student: tuple[str, ...] = (),
        second_opinion: bool = False,
        num_teachers: int = 1,
    ):
        self.calls: list[tuple[str, ...]] = []
        # Of these, those whose flags are looked at, after how many that ran.
        self.checked: list[tuple[int, tuple[str, ...]]] = []
        self.hours = 0.0  # on the clock
        self.prepared = ["train.jsonl", "test.jsonl", "unlabelled.txt"]
        self.labels = ["neg", "pos"]
        options = RecipeOptions(
            *(("--a=1",), ("--b=2",), student, ("--fill_mask=[MASK]",)),
            *(budget, second_opinion, num_teachers),
        )
        monkeypatch.setattr(flags, "recipe_options", lambda: options)
        monkeypatch.setattr(flags, "given_dataset_flags", lambda: ["--dataset=toy"])
        monkeypatch.setattr(run_recipe.time, "monotonic", lambda: 3600 * self.hours)
        monkeypatch.setattr(run_recipe, "run", self.run)
        monkeypatch.setattr(run_recipe, "check_flags", self.check_flags)

    def check_flags(self, name: str, program: str, *arguments: str) -> None:
        self.checked.append((len(self.calls), (name, program, *arguments)))

    def run(self, program: str, *arguments: str) -> None:
        self.calls.append((program, *arguments))
        self.hours += 0.25
        given = dict(x.removeprefix("--").partition("=")[::2] for x in arguments)
        if program in ("run_pretrain.py", "run_finetune.py") and "output_dir" in given:
            seeds = range(int(given.get("num_seeds", 1)))
            runs = [f"seed-{i}" for i in seeds] if len(seeds) > 1 else [""]
            for name in runs:
                leave(Path(given["output_dir"]) / name, given)
        if program == "run_prepare.py":
            Path(given["data_dir"]).mkdir(parents=True, exist_ok=True)
            for name in self.prepared:
                (Path(given["data_dir"]) / name).write_text("A film.\n")
            labels = "".join(f"{label}\n" for label in self.labels)
            (Path(given["data_dir"]) / "labels.txt").write_text(labels)
        if "output" in given:
            Path(given["output"]).write_text("{}")

    def named(self, program: str) -> list[tuple[str, ...]]:
        return [call[1:] for call in self.calls if call[0] == program]


def leave(run: Path, given: dict[str, str]) -> None:
    """A run that has ended; its dev loss is 4.5, and it is right in 3 of 4 cases."""
    run.mkdir(parents=True, exist_ok=True)
    minutes = float(given["max_minutes"]) if "max_minutes" in given else None
    record = {"unigram_entropy": 6.0, "test_baseline": 0.5, "length": {"max_minutes": minutes}}
    (run / "run.json").write_text(json.dumps(record))
    lines = [
        {"split": "dev", "step": 1, "loss": 4.5},
        {"split": "test", "step": 1, "accuracy": 0.75},
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))


@pytest.fixture
def output_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(flags, "output_dir", lambda: tmp_path / "out")
    return tmp_path / "out"


def test_each_program_once_with_its_flags(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    programs = Programs(monkeypatch, None)
    run_recipe.main()
    assert [call[0] for call in programs.calls] == [
        "run_prepare.py",
        "run_pretrain.py",
        *["run_finetune.py"] * 2,
        "run_predict.py",
    ]
    assert "--dataset=toy" in programs.named("run_prepare.py")[0]
    assert "--a=1" in programs.named("run_pretrain.py")[0]
    tuned, scratch = programs.named("run_finetune.py")
    assert "--b=2" in tuned
    # The same but for where it goes and where it starts.
    where = f"--output_dir={output_dir / 'runs' / 'from_scratch'}"
    assert {*scratch} - {*tuned} == {where, "--from_scratch"}
    said = capsys.readouterr().out
    assert "4.500 nats" in said
    assert said.count("0.7500") == 2
    assert "same network and training\n" in said
    assert "majority class      0.5000" in said


def test_preparing_eats_of_the_minutes_of_pretraining(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, Budget(60.0, 12.0, 0.0))
    run_recipe.main()
    prepared, trained = programs.named("run_pretrain.py")
    assert "--prepare_only" in prepared
    # Two programs of 15 minutes are over.
    assert f"--max_minutes={minutes(60 - 30 - 12)}" in trained
    tuned = programs.named("run_finetune.py")
    assert all(f"--max_minutes={minutes(12)}" in x for x in tuned)


def minutes(whole: float) -> float:
    """Those of the steps of a training that is to take so many."""
    return round(SHARE_OF_STEPS * (whole - STARTING), 2)


def test_what_fine_tunings_are_told_is_looked_at_before_all_else(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, None, student=("--c=3",))
    run_recipe.main()
    assert programs.calls[0][0] == "run_prepare.py"
    for after in (0, 1):  # and once more when the files are there
        checked = [call for ran, call in programs.checked if ran == after]
        told = {name: {*x} & {"--b=2", "--c=3"} for name, *x in checked}
        assert told == {"finetune": {"--b=2"}, "student": {"--b=2", "--c=3"}}
        assert {x[1] for x in checked} == {"run_finetune.py"}
        assert all("--only_check_flags=512" in x for x in checked)


@pytest.mark.parametrize(
    ("config", "positions"), [('{"max_position_embeddings": 64}', 64), ("{}", 512)]
)
def test_how_long_a_text_can_be_is_known_before_pretraining(
    config: str, positions: int, tmp_path: Path
) -> None:
    (tmp_path / "model.json").write_text(config)
    told = f"--model_config={tmp_path / 'model.json'}"
    assert RecipeOptions((told,), (), (), (), None).positions == positions
    assert RecipeOptions((told, "--init_checkpoint=x"), (), (), (), None).positions == 0


def test_a_model_that_pretraining_will_refuse_is_left_to_it(tmp_path: Path) -> None:
    for wrong in ('"many"', "-1", "null"):
        (tmp_path / "model.json").write_text(f'{{"max_position_embeddings": {wrong}}}')
        told = f"--model_config={tmp_path / 'model.json'}"
        assert RecipeOptions((told,), (), (), (), None).positions == 0
    told = "--model_config=~nobody-of-that-name/model.json"
    with pytest.raises(UserError, match=r"^--pretrain=model_config=~nobody-of-that-name"):
        RecipeOptions((told,), (), (), (), None).positions  # noqa: B018


@pytest.mark.parametrize("positions", [0, 512])
def test_checking_flags_trains_nothing(positions: int, tmp_path: Path) -> None:
    """Not even looks for the start, which a recipe has still to make."""
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": 0}\n' * 2)
    run_recipe.check_flags(
        "finetune",
        "run_finetune.py",
        f"--init_checkpoint={tmp_path / 'not-yet'}",
        f"--train_file={tmp_path / 'not-yet.jsonl'}",
        f"--output_dir={tmp_path / 'out'}",
        f"--only_check_flags={positions}",
    )
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_first_judged_by_who_wrote_it(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (output_dir / "data").mkdir(parents=True)
    programs = Programs(monkeypatch, None)
    run_recipe.main()
    assert {ran for ran, _ in programs.checked} == {1}


@pytest.mark.parametrize(
    ("pretrain", "finetune", "student", "says"),
    [
        (("--max_minutes=3",), (), (), "--pretrain=max_minutes: --minutes says how long"),
        ((), ("--max_minutes=3",), (), "--finetune=max_minutes: --finetune_minutes says"),
        ((), (), ("--max_minutes=3",), "--student=max_minutes: --student_minutes says how"),
        ((), ("--num_seeds=3",), ("--seed=1",), "--finetune=num_seeds: --num_teachers says"),
        ((), (), ("--task=regression",), "--student=task=regression: a recipe is for classes"),
    ],
)
def test_what_the_recipe_sets_is_not_set_beside_it(
    pretrain: tuple[str, ...], finetune: tuple[str, ...], student: tuple[str, ...], says: str
) -> None:
    with pytest.raises(UserError, match=f"^{says}"):
        RecipeOptions(pretrain, finetune, student, (), Budget(60.0, 12.0, 9.0))


def test_a_recipe_taken_up_again_keeps_its_minutes(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    leave(output_dir / "runs" / "pretrain", {"max_minutes": "40"})
    programs = Programs(monkeypatch, Budget(60.0, 12.0, 0.0))
    run_recipe.main()
    assert "--max_minutes=40.0" in programs.named("run_pretrain.py")[1]
    assert "pretraining keeps the 40 minutes that it began with" in capsys.readouterr().out


def test_a_student_learns_what_its_teacher_guesses(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    programs = Programs(monkeypatch, None, student=("--c=3",))
    run_recipe.main()
    runs = output_dir / "runs"
    teacher, student, random_teacher, random_student = programs.named("run_finetune.py")
    guesses = programs.named("run_predict.py")[:2]
    for name, first, second, guess in (
        ("finetune", teacher, student, guesses[0]),
        ("from_scratch", random_teacher, random_student, guesses[1]),
    ):
        guessed = runs / name / "guessed.jsonl"
        assert f"--checkpoint={runs / name}" in guess
        assert f"--input={output_dir / 'data' / 'unlabelled.txt'}" in guess
        assert f"--output={guessed}" in guess
        # What the teacher was told, and behind it, so that it wins, what is the student's.
        assert {*second} - {*first} == {
            f"--guessed_file={guessed}",
            "--c=3",
            f"--output_dir={runs / f'{name}_student'}",
        }
        assert second.index("--c=3") > second.index("--b=2")
        assert ("--from_scratch" in first) == ("--from_scratch" in second)
        assert ("--from_scratch" in first) == (name == "from_scratch")
    said = capsys.readouterr().out
    assert said.count("0.7500") == 4
    assert said.count("with guessed labels as well") == 1


def test_labels_are_guessed_once(output_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Programs(monkeypatch, None, student=("--c=3",))
    run_recipe.main()
    again = Programs(monkeypatch, None, student=("--c=3",))
    run_recipe.main()
    assert len(again.named("run_finetune.py")) == 4
    assert [call for call in again.named("run_predict.py") if "--classify" in call] == []


def test_a_second_opinion_is_asked_of_each_teachers_guesses(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, None, student=("--c=3",), second_opinion=True)
    run_recipe.main()
    runs = output_dir / "runs"
    students = programs.named("run_finetune.py")[1::2]
    opinions = programs.named("run_second_opinion.py")
    for name, opinion, student in zip(
        ("finetune", "from_scratch"), opinions, students, strict=True
    ):
        agreed = runs / name / "agreed_1.jsonl"
        assert set(opinion) == {
            f"--train_file={output_dir / 'data' / 'train.jsonl'}",
            f"--guessed_file={runs / name / 'guessed.jsonl'}",
            f"--output={agreed}",
        }
        assert f"--guessed_file={agreed}" in student
    # Taken up again, nothing is guessed or asked once more.
    again = Programs(monkeypatch, None, student=("--c=3",), second_opinion=True)
    run_recipe.main()
    assert not again.named("run_second_opinion.py")
    # Of teachers that were trained anew, all is.
    shutil.rmtree(runs / "finetune")
    again = Programs(monkeypatch, None, student=("--c=3",), second_opinion=True)
    run_recipe.main()
    assert f"--output={runs / 'finetune' / 'guessed.jsonl'}" in again.named("run_predict.py")[0]
    assert len(again.named("run_second_opinion.py")) == 1


def test_an_official_validation_split_is_dev(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, None, student=("--c=3",), second_opinion=True)
    programs.prepared.append("validation.jsonl")
    run_recipe.main()
    dev = f"--dev_file={output_dir / 'data' / 'validation.jsonl'}"
    assert all(dev in call for call in programs.named("run_finetune.py"))
    assert all("--dev_share=0" in call for call in programs.named("run_second_opinion.py"))


def test_a_recipe_is_for_classes() -> None:
    with pytest.raises(UserError, match="--finetune=task=regression: a recipe is for classes"):
        RecipeOptions((), ("--task=regression",), (), (), None)


def test_teachers_share_their_minutes_and_guess_together(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(180.0, 12.0, 60.0)
    programs = Programs(monkeypatch, budget, ("--c=3",), second_opinion=True, num_teachers=3)
    run_recipe.main()
    first = output_dir / "runs" / "finetune"
    teachers, student, *_ = programs.named("run_finetune.py")
    assert {"--num_seeds=3", f"--max_minutes={minutes(4)}", f"--output_dir={first}"} <= set(
        teachers
    )
    assert "--num_seeds=3" not in student
    names = [f"seed-{i}" for i in range(3)]
    for name, guess in zip(names, programs.named("run_predict.py"), strict=False):
        assert f"--checkpoint={first / name}" in guess
        assert f"--output={first / name / 'guessed.jsonl'}" in guess
    opinion = programs.named("run_second_opinion.py")[0]
    given = [x for x in opinion if x.startswith("--guessed_file=")]
    assert given == [f"--guessed_file={first / name / 'guessed.jsonl'}" for name in names]
    assert f"--guessed_file={first / 'agreed_3.jsonl'}" in student


def test_a_dataset_without_a_test_split_is_refused_before_training(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, None)
    programs.prepared.remove("test.jsonl")
    with pytest.raises(UserError, match=r"has no test\.jsonl"):
        run_recipe.main()
    assert not programs.named("run_pretrain.py")


def test_a_second_opinion_on_other_than_two_labels_is_refused_before_training(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, None, student=("--c=3",), second_opinion=True)
    programs.labels.append("mixed")
    with pytest.raises(UserError, match=r"--second_opinion: needs two .* dataset has 3"):
        run_recipe.main()
    assert not programs.named("run_pretrain.py")


def test_what_a_start_that_died_has_half_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "data.partial-0123abcd").mkdir()
    (tmp_path / ".DS_Store").touch()
    run_recipe.check_output_dir(tmp_path)
    (tmp_path / "database").mkdir()
    with pytest.raises(UserError, match="holds database, which no recipe has written"):
        run_recipe.check_output_dir(tmp_path)


SLOW_PROGRAM = """
import pathlib, signal, sys, time

def end(*_):
    time.sleep(0.5)
    said.write_text("saved")
    sys.exit(143)

signal.signal(signal.SIGTERM, end)
said = pathlib.Path(sys.argv[1])
said.write_text("started")
time.sleep(60)
"""


def test_a_program_is_told_of_a_signal_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run_slow.py").write_text(SLOW_PROGRAM)
    monkeypatch.setattr(run_recipe, "__file__", str(tmp_path / "run_recipe.py"))
    monkeypatch.setattr(stopping, "requested", (tmp_path / "said").exists)
    with pytest.raises(SystemExit) as end:
        run_recipe.run("run_slow.py", str(tmp_path / "said"))
    assert end.value.code == 143
    assert (tmp_path / "said").read_text() == "saved"


def test_of_a_program_that_was_killed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    (tmp_path / "run_slow.py").write_text(killed)
    monkeypatch.setattr(run_recipe, "__file__", str(tmp_path / "run_recipe.py"))
    with pytest.raises(RunError, match=r"run_slow\.py was ended by signal 9, as happens when"):
        run_recipe.run("run_slow.py")


def test_a_second_opinion_is_for_a_student() -> None:
    with pytest.raises(UserError, match="--second_opinion: goes with --student"):
        RecipeOptions((), (), (), (), None, second_opinion=True)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "must be at least 1"), (2, "goes with --second_opinion")]
)
def test_how_many_teachers_there_can_be(number: int, said: str) -> None:
    with pytest.raises(UserError, match=f"--num_teachers={number}: {said}"):
        RecipeOptions((), (), ("--c=3",), (), None, num_teachers=number)


def test_guessing_eats_of_the_minutes_of_the_student(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, Budget(90.0, 12.0, 25.0), student=("--c=3",))
    run_recipe.main()
    left = minutes(90 - 30 - 12 - 25)
    assert f"--max_minutes={left}" in programs.named("run_pretrain.py")[1]
    teacher, student, *_ = programs.named("run_finetune.py")
    assert f"--max_minutes={minutes(12)}" in teacher
    assert f"--max_minutes={minutes(25 - 15)}" in student
    # The labels are there now; a run that was begun keeps its minutes all the same.
    again = Programs(monkeypatch, Budget(90.0, 12.0, 25.0), student=("--c=3",))
    run_recipe.main()
    assert again.named("run_finetune.py")[1] == student


def test_no_minutes_left_for_the_student_is_said(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for given, times in ((16.0, 0), (14.0, 2)):  # 2: and from random weights
        Programs(monkeypatch, Budget(90.0, 12.0, given), student=("--c=3",))
        run_recipe.main()
        said = f"warning: guessing took 15.0 of --student_minutes={given}"
        assert capsys.readouterr().out.count(said) == times
        shutil.rmtree(output_dir)


def test_a_student_needs_texts_without_labels(
    output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(monkeypatch, None, student=("--c=3",))
    programs.prepared.remove("unlabelled.txt")
    with pytest.raises(UserError, match="--student: the dataset has no texts without labels"):
        run_recipe.main()
    assert [call[0] for call in programs.calls] == ["run_prepare.py"]


def test_no_minutes_left_is_said() -> None:
    assert round(Budget(60.0, 12.0, 0.0).pretraining_minutes(40.0), 2) == minutes(8)
    with pytest.raises(UserError, match=r"preparing took 48\.0 of them"):
        Budget(60.0, 12.0, 0.0).pretraining_minutes(48.0)


def test_seeds_have_a_mean(tmp_path: Path) -> None:
    for seed, accuracy in enumerate((0.5, 0.75)):
        leave(tmp_path / f"seed-{seed}", {})
        line = {"split": "test", "step": 1, "accuracy": accuracy}
        (tmp_path / f"seed-{seed}" / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "seed-2").mkdir()  # begun, and not wanted any more
    (tmp_path / "seed-2" / "metrics.jsonl").write_text("")
    assert recipe_summary.test_accuracies(tmp_path) == "0.6250 (0.5000, 0.7500)"


def test_a_program_that_fails_ends_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(SystemExit) as end:
        run_recipe.run("run_prepare.py")
    assert end.value.code == 1
