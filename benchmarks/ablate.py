"""What each part of the recipe is worth: short training runs that differ in one thing.

  python run_prepare.py --dataset=imdb_reviews --data_dir=data/imdb
  python benchmarks/ablate.py --data_dir=data/imdb --output_dir=runs/ablate --minutes=10
  python benchmarks/ablate.py --data_dir=data/imdb --output_dir=runs/ablate --only=slopes,rate
  python benchmarks/ablate.py --data_dir=data/imdb --output_dir=runs/ablate --finetune_epochs=1

Every row trains for the same minutes, and ends with its dev loss in bits per character of
the text, so that vocabularies can be compared. With --finetune_epochs each is also fine-tuned
on a part of the labelled reviews, and its accuracy is that on reviews of other films
(film_split.py); the test reviews are not read. Rows of fine-tuning start from the recipe's
pretraining. The same command resumes after a stop, and does not repeat what is done. The table
is printed, and written to OUTPUT_DIR/table.md; docs/recipe.md says what was learned from it.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from benchmarks.film_split import write_split
from bert_core.errors import RunError, UserError
from loops.files import write_whole
from loops.metrics_log import last_of

ROOT = Path(__file__).resolve().parent.parent
SHAPE = json.loads((ROOT / "configs" / "imdb_model.json").read_text())
RECIPE = (ROOT / "configs" / "imdb.flags").read_text().splitlines()
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Row(NamedTuple):
    """One thing changed: fields of the model, or flags of one of the two programs."""

    model: Mapping[str, Any] = NOTHING
    flags: Mapping[str, Any] = NOTHING
    finetune: Mapping[str, Any] = NOTHING


TWO_HEADS = {"num_attention_heads": 2}
ROWS = {
    "the recipe": Row(),
    "words: random": Row({}, {"word_init": "random"}),
    "slopes: none": Row({"alibi_slopes": []}),
    "neighbours: none": Row({"neighbour_offsets": []}),
    "neighbours: two on each side": Row({"neighbour_offsets": [-2, -1, 1, 2]}),
    "slopes and neighbours: none, words: random (faithful BERT)": Row(
        {"alibi_slopes": [], "neighbour_offsets": []}, {"word_init": "random"}
    ),
    "slopes: of the ALiBi paper": Row({"alibi_slopes": [2**-2, 2**-4, 2**-6, 2**-8]}),
    "slopes: 2, 1, 0.3, 0.05": Row({"alibi_slopes": [2.0, 1.0, 0.3, 0.05]}),
    "slopes: two heads, 1 and 0.1": Row({**TWO_HEADS, "alibi_slopes": [1.0, 0.1]}),
    "rate: 1e-3": Row({}, {"learning_rate": 1e-3}),
    "rate: 4e-3": Row({}, {"learning_rate": 4e-3}),
    "batch: 16": Row({}, {"batch_size": 16}),
    "batch: 64": Row({}, {"batch_size": 64}),
    "masked: 15%": Row({}, {"masked_share": 0.15}),
    "masked: 30%": Row({}, {"masked_share": 0.3}),
    "dropout: 0.1": Row({}, {"dropout": 0.1}),
    "vocabulary: 4,096": Row({}, {"vocab_size": 4096}),
    "vocabulary: 16,384": Row({}, {"vocab_size": 16384}),
    "length: 64": Row({}, {"seq_length": 64, "batch_size": 64}),
    "length: 256": Row({}, {"seq_length": 256, "batch_size": 16}),
    "shape: H256": Row({"hidden_size": 256, "intermediate_size": 1024}),
    "shape: L4": Row({"num_hidden_layers": 4}),
    "fine-tuning: from random weights": Row(finetune={"from_scratch": True}),
    "fine-tuning: 5e-4": Row(finetune={"learning_rate": 5e-4}),
    "fine-tuning: mean of the tokens alone": Row(finetune={"pooling": "mean"}),
    "fine-tuning: no token hidden": Row(finetune={"token_dropout": 0}),
    "fine-tuning: the first 512 tokens": Row(finetune={"truncation": "head"}),
    "fine-tuning: attention over all 512": Row(finetune={"attention_window": 0}),
}


@flags.group
def benchmark_flags() -> None:
    """What to run:"""
    absl_flags.DEFINE_string("data_dir", None, "What run_prepare.py has written.")
    absl_flags.DEFINE_string("output_dir", None, "Runs and table; what is done is kept.")
    absl_flags.DEFINE_float("minutes", 10.0, "Minutes of pretraining for each row.")
    absl_flags.DEFINE_float("finetune_epochs", 0.0, "Then fine-tune for this many; 0: do not.")
    absl_flags.DEFINE_integer("num_threads", 0, "Of TensorFlow; 0: one per core.")
    absl_flags.DEFINE_integer("seed", 0, "Of all runs.")
    absl_flags.DEFINE_list("only", [], "Words; rows whose name has one. Unset: all.")


def main() -> None:
    values = flags.FLAGS
    if not values.data_dir or not values.output_dir:
        raise UserError("--data_dir and --output_dir are needed; --help shows an example")
    train_file = Path(values.data_dir) / "train.jsonl"
    if not train_file.exists():
        raise UserError(
            f"--data_dir={values.data_dir}: has no train.jsonl; run_prepare.py makes it"
        )
    names = [
        name
        for name, row in ROWS.items()
        if (not values.only or any(word in name for word in values.only))
        and (values.finetune_epochs or not row.finetune)
    ]
    if not names:
        raise UserError(
            f"--only={','.join(values.only)}: no row has that word; rows of fine-tuning "
            "need --finetune_epochs"
        )
    output = Path(values.output_dir)
    if values.finetune_epochs:
        write_split(train_file, output / "films")
    results = {}
    for name in names:
        started = time.monotonic()
        results[name] = run(name, output)
        print(f"{name}: {results[name]}  ({time.monotonic() - started:.0f} s)", flush=True)
        write_whole(output / "table.md", table(results))
    print(table(results))


def slug(name: str) -> str:
    """A row's name as a directory name."""
    return "".join(c if c.isalnum() else "_" for c in name)


