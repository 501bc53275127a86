"""How often numbers of one kind occur: losses at the end, step sizes, escape times."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.errors import InvalidOption
from linscape.plots.figure import BLUE, ORANGE, SKY, figure_class

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HATCHES = ("", "///", "...", "xxx")
_COLOURS = (SKY, ORANGE, BLUE, "white")


def histogram(
    groups: Mapping[str, ArrayLike],
    *,
    label: str,
    marks: Mapping[str, float] | None = None,
    logarithmic: bool = False,
    bins: int = 30,
    title: str = "",
) -> "Figure":
    """Draw one histogram or several over each other, over common bins.

    Parameters
    ----------
    groups : mapping of str to array_like
        Names and numbers, four groups at most. Infinite ones are counted in the legend.
    label : str
        What the numbers are.
    marks : mapping of str to float, optional
        Places to mark by vertical lines, by name.
    logarithmic : bool, default False
        Draw over a logarithmic axis; all numbers must be positive.
    bins : int, default 30
        Number of bins.
    title : str
        A line above the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingDependency
        If matplotlib is not installed.
    InvalidOption
        If there are no groups or more than four, or no finite number.
    """
    arrays = {name: np.ravel(np.asarray(values, dtype=float)) for name, values in groups.items()}
    finite = {name: array[np.isfinite(array)] for name, array in arrays.items()}
    together = np.concatenate([np.empty(0), *finite.values()])
    if not 1 <= len(arrays) <= len(_HATCHES) or not len(together):
        raise InvalidOption(
            f"histogram needs one to four groups and a finite number, got {len(arrays)} groups "
            f"with {len(together)}"
        )
    figure = figure_class()(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    if logarithmic:
        axes.set_xscale("log")
    edges = _edges(together, bins, logarithmic)
    for k, (name, array) in enumerate(finite.items()):
        lost = len(arrays[name]) - len(array)
        axes.hist(
            array, edges, label=f"{name} ({lost} not finite)" if lost else name,
            color=_COLOURS[k], hatch=_HATCHES[k], edgecolor="black", linewidth=0.6,
            alpha=0.6 if len(finite) > 1 else 1.0,
        )  # fmt: skip
    for k, (name, place) in enumerate((marks or {}).items()):
        style = ("--", ":", "-.", "-")[k % 4]
        axes.axvline(place, color="black", linestyle=style, linewidth=1.4, label=name)
    axes.set_xlabel(label)
    axes.set_ylabel("count")
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _edges(values: NDArray[np.float64], bins: int, logarithmic: bool) -> list[float]:
    """Return the edges of bins that hold all values."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = (low / 1.1, high * 1.1) if logarithmic else (low - 0.5, high + 0.5)
    space = np.geomspace if logarithmic else np.linspace
    return [float(edge) for edge in space(low, high, bins + 1)]
