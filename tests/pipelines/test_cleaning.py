"""Cleaning: what markup is and is not, against the standard library's HTML parser."""

import html.parser
import time
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from pipelines import words
from pipelines.cleaning import clean_text, fold_whitespace, has_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("good.<br /><br />Bad.", "good. Bad."),
        ("<I>very</I> <a href='x?a=1&amp;b=2' class=y>nice</a>", "very nice"),
        ('<FONT\n face="verdana,MS Sans Serif" size=2>x</FONT>', "x"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("a<b and c>d", "a<b and c>d"),
        ("vector<int> <unk> <me@host.org> <3", "vector<int> <unk> <me@host.org> <3"),
        ("x <!-- <b>not</b>\n shown --> y --> z <!-- open", "x y --> z <!-- open"),
        ("AT&amp;T &lt;b&gt; &quot;&#39;&#x2019; &amp;lt;", "AT&T <b> \"'\u2019 &lt;"),
        ("R&D &notanentity; a&b", "R&D \u00acanentity; a&b"),
        ("a\u00a0b\u2028c\td&nbsp;e\0f", "a b c d e f"),
        ("&#" + "9" * 6000 + "; x", "x"),
        ("  \n", ""),
    ],
)  # fmt: skip
def test_known_texts(text, expected):
    assert clean_text(text) == expected


class _TextOnly(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []

    def handle_data(self, data):
        self.parts.append(data)

    def handle_starttag(self, tag, attributes):
        self.parts.append(" ")

    def handle_endtag(self, tag):
        self.parts.append(" ")


WORDS = st.lists(
    st.sampled_from(
        ["word", " ", "<br/>", "<p>", "</p>", '<a href="/x?y=1">', "</a>", "<td width=50% >",
         "&amp;", "&eacute;", "&#233;", "\n", "<!-- c -->", "<h1 id='t' class='a b'>", "</h1>"]
    )
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@seed(1)
@given(WORDS)
def test_well_formed_html_reads_as_a_browser_would(words):
    parser = _TextOnly()
    parser.feed("".join(words))
    parser.close()
    # The parser joins what a comment separates; words are compared without spaces there.
    assert clean_text("".join(words)).replace(" ", "") == "".join(parser.parts).replace(
        " ", ""
    ).replace("\n", "")


@settings(max_examples=200, deadline=None)
@seed(1)
@given(st.text())
def test_the_result_is_one_folded_line(text):
    cleaned = clean_text(text)
    assert cleaned == fold_whitespace(cleaned)
    assert len(cleaned.splitlines()) <= 1
    assert "\0" not in cleaned


HOSTILE = [
    "<!--",
    "<a ",
    "<a b=",
    '<a b="',
    "<a b='",
    "<a b=c ",
    "-->",
    "<",
    "&#1",
    "&",
    " a=b",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_with_the_length_only(piece):
    # A quadratic search of two million characters would take minutes.
    for text in (
        piece * (2_000_000 // len(piece)),
        "<a" + piece * 100_000,
        piece + " " * 2_000_000,
    ):
        started = time.process_time()
        clean_text(text)
        assert time.process_time() - started < 5


def test_what_has_words_is_what_the_tokeniser_finds_words_in():
    """Of every character that Unicode 3.2 had, so that versions do not matter."""
    old = unicodedata.ucd_3_2_0.category
    characters = [chr(i) for i in range(0x110000) if old(chr(i)) not in ("Cn", "Cs")]
    characters = [c for c in characters if old(c) == unicodedata.category(c)]
    assert len(characters) > 200_000
    cleaned = words.clean_text(tf.constant([c.encode() for c in characters]), True).numpy()
    for character, text in zip(characters, cleaned, strict=True):
        assert has_words(character) == bool(words.split_words(text.decode())), hex(
            ord(character)
        )