def run(name: str, output: Path) -> dict[str, float]:
    """Pretrains, and fine-tunes if asked to; the figures of its last evaluations."""
    values, row = flags.FLAGS, ROWS[name]
    directory = output / slug("the recipe" if row.finetune else name)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "model.json").write_text(json.dumps({**SHAPE, **row.model}))
    pretrained = directory / "pretrain"
    call(
        "run_pretrain.py",
        {
            "corpus_dir": Path(values.data_dir) / "corpus",
            "output_dir": pretrained,
            "max_minutes": values.minutes,
            **recipe("pretrain"),
            "model_config": directory / "model.json",
            **row.flags,
        },
    )
    results = pretraining_figures(pretrained)
    if values.finetune_epochs:
        tuned = output / slug(name) / "finetune"
        call(
            "run_finetune.py",
            {
                "init_checkpoint": pretrained,
                "train_file": output / "films" / "train.jsonl",
                "dev_file": output / "films" / "dev.jsonl",
                "output_dir": tuned,
                "num_epochs": values.finetune_epochs,
                **recipe("finetune"),
                **row.finetune,
            },
        )
        results["accuracy"] = last_of(tuned / "metrics.jsonl", "dev")["accuracy"]
    return results


def recipe(program: str) -> dict[str, str]:
    """The flags that configs/imdb.flags has for "pretrain" or "finetune"."""
    prefix = f"--{program}="
    given = [line.removeprefix(prefix) for line in RECIPE if line.startswith(prefix)]
    return dict(flag.split("=", 1) for flag in given)


def call(program: str, arguments: dict[str, Any]) -> None:
    """Runs a program of the project; its output goes to a file next to its run."""
    values = flags.FLAGS
    arguments |= {"num_threads": values.num_threads, "seed": values.seed}
    log = Path(arguments["output_dir"]).with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / program)]
    command += [f"--{name}={value}" for name, value in arguments.items()]
    with log.open("w") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    if code:
        raise RunError(f"{program} ended with {code}; {log} says why")


def pretraining_figures(run_directory: Path) -> dict[str, float]:
    """Tokens seen, dev loss in nats per token and bits per character, and masked accuracy."""
    last = last_of(run_directory / "metrics.jsonl", "dev")
    record = json.loads((run_directory / "run.json").read_text())
    corpus = json.loads((run_directory / "corpus.json").read_text())
    mlm = record["mlm"]
    return {
        "million tokens": last["step"] * mlm["batch_size"] * mlm["seq_length"] / 1e6,
        "nats per token": last["loss"],
        "bits per character": last["loss"]
        / math.log(2)
        * corpus["tokens"]
        / corpus["characters"],
        "masked accuracy": last["masked_accuracy"],
    }


def table(results: dict[str, dict[str, float]]) -> str:
    """Markdown: a row per experiment, a column per figure."""
    columns = list(next(iter(results.values())))
    lines = [
        "| | " + " | ".join(columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for name, figures in results.items():
        cells = [
            f"{figures[c]:.1f}" if c == "million tokens" else f"{figures[c]:.4f}"
            for c in columns
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    flags.launch(main, benchmark_flags)
