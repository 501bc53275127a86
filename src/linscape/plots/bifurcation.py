"""Every solution over the weight decay, through its folds."""

from typing import TYPE_CHECKING, Any

import numpy as np

from linscape.landscape import Branches, CriticalWeightDecay
from linscape.plots.figure import BLUE, GREY, ORANGE, figure_class

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINES: dict[str, dict[str, Any]] = {
    "minimum": {"color": BLUE, "linestyle": "-", "linewidth": 1.8},
    "saddle": {"color": GREY, "linestyle": "--", "linewidth": 1.2},
}


def bifurcation(
    branches: Branches, *, critical: CriticalWeightDecay | None = None, title: str = ""
) -> "Figure":
    """Draw energies and losses of all solutions over the weight decay.

    Minima are solid lines, saddles dashed ones; where they meet is a fold.

    Parameters
    ----------
    branches : Branches
        Of :func:`linscape.branches`.
    critical : CriticalWeightDecay, optional
        Marks where learning ends.
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
    figure = figure_class()(figsize=(7.6, 6.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    order = np.argsort(branches.weight_decay)
    decays = branches.weight_decay[order]
    named: set[str] = set()
    for branch in branches.branches:
        label = "" if branch.kind in named else branch.kind
        named.add(branch.kind)
        above.plot(decays, branch.energy[order], label=label, **_LINES[branch.kind])
        below.plot(decays, branch.loss[order], **_LINES[branch.kind])
    below.axhline(branches.loss_at_zero, color="black", linewidth=0.9, linestyle=":", label="zero")
    if critical is not None and 0 < critical.learning < np.inf:
        below.axvline(critical.learning, color=ORANGE, linewidth=1.0, label="learning ends")
        above.axvline(critical.learning, color=ORANGE, linewidth=1.0)
    above.set_yscale("log")
    below.set_xscale("log")
    above.set_ylabel("energy of each layer, K = γ‖W‖²")
    below.set_ylabel("loss")
    below.set_xlabel("weight decay γ of every layer (γ‖W‖², no ½)")
    above.set_title(title, loc="left", fontsize=10)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
