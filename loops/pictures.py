"""Pictures as PNG bytes: the curves of a run, a confusion matrix, attention maps."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

MOST_LABELS = 100  # of a confusion matrix, 60 megapixels; more cannot be seen


def curves(
    lines: Sequence[dict[str, Any]], baselines: dict[str, float], metric: str = "accuracy"
) -> bytes:
    """Loss and `metric` over steps, train and dev; baselines as dashed lines on the loss."""
    figure, axes = _figure(1, 2, (11, 4))
    for axis, name in zip(axes, ("loss", metric), strict=True):
        for split in ("train", "dev"):
            points = [(x["step"], x[name]) for x in lines if x["split"] == split and name in x]
            if points:
                style = {"train": "-", "dev": "o-"}[split]
                axis.plot(*zip(*points, strict=True), style, markersize=4, label=split)
        axis.set_xlabel("step")
        axis.set_title(name.replace("_", " "))
        axis.grid(alpha=0.3)
    for name, value in baselines.items():
        axes[0].axhline(value, linestyle="--", color="grey", label=name)
    for axis in axes:
        axis.legend()
    return _png(figure)


def confusion(matrix: np.ndarray, names: Sequence[str]) -> bytes:
    """Rows are labels, columns predictions; each cell holds its count. See MOST_LABELS."""
    side = max(3.5, 0.7 * len(names) + 2)
    figure, axes = _figure(1, 1, (side, side))
    axis = axes[0]
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axis.set_yticks(range(len(names)), names)
    _as_text(axis)
    axis.set_xlabel("predicted")
    axis.set_ylabel("label")
    if len(names) <= 20:
        for (row, column), count in np.ndenumerate(matrix):
            color = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    return _png(figure)


def attention(maps: np.ndarray, tokens: Sequence[str]) -> bytes:
    """[N, S, S] of a layer, one map per head: rows are the tokens that look."""
    columns = min(4, len(maps))
    rows = -(-len(maps) // columns)
    side = 0.16 * len(tokens) + 1.2
    figure, axes = _figure(rows, columns, (side * columns, side * rows))
    for number, axis in enumerate(axes):
        if number >= len(maps):
            axis.set_axis_off()
            continue
        axis.imshow(maps[number], cmap="Greys", vmin=0, vmax=1)
        axis.set_title(f"head {number + 1}", fontsize=8)
        axis.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=6)
        axis.set_yticks(range(len(tokens)), tokens, fontsize=6)
        _as_text(axis)
    return _png(figure)


def _as_text(axis: Any) -> None:
    """ "$" in a label is a dollar, not mathematics."""
    for tick in (*axis.xaxis.get_major_ticks(), *axis.yaxis.get_major_ticks()):
        tick.label1.set_parse_math(False)


def _figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, list[Any]]:
    """A figure without pyplot: no global state, no screen."""
    from matplotlib.figure import Figure  # takes half a second, so only when drawing

    figure = Figure(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
