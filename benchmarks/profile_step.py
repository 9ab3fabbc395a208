"""Where the milliseconds of a training step go, according to TensorFlow's profiler.

  python benchmarks/profile_step.py --shapes=AB

The shapes are those of step.py. One thread, so that no two operations overlap and their times
add up; what XLA compiles is one line. The profiler itself costs a few percent.
"""

import collections
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from absl import flags as absl_flags

import flags
from benchmarks.step import SHAPES, training_steps
from loops import startup
from loops.options import RuntimeOptions

STEPS = 3
WHOLE, COMPILED = "KernelAndDeviceFunc::Run", "CpuExecutable::ExecuteAsyncOnStream"


@flags.group
def benchmark_flags() -> None:
    """What to measure:"""
    absl_flags.DEFINE_string("shapes", "ABC", "Letters of the shapes.")
    absl_flags.DEFINE_float("dropout", 0.0, "Dropout rate.")


def main() -> None:
    startup.start_tensorflow(RuntimeOptions(num_threads=1))
    for name in flags.FLAGS.shapes:
        times = milliseconds(name)
        whole = times.pop(WHOLE)
        print(f"\n{name}: {whole:.0f} ms a step")
        for kind, time in times.most_common(12):
            print(f"{time:8.1f} ms  {kind}")
        print(f"{whole - sum(x for _, x in times.most_common(12)):8.1f} ms  the rest")


def milliseconds(shape: str) -> collections.Counter[str]:
    """Those of a step, by kind of operation; WHOLE is the step."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    steps, batches = training_steps(SHAPES[shape], flags.FLAGS.dropout, RuntimeOptions())
    steps(batches, [1e-4] * 2)  # traces, and warms up
    space = xplane_pb2.XSpace()
    with tempfile.TemporaryDirectory() as directory:
        with tf.profiler.experimental.Profile(directory):
            steps(batches, [1e-4] * STEPS)
        (file,) = Path(directory).rglob("*.xplane.pb")
        space.ParseFromString(file.read_bytes())
    times: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if name == COMPILED:
                    kind = "compiled by XLA"
                elif "/" in name and ":" in name:  # an operation, and its kind
                    kind = name.rsplit(":", 1)[1]
                elif name == WHOLE:
                    kind = WHOLE
                else:
                    continue
                times[kind] += event.duration_ps / 1e9 / STEPS
    return times


if __name__ == "__main__":
    flags.launch(main, benchmark_flags)
