"""The sections of a page hold what was found, as text, whatever it says."""

import numpy as np
import pytest

from bert_core.errors import UserError
from loops import report
from loops.answers import confusion, points, read_answers
from loops.inspection import Word
from loops.page import Page, facts, text
from tests.fuzz_report import parsed

NASTY = "<img src=x onerror=alert(1)>\u202e\x1b[2J\"'&"
SHOWN = "<img src=x onerror=alert(1)>\\u202e\\x1b[2J\"'&"


def test_everything_is_text() -> None:
    page = Page(NASTY)
    page.section(NASTY, NASTY, facts({NASTY: NASTY}))
    report.fillings(
        page, [[Word(NASTY, 0.4, ((NASTY, 0.5),), False), Word(NASTY, None, (), False)]]
    )
    report.nearest(page, {NASTY: [(NASTY, 0.5)]})
    report.attention(page, np.full([2, 3, 2, 2], 0.5), [NASTY, "a"])
    page_as_seen = parsed(page.to_html())
    words = "".join(page_as_seen.words)
    assert words.count(SHOWN) >= 8
    assert not page_as_seen.seen & {"img", "script"}
    assert "\x1b" not in page.to_html()
    assert "\u202e" not in page.to_html()


def test_the_page_asks_for_nothing() -> None:
    page = Page("x").to_html()
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "url(" not in page


@pytest.mark.parametrize(
    ("odds", "colour"),
    [(0.0, 0), (0.0099, 0), (0.01, 1), (0.1, 2), (0.59, 3), (0.6, 4), (1.0, 4)],
)
def test_colours_follow_the_odds(odds: float, colour: int) -> None:
    page = Page("x")
    report.fillings(page, [[Word("word", odds, (("guess", 0.7), ("word", odds)), False)]])
    assert (
        f'<ruby class="c{colour}" title="word {odds:.3f}; guesses: guess 0.700, '
        in page.to_html()
    )
    assert "word<rt>guess</rt>" in page.to_html()


def test_gaps_and_right_guesses() -> None:
    page = Page("x")
    report.fillings(
        page, [[Word("a", 0.9, (("a", 0.9),), True), Word("b", 0.9, (("b", 0.9),), False)]]
    )
    assert "a<rt>[MASK]</rt>" in page.to_html()
    assert "b<rt></rt>" in page.to_html()


def test_the_charts_are_those_of_the_lines() -> None:
    lines = [
        {"split": "train", "step": 5, "loss": 6.0, "learning_rate": 1e-3, "perplexity": 9.0},
        {"split": "dev", "step": 5, "loss": 5.9, "zebra": 0.1},
    ]
    page = Page("x")
    report.curves(page, lines, 5.8)
    html = page.to_html()
    titles = [html.index(f">{name}</text>") for name in ("loss", "learning rate", "zebra")]
    assert titles == sorted(titles)
    assert "perplexity" not in html
    assert html.count("unigram entropy</text>") == 1


def test_confusion_counts_what_stands_in_the_file(tmp_path) -> None:
    file = tmp_path / "predictions.tsv"
    rows = [("a", "a"), ("a", "b"), ("a", "a"), ("b", "a"), ("c", "c")]
    file.write_text("index\tlabel\tpredicted\n" + "".join(f"0\t{x}\t{y}\n" for x, y in rows))
    kind, answers = read_answers(file)
    assert (kind, answers) == ("label", rows)
    assert confusion(answers, 3) == (["a", "b", "c"], [[2, 1, 0], [1, 0, 0], [0, 0, 1]], 0)
    assert confusion(answers, 1) == (["a"], [[2]], 3)
    page = Page("x")
    report.judged(page, file)
    assert "5 answers" in page.to_html()


def test_a_table_of_another_task_is_left_out(tmp_path) -> None:
    (tmp_path / "predictions.tsv").write_text("index\tred\tround\n0\t0.1\t0.9\n")
    page = Page("x")
    before = page.to_html()
    report.judged(page, tmp_path / "predictions.tsv")
    assert page.to_html() == before


def test_numbers_of_a_regression(tmp_path) -> None:
    file = tmp_path / "predictions.tsv"
    file.write_text("index\ttarget\tpredicted\n0\t1.5\t1\n1\t2\tnan\n2\tx\t1\n")
    kind, answers = read_answers(file)
    assert kind == "target"
    assert points(answers, 10) == [(1.5, 1.0)]
    assert len(points([("1", "2")] * 100, 30)) == 25


def test_what_is_no_file_of_predictions(tmp_path) -> None:
    (tmp_path / "p.tsv").write_text("index\tlabel\tpredicted\n0\ta\n")
    with pytest.raises(UserError, match=r"p\.tsv: is not as run_finetune\.py wrote it"):
        read_answers(tmp_path / "p.tsv")


def test_text_keeps_what_can_be_read() -> None:
    assert text("naïve 中文 😀") == "naïve 中文 😀"
