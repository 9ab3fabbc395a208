"""The project's own step, as a contestant of benchmarks/peers.py."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import step as step_benchmark
from benchmarks import turns
from loops import startup
from loops.options import RuntimeOptions


def prepare(job: dict[str, Any]) -> Any:
    runtime = RuntimeOptions(
        num_threads=job["threads"], xla=job["compile"], precision=job["precision"]
    )
    startup.start_tensorflow(runtime)
    shape = step_benchmark.SHAPES[job["shape"]]
    steps, batches = step_benchmark.training_steps(shape, job["dropout"], runtime)
    steps(batches, [1e-4, 1e-4])  # traces, and warms up
    return turns.each_timed(lambda: steps(batches, [1e-4]))


if __name__ == "__main__":
    turns.serve(prepare)
