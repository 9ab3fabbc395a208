"""The processes that train together: asking each other, and ending when one is missing.

TensorFlow's collectives carry numbers, and wait without end for a process that stalls.
So each worker also has its own line to the chief: JSON, one object per line, on a separate
port. It carries answers (`gather`) and, once a second, signs of life. A worker that is
gone, silent or late is named to all, and all leave at once with exit code 75.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from bert_core.errors import UserError
from bert_core.escapes import escaped
from loops import console, stopping
from loops.cluster import Cluster
from loops.lines import BEAT, Line, meet
from loops.options import DistributionOptions

TRY_AGAIN = os.EX_TEMPFAIL  # 75
SILENCE = 30.0  # seconds without a sign of life: the process is stopped, or its machine gone
# What TensorFlow raises when a collective operation fails.
_CODES = ("Unavailable", "Aborted", "Cancelled", "DeadlineExceeded", "Internal")
LOST = tuple(f"{code}Error" for code in _CODES)
ADVICE = "start all workers again: the same command resumes from the last checkpoint"


def team(options: DistributionOptions | None) -> "Team":
    """The workers that TF_CONFIG names, once all have come."""
    if options is None or options.cluster is None:
        return Team()
    return Team(options.cluster, options.port, options.peer_timeout)


class Team:
    """All workers; a process on its own is a team of one, and nothing here waits."""

    def __init__(
        self,
        cluster: Cluster | None = None,
        port: int = 0,
        patience: float = 300.0,
        leave: Callable[[int], Any] = os._exit,
    ):
        """Waits until all have come; after `patience` seconds leaves, naming who has not.

        port: the chief's, for these lines.
        patience: also how long a main thread may go without a sign of life.
        """
        self._cluster = cluster or Cluster(("alone",), ("alone",), 0)
        self.size, self.is_chief = len(self._cluster.addresses), self._cluster.is_chief
        self.patience = patience
        self._port, self._leave = port, leave
        self._lines: dict[int, Line] = {}  # by worker; outside the chief, only the chief's
        self._changed = threading.Condition(threading.RLock())
        self._left = threading.Lock()
        self._gathered: dict[int, dict[int, Any]] = {}  # answers of each round so far
        self._round = 0  # the next one
        self._asking_since: float | None = None  # in `gather`
        self._since: float | None = time.monotonic()  # of life; None: waiting for others
        self._failing_since: float | None = None  # a collective operation has failed
        self._agreed = self._parting = self._ending = False
        if self.size > 1:
            self._meet()
            threading.Thread(target=self._watch, daemon=True).start()

    # ---- what the main thread asks ----

    def gather(self, value: Any) -> list[Any]:
        """Everyone's value (any JSON), by worker, once all have called this."""
        if self.size == 1:
            return [value]
        with self._changed:
            number, self._round = self._round, self._round + 1
            # Before waiting: a worker that waits and has not answered is stalled.
            self._take(self._cluster.index, {"answer": value, "round": number})
            with self.waiting():
                self._asking_since = time.monotonic()
                while len(self._gathered.get(number, {})) < self.size:
                    self._changed.wait(BEAT)
                self._asking_since = None
            return [x for _, x in sorted(self._gathered.pop(number).items())]

    def from_chief(self, value: Any = None) -> Any:
        """The chief's value, on every worker."""
        return self.gather(value if self.is_chief else None)[0]

    def asked_to_stop(self) -> bool:
        """Whether a signal has come to any worker; the same answer on all."""
        for number in self.gather(stopping.signal_number()):
            stopping.adopt(number)
            self._agreed = self._agreed or number != 0
        return self._agreed if self.size > 1 else stopping.requested()

    def check_same(self, values: dict[str, Any]) -> None:
        """UserError, on all, if a worker's values differ from the chief's."""
        everyone = self.gather(json.loads(json.dumps(values)))
        for name, theirs in zip(self._cluster.names[1:], everyone[1:], strict=True):
            for key, right in everyone[0].items():
                if theirs.get(key) != right:
                    raise UserError(
                        f"{name}: {key} is {theirs.get(key)!r} there, {right!r} on the chief; "
                        "give all workers the same"
                    )

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Inside, this process waits for others: here, or in TensorFlow's collectives."""
        self._since = None
        try:
            yield
        finally:
            self._since = time.monotonic()

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        """Leaves together; a process that leaves with an error tells the others first."""
        if self._left.locked():  # another thread is leaving, and says why
            time.sleep(2 * SILENCE)
        if self.size == 1 or self._ending:
            return
        if kind is not None and kind.__name__ in LOST:
            self._find_out(error)
        if error is None or (self._agreed and isinstance(error, stopping.Stopped)):
            self._parting = True
            with stopping.deferred():  # the chief has something to finish
                self.gather("done")
            return
        self._ending = True
        code = {UserError: 2, stopping.Stopped: stopping.exit_code()}.get(kind, TRY_AGAIN)
        reason = " ".join((str(error) or kind.__name__).split())
        name = self._cluster.names[self._cluster.index]
        self._say({"end": f"{name} has ended: {reason}", "code": code})

    def _find_out(self, error: BaseException | None) -> NoReturn:
        """Leaves once the watch knows who is gone: TensorFlow does not say."""
        self._failing_since = time.monotonic()
        with self.waiting():
            time.sleep(2 * SILENCE)
        reason = " ".join(str(error).split())[:200]
        self._end(f"the workers have lost each other ({reason}); {ADVICE}", TRY_AGAIN)

    def _meet(self) -> None:
        self._lines = meet(self._cluster, self._port, self.patience)
        others = range(1, self.size) if self.is_chief else range(1)
        missing = [self._cluster.names[i] for i in others if i not in self._lines]
        if missing:
            who = ", ".join(missing)
            self._end(f"{who}: not there after {self.patience:.0f} s; {ADVICE}", TRY_AGAIN)
        for index, line in self._lines.items():
            threading.Thread(target=self._listen, args=(index, line), daemon=True).start()

    # ---- the lines ----

    def _say(self, message: dict[str, Any], but: int | None = None) -> None:
        for index, line in list(self._lines.items()):
            if index != but:
                with contextlib.suppress(OSError):
                    line.say(message)

    def _listen(self, index: int, line: Line) -> None:
        """Reads a line, in a thread of its own, until the line is cut."""
        for message in line.heard():
            with self._changed:
                if "answer" in message:
                    self._take(index, message)
                elif "all" in message:
                    self._complete(message["round"], message["all"])
                elif "end" in message and not self._ending:
                    self._end(message["end"], message["code"], but=index)
                # The chief may evaluate for long: it hears of a signal before it is asked.
                stopping.adopt(message.get("signal", 0))
        if not self._ending:
            self._end(f"{self._cluster.names[index]} has gone; {ADVICE}", TRY_AGAIN)

    def _take(self, index: int, message: dict[str, Any]) -> None:
        """An answer: the chief collects them and tells all, others hand theirs in."""
        if not self.is_chief:
            self._say(message)
            return
        number = message["round"]
        answers = self._gathered.setdefault(number, {})
        answers[index] = message["answer"]
        if len(answers) == self.size:
            everyone = [answer for _, answer in sorted(answers.items())]
            self._complete(number, everyone)
            self._say({"round": number, "all": everyone})

    def _complete(self, number: int, answers: list[Any]) -> None:
        self._gathered[number] = dict(enumerate(answers))
        # From now on it is normal for lines to be cut.
        self._ending = self._ending or self._parting
        self._changed.notify_all()

    # ---- the watch ----

    def _watch(self) -> None:
        """Reports on this process and watches the others, in a thread of its own."""
        while not self._ending:
            now, since = time.monotonic(), self._since
            self._say(
                {
                    "idle": 0.0 if since is None else min(now - since, stopping.idle_seconds()),
                    "waiting": since is None,
                    "round": self._round,
                    "failing": self._failing_since is not None,
                    # While parting, a signal is for this process; the chief may be scoring.
                    "signal": 0 if self._parting else stopping.signal_number(),
                }
            )
            for index, line in self._lines.items():
                problem = self._problem(index, line, now)
                if problem and not self._ending:
                    self._end(f"{self._cluster.names[index]} {problem}; {ADVICE}", TRY_AGAIN)
            time.sleep(BEAT)

    def _problem(self, index: int, line: Line, now: float) -> str | None:
        if now - line.last_heard > SILENCE:
            return f"has been silent for {SILENCE:.0f} s"
        # Asked, it neither answers nor works: it has stalled while waiting for others.
        last, answers = line.last, self._gathered.get(self._round - 1, {})
        answered = index in answers if self.is_chief else last.get("round") == self._round
        asking_since = self._asking_since or now
        stuck = now - asking_since > self.patience and last.get("waiting") and not answered
        if stuck or last.get("idle", 0.0) > self.patience:
            return f"stalls: no sign of life from its main thread for {self.patience:.0f} s"
        failing_since = self._failing_since or now
        if now - failing_since > SILENCE / 2 and not last.get("failing"):
            return "does not take part in TensorFlow's collective operations"
        return None

    def _end(self, text: str, code: int, but: int | None = None) -> NoReturn:
        """Tells all and leaves, whatever the main thread hangs in."""
        if not self._left.acquire(blocking=False):
            raise SystemExit(code)  # another thread is leaving
        self._ending = True
        self._say({"end": text, "code": code}, but)
        # What was printed has to be seen, but a main thread may hang in printing.
        flushing = threading.Thread(target=sys.stdout.flush, daemon=True)
        flushing.start()
        flushing.join(BEAT)
        with contextlib.suppress(OSError):  # a terminal that is gone
            console.print_error(f"{Path(sys.argv[0]).name}: {escaped(text)}")
        self._leave(code)
        raise SystemExit(code)  # where leaving is only pretended
