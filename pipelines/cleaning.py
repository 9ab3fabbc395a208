"""Text as people wrote it, from text as web pages and old datasets store it."""

import html
import re
import unicodedata

# A tag is `<`, a name HTML knows and, optionally, attributes of the form name=value.
# So `a < b and c > d`, `vector<int>` and `<unk>` stay. Nothing in the pattern can
# match across the next `<`, which keeps the whole substitution linear.
_TAG = re.compile(
    r"""</?([a-zA-Z][a-zA-Z0-9]*)
        (?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))*
        \s*/?>""",
    re.VERBOSE,
)
_HTML = """
    a abbr acronym address applet area article aside audio b base basefont bdi bdo big
    blockquote body br button canvas caption center cite code col colgroup dd del details
    dfn dir div dl dt em embed fieldset figcaption figure font footer form frame frameset
    h1 h2 h3 h4 h5 h6 head header hr html i iframe img input ins kbd label legend li link
    main map mark menu meta nav nobr noscript object ol option p param picture pre q s
    samp script section select small source span strike strong style sub summary sup table
    tbody td textarea tfoot th thead time title tr tt u ul var video wbr
"""
_TAG_NAMES = frozenset(_HTML.split())
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# html.unescape hands the digits to int(), which refuses thousands of them.
_ENDLESS_ENTITY = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")


def clean_text(text: str) -> str:
    """Plain text on one line: tags become a space, entities their characters.

    Entities are decoded once and after the tags, so `&lt;b&gt;` ends up as `<b>`.
    Takes time in proportion to the text, whatever the text.
    """
    # Up to the last "-->" every comment that starts also ends; a start without an end
    # would be searched to the end of the text, once for each such start.
    head, end, tail = text.rpartition("-->")
    text = _COMMENT.sub(" ", head + end) + tail
    text = _TAG.sub(_space_for_html, text)
    text = html.unescape(_ENDLESS_ENTITY.sub(" ", text))
    return fold_whitespace(text.replace("\0", " "))


def fold_whitespace(text: str) -> str:
    """Every run of whitespace, line ends included, becomes one space; none at the ends."""
    return " ".join(text.split())


def has_words(text: str) -> bool:
    """Whether BERT's cleaning leaves anything of a text.

    It drops control characters, spaces, U+FFFD and, if uncased, accents without a letter.
    """
    return any(
        c != "\ufffd"
        and unicodedata.category(c)[0] not in "CZ"
        and unicodedata.category(c) != "Mn"
        for c in text
    )


def _space_for_html(match: re.Match[str]) -> str:
    return " " if match[1].lower() in _TAG_NAMES else match[0]
