"""Descent drawn over its steps or its time: losses, and singular values."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from linscape.dynamics.plateaus import Plateau
from linscape.dynamics.trajectory import Trajectory
from linscape.landscape.unregularised.values import CriticalValue
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, SKY, figure_class
from linscape.plots.ladder import runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# neighbours differ in dashes and in lightness too, for print without colour
_STYLES = (
    (BLUE, "-"),
    (ORANGE, "--"),
    (GREEN, "-."),
    (SKY, (0, (3, 1, 1, 1, 1, 1))),
    ("black", (0, (6, 2))),
)
_LINE_HEIGHT = 0.036  # of a label, as a fraction of the axis
_ABOVE = 3.0  # losses more than so many times the highest level are cut off


def descent(
    trajectory: Trajectory,
    *,
    values: Sequence[CriticalValue] = (),
    plateaus: Iterable[Plateau] = (),
    minimum: float | None = None,
    unit: str = "",
    title: str = "",
) -> "Figure":
    """Draw recorded losses, with critical values as dashed lines and plateaus as thick ones.

    Parameters
    ----------
    trajectory : Trajectory
        With "loss" recorded; a curve for each net.
    values : sequence of CriticalValue
        Levels to draw, named by their modes: ``critical_values(p).descent``, say.
    plateaus : iterable of Plateau
        Of :func:`linscape.plateaus`.
    minimum : float, optional
        The loss of the global minimum.
    unit : str
        What the loss is measured in.
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
    figure = figure_class()(figsize=(7.6, 4.6), layout="constrained")
    axes = figure.add_subplot()
    losses = trajectory["loss"].reshape(len(trajectory.at), -1)
    levels = [(value.loss, _named(value)) for value in values]
    if minimum is not None and not any(loss == minimum for loss, _ in levels):
        levels.append((minimum, "global minimum"))
    cut = _limit(axes, losses, [loss for loss, _ in levels])
    alpha = max(0.15, min(1.0, 4 / losses.shape[1]))
    label = "loss" if losses.shape[1] == 1 else f"losses of {losses.shape[1]} nets"
    for net, loss in enumerate(losses.T):
        name = "_" if net else label
        axes.plot(trajectory.at, loss, color=BLUE, linewidth=1.4, alpha=alpha, label=name)
    _draw_levels(axes, levels)
    for k, plateau in enumerate(plateaus):
        ends = [plateau.entered, plateau.left]
        name = "_" if k else "plateaus"
        axes.plot(ends, [plateau.value] * 2, color=ORANGE, linewidth=4, alpha=0.55, label=name)
    axes.set_title(title + (" (start cut off)" if cut else ""), loc="left", fontsize=10)
    _finish(figure, axes, trajectory, f"loss, {unit}" if unit else "loss")
    return figure


def singular_values(
    trajectory: Trajectory, *, targets: Sequence[float] = (), title: str = ""
) -> "Figure":
    """Draw the singular values of the end-to-end matrix of one net.

    Parameters
    ----------
    trajectory : Trajectory
        Of one net, with "singular_values" recorded.
    targets : sequence of float
        Levels to draw as dashed lines: the singular values at the minimum, say.
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
    figure = figure_class()(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for i, strength in enumerate(trajectory["singular_values"].T):
        color, style = _STYLES[i % len(_STYLES)]
        axes.plot(trajectory.at, strength, color=color, linestyle=style, label=f"{i + 1}.")
    for k, target in enumerate(targets):
        name = "_" if k else "at the minimum"
        axes.axhline(target, color=GREY, linestyle=(0, (1, 2)), linewidth=0.9, label=name)
    axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
    axes.set_title(title, loc="left", fontsize=10)
    _finish(figure, axes, trajectory, "singular values of the product")
    return figure


def _named(value: CriticalValue) -> str:
    if not value.modes:
        return "no mode"
    return f"mode{'s' if value.rank > 1 else ''} {runs(value.modes)}"


def _limit(axes: "Axes", losses: "np.ndarray", levels: list[float]) -> bool:
    """Set the range of the losses, and return whether it cuts some off."""
    finite = losses[np.isfinite(losses)]
    low, high = min([*levels, float(finite.min())]), float(finite.max())
    top = max(levels, default=high)
    cut = bool(levels) and high > low + _ABOVE * (top - low) and top > low
    if cut or high < top:
        high = low + _ABOVE / 2 * (top - low) if cut else top
    pad = 0.06 * ((high - low) or abs(high) or 1.0)
    axes.set_ylim(low - pad, high + pad)
    return cut or len(finite) < losses.size


def _draw_levels(axes: "Axes", levels: list[tuple[float, str]]) -> None:
    """Draw dashed lines, named at the right where there is room, the lowest first."""
    low, high = axes.get_ylim()
    last = -np.inf
    for loss, name in sorted(levels):
        axes.axhline(loss, color=GREY, linestyle="--", linewidth=0.9, zorder=1)
        if loss - last >= _LINE_HEIGHT * (high - low):
            place = (1.01, loss)
            axes.annotate(name, place, xycoords=("axes fraction", "data"), va="center", fontsize=8)
            last = loss


def _finish(figure: "Figure", axes: "Axes", trajectory: Trajectory, label: str) -> None:
    axes.set_xlabel("time of gradient flow" if trajectory.coordinate == "time" else "step")
    axes.set_ylabel(label)
    axes.margins(x=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=6, frameon=False, fontsize=9)
