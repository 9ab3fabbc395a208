"""The whole path in about five minutes on two cores, offline.

  python run_demo.py --output_dir=demo

Runs the programs as a person would: docstrings of the installed packages are the
corpus, the package a docstring comes from is its label. Ends with what was learned.
"""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import flags
from bert_core.errors import UserError

PARTS = ("data", "cache", "runs")
SENTENCES = (
    "Returns a [MASK] of the same shape as the input.",
    "If the file does not [MASK], an exception is raised.",
    "The default value is [MASK].",
)


def main() -> None:
    output_dir = flags.output_dir()
    check_output_dir(output_dir)
    data, runs = output_dir / "data", output_dir / "runs"
    pretrained, finetuned, scratch = (
        runs / name for name in ("pretrain", "finetune", "from_scratch")
    )
    run("run_prepare.py", "--dataset=docstrings", f"--data_dir={data}")
    run(
        "run_pretrain.py",
        f"--corpus_dir={data / 'corpus'}",
        f"--output_dir={pretrained}",
        f"--cache_dir={output_dir / 'cache'}",
        "--batch_size=16",
        "--max_minutes=1.75",
    )
    classify = [
        "run_finetune.py",
        f"--init_checkpoint={pretrained}",
        f"--train_file={data / 'train.jsonl'}",
        f"--test_file={data / 'test.jsonl'}",
        "--max_seq_length=64",
        "--num_train_steps=400",
        "--eval_steps=100",
    ]
    run(*classify, f"--output_dir={finetuned}")
    run(*classify, f"--output_dir={scratch}", "--from_scratch")
    summarise(pretrained, finetuned, scratch)
    run(
        "run_predict.py",
        f"--checkpoint={pretrained}",
        *(f"--fill_mask={sentence}" for sentence in SENTENCES),
    )
    print(f"\nlook at the curves: {shlex.quote(str(pretrained / 'curves.png'))}")
    tensorboard = Path(sys.executable).with_name("tensorboard")
    print(f"open TensorBoard:   {tensorboard} --logdir={shlex.quote(str(runs))}")


def check_output_dir(path: Path) -> None:
    """UserError unless the demo can be made in `path`, or was begun there."""
    from loops.files import check_writable

    if path.exists() and not path.is_dir():
        raise UserError(f"--output_dir={path}: is a file; name a directory")
    check_writable(path, "--output_dir")
    for entry in sorted(path.iterdir()) if path.exists() else ():
        if entry.name not in PARTS or not entry.is_dir():
            raise UserError(
                f"--output_dir={path}: holds {entry.name}, which is not the demo's; name a "
                "new directory"
            )


def run(program: str, *arguments: str) -> None:
    """Runs a program beside this one, shown as it would be typed."""
    print("\n$ " + shlex.join(["python", program, *arguments]), flush=True)
    path = Path(__file__).resolve().parent / program
    status = subprocess.run([sys.executable, str(path), *arguments], check=False).returncode
    if status:
        sys.exit(status)


def summarise(pretrained: Path, finetuned: Path, scratch: Path) -> None:
    """What the runs recorded, side by side."""
    from loops.metrics_log import last_of
    from loops.run_directory import read_record

    dev: dict[str, Any] = last_of(pretrained / "metrics.jsonl", "dev")
    entropy = read_record(pretrained)["unigram_entropy"]
    record = read_record(finetuned)
    accuracies = [
        last_of(x / "metrics.jsonl", "test")["accuracy"] for x in (finetuned, scratch)
    ]
    print(
        f"\ndev masked loss      {dev['loss']:.3f} nats a token; knowing word frequencies "
        f"only: {entropy:.3f}\n"
        f"test accuracy        {accuracies[0]:.4f}\n"
        f"  from random weights {accuracies[1]:.4f}, same network and training\n"
        f"  majority class      {record['test_baseline']:.4f}"
    )


if __name__ == "__main__":
    flags.launch(main, flags.output_flags)
