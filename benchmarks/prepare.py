"""How long a corpus takes to become a token store, and how much memory.

  python benchmarks/prepare.py --corpus_dir=data/imdb/corpus
  python benchmarks/prepare.py --synthetic_gb=2

Runs `run_pretrain.py --prepare_only` with an empty cache: reads and checks the text, imports
TensorFlow, learns the vocabulary, tokenises, writes. Seconds are of the whole process. Memory
is the highest sum of what the process and its children hold, with a page that they share
counted once (Linux: Pss); cores used are CPU seconds per second.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from benchmarks.synthetic_corpus import write_corpus
from bert_core.errors import UserError

SECONDS_BETWEEN_LOOKS = 0.1


@flags.group
def benchmark_flags() -> None:
    """What to prepare:"""
    absl_flags.DEFINE_string("corpus_dir", None, "A folder of text.")
    absl_flags.DEFINE_float("synthetic_gb", None, "Or this many gigabytes of made-up text.")
    absl_flags.DEFINE_integer("vocab_size", 8192, "Word pieces to learn.")
    absl_flags.DEFINE_string("work_dir", None, "For what is made; unset: a temporary one.")


def main() -> None:
    corpus, gigabytes = flags.FLAGS.corpus_dir, flags.FLAGS.synthetic_gb
    if (corpus is None) == (gigabytes is None):
        raise UserError("give one of --corpus_dir and --synthetic_gb")
    if flags.FLAGS.work_dir:
        Path(flags.FLAGS.work_dir).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=flags.FLAGS.work_dir) as directory:
        here = Path(directory)
        if corpus is None:
            started = time.monotonic()
            corpus = here / "corpus"
            write_corpus(corpus, int(gigabytes * 1e9))
            print(f"made {gigabytes} GB of text in {time.monotonic() - started:.0f} s")
        print(measure(Path(corpus), here / "cache"))


def measure(corpus: Path, cache: Path) -> str:
    """Prepares a corpus, and says what it took."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, str(root / "run_pretrain.py"), "--prepare_only"]
    command += [f"--corpus_dir={corpus}", f"--cache_dir={cache}"]
    command += [f"--vocab_size={flags.FLAGS.vocab_size}"]
    started = time.monotonic()
    process = subprocess.Popen(command)
    memory = PeakMemory(process.pid)
    if process.wait():
        raise UserError("run_pretrain.py --prepare_only failed; see above")
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    size = sum(file.stat().st_size for file in corpus.rglob("*") if file.is_file())
    (manifest,) = cache.glob("*/store/manifest.json")
    splits: dict[str, Any] = json.loads(manifest.read_text())["splits"]
    tokens = sum(split["statistics"]["tokens"] for split in splits.values())
    return (
        f"{seconds:.1f} s for {size / 1e6:,.0f} MB: {size / 1e6 / seconds:.1f} MB/s, "
        f"{tokens / 1e6:,.1f} million tokens, {tokens / seconds:,.0f} tokens/s; "
        f"{memory.peak / 1e6:,.0f} MB of memory; "
        f"{(used.ru_utime + used.ru_stime) / seconds:.2f} of {os.cpu_count()} cores"
    )


class PeakMemory:
    """Watches a process and all its descendants until they end; `peak` in bytes."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        threading.Thread(target=self._watch, args=(pid,), daemon=True).start()

    def _watch(self, pid: int) -> None:
        while held := sum(map(_held, _tree(pid))):
            self.peak = max(self.peak, held)
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(x) for t in threads for x in (t / "children").read_text().split()]
    except OSError:  # it has just ended
        return []
    return [pid, *(below for child in children for below in _tree(child))]


def _held(pid: int) -> int:
    """Bytes of memory, with its share of shared pages."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    flags.launch(main, benchmark_flags)
