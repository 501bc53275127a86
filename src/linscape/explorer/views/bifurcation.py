"""Every solution over the weight decay: where minima and saddles are born, meet and vanish."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.explorer.drawing import (
    BLUE,
    GREY,
    ORANGE,
    Updates,
    axis,
    decay_axis,
    layout,
    line,
    numbers,
    points,
    trace,
)
from linscape.explorer.settings import Scene
from linscape.explorer.view import Drawn, View
from linscape.landscape import Branch, Branches, branches, critical_weight_decay

Array = NDArray[np.float64]
_GRID = np.logspace(-4, 1, 101)
_ZERO, _ZERO_SADDLE, _MINIMA, _SADDLES, _ENDS, _HERE, _SOLUTIONS = range(7)


def figure() -> dict[str, Any]:
    """Return the figure without its points."""
    hover: dict[str, Any] = {
        "hovertemplate": "γ = 10<sup>%{x:.2f}</sup><br>‖W‖ = %{y:.4g}<extra></extra>"
    }
    return {
        "data": [
            line(BLUE, width=3, hoverinfo="skip"),
            line(GREY, dash="dash", hoverinfo="skip"),
            line(BLUE, width=3, connectgaps=False, **hover),
            line(GREY, dash="dash", connectgaps=False, **hover),
            line(ORANGE, width=1.5, hoverinfo="skip"),
            line(GREY, dash="dot", width=1.5, hoverinfo="skip"),
            points(BLUE, size=9, hoverinfo="skip"),
        ],
        "layout": layout(decay_axis(), axis("size ‖W‖ of each layer", rangemode="tozero")),
    }


VIEW = View(
    name="bifurcation",
    title="Bifurcation diagram",
    lead="How large the layers are at each solution. Solid: minima. Dashed: saddles. "
    "Orange: the decay at which learning ends. Dotted: yours.",
    theory="As the decay grows, the learnt minimum and the saddle that guards zero approach, meet "
    "at a fold, and are gone. With one hidden layer there is no fold: the minimum shrinks into "
    "zero, which is a saddle before.",
    paper="Ziyin, Li & Meng (2022), Theorem 2; the folds are ours",
    link="https://arxiv.org/abs/2202.04777",
    page="docs/atlas.md",
    figure=figure,
)


def draw(scene: Scene) -> Drawn:
    """Ask for every branch over a path of decays that meets each fold.

    Raises
    ------
    LinscapeError
        For several targets.
    """
    scene.require_one_target()
    folds = [
        fold * (1 + side)
        for branch in branches(scene.problem, weight_decay=_GRID[:1]).branches
        for fold in branch.folds
        for side in (-1e-9, 1e-9)
        if _GRID[0] < fold < _GRID[-1]
    ]
    path = np.unique([*_GRID, *folds])
    found = branches(scene.problem, weight_decay=path)
    ends = critical_weight_decay(scene.problem).learning
    code = scene.code(
        "decays = np.logspace(-4, 1, 101)",
        "folds = [fold * (1 + side) for side in (-1e-9, 1e-9)",
        "         for branch in ls.branches(problem, weight_decay=decays[:1]).branches",
        "         for fold in branch.folds if decays[0] < fold < decays[-1]]",
        "path = np.unique([*decays, *folds])",
        "branches = ls.branches(problem, weight_decay=path).branches",
        "sizes = [np.sqrt(branch.energy / path) for branch in branches]",
        "learning_ends = ls.critical_weight_decay(problem).learning",
    )
    return Drawn(_updates(scene, found, ends), _summary(found, ends), code)


def _updates(scene: Scene, found: Branches, ends: float) -> Updates:
    path = found.weight_decay
    sizes = [np.sqrt(branch.energy / path) for branch in found.branches]
    top = 1.12 * max([0.0, *(float(np.nanmax(size)) for size in sizes if np.any(size > 0))]) or 1.0
    here, end = math.log10(scene.settings.weight_decay), _logarithm(ends)
    # with one layer zero is a saddle until learning ends
    turn = min(max(end, -4.0), 1.0) if scene.settings.depth == 1 else -4.0
    now = scene.settings.weight_decay
    alive = [
        float(np.exp(np.interp(np.log(now), np.log(path), np.log(size))))
        for branch, size in zip(found.branches, sizes, strict=True)
        if branch.kind == "minimum" and branch.folds[0] < now < branch.folds[1]
    ]
    return {
        **trace(_ZERO, [turn, 1.0], [0.0, 0.0]),
        **trace(_ZERO_SADDLE, [-4.0, turn], [0.0, 0.0]),
        **_joined(_MINIMA, found, sizes, "minimum"),
        **_joined(_SADDLES, found, sizes, "saddle"),
        **trace(_ENDS, [end, end], [0.0, top]),
        **trace(_HERE, [here, here], [0.0, top]),
        **trace(_SOLUTIONS, [here] * len(alive), alive),
        ("layout", "yaxis", "range"): [-0.04 * top, top],
    }


def _logarithm(value: float) -> float:
    return math.log10(value) if 0 < value < math.inf else math.nan


def _joined(index: int, found: Branches, sizes: list[Array], kind: str) -> Updates:
    """Return the branches of one kind as one trace, with gaps between them."""
    logarithms = np.log10(found.weight_decay)
    x: list[float] = []
    y: list[float] = []
    for branch, size in zip(found.branches, sizes, strict=True):
        if branch.kind == kind:
            x += [*logarithms.tolist(), math.nan]
            y += [*size.tolist(), math.nan]
    return {("data", index, "x"): numbers(x), ("data", index, "y"): numbers(y)}


def _summary(found: Branches, ends: float) -> str:
    if not found.branches or not ends:
        return "No signal reaches the target: zero is the only solution at any decay."
    folds = [fold for branch in found.branches for fold in _ends(branch)]
    words = f"Learning ends at γ = {ends:.4g}"
    return f"{words}; the last solution vanishes at {max(folds):.4g}." if folds else f"{words}."


def _ends(branch: Branch) -> list[float]:
    return [fold for fold in branch.folds if 0 < fold < math.inf]
