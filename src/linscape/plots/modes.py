"""Singular values of several outputs along a path of weight decays: the staircase of learning."""

from typing import TYPE_CHECKING

import numpy as np

from linscape.landscape import CriticalWeightDecay, ModePath
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, figure_class

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#000000")
_DASHES = ("-", "--", "-.", ":")
_NAMED = 8  # modes with an entry of their own in the legend


def modes(
    path: ModePath, *, critical: CriticalWeightDecay | None = None, title: str = ""
) -> "Figure":
    """Draw the singular values of the global minimum's predictor over the weight decay.

    Parameters
    ----------
    path : ModePath
        Of :func:`linscape.mode_path`.
    critical : CriticalWeightDecay, optional
        Marks the decay at which learning ends.
    title : str
        A line above the figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingDependency
        If matplotlib is not installed.
    """
    figure = figure_class()(figsize=(7.6, 4.4), layout="constrained")
    axes = figure.add_subplot()
    order = np.argsort(path.weight_decay)
    for k, sizes in enumerate(path.sizes[order].T):
        axes.plot(
            path.weight_decay[order],
            np.where(sizes > 1e-9 * path.sizes.max(initial=0.0), sizes, np.nan),
            color=_COLOURS[k % len(_COLOURS)],
            linestyle=_DASHES[k // len(_COLOURS) % len(_DASHES)],
            label=f"mode {k}" if k < _NAMED else "",
        )
    if critical is not None and critical.learning > 0:
        axes.axvline(critical.learning, color=GREY, linestyle=":", label="learning ends")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("weight decay γ of every layer (γ‖W‖², no ½)")
    axes.set_ylabel("singular values of the predictor")
    axes.set_title(title, loc="left", fontsize=10)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure
