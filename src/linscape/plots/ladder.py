"""The ladder of critical values: a rung for each set of modes, by how many it has."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from linscape.landscape.unregularised.values import CriticalValue, CriticalValues
from linscape.plots.figure import BLUE, GREY, ORANGE, figure_class

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HALF = 0.28  # of a rung, in columns
_LINE_HEIGHT = 0.028  # of a label, as a fraction of the axis
_LETTERS = 54  # of a label that fit between the rungs, all columns together


def ladder(
    values: CriticalValues, *, limit: int = 1000, unit: str = "", title: str = ""
) -> "Figure":
    """Draw critical values as rungs over their rank, those that descent passes joined.

    A rung says which modes are learnt where there is room for it. The global minimum is the lowest.

    Parameters
    ----------
    values : CriticalValues
        Of :func:`linscape.critical_values`.
    limit : int, default 1000
        Draw only so many, the lowest, beside those that descent passes.
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
    figure = figure_class()(figsize=(7.6, 5.2), layout="constrained")
    axes = figure.add_subplot()
    descent = values.descent
    passed = {value.modes for value in descent}
    others = [value for value in values.table(limit) if value.modes not in passed]
    _rungs(axes, others, GREY, 1.0, "strict saddles only")
    _rungs(axes, descent[:-1], BLUE, 2.6, "best of their rank: plateaus of descent")
    _rungs(axes, descent[-1:], ORANGE, 2.6, "global minimum")
    _join(axes, descent)
    losses = [value.loss for value in (*others, *descent)]
    spread = max(losses) - min(losses) or abs(max(losses)) or 1.0
    axes.set_ylim(min(losses) - 0.05 * spread, max(losses) + 0.05 * spread)
    ranks = [value.rank for value in descent]
    axes.set_xlim(min(ranks) - 0.5, max(ranks) + 0.7)
    _label(axes, descent, others, 1.1 * spread)
    axes.set_xticks(range(min(ranks), max(ranks) + 1))
    axes.set_xlabel("rank: number of modes learnt")
    axes.set_ylabel(f"loss, {unit}" if unit else "loss")
    left_out = values.distinct - len(others) - len(descent)
    note = f" ({left_out} higher ones not drawn)" if left_out > 0 else ""
    axes.set_title(title + note, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def _rungs(
    axes: "Axes", values: Iterable[CriticalValue], color: str, width: float, label: str
) -> None:
    places = [(value.rank, value.loss) for value in values]
    if places:
        ranks, losses = zip(*places, strict=True)
        starts, ends = ([rank + side for rank in ranks] for side in (-_HALF, _HALF))
        axes.hlines(losses, starts, ends, color=color, linewidth=width, label=label)


def _join(axes: "Axes", descent: Iterable[CriticalValue]) -> None:
    """Join the end of each rung to the start of the next."""
    xs = [value.rank + side for value in descent for side in (-_HALF, _HALF)]
    ys = [value.loss for value in descent for _ in range(2)]
    axes.plot(xs, ys, color=BLUE, linewidth=1.0, linestyle=":", zorder=1)


def _label(
    axes: "Axes", descent: Iterable[CriticalValue], others: Iterable[CriticalValue], height: float
) -> None:
    """Write the modes beside the rungs where they fit, the descent's first, none over another."""
    left, right = axes.get_xlim()
    fits = int(_LETTERS / (right - left))
    taken: dict[int, list[float]] = {}
    for value, color in [(one, "black") for one in descent] + [(one, GREY) for one in others]:
        column = taken.setdefault(value.rank, [])
        text = runs(value.modes)
        crowded = any(abs(value.loss - other) < _LINE_HEIGHT * height for other in column)
        if crowded or len(text) > fits:
            continue
        column.append(value.loss)
        place = (value.rank + _HALF + 0.03, value.loss)
        over_the_join = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
        axes.annotate(text, place, va="center", fontsize=7, color=color, bbox=over_the_join)


def runs(modes: Sequence[int]) -> str:
    """Return modes with runs of three or more shortened.

    Examples
    --------
    >>> runs((0, 1, 2, 4, 5)), runs(())
    ('0–2,4,5', 'none')
    """
    parts: list[list[int]] = []
    for mode in modes:
        if parts and mode == parts[-1][-1] + 1:
            parts[-1].append(mode)
        else:
            parts.append([mode])
    words = [
        f"{part[0]}–{part[-1]}" if len(part) > 2 else ",".join(map(str, part)) for part in parts
    ]
    return ",".join(words) or "none"
