"""A whole recipe from one flagfile: data, pretraining, fine-tuning, and what it gave.

  python run_recipe.py --flagfile=configs/demo.flags --output_dir=demo
  python run_recipe.py --flagfile=configs/imdb_1h.flags --output_dir=runs/imdb_1h

Runs the programs as a person would, and shows each command. With --student, the fine-tuned
model (with --num_teachers, several) guesses labels for the dataset's unlabelled texts (with
--second_opinion, together with NB-SVM), and the pretrained one is fine-tuned anew on all.
With --minutes, going from raw text to the first model that is scored takes about that long
on any machine: pretraining gets what preparing the data, --finetune_minutes and
--student_minutes leave. Fine-tuning is done from random weights as well. The same command
resumes a stopped recipe.
"""

import contextlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import flags
from bert_core.errors import RunError, UserError
from loops import stopping
from loops.recipe_options import LEAST_MINUTES, RecipeOptions
from loops.recipe_summary import runs_of, summary

SECONDS = 0.5  # between two looks for a signal while a program runs
PARTS = ("data", "cache", "runs")


def main() -> None:
    started = time.monotonic()
    options, output_dir = flags.recipe_options(), flags.output_dir()
    check_output_dir(output_dir)
    data, pretrained = output_dir / "data", output_dir / "runs" / "pretrain"
    if not data.exists():  # existing data is checked by run_prepare.py first
        check_finetuning(options, data, pretrained)
    run("run_prepare.py", *flags.given_dataset_flags(), f"--data_dir={data}")
    check_data(options, data)
    check_finetuning(options, data, pretrained)  # now that its files are there
    pretrain = [
        "run_pretrain.py",
        f"--corpus_dir={data / 'corpus'}",
        f"--cache_dir={output_dir / 'cache'}",
        *options.pretrain,
    ]
    if options.budget:
        run(*pretrain, "--prepare_only")
        minutes = recorded_minutes(pretrained)
        if minutes is None:
            gone = (time.monotonic() - started) / 60
            minutes = round(options.budget.pretraining_minutes(gone), 2)
        else:
            print(f"pretraining keeps the {minutes:g} minutes that it began with")
        pretrain.append(f"--max_minutes={minutes}")
    run(*pretrain, f"--output_dir={pretrained}")
    finetuned = classifiers(options, data, pretrained, "finetune")
    scratch = classifiers(options, data, pretrained, "from_scratch", "--from_scratch")
    if options.fill_mask:
        run("run_predict.py", f"--checkpoint={pretrained}", *options.fill_mask)
    print("\n".join(["", *summary(pretrained, finetuned, scratch)]))
    print(f"\nlook at the curves: {shlex.quote(str(pretrained / 'curves.png'))}")
    runs = pretrained.parent
    tensorboard = Path(sys.executable).with_name("tensorboard")
    print(f"open TensorBoard:   {tensorboard} --logdir={shlex.quote(str(runs))}")


def classifiers(
    options: RecipeOptions, data: Path, pretrained: Path, name: str, *start: str
) -> list[Path]:
    """Fine-tunes, and with --student again, also on what the first run guesses.

    Both start from the pretrained weights, or as `start` says. Returns their directories.
    """
    first, student = pretrained.with_name(name), pretrained.with_name(f"{name}_student")
    classify = classify_command(data, pretrained, options.finetune)
    budget = options.budget
    limit = []
    if budget:
        limit = [f"--max_minutes={round(budget.minutes_of_each(options.num_teachers), 2)}"]
    seeds = [f"--num_seeds={options.num_teachers}"] if options.student else []
    run(*classify, *limit, *seeds, *start, f"--output_dir={first}")
    if not options.student:
        return [first]
    started = time.monotonic()
    learned = guessed_labels(options, data, first, (*options.finetune, *start))
    classify += [f"--guessed_file={learned}", *options.student]
    if budget:
        minutes = recorded_minutes(student)
        if minutes is None:
            gone = (time.monotonic() - started) / 60
            minutes = round(budget.minutes_of_student(gone), 2)
            if minutes <= LEAST_MINUTES:
                print(
                    f"warning: guessing took {gone:.1f} of --student_minutes="
                    f"{budget.student_minutes}; the student takes only a few steps; give more"
                )
        classify.append(f"--max_minutes={minutes}")
    run(*classify, *start, f"--output_dir={student}")
    return [first, student]


def check_data(options: RecipeOptions, data: Path) -> None:
    """UserError for a dataset that lacks what the recipe needs."""
    for needed in ("train.jsonl", "test.jsonl"):
        if not (data / needed).exists():
            raise UserError(
                f"{data}: has no {needed}; the dataset needs labels and a test split"
            )
    if options.student and not (data / "unlabelled.txt").exists():
        raise UserError("--student: the dataset has no texts without labels; leave it out")
    labels = (data / "labels.txt").read_text(encoding="utf-8").splitlines()
    if options.second_opinion and len(labels) != 2:
        raise UserError(f"--second_opinion: needs two labels, the dataset has {len(labels)}")


