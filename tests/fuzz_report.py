"""More of tests/fuzz_targets.py: what a page about a run is made of."""

import json
from html.parser import HTMLParser
from pathlib import Path

from loops import report
from loops.metrics_log import read_metrics
from loops.page import Page
from pipelines.corpus_report import read_corpus_json
from pipelines.sample_texts import kept_texts
from tests.small_bert import small_config


class Nesting(HTMLParser):
    """Fails unless every element is one of the page's own and is closed where it should be."""

    OURS = (
        "html head meta title style body h1 h2 h3 p table tr th td span ruby rt div figure "
        "figcaption details summary svg text path rect image circle polyline"
    )

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.OURS.split(), tag
        self.seen.add(tag)
        self.attributes += attrs
        if tag != "meta":
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.OURS.split(), tag
        self.seen.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Nesting:
    """A page as a browser sees it, with nothing in it that is not ours."""
    nesting = Nesting()
    nesting.feed(page)
    nesting.close()
    assert nesting.opened == []
    for name, value in nesting.attributes:
        assert not name.startswith("on")
        assert name not in ("src", "srcdoc", "action")
        assert name != "href" or str(value).startswith("data:image/png;base64,")
    return nesting


def _metrics(data: bytes, here: Path) -> object:
    (here / "metrics.jsonl").write_bytes(data)
    lines = read_metrics(here / "metrics.jsonl")
    page = Page("x")
    report.summary(page, small_config(), {"program": lines}, lines)
    report.curves(page, lines, 6.5)
    return parsed(page.to_html())


def _predictions(data: bytes, here: Path) -> object:
    (here / "predictions.tsv").write_bytes(data)
    page = Page("x")
    report.judged(page, here / "predictions.tsv")
    return parsed(page.to_html())


def _corpus(data: bytes, here: Path) -> object:
    (here / "corpus.json").write_bytes(data)
    page = Page("x")
    report.corpus(page, vars(read_corpus_json(here / "corpus.json")))
    return parsed(page.to_html())


def _samples(data: bytes, here: Path) -> object:
    (here / "samples.txt").write_bytes(data)
    return all(text.strip() for text in kept_texts(here)) and kept_texts(here)[0]


METRICS = (
    b'{"split": "train", "step": 5, "loss": 6.5, "learning_rate": 1e-3}\n'
    b'{"split": "train", "step": 10, "loss": NaN, "x": "<b>"}\n'
    b'{"split": "dev", "step": 10, "loss": 6, "masked_accuracy": 0.1}\n'
)
PREDICTIONS = b"index\tlabel\tpredicted\tp(a)\n0\ta\t<b>\t0.5\n1\t<b>\t<b>\t0.5\n"
TARGETS = b"index\ttarget\tpredicted\n0\t1.5\t1.25\n1\t-3\tnan\n"


def report_targets(corpus: dict[str, object]) -> dict[str, tuple]:
    """corpus: the fields of a report."""
    return {
        "metrics.jsonl": (_metrics, METRICS),
        "predictions.tsv of labels": (_predictions, PREDICTIONS),
        "predictions.tsv of numbers": (_predictions, TARGETS),
        "corpus.json": (_corpus, json.dumps(corpus).encode()),
        "samples.txt": (_samples, "a few words\n\n<b>\u4e2d\n".encode()),
    }
