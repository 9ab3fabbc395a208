"""Workers ask each other, and end when one is missing: several in one process, each in a
thread, without TensorFlow. What really dies is in tests/test_worker_faults.py."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bert_core.errors import UserError
from loops import lines, peers, stopping
from loops.cluster import Cluster
from loops.peers import Team
from tests.workers import free_ports

# Where a process would leave, a thread ends by SystemExit.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping._requested = 0
    for module in (peers, lines):
        monkeypatch.setattr(module, "BEAT", 0.05)
    monkeypatch.setattr(peers, "SILENCE", 0.6)


class Workers:
    """Teams of one cluster, and the code each has left with."""

    def __init__(self, size: int, patience: float = 20.0):
        self.port, *ports = free_ports(size + 1)
        self.addresses = tuple(f"127.0.0.1:{port}" for port in ports)
        self.names = tuple(f"worker {i}" for i in range(size))
        self.patience = patience
        self.codes: dict[int, int] = {}
        self.teams: dict[int, Team] = {}

    def join(self, index: int) -> Team:
        def leave(code: int) -> None:
            self.codes.setdefault(index, code)
            raise SystemExit(code)

        cluster = Cluster(self.addresses, self.names, index)
        self.teams[index] = Team(cluster, self.port, self.patience, leave)
        return self.teams[index]

    def all(self, do: Callable[[int, Team], Any]) -> list[Any]:
        """What each makes of it, at once."""
        with ThreadPoolExecutor(len(self.names)) as pool:
            return list(pool.map(lambda i: do(i, self.teams[i]), range(len(self.names))))

    def until_left(self, index: int) -> int:
        self.until(lambda: index in self.codes)
        return self.codes[index]

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def close(self) -> None:
        for team in self.teams.values():
            team._ending = True
        for team in self.teams.values():
            for line in team._lines.values():
                with contextlib.suppress(OSError):  # of one that has left
                    line._connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def together() -> Iterator[Callable[..., Workers]]:
    made = []

    def join(size: int = 2, **more: float) -> Workers:
        workers = Workers(size, **more)
        made.append(workers)
        with ThreadPoolExecutor(size) as pool:
            list(pool.map(workers.join, range(size)))
        return workers

    yield join
    for workers in made:
        workers.close()


def test_one_process_waits_for_nobody() -> None:
    with Team() as team:
        assert team.gather(7) == [7]
        assert team.from_chief("x") == "x"
        assert not team.asked_to_stop()
        stopping._requested = 15
        assert team.asked_to_stop()


def test_everyone_hears_everyone(together: Callable[..., Workers]) -> None:
    workers = together(3)
    for turn in range(20):
        answers = workers.all(lambda i, team, turn=turn: team.gather([i, turn]))
        assert answers == [[[0, turn], [1, turn], [2, turn]]] * 3
    assert workers.all(lambda i, team: team.from_chief(f"of {i}")) == ["of 0"] * 3
    labels = "x" * 600_000  # of all together, more than a megabyte
    assert workers.all(lambda i, team: team.gather(labels)) == [[labels] * 3] * 3


def test_they_leave_together(together: Callable[..., Workers]) -> None:
    workers = together(3)
    moments = []

    def leave(index: int, team: Team) -> None:
        with team:
            time.sleep(1.0 if index == 1 else 0.0)
        moments.append(time.monotonic())

    workers.all(leave)
    assert max(moments) - min(moments) < 0.8
    workers.close()
    time.sleep(0.2)
    assert not workers.codes


def test_a_signal_waits_while_the_chief_finishes(
    together: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = together(2)
    deferred = []
    gather = Team.gather

    def watched(team: Team, value: Any) -> list[Any]:
        deferred.append(stopping._deferred > 0)
        return gather(team, value)

    monkeypatch.setattr(Team, "gather", watched)
    for team in workers.teams.values():
        team.__enter__()
    workers.all(lambda i, team: team.__exit__(None, None, None))
    assert deferred == [True, True]
    workers.close()


def test_a_signal_of_one_that_is_done_does_not_reach_the_chief(
    together: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = together(2)
    told: dict[Team, list[int]] = {team: [] for team in workers.teams.values()}
    say = Team._say

    def watched(team: Team, message: dict[str, Any], but: int | None = None) -> None:
        if "signal" in message:
            told[team].append(message["signal"])
        say(team, message, but)

    workers.teams[1]._parting = True
    monkeypatch.setattr(Team, "_say", watched)
    monkeypatch.setattr(stopping, "signal_number", lambda: signal.SIGTERM)
    workers.until(lambda: min(map(len, told.values())) > 3)
    assert told[workers.teams[0]][-1] == signal.SIGTERM
    assert told[workers.teams[1]][-1] == 0
    workers.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_chief_is_found_by_either_family(host: str) -> None:
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this system has one")
    (port,) = free_ports(1)
    with lines._listening(port):
        socket.create_connection((host, port), timeout=5).close()


def test_other_settings_are_named_on_all(together: Callable[..., Workers]) -> None:
    def check(index: int, team: Team) -> str:
        with pytest.raises(UserError) as caught:
            team.check_same({"a": (1, 2), "seed": 7 * (index == 2)})
        return str(caught.value)

    expected = "worker 2: seed is 7 there, 0 on the chief; give all workers the same"
    assert together(3).all(check) == [expected] * 3


@pytest.mark.parametrize("victim", [0, 1])
def test_a_cut_line(
    victim: int, together: Callable[..., Workers], capsys: pytest.CaptureFixture
) -> None:
    workers = together(3)
    workers.teams[victim]._ending = True
    for line in workers.teams[victim]._lines.values():
        line._connection.shutdown(socket.SHUT_RDWR)
    others = {0, 1, 2} - {victim}
    assert {workers.until_left(i) for i in others} == {75}
    error = capsys.readouterr().err
    assert error.count(f": worker {victim} has gone; start all workers again") == 2


def test_a_silent_one(together: Callable[..., Workers], capsys: pytest.CaptureFixture) -> None:
    workers = together(3)
    workers.teams[2]._say = lambda *_: None  # type: ignore[method-assign]
    assert workers.until_left(0) == workers.until_left(1) == 75
    assert capsys.readouterr().err.count(": worker 2 has been silent for 1 s; ") >= 2


@pytest.mark.parametrize("victim", [0, 1])
def test_one_that_stalls_while_others_wait(
    victim: int, together: Callable[..., Workers], capsys: pytest.CaptureFixture
) -> None:
    workers = together(2, patience=0.8)
    waiting = workers.teams[1 - victim]
    threading.Thread(target=waiting.gather, args=(1,), daemon=True).start()
    assert workers.until_left(1 - victim) == 75
    assert f": worker {victim} stalls: no sign of life" in capsys.readouterr().err


@pytest.mark.parametrize("victim", [0, 1])
def test_one_that_stalls_where_it_had_waited(
    victim: int, together: Callable[..., Workers], capsys: pytest.CaptureFixture
) -> None:
    """As on the way out of a call in which TensorFlow had waited."""
    workers = together(3, patience=0.8)

    def stall() -> None:
        with workers.teams[victim].waiting():
            time.sleep(20)

    threading.Thread(target=stall, daemon=True).start()
    others = {0, 1, 2} - {victim}
    for i in others:
        threading.Thread(target=workers.teams[i].gather, args=(1,), daemon=True).start()
    assert {workers.until_left(i) for i in others} == {75}
    assert f": worker {victim} stalls: no sign of life" in capsys.readouterr().err


def test_to_wait_for_another_is_not_to_stall(together: Callable[..., Workers]) -> None:
    workers = together(3, patience=0.5)
    for i in (0, 2):
        threading.Thread(target=workers.teams[i].gather, args=(1,), daemon=True).start()
    for _ in range(30):  # worker 1 works
        time.sleep(0.05)
        stopping.check()
    assert not workers.codes
    workers.teams[1].gather(1)


def test_signs_of_life_are_enough(together: Callable[..., Workers]) -> None:
    workers = together(2, patience=0.5)
    threading.Thread(target=workers.teams[1].gather, args=(1,), daemon=True).start()
    for _ in range(30):  # an evaluation of the chief's
        time.sleep(0.05)
        stopping.check()
    assert not workers.codes
    workers.teams[0].gather(1)


def test_a_collective_that_fails_waits_for_the_name(
    together: Callable[..., Workers], capsys: pytest.CaptureFixture
) -> None:
    class UnavailableError(Exception):
        """As TensorFlow calls it."""

    workers = together(2)

    def fail() -> None:
        with workers.teams[0]:
            raise UnavailableError("connection reset")

    threading.Thread(target=fail, daemon=True).start()
    assert workers.until_left(0) == 75
    assert ": worker 1 does not take part in TensorFlow's" in capsys.readouterr().err


def test_an_error_that_follows_waits_for_the_name(together: Callable[..., Workers]) -> None:
    """TensorFlow's exception may come while another thread is about to leave."""
    workers = together(2)
    team, unwound = workers.teams[0], threading.Event()
    leaving = threading.Event()
    team._leave = lambda code: leaving.wait(20)

    def fail() -> None:
        try:
            with team:
                raise ValueError("connection reset")
        except ValueError:
            unwound.set()

    workers.teams[1]._ending = True
    workers.teams[1]._lines[0]._connection.shutdown(socket.SHUT_RDWR)
    while not team._left.locked():
        time.sleep(0.01)
    threading.Thread(target=fail, daemon=True).start()
    assert not unwound.wait(0.5)
    leaving.set()


