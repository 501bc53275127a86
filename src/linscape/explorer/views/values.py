"""The critical values of the network without decay and dropout, by the number of modes learnt."""

from typing import Any

from linscape.explorer.drawing import BLUE, GREY, Updates, axis, layout, line, points, trace
from linscape.explorer.settings import Scene
from linscape.explorer.view import Drawn, View
from linscape.landscape import CriticalValues, critical_values

_MOST = 128
_NOTHING = 1e-12  # of the loss at zero
_ALL, _LADDER, _RUNGS = range(3)


def figure() -> dict[str, Any]:
    """Return the figure without its points."""
    hover: dict[str, Any] = {"hovertemplate": "%{text}<br>loss %{y:.6g}<extra></extra>"}
    return {
        "data": [
            points(GREY, symbol="line-ew-open", size=26, text=[], **hover),
            line(BLUE, dash="dot", width=1.5, hoverinfo="skip"),
            points(BLUE, size=10, text=[], **hover),
        ],
        "layout": layout(axis("modes learnt", dtick=1), axis("loss", nticks=6, rangemode="tozero")),
    }


VIEW = View(
    name="values",
    title="Critical values",
    lead="Without decay and dropout: the only losses at which training can rest. "
    "Blue: the ladder that descent from small weights takes.",
    theory="Without decay and noise the critical values are c(E‖y‖² − Σλᵢ over i in S), one for "
    "every set S of at most r modes, λ the eigenvalues of E[yxᵀ]E[xxᵀ]⁺E[xyᵀ] and r the least "
    "width. Only the lowest is a minimum; every other one belongs to saddles.",
    paper="Achour, Malgouyres & Gerchinovitz (2021)",
    link="https://arxiv.org/abs/2107.13289",
    page="docs/saddles.md",
    figure=figure,
)


def draw(scene: Scene) -> Drawn:
    """Ask for the lowest critical values and the best of each rank.

    Raises
    ------
    LinscapeError
        If the moments do not allow it.
    """
    found = critical_values(scene.plain)
    code = scene.code(
        "values = ls.critical_values(problem)",
        f"lowest = [(value.rank, value.loss) for value in values.table({_MOST})]",
        "ladder = [(value.rank, value.loss) for value in values.descent]",
        plain=True,
    )
    return Drawn(_updates(found), _summary(found), code)


def _updates(found: CriticalValues) -> Updates:
    lowest, ladder = found.table(_MOST), found.descent
    top = max(value.loss for value in ladder) or 1.0
    return {
        **trace(_ALL, [value.rank for value in lowest], [value.loss for value in lowest]),
        ("data", _ALL, "text"): [_named(value.modes) for value in lowest],
        **trace(_LADDER, [value.rank for value in ladder], [value.loss for value in ladder]),
        **trace(_RUNGS, [value.rank for value in ladder], [value.loss for value in ladder]),
        ("data", _RUNGS, "text"): [_named(value.modes) for value in ladder],
        ("layout", "xaxis", "range"): [-0.5, ladder[-1].rank + 0.5],
        ("layout", "yaxis", "range"): [-0.06 * top, 1.08 * top],
    }


def _named(modes: tuple[int, ...]) -> str:
    if not modes:
        return "no mode"
    listed = ", ".join(map(str, modes[:8])) + ("…" if len(modes) > 8 else "")
    return f"mode{'s' if len(modes) > 1 else ''} {listed}"


def _summary(found: CriticalValues) -> str:
    words = f"{found.count} critical value{'' if found.count == 1 else 's'}"
    if found.distinct > _MOST:
        words += f", the lowest {_MOST} shown"
    zero, best = found.descent[0].loss, found.descent[-1].loss
    if best < _NOTHING * zero:
        best = 0.0  # a perfect fit up to rounding
    return f"{words}, from {best:.6g} (the global minimum) to {zero:.6g}."
