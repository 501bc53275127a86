"""The loss over the energy of the layers, with every solution on it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.explorer.drawing import BLUE, GREY, ORANGE, Updates, axis, layout, line, points, trace
from linscape.explorer.settings import Scene
from linscape.explorer.view import Drawn, View
from linscape.landscape import GlobalMinimum, Solution, energy_curve, global_minimum, solutions

Array = NDArray[np.float64]
_POINTS = 240
_CURVE, _ZERO, _MINIMA, _SADDLES, _BEST = range(5)


def figure() -> dict[str, Any]:
    """Return the figure without its points."""
    hover: dict[str, Any] = {"hovertemplate": "K %{x:.4g}<br>loss %{y:.6g}<extra></extra>"}
    return {
        "data": [
            line(BLUE, hoverinfo="skip"),
            line(GREY, dash="dash", width=1, hoverinfo="skip"),
            points(BLUE, **hover),
            points(BLUE, symbol="circle-open", **hover),
            points(ORANGE, symbol="circle-open", size=18, hoverinfo="skip"),
        ],
        "layout": layout(
            axis("energy K of each layer, γ‖W‖²", type="log", exponentformat="power", dtick=1),
            axis("loss", nticks=6),
        ),
    }


VIEW = View(
    name="energy",
    title="Energy curve",
    lead="Every network on offer, from the zero network (left) to large weights (right). "
    "Dots are minima, circles saddles; the ring is the global minimum.",
    theory="With one target the loss at a critical point depends on one number only, the energy K "
    "that every layer carries: F(K) = E[y²] + DK − cᵀ(τA + PK⁻ᴰ)⁻¹c. Minima of F are local minima "
    "of the loss, maxima its saddles, and the least value of F is the global minimum.",
    paper="Ziyin, Li & Meng (2022), Theorem 2",
    link="https://arxiv.org/abs/2202.04777",
    page="docs/certificates.md",
    figure=figure,
)


def draw(scene: Scene) -> Drawn:
    """Ask for the curve, its critical points and the certified minimum.

    Raises
    ------
    LinscapeError
        For several targets, and where the numbers leave the range of floats.
    """
    scene.require_one_target()
    found = solutions(scene.problem)
    low, high = _ends(found, scene)
    energies = np.geomspace(low, high, _POINTS)
    losses = energy_curve(scene.problem, energies)
    minimum = global_minimum(scene.problem)
    code = scene.code(
        "solutions = ls.solutions(problem)",
        f"energies = np.geomspace({low!r}, {high!r}, {_POINTS})",
        "losses = ls.energy_curve(problem, energies)",
        "minimum = ls.global_minimum(problem)",
    )
    return Drawn(_updates(energies, losses, found, minimum), _summary(found, minimum), code)


def _ends(found: Sequence[Solution], scene: Scene) -> tuple[float, float]:
    """Return energies that show every solution; without any, the rise from zero."""
    alive = [solution.energy for solution in found if solution.energy > 0]
    depth = scene.settings.depth
    if alive:
        # one layer falls from zero at once: show where from
        low, high = min(alive) / (1000 if depth == 1 else 20), max(alive) * 4
    else:
        high = (found[0].loss or 1.0) / depth
        low = 1e-4 * high
    return float(f"{low:.3g}"), float(f"{high:.3g}")


def _updates(
    energies: Array, losses: Array, found: Sequence[Solution], minimum: GlobalMinimum
) -> Updates:
    left = float(energies[0])
    at_zero = found[0].loss
    best = min(found, key=lambda one: abs(one.energy - minimum.energy))
    low = min(minimum.loss, *(one.loss for one in found))
    high = max([at_zero, *(one.loss for one in found)])
    pad = 0.14 * ((high - low) or abs(high) or 1.0)

    def marks(index: int, *kinds: str) -> Updates:
        chosen = [one for one in found if one.kind in kinds]
        places = [max(one.energy, left) for one in chosen]  # zero stands on the left edge
        return trace(index, places, [one.loss for one in chosen])

    span = np.log10([left, energies[-1]])
    margin = 0.04 * float(span[1] - span[0])
    return {
        **trace(_CURVE, energies, losses),
        **trace(_ZERO, energies[[0, -1]], [at_zero, at_zero]),
        **marks(_MINIMA, "minimum"),
        **marks(_SADDLES, "saddle", "fold"),
        **trace(_BEST, [max(best.energy, left)], [best.loss]),
        ("layout", "xaxis", "range"): [span[0] - margin, span[1] + margin],
        ("layout", "yaxis", "range"): [low - pad, high + (2.5 if high == at_zero else 1.2) * pad],
    }


def _summary(found: Sequence[Solution], minimum: GlobalMinimum) -> str:
    saddles = [one for one in found if one.kind == "saddle" and one.energy > 0]
    if len(found) == 1:
        return "The curve only rises: zero is the only solution."
    alive = sum(one.kind == "minimum" for one in found if one.energy > 0)
    words = f"{alive} minim{'um' if alive == 1 else 'a'} beside zero"
    if saddles:
        barrier = max(one.loss for one in saddles) - found[0].loss
        words += f"; the barrier from zero is {barrier:.3g} high"
    width = minimum.upper - minimum.lower
    return f"{words}. Global minimum {minimum.loss:.8g}, proven within {width:.1g}."
