"""The canvas of these figures: panels side by side."""

from typing import TYPE_CHECKING

from linscape.plots.figure import figure_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def panels(count: int, *, rows: int = 1, height: float = 4.2) -> "tuple[Figure, list[Axes]]":
    """Return a figure and its panels, row by row, without the frame's top and right."""
    columns = -(-count // rows)
    width = {1: 7.6, 2: 10.4}.get(columns, 13.0)
    figure = figure_class()(figsize=(width, height * rows), layout="constrained")
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(count)]
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes
