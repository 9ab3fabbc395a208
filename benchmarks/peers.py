"""The project's training step against those of keras-hub and transformers, in one sitting.

  python benchmarks/peers.py                         # shapes A, B and C of step.py
  python benchmarks/peers.py --shapes=A --dropout=0 --rounds=9 --only=hub,sdpa
  python benchmarks/peers.py --precision=bfloat16    # each in its own way

Each is a process in a virtual environment of its own, made on first use. All get the same
tokens, masked positions, threads and precision, AdamW with weight decay, and clipping of
the global norm. They take turns, so none works while another does, and a ratio compares
turns of the same round: medians of a turn's steps, then the median, lowest and highest
of the rounds. Memory is the most each process ever held.

Each peer has its quickest setting: keras-hub gathers the masked positions, works in `fit`
without metrics and with TF_ENABLE_ONEDNN_OPTS=1; transformers has a fused AdamW. In 16
bits each does what it offers: Keras' mixed policy, PyTorch's autocast.
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
from benchmarks import peer_venv
from benchmarks.step import SHAPES, random_batch
from benchmarks.turns import Contestant
from loops import startup
from loops.options import PRECISIONS

HERE = Path(__file__).resolve().parent
OURS = "this project"
# name -> (script, requirements or None for this environment, what its job says)
CONTESTANTS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    OURS: ("own_step.py", None, {"compile": False}),
    f"{OURS} --xla": ("own_step.py", None, {"compile": True}),
    **{
        f"keras-hub{' jit_compile' * jit}": (
            "peer_keras_hub.py",
            "requirements-keras-hub.txt",
            {"compile": jit},
        )
        for jit in (False, True)
    },
    **{
        f"transformers {attention}": (
            "peer_transformers.py",
            "requirements-transformers.txt",
            {"attention": attention},
        )
        for attention in ("sdpa", "eager")
    },
}
OWN = (OURS, f"{OURS} --xla")


@flags.group
def benchmark_flags() -> None:
    """What to measure:"""
    absl_flags.DEFINE_string("shapes", "ABC", "Letters of the shapes.")
    absl_flags.DEFINE_float("dropout", 0.1, "Dropout rate of all.")
    absl_flags.DEFINE_enum("precision", PRECISIONS[0], PRECISIONS, "Of matrix products.")
    absl_flags.DEFINE_list("only", [], "Words; peers whose name has one. Unset: all.")


@flags.group
def turn_flags() -> None:
    """How they take turns:"""
    absl_flags.DEFINE_integer("rounds", 9, "Turns of each.")
    absl_flags.DEFINE_float("turn_seconds", 2.0, "Length of a turn, at least one step.")
    directory = str(peer_venv.DEFAULT_DIRECTORY)
    absl_flags.DEFINE_string("venv_dir", directory, "Where the peers are installed.")


def main() -> None:
    names = [n for n in CONTESTANTS if n == OURS or wanted(n)]
    pythons = {name: python_of(CONTESTANTS[name][1]) for name in names}
    for shape in flags.FLAGS.shapes:
        contestants = [
            Contestant(name, [pythons[name], HERE / CONTESTANTS[name][0]]) for name in names
        ]
        with tempfile.TemporaryDirectory() as directory:
            job = job_of(shape, Path(directory))
            for one in contestants:
                one.start({**job, **CONTESTANTS[one.name][2]})
            take_turns(contestants)
        print(
            f"\nshape {shape}, {flags.FLAGS.precision}, dropout {flags.FLAGS.dropout:g}, "
            f"{job['threads']} threads, {flags.FLAGS.rounds} rounds"
        )
        for line in table(contestants):
            print(line, flush=True)
        for one in contestants:
            one.stop()


def wanted(name: str) -> bool:
    return not flags.FLAGS.only or any(word in name for word in flags.FLAGS.only)


def python_of(requirements: str | None) -> Path:
    if requirements is None:
        return Path(sys.executable)
    return peer_venv.peer_python(requirements, Path(flags.FLAGS.venv_dir))


def job_of(letter: str, directory: Path) -> dict[str, Any]:
    """What every contestant is told about a shape; the batch is put in the directory."""
    import numpy as np

    shape, batch = SHAPES[letter], directory / "batch.npz"
    np.savez(batch, **random_batch(shape)._asdict())
    return {
        "shape": letter,
        "config": dataclasses.asdict(shape.config),
        "batch": str(batch),
        "dropout": flags.FLAGS.dropout,
        "precision": flags.FLAGS.precision,
        "threads": startup.num_threads(flags.runtime_options()),
    }


def take_turns(contestants: list[Contestant]) -> None:
    counts = steps_per_turn(contestants)
    for _ in range(flags.FLAGS.rounds):
        for one in contestants:
            one.turn(counts[one.name])


def steps_per_turn(contestants: list[Contestant]) -> dict[str, int]:
    """How many steps fill a turn of each, judging by one step."""
    counts = {}
    for one in contestants:
        step = sum(one.turn(1)["seconds"])
        counts[one.name] = max(1, round(flags.FLAGS.turn_seconds / step))
        one.answers.clear()
    return counts


def table(contestants: list[Contestant]) -> list[str]:
    medians = {
        one.name: [statistics.median(turn["seconds"]) for turn in one.answers]
        for one in contestants
    }
    lines = [f"{'':32}   step   times ours (of the rounds)     memory"]
    for one in contestants:
        ratios = [a / b for a, b in zip(medians[one.name], medians[OURS], strict=True)]
        lines.append(
            f"{one.name:32} {statistics.median(medians[one.name]) * 1e3:6.0f} ms "
            f"{statistics.median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
            f"{one.answers[-1]['peak_memory'] / 1e9:10.1f} GB"
        )
    return lines


if __name__ == "__main__":
    flags.launch(main, benchmark_flags, turn_flags, flags.runtime_flags)
