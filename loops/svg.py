"""Charts as SVG: text that a browser draws, without scripts or other files."""

import base64
import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from loops.page import text

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 28, 30  # margins
_COLOURS = {"train": "#4878a8", "dev": "#c8553d", "test": "#2f7d5b"}
_MOST_POINTS = 400  # of a line; more cannot be told apart
_LEAST = 1e-300  # the smallest span to divide by
_CELL = 11  # of a map; like all lengths here, in units of the viewBox


def line_chart(title: str, series: Mapping[str, Points], baselines: Mapping[str, float]) -> str:
    """Lines by name over steps; baselines as dashed lines. Finite numbers only."""
    lines = {name: thinned(points) for name, points in series.items() if len(points)}
    xs = [x for points in lines.values() for x, _ in points] or [0.0]
    ys = [y for points in lines.values() for _, y in points] + list(baselines.values()) or [0.0]
    x_of = _scale(min(xs), max(xs), _LEFT, _WIDTH - _RIGHT)
    y_of = _scale(min(ys), max(ys), _HEIGHT - _BOTTOM, _TOP)
    parts = [_frame(title, ticks(min(xs), max(xs)), ticks(min(ys), max(ys)), x_of, y_of)]
    for name, y in baselines.items():
        parts.append(
            f'<path class="base" d="M{_LEFT} {y_of(y):.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text class="end" x="{_WIDTH - _RIGHT}" y="{y_of(y) - 4:.1f}">{text(name)}</text>'
        )
    for place, (name, points) in enumerate(lines.items()):
        colour = _COLOURS.get(name, "#555")
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        parts.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        if len(points) <= 40:
            parts += [_dot(x_of(x), y_of(y), colour, f"{name}, step {x:g}: {y:g}")
                      for x, y in points]  # fmt: skip
        at = _WIDTH - _RIGHT - 50 * (len(lines) - 1 - place)
        parts.append(f'<text class="end" fill="{colour}" x="{at}" y="16">{text(name)}</text>')
    return _svg(_WIDTH, _HEIGHT, parts)


def scatter(title: str, points: Points) -> str:
    """Each point a dot, with the line on which both coordinates are the same."""
    numbers = [number for point in points for number in point] or [0.0]
    low, high = min(numbers), max(numbers)
    x_of = _scale(low, high, _LEFT, _WIDTH - _RIGHT)
    y_of = _scale(low, high, _HEIGHT - _BOTTOM, _TOP)
    same = f"M{x_of(low):.1f} {y_of(low):.1f}L{x_of(high):.1f} {y_of(high):.1f}"
    parts = [_frame(title, ticks(low, high), ticks(low, high), x_of, y_of)]
    parts.append(f'<path class="base" d="{same}"/>')
    return _svg(_WIDTH, _HEIGHT, parts + [_dot(x_of(x), y_of(y), "#4878a8") for x, y in points])


def attention_map(weights: np.ndarray, tokens: Sequence[str]) -> str:
    """[S, S] weights in [0, 1], each row a token that looks and each column one looked at.

    White is 0, black is 1.
    """
    grey = np.round(255 * (1 - np.clip(weights, 0, 1)))[..., np.newaxis].astype(np.uint8)
    # One pixel per cell, stretched: as rectangles, base's 144 maps would be megabytes.
    png = base64.b64encode(tf.io.encode_png(grey).numpy()).decode()
    margin, side = 6 * max(map(_shown_width, tokens)) + 6, _CELL * len(tokens)
    parts = [
        f'<image x="{margin}" y="{margin}" width="{side}" height="{side}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{png}"/>'
        f'<rect class="edge" x="{margin}" y="{margin}" width="{side}" height="{side}"/>'
    ]
    for place, token in enumerate(tokens):
        at, shown = margin + _CELL * (place + 0.75), text(_shortened(token))
        parts.append(f'<text class="end map" x="{margin - 3}" y="{at:.1f}">{shown}</text>')
        turned = f'transform="translate({at:.1f} {margin - 3}) rotate(-90)"'
        parts.append(f'<text class="map" {turned}>{shown}</text>')
    return _svg(margin + side + 2, margin + side + 2, parts)


def thinned(points: Points) -> Points:
    """At most `_MOST_POINTS` points: means of as many neighbours as needed."""
    every = math.ceil(len(points) / _MOST_POINTS)
    if every <= 1:
        return points
    groups = [points[i : i + every] for i in range(0, len(points), every)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def ticks(low: float, high: float) -> list[float]:
    """Some round numbers in [low, high]: multiples of 1, 2 or 5 times a power of ten."""
    if high - low < _LEAST:
        return [low]
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _scale(low: float, high: float, start: float, end: float):
    """Maps [low, high] to places on the page; to the middle if they are the same."""
    if high - low < _LEAST:
        return lambda _: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _frame(title: str, x_ticks: list[float], y_ticks: list[float], x_of, y_of) -> str:
    parts = [f'<text class="title" x="{_LEFT}" y="16">{text(title)}</text>']
    for y in y_ticks:
        parts.append(
            f'<path class="grid" d="M{_LEFT} {y_of(y):.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text class="end" x="{_LEFT - 6}" y="{y_of(y) + 4:.1f}">{y:.4g}</text>'
        )
    for x in x_ticks:
        parts.append(
            f'<text class="middle" x="{x_of(x):.1f}" y="{_HEIGHT - 10}">{x:.6g}</text>'
        )
    return "".join(parts)


def _dot(x: float, y: float, colour: str, said: str = "") -> str:
    title = f"<title>{text(said)}</title>" if said else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">{title}</circle>'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}">{"".join(parts)}</svg>'


def _shortened(token: str) -> str:
    return token if len(token) <= 14 else token[:13] + "…"


def _shown_width(token: str) -> int:
    return len(_shortened(token))
