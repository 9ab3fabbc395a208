"""Two processes of one core each, training together, against one process of one core.

  python benchmarks/scaling.py --corpus_dir=data/imdb/corpus
  python benchmarks/scaling.py --corpus_dir=data/imdb/corpus --model=small --batch_size=16

Runs `run_pretrain.py`, alone and as the two workers of --distribution=multi_worker on this
machine, each bound to a core (Linux), in turns. Two workers get the same batch, half of it
each, and then twice the batch, each as much as the one process. Efficiency is

  same batch   seconds of a step alone / (2 x seconds of a step together)
  twice        seconds of a step alone / seconds of a step together

A step's time is that between lines of metrics.jsonl, start and evaluation left out; at each
step, 4 bytes per parameter are added up between the processes.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from bert_core.errors import UserError
from loops.metrics_log import read_metrics

ROOT = Path(__file__).resolve().parent.parent
STEPS_A_WINDOW = 5  # lines of a window are written together
SECONDS_BETWEEN_LOOKS = 0.005
WARM_UP = 2  # windows


@flags.group
def benchmark_flags() -> None:
    """What to train, and how often:"""
    absl_flags.DEFINE_string("corpus_dir", None, "A folder of text.")
    absl_flags.DEFINE_string("model", "tiny", "A shape of run_pretrain.py's --model.")
    absl_flags.DEFINE_integer("batch_size", 32, "Sequences per step of the one process.")
    absl_flags.DEFINE_integer("steps", 100, "Steps per turn, the first 10 of them not timed.")
    absl_flags.DEFINE_integer("rounds", 3, "Turns of each.")
    absl_flags.DEFINE_string("work_dir", None, "For what is made; unset: a temporary one.")


def main() -> None:
    options = flags.FLAGS
    if options.corpus_dir is None:
        raise UserError("--corpus_dir is missing; --help shows examples")
    if options.steps < (WARM_UP + 2) * STEPS_A_WINDOW or options.rounds < 1:
        raise UserError("--steps: needs at least 20, and --rounds at least 1")
    if len(os.sched_getaffinity(0)) < 2:
        raise UserError("there is only one core, and two are needed")
    batch = options.batch_size
    settings = {
        "1 process": (1, batch),
        "2, same batch": (2, batch),
        "2, twice": (2, 2 * batch),
    }
    times: dict[str, list[float]] = {name: [] for name in settings}
    with tempfile.TemporaryDirectory(dir=options.work_dir) as directory:
        here = Path(directory)
        prepare(here)
        for turn in range(options.rounds):
            for name, (workers, size) in settings.items():
                run = here / f"{turn}-{workers}-{size}"
                times[name].append(seconds_per_step(run, here / "cache", workers, size))
                print(f"round {turn + 1}: {name}: {times[name][-1]:.3f} s a step", flush=True)
        print("\n".join(table(times, parameters(here / f"0-1-{batch}"))))


def table(times: dict[str, list[float]], count: int) -> list[str]:
    """Medians, and efficiencies round by round, as their median and span."""
    lines = [f"{count:,} parameters, {4 * count / 1e6:.1f} MB added up a step"]
    for name, seconds in times.items():
        line = f"{name:14} {statistics.median(seconds):7.3f} s a step"
        if name != "1 process":
            share = 2 if name == "2, same batch" else 1
            pairs = zip(times["1 process"], seconds, strict=True)
            found = [alone / (share * together) for alone, together in pairs]
            middle = statistics.median(found)
            line += f"  efficiency {middle:.0%} ({min(found):.0%} to {max(found):.0%})"
        lines.append(line)
    return lines


def arguments(cache: Path) -> list[str]:
    options = flags.FLAGS
    return [
        sys.executable,
        str(ROOT / "run_pretrain.py"),
        f"--corpus_dir={options.corpus_dir}",
        f"--cache_dir={cache}",
        f"--model={options.model}",
    ]


def prepare(here: Path) -> None:
    """Vocabulary and token store, once for all runs."""
    done = subprocess.run([*arguments(here / "cache"), "--prepare_only"], check=False)
    if done.returncode:
        raise UserError("run_pretrain.py --prepare_only failed; see above")


def seconds_per_step(run: Path, cache: Path, workers: int, batch_size: int) -> float:
    """Trains with one or two workers, a core each; the time of a step."""
    command = [*arguments(cache), f"--output_dir={run}", f"--batch_size={batch_size}"]
    command += [f"--num_train_steps={flags.FLAGS.steps}", f"--steps_per_loop={STEPS_A_WINDOW}"]
    command += [f"--eval_steps={flags.FLAGS.steps}", "--eval_sequences=32", "--num_threads=1"]
    kind = "one_device" if workers == 1 else "multi_worker"
    command.append(f"--distribution={kind}")
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    cores = sorted(os.sched_getaffinity(0))
    processes = []
    for index in range(workers):
        task = {"type": "worker", "index": index}
        cluster = {"cluster": {"worker": addresses}, "task": task}
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        if workers > 1:
            environment["TF_CONFIG"] = json.dumps(cluster)
        processes.append(
            subprocess.Popen(
                ["taskset", "--cpu-list", str(cores[index]), *command],
                env=environment,
                stdout=subprocess.DEVNULL,
            )
        )
    seconds = watch(run / "metrics.jsonl", processes[0])
    codes = [process.wait() for process in processes]
    if any(codes):
        raise UserError(f"run_pretrain.py --distribution={kind} failed; see above")
    return seconds


def watch(metrics: Path, process: subprocess.Popen) -> float:
    """The mean time of a step between the first and the last window that count."""
    seen: dict[int, float] = {}
    while process.poll() is None and (not seen or max(seen) < flags.FLAGS.steps):
        step = last_step(metrics)
        if step and step not in seen:
            seen[step] = time.monotonic()
        time.sleep(SECONDS_BETWEEN_LOOKS)
    counted = {step: when for step, when in seen.items() if step >= WARM_UP * STEPS_A_WINDOW}
    if len(counted) < 2:
        process.wait()
        return float("nan")
    first, last = min(counted), max(counted)
    return (counted[last] - counted[first]) / (last - first)


def last_step(metrics: Path) -> int:
    """The last step among the training lines that are whole; 0 if there are none."""
    return max((x["step"] for x in read_metrics(metrics) if x["split"] == "train"), default=0)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, nor on those 1000 above them (loops/cluster.py)."""
    ports: list[int] = []
    for port in range(21_000 + os.getpid() % 5_000, 30_000):
        if _is_free(port) and _is_free(port + 1000):
            ports.append(port)
        if len(ports) == count:
            break
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def parameters(run: Path) -> int:
    """How many numbers are trained."""
    from bert_core.config import read_config
    from bert_core.models import MaskedLanguageModel
    from loops import startup

    startup.start_tensorflow(flags.runtime_options())
    model = MaskedLanguageModel(read_config(run / "config.json"))
    return sum(variable.shape.num_elements() for variable in model.trainable_variables)


if __name__ == "__main__":
    flags.launch(main, benchmark_flags, flags.runtime_flags)
