"""Progress in a log and on a terminal, and how much of a corpus has been read."""

import gzip
import io
import sys

import pytest

from pipelines import progress as module
from pipelines.corpus import read_documents, text_bytes
from pipelines.options import CorpusOptions
from pipelines.progress import Progress
from pipelines.reading_notes import ReadingNotes


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # a log, whatever pytest is run on
    return clock


def test_a_log_gets_a_line_every_three_seconds(clock):
    lines = []
    progress = Progress(lambda: (clock.now - 1000) / 40, lines.append)
    for _ in range(10):
        clock.now += 1
        progress(lambda: "reading")
    progress.close()
    assert lines == [
        "  reading [##                  ] 8%, 37 s left",
        "  reading [###                 ] 15%, 34 s left",
        "  reading [####                ] 22%, 31 s left",
    ]


def test_without_a_share_the_time_so_far_is_shown(clock):
    lines = []
    progress = Progress(say=lines.append)
    clock.now += 5
    progress(lambda: "reading")
    assert lines == ["  reading (5 s)"]


def test_a_terminal_gets_one_line_written_over(clock, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    told = []

    def say(line, end="\n"):  # of others that wait, too: it is a sign of life
        told.append(line)
        print(line, end=end)

    progress = Progress(lambda: 0.5, say)
    for _ in range(2):
        clock.now += 1
        progress(lambda: "reading")
    progress.close()
    erase = "\r\x1b[2K"
    bar = "  reading [##########          ] 50%,"
    assert sys.stdout.getvalue() == f"{erase}{bar} 1 s left{erase}{bar} 2 s left{erase}"
    assert len(told) == 2


def test_the_share_of_a_corpus_that_has_been_read(tmp_path):
    text = b"".join(b"document %d\n" % i for i in range(20_000))
    (tmp_path / "a.txt").write_bytes(text)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(text))
    (tmp_path / "c.txt").write_bytes(text)
    size = 2 * len(text) + (tmp_path / "b.txt.gz").stat().st_size
    notes = ReadingNotes()
    assert notes.share == 0
    shares = []
    for document in read_documents(CorpusOptions(tmp_path), notes):
        shares.append(notes.share)
        assert document
    assert shares == sorted(shares)
    assert shares[20_000] >= len(text) / size > shares[19_000]
    assert shares[10_000] == pytest.approx(len(text) / 2 / size, abs=0.05)
    assert notes.share == shares[-1] == 1
    assert text_bytes(CorpusOptions(tmp_path)) == 2 * len(text) + 4 * (size - 2 * len(text))
