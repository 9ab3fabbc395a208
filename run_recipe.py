"""A whole recipe from one flagfile: data, pretraining, fine-tuning, and what it gave.

  python run_recipe.py --flagfile=configs/demo.flags --output_dir=demo
  python run_recipe.py --flagfile=configs/imdb_1h.flags --output_dir=runs/imdb_1h

Runs the programs as a person would, and shows each command. With --minutes all of it,
from the raw text to the first fine-tuned model, takes about so long on any machine: what
preparing the data leaves goes to pretraining, but for --finetune_minutes. The same
command again goes on where it was stopped.
"""

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import flags
from bert_core.errors import UserError

PARTS = ("data", "cache", "runs")


def main() -> None:
    started = time.monotonic()
    options, output_dir = flags.recipe_options(), flags.output_dir()
    check_output_dir(output_dir)
    data, runs = output_dir / "data", output_dir / "runs"
    pretrained, finetuned, scratch = (
        runs / name for name in ("pretrain", "finetune", "from_scratch")
    )
    run("run_prepare.py", *flags.given_dataset_flags(), f"--data_dir={data}")
    pretrain = [
        "run_pretrain.py",
        f"--corpus_dir={data / 'corpus'}",
        f"--cache_dir={output_dir / 'cache'}",
        *options.pretrain,
    ]
    classify = [
        "run_finetune.py",
        f"--init_checkpoint={pretrained}",
        f"--train_file={data / 'train.jsonl'}",
        f"--test_file={data / 'test.jsonl'}",
        *options.finetune,
    ]
    if options.budget:
        run(*pretrain, "--prepare_only")
        left = options.budget.pretraining_minutes((time.monotonic() - started) / 60)
        pretrain.append(f"--max_minutes={recorded_minutes(pretrained) or round(left, 2)}")
        classify.append(f"--max_minutes={options.budget.finetune_minutes}")
    run(*pretrain, f"--output_dir={pretrained}")
    run(*classify, f"--output_dir={finetuned}")
    run(*classify, f"--output_dir={scratch}", "--from_scratch")
    if options.fill_mask:
        run("run_predict.py", f"--checkpoint={pretrained}", *options.fill_mask)
    print("\n".join(["", *summary(pretrained, finetuned, scratch)]))
    print(f"\nlook at the curves: {shlex.quote(str(pretrained / 'curves.png'))}")
    tensorboard = Path(sys.executable).with_name("tensorboard")
    print(f"open TensorBoard:   {tensorboard} --logdir={shlex.quote(str(runs))}")


def check_output_dir(path: Path) -> None:
    """UserError unless the recipe can be made in `path`, or was begun there."""
    from loops.files import check_writable

    if path.exists() and not path.is_dir():
        raise UserError(f"--output_dir={path}: is a file; name a directory")
    check_writable(path, "--output_dir")
    for entry in sorted(path.iterdir()) if path.exists() else ():
        if entry.name not in PARTS or not entry.is_dir():
            raise UserError(
                f"--output_dir={path}: holds {entry.name}, which is no recipe's; name a "
                "new directory"
            )


def recorded_minutes(run_directory: Path) -> float | None:
    """The --max_minutes of a run that was begun; None where there is none yet."""
    from loops.run_directory import read_record

    if not (run_directory / "run.json").exists():
        return None
    return read_record(run_directory)["length"]["max_minutes"]


def run(program: str, *arguments: str) -> None:
    """Runs a program beside this one, shown as it would be typed."""
    print("\n$ " + shlex.join(["python", program, *arguments]), flush=True)
    path = Path(__file__).resolve().parent / program
    status = subprocess.run([sys.executable, str(path), *arguments], check=False).returncode
    if status:
        sys.exit(status)


def summary(pretrained: Path, finetuned: Path, scratch: Path) -> list[str]:
    """What the runs recorded, side by side."""
    from loops.metrics_log import last_of
    from loops.run_directory import read_record

    dev: dict[str, Any] = last_of(pretrained / "metrics.jsonl", "dev")
    entropy = read_record(pretrained)["unigram_entropy"]
    accuracies = {x: test_accuracies(x) for x in (finetuned, scratch)}
    majority = read_record(runs_of(finetuned)[0])["test_baseline"]
    return [
        f"dev masked loss       {dev['loss']:.3f} nats a token; knowing word frequencies "
        f"only: {entropy:.3f}",
        f"test accuracy         {accuracies[finetuned]}",
        f"  from random weights {accuracies[scratch]}, same network and training",
        f"  majority class      {majority:.4f}",
    ]


def runs_of(directory: Path) -> list[Path]:
    """The runs of a fine-tuning: one a seed, or itself."""
    return sorted(directory.glob("seed-*")) or [directory]


def test_accuracies(directory: Path) -> str:
    """The test accuracy; of several seeds the mean, then each."""
    from loops.metrics_log import last_of

    values = [last_of(x / "metrics.jsonl", "test")["accuracy"] for x in runs_of(directory)]
    mean = f"{sum(values) / len(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ({', '.join(f'{x:.4f}' for x in values)})"


if __name__ == "__main__":
    flags.launch(main, flags.dataset_flags, flags.recipe_flags, flags.output_flags)
