"""Processes that take turns, so that what is compared runs under the same conditions.

The near side is a `Contestant`, the far side a small script that calls `serve`. They
speak lines of JSON: first the job, answered by {}; then a number of steps, answered by
{"seconds": [...], "peak_memory": bytes, ...}. A contestant works only when it is asked.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


class Contestant:
    """A long-lived process that runs steps of a job."""

    def __init__(self, name: str, command: list[str | Path]):
        self.name = name
        self.answers: list[Answer] = []  # one per turn
        self._command = [str(word) for word in command]

    def start(self, job: dict[str, Any]) -> Answer:
        """Starts the process and has it prepare the job; returns once it has."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed in stop)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, stderr=self._log, text=True
        )
        return self._ask(job)

    def turn(self, steps: int) -> Answer:
        """Has it run that many steps."""
        self.answers.append(self._ask(steps))
        return self.answers[-1]

    def stop(self) -> None:
        self._process.communicate()
        self._log.close()

    def _ask(self, question: Any) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            self._log.seek(0)
            sys.exit(f"{self._log.read().decode()[-3000:]}\n{self.name} has failed, see above")


def serve(prepare: Callable[[dict[str, Any]], Callable[[int], Answer]]) -> None:
    """Prepares the job, then answers each number of steps with what running them gave."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not reach the other side
    run: Callable[[int], Answer] | None = None
    for line in sys.stdin:
        question = json.loads(line)
        answer: Answer = {}
        if run is None:
            run = prepare(question)
        else:
            answer = {**run(question), "peak_memory": peak_memory()}
        print(json.dumps(answer), file=answers, flush=True)


def each_timed(step: Callable[[], Any]) -> Callable[[int], Answer]:
    """From a step to a function that runs n of them and returns the seconds of each."""

    def run(n: int) -> Answer:
        seconds = []
        for _ in range(n):
            started = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds}

    return run


def peak_memory() -> int:
    """The most bytes this process has held so far; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
