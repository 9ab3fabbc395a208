"""The connections between the workers and the chief; each carries JSON, one object per line."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from bert_core.errors import UserError
from loops.cluster import Cluster

BEAT = 1.0  # seconds between signs of life
_LONGEST = 1 << 26  # bytes of a line; what all workers record may hold thousands of labels


class Line:
    """One end of a connection; any thread may `say`, one thread reads `heard`."""

    def __init__(self, connection: socket.socket):
        """Until `wait_forever`, five seconds of silence end `heard`."""
        connection.settimeout(5.0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection, self._file = connection, connection.makefile("rb")
        self._lock = threading.Lock()
        self.last_heard = time.monotonic()
        self.last: dict[str, Any] = {}  # the latest sign of life

    def wait_forever(self) -> None:
        self._connection.settimeout(None)

    def say(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def heard(self) -> Iterator[dict[str, Any]]:
        """Each object received, until the connection is cut or something else comes."""
        try:
            while text := self._file.readline(_LONGEST):
                message = json.loads(text)
                if not isinstance(message, dict):
                    return
                self.last_heard = time.monotonic()
                if "idle" in message:
                    self.last = message
                yield message
        except (OSError, ValueError, RecursionError):
            pass

    def close(self) -> None:
        self._connection.close()


def meet(cluster: Cluster, port: int, patience: float) -> dict[int, Line]:
    """On the chief, its lines to all workers; on another, {0: its line to the chief}.

    Those that have not come in `patience` seconds are missing. port: the chief's.
    """
    deadline = time.monotonic() + patience
    lines: dict[int, Line] = {}
    if cluster.is_chief:
        with _listening(port) as server:
            while len(lines) < len(cluster.addresses) - 1 and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    _welcome(Line(server.accept()[0]), cluster, lines)
                for line in lines.values():
                    with contextlib.suppress(OSError):
                        line.say({"idle": 0.0})
    else:
        host, _ = cluster.host_and_port(0)
        while not lines and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # not up yet, nor perhaps its name
                line = Line(socket.create_connection((host, port), timeout=5.0))
                line.say({"worker": cluster.index, "of": cluster.addresses})
                lines[0] = line
            time.sleep(0.0 if lines else BEAT / 4)
    for line in lines.values():
        line.wait_forever()
    return lines


def _listening(port: int) -> socket.socket:
    # Both families where the system has both: a worker may know the chief by either.
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        server = socket.create_server(("", port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise UserError(
            f"--peer_port={port}: cannot be listened on ({error.strerror}); is another "
            "run training here?"
        ) from None
    server.settimeout(BEAT / 4)
    return server


def _welcome(line: Line, cluster: Cluster, lines: dict[int, Line]) -> None:
    """Hears a worker's first words, and admits it; turns strangers away."""
    said = next(line.heard(), {})
    index, size = said.get("worker"), len(cluster.addresses)
    if (
        said.get("of") == list(cluster.addresses)
        and isinstance(index, int)
        and 0 < index < size
    ):
        lines[index] = line
        return
    line.say({"end": "TF_CONFIG: its workers are not those of the chief", "code": 2})
    line.close()
