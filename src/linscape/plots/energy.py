"""The loss over the energy of the layers, with every solution marked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from linscape.landscape import GlobalMinimum, Solution
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, figure_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# marks differ in shape and fill, not in colour alone
_MARKS: dict[str, dict[str, Any]] = {
    "minimum": {"marker": "o", "markerfacecolor": BLUE, "markeredgecolor": BLUE},
    "saddle": {"marker": "o", "markerfacecolor": "white", "markeredgecolor": BLUE},
    "fold": {"marker": "D", "markerfacecolor": "white", "markeredgecolor": BLUE},
}
_NAMES = {"minimum": "local minimum", "saddle": "saddle", "fold": "fold (minimum meets saddle)"}


def energy(
    energies: ArrayLike,
    losses: ArrayLike,
    solutions: Sequence[Solution],
    minimum: GlobalMinimum,
    *,
    ridge: float | None = None,
    unit: str = "",
    title: str = "",
) -> "Figure":
    """Draw the loss over the energy of each layer, with every solution marked.

    Parameters
    ----------
    energies, losses : array_like
        The curve F(K), of :func:`linscape.energy_curve`; energies positive.
    solutions : sequence of Solution
        As :func:`linscape.solutions` returns them, zero first.
    minimum : GlobalMinimum
        The global minimum, for its loss and interval.
    ridge : float, optional
        A loss to compare with: ridge regression's.
    unit : str
        What losses are measured in, for the axis.
    title : str
        A line above the figure; the certified loss stands below it.

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
    axes.plot(energies, losses, color=BLUE, linewidth=1.6, zorder=2)
    axes.set_xscale("log")
    axes.margins(x=0)
    axes.set_xlim(left=_room_for_zero(axes))
    axes.set_ylim(*_loss_range(solutions, minimum, ridge))
    best = min(solutions, key=lambda one: abs(one.energy - minimum.energy))
    _draw_levels(axes, solutions[0].loss, best, minimum, ridge)
    _draw_solutions(axes, solutions, best)
    _describe(axes, minimum, unit, title)
    return figure


def _room_for_zero(axes: "Axes") -> float:
    """Return a left limit a little before the curve: a log axis has no zero of its own."""
    left, right = axes.get_xlim()
    return float(left * (left / right) ** 0.07)


def _loss_range(
    solutions: Sequence[Solution], minimum: GlobalMinimum, ridge: float | None
) -> tuple[float, float]:
    """Return limits that hold every solution, and ridge's loss unless it would flatten them."""
    losses = [minimum.loss, *(solution.loss for solution in solutions)]
    low, high = min(losses), max(losses)
    if ridge is not None:
        wide = max(high, ridge) - min(low, ridge)
        if len(solutions) == 1 or high - low > wide / 3:
            low, high = min(low, ridge), max(high, ridge)
    pad = 0.12 * ((high - low) or abs(high) or 1.0)
    return low - pad, high + 1.5 * pad


def _draw_levels(
    axes: "Axes", at_zero: float, best: Solution, minimum: GlobalMinimum, ridge: float | None
) -> None:
    """Draw horizontal lines, labelled at the right: zero, ridge and the global minimum."""
    low, high = axes.get_ylim()
    name = "loss at zero" if best.energy > 0 else "zero: global minimum"
    levels = [(at_zero, name, GREY, "--")]
    if best.energy > 0:
        levels.append((minimum.loss, "global minimum", ORANGE, ":"))
    if ridge is not None:
        beyond = " (below)" if ridge < low else " (above)" if ridge > high else ""
        levels.append((ridge, f"ridge regression{beyond}", GREEN, "-"))
    levels.sort()
    for loss, _, colour, style in levels:
        if low <= loss <= high:
            axes.axhline(loss, color=colour, linestyle=style, linewidth=0.9, zorder=1)
    heights = [min(max(loss, low), high) for loss, *_ in levels]
    places = _apart(heights, 0.115 * (high - low))
    for (loss, name, colour, _), height, place in zip(levels, heights, places, strict=True):
        axes.annotate(
            f"{name}\n{loss:.5g}",
            xy=(1, height),
            xytext=(1.03, place),
            xycoords=axes.get_yaxis_transform(),
            color=colour,
            fontsize=9,
            verticalalignment="center",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "relpos": (0, 0.5),
                "alpha": float(low <= loss <= high),
            },
        )


def _apart(heights: Sequence[float], step: float) -> list[float]:
    """Move labels, sorted by height, up until none covers the one below."""
    places: list[float] = []
    for height in heights:
        places.append(max(height, places[-1] + step) if places else height)
    return places


def _draw_solutions(axes: "Axes", solutions: Sequence[Solution], best: Solution) -> None:
    """Mark each solution by its kind; zero stands on the left edge, where K = 0 would be."""
    left = axes.get_xlim()[0]
    named: set[str] = set()
    for solution in solutions:
        at = (max(solution.energy, left), solution.loss)
        label = "" if solution.kind in named else _NAMES[solution.kind]
        named.add(solution.kind)
        style: dict[str, Any] = {
            "linestyle": "none",
            "clip_on": False,
            "zorder": 4,
            "markersize": 7,
        }
        axes.plot(*at, **style, **_MARKS[solution.kind], label=label)
    at = (max(best.energy, left), best.loss)
    ring: dict[str, Any] = {
        "markerfacecolor": "none",
        "markeredgecolor": ORANGE,
        "markeredgewidth": 1.8,
    }
    axes.plot(
        *at,
        marker="o",
        markersize=13,
        linestyle="none",
        clip_on=False,
        zorder=5,
        label="global minimum",
        **ring,
    )
    axes.annotate(
        "K = 0",
        xy=(left, solutions[0].loss),
        xytext=(11, 7),
        textcoords="offset points",
        fontsize=9,
        color=GREY,
    )


def _describe(axes: "Axes", minimum: GlobalMinimum, unit: str, title: str) -> None:
    """Write what is shown: axes, legend, and the certified loss."""
    axes.set_xlabel("energy of each layer,  K = γ‖W‖²   (log scale; zero on the left edge)")
    axes.set_ylabel(f"loss  ({unit})" if unit else "loss")
    width = minimum.upper - minimum.lower
    certified = f"global minimum {minimum.loss:.12g}, certified to within {width:.1e}"
    axes.set_title(f"{title}\n{certified}" if title else certified, loc="left", fontsize=10)
    axes.tick_params(axis="y", pad=7)  # the mark of zero stands on this axis
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
