"""An HTML page in one file: no script, nothing fetched, other people's text as text."""

import html
from collections.abc import Iterable, Mapping, Sequence

from bert_core.escapes import escaped

# A second safeguard, in the browser, should anything here be wrong: nothing is loaded but
# pictures in the page itself, and nothing runs.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222}
body{max-width:1000px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em;overflow-wrap:anywhere}
h2{font-size:1.15em;border-bottom:1px solid #ccc;margin-top:2em}
p.note{color:#555;margin:.3em 0 1em}table{border-collapse:collapse;margin:.5em 0}
td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;white-space:nowrap}
table.counts td,table.counts tr:first-child th{text-align:right}
table.counts td,table.counts th{padding:.3em .6em;white-space:nowrap}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:1em}
.maps{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:1em}
figure{margin:0}figcaption{font-size:.85em;color:#555}svg{width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:#555}svg text[fill]{fill:revert-layer}
svg .title{font-size:13px;font-weight:600;fill:#222}svg .end{text-anchor:end}
svg .middle{text-anchor:middle}svg text.map{font-size:9px}svg .grid{stroke:#e5e5e5}
svg .base{stroke:#888;stroke-dasharray:5 4;fill:none}svg .line{fill:none;stroke-width:1.6}
svg .edge{fill:none;stroke:#ccc}svg image{image-rendering:pixelated}
.bar{display:inline-block;height:.8em;background:#4878a8}
.words{line-height:2.6;font-size:1.05em}
.words>*{padding:.15em .3em;margin:0 .05em;border-radius:3px}
rt{font-size:.62em;color:#555}.c0{background:#f7d4cc}.c1{background:#fbe9c6}
.c2{background:#e4efc4}.c3{background:#b9deb0}.c4{background:#7fc48b}
"""


def text(value: object) -> str:
    """Anything as text on a page: no markup, no control characters."""
    return html.escape(escaped(str(value)))


class Page:
    """Sections of HTML under a title. What is added must be HTML already."""

    def __init__(self, title: str):
        self._title, self._parts = text(title), [f"<h1>{text(title)}</h1>"]

    def section(self, title: str, note: str, *parts: str) -> None:
        """Adds a heading, a sentence on how to read the parts, and the parts."""
        said = f'<p class="note">{text(note)}</p>' if note else ""
        self._parts += [f"<h2>{text(title)}</h2>{said}", *parts]

    def to_html(self) -> str:
        """The whole document."""
        head = (
            f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
            f'content="{_POLICY}"><title>{self._title}</title><style>{_STYLE}</style>'
        )
        body = f"<body>{chr(10).join(self._parts)}</body>"
        return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n{body}</html>\n'


def facts(values: Mapping[str, object]) -> str:
    """A table of names and values."""
    rows = (f"<tr><th>{text(k)}</th><td>{text(x)}</td></tr>" for k, x in values.items())
    return f"<table>{''.join(rows)}</table>"


def bars(counts: Mapping[str, float]) -> str:
    """A table of names and shares of the whole, each with its bar."""
    total, most = sum(counts.values()) or 1, max([*counts.values(), 1])
    rows = (
        f"<tr><th>{text(name)}</th><td>{count / total:.1%}</td>"
        f'<td><span class="bar" style="width:{300 * count / most:.0f}px"></span></td></tr>'
        for name, count in counts.items()
    )
    return f"<table>{''.join(rows)}</table>"


def counts_table(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """[C, C] counts, each shaded by its share of the row."""
    head = "".join(f"<th>{text(name)}</th>" for name in names)
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = sum(row) or 1
        cells = "".join(
            f'<td style="background:rgba(72,120,168,{count / total:.2f})">{count:,}</td>'
            for count in row
        )
        rows.append(f"<tr><th>{text(name)}</th>{cells}</tr>")
    return f'<table class="counts"><tr><td></td>{head}</tr>{"".join(rows)}</table>'


def grid(kind: str, pictures: Iterable[tuple[str, str]]) -> str:
    """Pictures with captions, side by side; kind is "charts" or "maps"."""
    figures = (
        f"<figure>{picture}<figcaption>{text(caption)}</figcaption></figure>"
        for picture, caption in pictures
    )
    return f'<div class="{kind}">{"".join(figures)}</div>'


def folded(summary: str, content: str, is_open: bool) -> str:
    """Content that clicking on its summary shows or hides."""
    state = " open" if is_open else ""
    return f"<details{state}><summary>{text(summary)}</summary>{content}</details>"
