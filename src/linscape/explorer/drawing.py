"""What all figures share: colours that work on light and dark paper, axes, and updates of parts.

Figures are plain dictionaries. Text, grid and paper take their colours from the style sheet, so
that they follow the theme without being drawn again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# at least 3:1 against both papers, and told apart without colour too: by dashes, fill and words
BLUE, ORANGE, GREEN, GREY = "#2f81c7", "#dd6b1f", "#2a9d76", "#7d8590"
PHASE_COLOURS = {
    "collapsed": "#8b929c",
    "metastable": "#d6a13a",
    "learning": "#4a95d0",
    "undecided": "#c25b8f",
}
DECADES = (-4, -3, -2, -1, 0, 1)

Updates = dict[tuple[str | int, ...], Any]


def layout(x: Mapping[str, Any], y: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a layout: two axes that no finger moves by chance, little margin, no legend."""
    fixed = {"fixedrange": True, "zeroline": False, "ticks": "outside", "ticklen": 4}
    font = {"size": 11, "family": "system-ui, sans-serif"}
    return {
        "xaxis": fixed | {"title": {"standoff": 6}} | dict(x),
        "yaxis": fixed | {"title": {"standoff": 6}} | dict(y),
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40},
        "font": font,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "autosize": True,
        **more,
    }


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis with a title."""
    return {"title": {"text": title, "standoff": 6}, "automargin": False, **more}


def decay_axis(**more: Any) -> dict[str, Any]:
    """Return the axis of log10 γ, with powers of ten written on it."""
    marks = {"tickvals": DECADES, "ticktext": [f"10<sup>{k}</sup>" for k in DECADES]}
    return axis("weight decay γ", **marks, range=[-4.02, 1.02], **more)


def line(colour: str, *, dash: str = "solid", width: float = 2.0, **more: Any) -> dict[str, Any]:
    """Return a trace without points yet, drawn as a line."""
    style = {"color": colour, "width": width, "dash": dash, "simplify": False}
    return {"type": "scatter", "mode": "lines", "line": style, "x": [], "y": [], **more}


def points(colour: str, *, symbol: str = "circle", size: int = 10, **more: Any) -> dict[str, Any]:
    """Return a trace without points yet, drawn as markers."""
    style = {"color": colour, "size": size, "symbol": symbol, "line": {"width": 2, "color": colour}}
    return {"type": "scatter", "mode": "markers", "marker": style, "x": [], "y": [], **more}


def numbers(values: ArrayLike) -> list[float | None]:
    """Return numbers as JSON has them: a gap where there is none."""
    return [
        float(value) if np.isfinite(value) else None
        for value in np.asarray(values, dtype=np.float64).ravel()
    ]


def trace(index: int, x: ArrayLike, y: ArrayLike) -> Updates:
    """Return the update that gives a trace its points."""
    return {("data", index, "x"): numbers(x), ("data", index, "y"): numbers(y)}


def blank(figure: Mapping[str, Any]) -> Updates:
    """Return the update that empties every trace of a figure."""
    updates: Updates = {}
    for index, one in enumerate(figure["data"]):
        for name in ("x", "y", "z"):
            # a heat map keeps its axes: one without any is an error to plotly
            if name in one and (one["type"] != "heatmap" or name == "z"):
                updates["data", index, name] = []
    return updates | {("layout", "annotations"): []}


def levels(values: ArrayLike, left: float, right: float) -> tuple[list[float], list[float]]:
    """Return a trace of horizontal lines, with gaps between them."""
    heights = np.asarray(values, dtype=np.float64)
    x = np.tile([left, right, np.nan], len(heights))
    return x.tolist(), np.repeat(heights, 3).tolist()


def note(text: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    """Return words inside a figure, at a place in its data."""
    return {"text": text, "x": x, "y": y, "showarrow": False, "font": {"size": 11}, **more}
