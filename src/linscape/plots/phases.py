"""Phases over two of the axes of a phase diagram."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidNetwork
from linscape.landscape import PhaseDiagram
from linscape.plots.figure import GREY, SKY, YELLOW, figure_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# hatches carry the phases to print and to the colour-blind
_STYLES = {
    "collapsed": (GREY, "///"),
    "metastable": (YELLOW, ".."),
    "learning": (SKY, ""),
    "undecided": ("#FFFFFF", "xx"),
}
_LABELS = {
    "depth": "hidden layers",
    "weight_decay": "weight decay γ of every layer (γ‖W‖², no ½)",
    "noise": "noise variance of every hidden unit",
    "width": "width of every hidden layer",
    "signal": "factor of the signal",
}


def phase_diagram(
    diagram: PhaseDiagram, *, x: str | None = None, y: str | None = None, title: str = ""
) -> "Figure":
    """Draw the phases over two axes; the others are taken at their first value.

    Parameters
    ----------
    diagram : PhaseDiagram
        Of :func:`linscape.phase_diagram`.
    x, y : str, optional
        Names of two axes, such as "weight_decay" and "depth"; by default the two with the most
        values, the longest across.
    title : str
        A line above the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidNetwork
        If the diagram has no such axes, or they are the same.
    MissingDependency
        If matplotlib is not installed.
    """
    x, y = _axes(diagram, x, y)
    figure = figure_class()(figsize=(7.6, 4.8), layout="constrained")
    axes = figure.add_subplot()
    names = list(diagram.axes)
    phases = diagram.phase[tuple(slice(None) if name in (x, y) else 0 for name in names)]
    if names.index(x) < names.index(y):
        phases = phases.T
    _fill(axes, phases, _edges(diagram.axes[x]), _edges(diagram.axes[y]))
    for name, scale in ((x, axes.set_xscale), (y, axes.set_yscale)):
        if _is_geometric(diagram.axes[name]):
            scale("log")
    if y == "depth":
        axes.set_yticks(diagram.axes[y])
    axes.set_xlabel(_LABELS[x])
    axes.set_ylabel(_LABELS[y])
    axes.set_title(title, loc="left", fontsize=10)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _axes(diagram: PhaseDiagram, x: str | None, y: str | None) -> tuple[str, str]:
    """Return the names of the axes to draw, the longest where none is given."""
    names = sorted(diagram.axes, key=lambda name: -len(diagram.axes[name]))
    x = x or next(name for name in names if name != y)
    y = y or next(name for name in names if name != x)
    if x == y or not {x, y} <= set(names):
        raise InvalidNetwork(
            f"a phase diagram is drawn over two of its axes {list(diagram.axes)}, got x={x!r} "
            f"and y={y!r}"
        )
    return x, y


def _fill(
    axes: "Axes", phases: NDArray[np.int8], across: NDArray[np.float64], up: NDArray[np.float64]
) -> None:
    """Fill each row's runs of one phase with one rectangle."""
    named: set[str] = set()
    for row, bottom, top in zip(phases, up[:-1], up[1:], strict=True):
        starts = np.flatnonzero(np.append(True, np.diff(row) != 0))
        for start, stop in zip(starts, np.append(starts[1:], len(row)), strict=True):
            name = list(_STYLES)[row[start]]
            colour, hatch = _STYLES[name]
            axes.fill_between(
                [across[start], across[stop]],
                bottom,
                top,
                facecolor=colour,
                hatch=hatch,
                edgecolor="#00000055",
                linewidth=0,
                label="" if name in named else name,
            )
            named.add(name)
    axes.set_xlim(across[0], across[-1])
    axes.set_ylim(up[0], up[-1])


def _is_geometric(values: NDArray[np.float64]) -> bool:
    if len(values) < 3 or not np.all(values > 0):
        return False
    return not np.allclose(np.diff(values), values[1] - values[0])


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of cells around values, in the geometry of their spacing."""
    if len(values) == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    points = np.log(values) if _is_geometric(values) else values
    middles = (points[1:] + points[:-1]) / 2
    ends = [2 * points[0] - middles[0]], [2 * points[-1] - middles[-1]]
    edges: NDArray[np.float64] = np.concatenate([ends[0], middles, ends[1]])
    return np.exp(edges) if _is_geometric(values) else edges