def test_a_mistake_of_one_ends_all(
    together: Callable[..., Workers], capsys: pytest.CaptureFixture
) -> None:
    workers = together(3)
    with pytest.raises(UserError), workers.teams[1]:
        raise UserError("cache: holds no\nvocabulary")
    assert workers.until_left(0) == workers.until_left(2) == 2
    said = ": worker 1 has ended: cache: holds no vocabulary\n"
    assert capsys.readouterr().err.count(said) == 2


def test_who_never_comes_is_named(capsys: pytest.CaptureFixture) -> None:
    workers = Workers(3, patience=0.5)
    with pytest.raises(SystemExit) as caught:
        workers.join(0)
    assert caught.value.code == 75
    assert ": worker 1, worker 2: not there after 0 s; " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        workers.join(1)
    assert ": worker 0: not there after 0 s; " in capsys.readouterr().err


def test_strangers_are_let_go(capsys: pytest.CaptureFixture) -> None:
    workers = Workers(2)
    other = Workers(2)
    other.port = workers.port
    with ThreadPoolExecutor(1) as pool:
        chief = pool.submit(workers.join, 0)
        for words in (b"GET / HTTP/1.1\r\n\r\n", b'{"worker": 9}\n', b"\xff\n", b"[]\n"):
            while True:
                try:
                    stranger = socket.create_connection(("127.0.0.1", workers.port))
                    break
                except OSError:
                    time.sleep(0.01)
            with stranger:
                stranger.sendall(words)
        other.join(1)  # of another TF_CONFIG
        assert other.until_left(1) == 2
        assert "its workers are not those of the chief" in capsys.readouterr().err
        workers.join(1)
        assert chief.result().size == 2
    assert not workers.codes
    workers.close()
