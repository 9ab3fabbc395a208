"""Pretraining from end to end on real text, compared with keras-hub and transformers.

  python run_prepare.py --dataset=imdb_reviews --data_dir=data/imdb
  python benchmarks/epoch.py --corpus_dir=data/imdb/corpus

Counts useful tokens per second: those of the text, not padding, [CLS] or [SEP]. The
project reads its token store, packs, masks, logs and saves as run_pretrain.py does. The
peers are fed as usual: one document per row, cut or padded to --seq_length, masked anew each
time by their own layer or collator, from ready token ids, with no log and no checkpoint.
Packed rows need not be as long as a document: the project's have --packed_length tokens,
and there are so many more of them that a step has the same number of tokens.
L2 H128, the project's vocabulary for all; in turns, see peers.py.

Then what the loop costs on top of its steps: its seconds beyond those of as many steps on a
ready batch, half of them before and half after; and by parts, which are less noisy. A
turn ends with a checkpoint and an evaluation; the latter counts only on its own line,
and what a run does once, such as opening its files, not at all.
"""

import dataclasses
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from benchmarks import peers
from benchmarks.turns import Contestant
from bert_core.config import preset
from bert_core.errors import UserError
from loops import startup

HERE = Path(__file__).resolve().parent
# Where run_pretrain.py is left to its defaults:
EVALUATIONS = 10 / 3000  # a step
CHECKPOINT_STEPS = 500


@flags.group
def benchmark_flags() -> None:
    """What to measure:"""
    absl_flags.DEFINE_integer("seq_length", 256, "Tokens per row of the peers.")
    absl_flags.DEFINE_integer("batch_size", 32, "Rows per step of the peers.")
    absl_flags.DEFINE_integer(
        "packed_length", 128, "Tokens per row of the project.", lower_bound=3
    )
    absl_flags.DEFINE_integer("steps", 50, "Steps of the project in a turn.")
    absl_flags.DEFINE_float("dropout", 0.0, "Dropout rate of all.")
    absl_flags.DEFINE_list("only", [], "Words; peers whose name has one. Unset: all.")


def main() -> None:
    flags.corpus_options()  # so that a mistake shows before any work
    values = flags.FLAGS
    if values.batch_size * values.seq_length % values.packed_length:
        raise UserError(
            f"--packed_length={values.packed_length}: must divide --batch_size times "
            f"--seq_length, {values.batch_size * values.seq_length}"
        )
    names = [n for n in peers.CONTESTANTS if n not in peers.OWN and peers.wanted(n)]
    pythons = [peers.python_of(peers.CONTESTANTS[name][1]) for name in names]
    contestants = [Contestant(peers.OURS, [sys.executable, HERE / "own_epoch.py"])]
    contestants += [
        Contestant(name, [python, HERE / peers.CONTESTANTS[name][0]])
        for name, python in zip(names, pythons, strict=True)
    ]
    with tempfile.TemporaryDirectory() as directory:
        job = job_of(Path(directory))
        for one in contestants:
            one.start({**job, **peers.CONTESTANTS[one.name][2]})
        counts = peers.steps_per_turn(contestants[1:])
        for _ in range(flags.FLAGS.rounds):
            contestants[0].turn(flags.FLAGS.steps)
            for one in contestants[1:]:
                one.turn(counts[one.name])
        for line in [*table(contestants), *overhead(contestants[0])]:
            print(line)
        for one in contestants:
            one.stop()


def job_of(directory: Path) -> dict[str, Any]:
    """What every contestant is told. The project's own writes the reviews for the others."""
    values, run = flags.FLAGS, directory / "run"
    return {
        "arguments": [
            f"--corpus_dir={values.corpus_dir}",
            f"--document_boundary={values.document_boundary}",
            f"--text_key={values.text_key}",
            f"--on_bad_text={values.on_bad_text}",
            f"--cache_dir={values.cache_dir}",
            f"--output_dir={run}",
            f"--seq_length={values.packed_length}",
            f"--batch_size={values.batch_size * values.seq_length // values.packed_length}",
            f"--dropout={values.dropout}",
            f"--num_threads={values.num_threads}",
            "--num_train_steps=1000000",
        ],
        "reviews": str(directory / "reviews.npz"),
        "tokens_to_keep": 5_000_000,
        "vocab_file": str(run / "vocab.txt"),
        "config": dataclasses.asdict(preset("tiny", 8192)),
        "seq_length": values.seq_length,
        "batch_size": values.batch_size,
        "dropout": values.dropout,
        "precision": "float32",
        "threads": startup.num_threads(flags.runtime_options()),
        "compile": False,
    }


def table(contestants: list[Contestant]) -> list[str]:
    speeds = {
        one.name: [turn["useful_tokens"] / sum(turn["seconds"]) for turn in one.answers]
        for one in contestants
    }
    lines = [f"{'':24} useful tokens/s   ours is (of the rounds)     memory"]
    for one in contestants:
        ratios = [a / b for a, b in zip(speeds[peers.OURS], speeds[one.name], strict=True)]
        lines.append(
            f"{one.name:24} {statistics.median(speeds[one.name]):15,.0f} "
            f"{statistics.median(ratios):6.2f}x ({min(ratios):.2f} to {max(ratios):.2f}) "
            f"{one.answers[-1]['peak_memory'] / 1e9:8.1f} GB"
        )
    return lines


def overhead(ours: Contestant) -> list[str]:
    """What the loop costs on top of its bare steps, as a whole and by parts."""
    steps = flags.FLAGS.steps
    parts = {
        "log lines": lambda x: x["logging"],
        "a checkpoint every 500 steps": lambda x: x["saving"] * steps / CHECKPOINT_STEPS,
        "making the batches, when alone": lambda x: x["batching"],
    }
    lines = {
        "the loop, more than its bare steps": lambda x: sum(x["seconds"]) - x["bare"],
        **parts,
        "these three together": lambda x: sum(part(x) for part in parts.values()),
        "ten evaluations in 3,000 steps": lambda x: x["evaluating"] * steps * EVALUATIONS,
    }
    shown = ["of the seconds of the bare steps, median of the rounds:"]
    for what, seconds in lines.items():
        shares = [seconds(turn) / turn["bare"] for turn in ours.answers]
        median = statistics.median(shares)
        shown.append(f"{median:7.2%} ({min(shares):.2%} to {max(shares):.2%})  {what}")
    return shown


if __name__ == "__main__":
    flags.launch(
        main,
        flags.corpus_flags,
        flags.cache_flags,
        benchmark_flags,
        peers.turn_flags,
        flags.runtime_flags,
    )
