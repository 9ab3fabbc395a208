"""Several workers on this machine, to be watched and to be harmed (tests/start_workers.py)."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.programs import Ended, Program, Zygote

_DEADLINE = 600.0  # seconds; on a quiet machine nothing here takes a tenth of it


def free_ports(count: int) -> list[int]:
    """Ports for TensorFlow, the chief's with one 1000 above it for loops/peers.py."""
    with socket.socket() as held:
        held.bind(("", 0))
        first = 20_000 + held.getsockname()[1] % 9_000
    ports = [port for port in range(first, first + 500) if is_free(port)]
    chiefs = next(port for port in ports if is_free(port + 1000))
    return [chiefs, *(port for port in ports if port > chiefs)][:count]


def is_free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("", port))
        except OSError:
            return False
    return True


class Workers:
    """Some or all of the `size` workers of a training."""

    def __init__(
        self,
        zygote: Zygote,
        directory: Path,
        argv: Sequence[str],
        size: int,
        only: Sequence[int] | None = None,
    ):
        directory.mkdir(parents=True)
        self._directory = directory
        workers = list(range(size) if only is None else only)
        request = {"argv": list(argv), "ports": free_ports(size), "workers": workers}
        text = json.dumps({**request, "directory": str(directory)})
        self._launcher: Program = zygote.start("tests/start_workers.py", text)
        self._workers = workers
        self.since = time.monotonic()  # of the fault
        self.until(lambda: (directory / "pids.json").exists())
        self.pids = {int(k): v for k, v in self._read("pids.json").items()}

    def _read(self, name: str) -> dict[str, Any]:
        path = self._directory / name
        return json.loads(path.read_text()) if path.exists() else {}

    def output(self, index: int) -> str:
        return (self._directory / f"output-{index}.txt").read_text()

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not condition():
            assert self._launcher.alive(), self._outputs()
            assert time.monotonic() < deadline, self._outputs()
            time.sleep(0.005)

    def _outputs(self) -> str:
        texts = [f"--- {i}\n{self.output(i)}" for i in self._workers]
        return self._launcher.output + "\n".join(texts)

    def send(self, index: int, number: int) -> None:
        self.since = time.monotonic()
        os.kill(self.pids[index], number)

    def end(self, but: Sequence[int] = ()) -> dict[int, Ended]:
        """Waits for all but some, which are then killed."""
        awaited = {str(i) for i in self._workers if i not in but}
        self.until(lambda: awaited <= set(self._read("ended.json")))
        for index in but:
            if str(index) not in self._read("ended.json"):
                os.kill(self.pids[index], signal.SIGKILL)
        launcher = self._launcher.end()
        assert launcher.status == 0, launcher.output
        ended = self._read("ended.json")
        return {
            int(i): Ended(status, self.output(int(i)), moment - self.since)
            for i, (status, moment) in sorted(ended.items())
        }
