"""Charts: what stands where, and nothing that is not text where text should be."""

import base64
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import tensorflow as tf

from loops import svg

NASTY = '<script>"&\x1b[2J'


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def points_of(picture: str) -> np.ndarray:
    """[n, 2] places of the first line."""
    line = parsed(picture).find("polyline")
    assert line is not None
    return np.array([pair.split(",") for pair in line.attrib["points"].split()], float)


def test_a_line_is_the_values_to_scale() -> None:
    values = [(0, 3.0), (10, 1.0), (40, 2.0)]
    picture = svg.line_chart("loss", {"train": values}, {"unigram entropy": 5.0})
    places = points_of(picture)
    x, y = places.T
    # Straight lines through what is drawn: right is later, up is more.
    np.testing.assert_allclose(np.diff(x) / np.diff(x).sum(), [0.25, 0.75], atol=1e-3)
    assert y[1] > y[2] > y[0]
    np.testing.assert_allclose((y[1] - y[2]) / (y[1] - y[0]), 0.5, atol=1e-3)
    dashed = [float(re.split("[ H]", p.attrib["d"])[1]) for p in parsed(picture).iter("path")
              if p.attrib["class"] == "base"]  # fmt: skip
    np.testing.assert_allclose((y[1] - dashed[0]) / (y[1] - y[0]), 2.0, atol=1e-2)
    assert "unigram entropy" in picture


@pytest.mark.parametrize(
    "series",
    [{}, {"train": []}, {"train": [(5, 1.0)]}, {"dev": [(0, 0.0), (9, 0.0)]},
     {"train": [(0, -1e299), (1, 1e299)]}, {"train": [(0, 0.0), (1, 5e-324)]}],
)  # fmt: skip
def test_little_and_odd_data(series: dict) -> None:
    assert "nan" not in svg.line_chart("x", series, {})
    parsed(svg.line_chart("x", series, {"base": 0.0}))


def test_long_lines_are_thinned_to_means() -> None:
    values = [(float(i), float(i % 10)) for i in range(10_000)]
    thin = svg.thinned(values)
    assert len(thin) == 400
    assert thin[-1] == (9999.0, np.mean([i % 10 for i in range(9975, 10_000)]))
    assert np.mean([y for _, y in thin]) == pytest.approx(4.5)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.0312, 0.98), (-7, 1e6), (6.4, 6.6)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    found = svg.ticks(low, high)
    assert 2 <= len(found) <= 7
    assert low <= min(found) <= max(found) <= high
    first = f"{abs(found[1] - found[0]):.3e}".split("e")[0]
    assert float(first) in (1, 2, 5)


def test_an_attention_map_is_its_weights() -> None:
    weights = np.array([[1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [0.0, 0.2, 0.8]])
    tokens = ["[CLS]", NASTY, "a" * 50]
    picture = svg.attention_map(weights, tokens)
    (image,) = parsed(picture).iter("image")
    png = base64.b64decode(image.attrib["href"].removeprefix("data:image/png;base64,"))
    grey = tf.io.decode_png(png).numpy()[..., 0]
    np.testing.assert_allclose(1 - grey / 255, weights, atol=0.5 / 255)
    shown = [node.text for node in parsed(picture).iter("text")]
    assert shown[0::2] == shown[1::2] == ["[CLS]", '<script>"&\\x1b[2J', "a" * 13 + "…"]


def test_a_scatter_has_a_dot_a_point() -> None:
    picture = svg.scatter("x", [(0.0, 0.0), (1.0, 2.0), (2.0, 1.0)])
    dots = [
        (float(c.attrib["cx"]), float(c.attrib["cy"])) for c in parsed(picture).iter("circle")
    ]
    assert dots[0][0] < dots[1][0] < dots[2][0]
    assert dots[0][1] > dots[2][1] > dots[1][1]
    parsed(svg.scatter("x", []))


def test_titles_and_names_are_text() -> None:
    picture = svg.line_chart(NASTY, {NASTY: [(0, 1.0), (1, 2.0)]}, {NASTY: 1.5})
    assert [t.text for t in parsed(picture).iter("text")].count('<script>"&\\x1b[2J') == 3
