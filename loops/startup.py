"""Starting TensorFlow, and the first lines on screen."""

import contextlib
import os
from pathlib import Path
from typing import Any

from loops import console, metal
from loops.options import DistributionOptions, RuntimeOptions
from loops.peers import Team


def set_environment(options: RuntimeOptions) -> None:
    """Sets what TensorFlow reads on import; call it before anything may import TensorFlow."""
    # oneDNN's matrix products gain 10 to 15% on CPUs where it is not the default.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if not options.verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def start_tensorflow(options: RuntimeOptions) -> None:
    """Imports TensorFlow, quietly, with thread pools of a fixed size.

    Call it before anything else imports TensorFlow.
    """
    set_environment(options)
    with contextlib.nullcontext() if options.verbose else console.stderr_held_back():
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  (its import prints as well)

        devices = tf.config.list_physical_devices()  # so does the first look at them
    if not options.verbose:
        tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(num_threads(options))
    tf.config.threading.set_inter_op_parallelism_threads(num_threads(options))
    if metal.has_metal(devices):
        metal.refuse_xla(options.xla)
        reason = metal.reason_against(options.precision)
        if reason:
            print(f"Apple's GPU is not used: {reason}; using the CPU instead", flush=True)
            tf.config.set_visible_devices([], "GPU")


def start_devices(
    options: RuntimeOptions, distribution: DistributionOptions | None, team: Team
) -> Any:
    """Starts TensorFlow; returns the loops.distribution.Replicas to train on."""
    start_tensorflow(options)
    from loops.distribution import start_replicas

    return start_replicas(distribution, team)


def num_threads(options: RuntimeOptions) -> int:
    """The threads of the run, recorded with it: sums depend on their number."""
    if options.num_threads:
        return options.num_threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def runtime_record(options: RuntimeOptions) -> dict[str, Any]:
    """What bit-identity depends on besides data and settings."""
    import tensorflow as tf

    return {
        "tensorflow": tf.__version__,
        "num_threads": num_threads(options),
        "xla": options.xla,
        "precision": options.precision,
        "recompute": options.recompute,
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""),
        "device": device_name(),
    }


def device_name() -> str:
    """The accelerator, or the CPU."""
    import tensorflow as tf

    accelerators = tf.config.get_visible_devices("GPU")
    return accelerators[0].device_type if accelerators else "CPU"


def header(options: RuntimeOptions, directory: Path, resuming_step: int | None) -> list[str]:
    """What a training program says about itself before its first step."""
    import tensorflow as tf

    threads = num_threads(options)
    state = "new run" if resuming_step is None else f"resuming at step {resuming_step:,}"
    return [
        f"TensorFlow {tf.__version__} on {device_name()}, {threads} thread{'s'[: threads > 1]}",
        f"run directory {directory}: {state}",
    ]
