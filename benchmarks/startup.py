"""How long the programs take to start.

  python benchmarks/startup.py

Prints the seconds of `--help`, of importing TensorFlow in a fresh process, and of
run_pretrain.py from the command to the end of its first training step, on a corpus
whose token store is cached: medians of --repeats, and what they should be.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from loops.metrics_log import read_metrics

ROOT = Path(__file__).resolve().parent.parent
MOST_FOR_HELP = 1.0
MOST_BESIDE_IMPORT = 8.0
PROGRAMS = sorted(path.name for path in ROOT.glob("run_*.py"))


@flags.group
def benchmark_flags() -> None:
    """What to measure:"""
    absl_flags.DEFINE_integer("repeats", 3, "Starts of each; the median counts.")
    absl_flags.DEFINE_string("model", "tiny", "The model to train.")


def main() -> None:
    helps = {name: median(lambda name=name: call(ROOT / name, "--help")) for name in PROGRAMS}  # type: ignore[misc]
    slowest = max(helps, key=lambda name: helps[name])
    say("--help", helps[slowest], MOST_FOR_HELP, f"of {slowest}, the slowest")
    importing = median(lambda: call("-c", "import tensorflow"))
    print(f"{importing:6.2f} s  import tensorflow")
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        call(ROOT / "run_prepare.py", "--dataset=docstrings", f"--data_dir={here / 'data'}")
        common = [f"--corpus_dir={here / 'data' / 'corpus'}", f"--cache_dir={here / 'cache'}"]
        call(ROOT / "run_pretrain.py", *common, "--prepare_only")
        runs = iter(here / f"run{i}" for i in range(flags.FLAGS.repeats))
        first = median(lambda: first_step(next(runs), common))
    say(
        "first training step",
        first,
        importing + MOST_BESIDE_IMPORT,
        f"{MOST_BESIDE_IMPORT:.0f} s after the import",
    )


def say(what: str, seconds: float, most: float, note: str) -> None:
    verdict = "ok" if seconds <= most else "TOO LONG"
    print(f"{seconds:6.2f} s  {what}, {note}; at most {most:.2f}: {verdict}", flush=True)


def median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(flags.FLAGS.repeats))


def call(*words: str | Path) -> float:
    """The seconds of a Python process, from start to end."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stderr}\nstartup.py: {words[0]} has failed, see above")
    return time.perf_counter() - started


def first_step(run: Path, common: list[str]) -> float:
    """Seconds from the command until metrics.jsonl has the first step."""
    arguments = [*common, f"--output_dir={run}", f"--model={flags.FLAGS.model}"]
    command = [sys.executable, str(ROOT / "run_pretrain.py"), *arguments, "--steps_per_loop=1"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while not trained(run / "metrics.jsonl") and process.poll() is None:
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        process.kill()
    if not trained(run / "metrics.jsonl"):
        sys.exit("startup.py: run_pretrain.py has failed, see above")
    return seconds


def trained(metrics: Path) -> bool:
    return any(line["split"] == "train" for line in read_metrics(metrics))


if __name__ == "__main__":
    flags.launch(main, benchmark_flags)