def classify_command(data: Path, pretrained: Path, told: Sequence[str]) -> list[str]:
    """The command that fine-tunes: the program, its files, and what else it is told."""
    dev = data / "validation.jsonl"
    return [
        "run_finetune.py",
        f"--init_checkpoint={pretrained}",
        f"--train_file={data / 'train.jsonl'}",
        f"--test_file={data / 'test.jsonl'}",
        *([f"--dev_file={dev}"] if dev.exists() else []),
        *told,
    ]


def guessed_labels(
    options: RecipeOptions, data: Path, finetuned: Path, told: Sequence[str]
) -> Path:
    """The file of what these runs guess, perhaps with NB-SVM; kept if it is there already.

    told: the flags that those runs were fine-tuned with.
    """
    teachers = runs_of(finetuned)[: options.num_teachers]
    guesses = [x / "guessed.jsonl" for x in teachers]  # in their own directories
    for teacher, guessed in zip(teachers, guesses, strict=True):
        if not guessed.exists():
            texts = (f"--input={data / 'unlabelled.txt'}", f"--output={guessed}")
            run("run_predict.py", f"--checkpoint={teacher}", "--classify", *texts)
    if not options.second_opinion:
        return guesses[0]
    agreed = finetuned / f"agreed_{len(guesses)}.jsonl"
    if agreed.exists() and any(x.stat().st_mtime > agreed.stat().st_mtime for x in guesses):
        agreed.unlink()
    if not agreed.exists():
        files = (
            f"--train_file={data / 'train.jsonl'}",
            *(f"--guessed_file={x}" for x in guesses),
        )
        share = [x for x in told if x.startswith("--dev_share=")]
        if any(x.startswith("--dev_file=") for x in classify_command(data, finetuned, told)):
            share = ["--dev_share=0"]
        run("run_second_opinion.py", *files, *share, f"--output={agreed}")
    return agreed


def check_output_dir(path: Path) -> None:
    """UserError unless the recipe can run in `path`, or was begun there."""
    from loops.files import check_name, check_writable

    check_name(path, "--output_dir=")
    if path.exists() and not path.is_dir():
        raise UserError(f"--output_dir={path}: is a file; name a directory")
    check_writable(path, "--output_dir")
    for entry in sorted(path.iterdir()) if path.exists() else ():
        # What is half-written stands next to its place, under its name and a suffix.
        # Names that begin with a dot are a file manager's.
        if not entry.name.startswith(".") and (
            entry.name.partition(".")[0] not in PARTS or not entry.is_dir()
        ):
            raise UserError(
                f"--output_dir={path}: holds {entry.name}, which no recipe has written; name a "
                "new directory"
            )


def recorded_minutes(run_directory: Path) -> float | None:
    """The --max_minutes of a run that was begun; None where there is none yet."""
    from loops.run_directory import read_record

    first = runs_of(run_directory)[0]
    if not (first / "run.json").exists():
        return None
    return read_record(first)["length"]["max_minutes"]


def check_finetuning(options: RecipeOptions, data: Path, pretrained: Path) -> None:
    """UserError for a mistake that fine-tuning would find after hours of pretraining."""
    told = {"finetune": options.finetune}
    if options.student:
        told["student"] = (*options.finetune, *options.student)
    for name, arguments in told.items():
        command = classify_command(data, pretrained, arguments)
        where = f"--output_dir={pretrained.with_name(name)}"
        check_flags(name, *command, where, f"--only_check_flags={options.positions}")


def check_flags(name: str, program: str, *arguments: str) -> None:
    """UserError if `program` finds a mistake in its flags, which --name gave."""
    command = [sys.executable, str(beside(program)), *arguments]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise UserError(f"--{name}: {ended.stderr.strip().removeprefix(f'{program}: ')}")


def beside(program: str) -> Path:
    return Path(__file__).resolve().parent / program


def run(program: str, *arguments: str) -> None:
    """Runs a program that lies next to this one, after printing the command.

    Passes a signal on and waits: the program has something to save.
    """
    print("\n$ " + shlex.join(["python", program, *arguments]), flush=True)
    with (
        stopping.deferred(),
        subprocess.Popen([sys.executable, str(beside(program)), *arguments]) as child,
    ):
        while child.poll() is None and not stopping.requested():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(SECONDS)
        if stopping.requested():
            # It has seen a Ctrl-C; a second one would end it at once, SIGTERM does not.
            child.send_signal(signal.SIGTERM)
    stopping.check()
    if child.returncode < 0:
        out_of_memory = child.returncode == -signal.SIGKILL
        reason = ", as happens when memory runs out" if out_of_memory else ""
        raise RunError(
            f"{program} was ended by signal {-child.returncode}{reason}; the same command "
            "resumes the recipe"
        )
    if child.returncode:
        sys.exit(child.returncode)


if __name__ == "__main__":
    flags.launch(main, flags.dataset_flags, flags.recipe_flags, flags.output_flags)
