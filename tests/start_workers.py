"""The workers of one training, as children of this process: each is told by TF_CONFIG.

  start_workers.py REQUEST   a JSON object {"argv", "ports", "workers", "directory"}

Written to the directory: output-I.txt; pids.json; ended.json, {worker: [status, time]} of
those that have ended. SIGUSR1 makes the Python of a worker stall. tests/workers.py asks.
"""

import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any


def main(request: dict[str, Any]) -> None:
    directory = Path(request["directory"])
    pids = {}
    for index in request["workers"]:
        (directory / f"output-{index}.txt").touch()  # it may be killed at once
        child = os.fork()
        if not child:
            become(index, request)
        pids[child] = index
    write(directory / "pids.json", {index: pid for pid, index in pids.items()})
    ended: dict[int, tuple[int, float]] = {}
    while len(ended) < len(pids):
        pid, status = os.wait()
        ended[pids[pid]] = os.waitstatus_to_exitcode(status), time.monotonic()
        write(directory / "ended.json", ended)


def write(path: Path, values: Any) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(values))
    beside.replace(path)


def become(index: int, request: dict[str, Any]) -> None:
    """Runs the program as worker `index`."""
    output = os.open(Path(request["directory"]) / f"output-{index}.txt", os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    addresses = [f"127.0.0.1:{port}" for port in request["ports"]]
    task = {"type": "worker", "index": index}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(1e6))
    sys.argv = request["argv"]
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
