"""A descent from random weights, run at once and played back, with the plateaus it rests on."""

from typing import Any

import numpy as np

from linscape.dynamics import Plateaus, Trajectory, descend, plateaus, sharpness_step_size
from linscape.explorer.drawing import (
    BLUE,
    GREY,
    ORANGE,
    Updates,
    axis,
    layout,
    levels,
    line,
    points,
    trace,
)
from linscape.explorer.settings import Scene
from linscape.explorer.view import Drawn, View
from linscape.initialisation import random_weights
from linscape.landscape import critical_values, solutions
from linscape.problem import Problem

FRAMES = 40
_RECORDS = 200
_MOMENTUM = 0.9
_LEAST_PAD = 0.01  # of the loss
_LEVELS, _PLATEAUS, _CURVE, _PLAYED, _HEAD = range(5)


def figure() -> dict[str, Any]:
    """Return the figure without its points."""
    hover: dict[str, Any] = {"hovertemplate": "step %{x}<br>loss %{y:.6g}<extra></extra>"}
    return {
        "data": [
            line(GREY, dash="dash", width=1, connectgaps=False, hoverinfo="skip"),
            line(ORANGE, width=7, opacity=0.55, connectgaps=False, hoverinfo="skip"),
            line(BLUE, width=2, **hover),
            line(BLUE, width=4, hoverinfo="skip"),
            points(ORANGE, size=11, hoverinfo="skip"),
        ],
        "layout": layout(axis("step", nticks=6), axis("loss", nticks=6)),
    }


VIEW = View(
    name="descent",
    title="Descent",
    lead="Training from a random start of the gain you set. Dashed: losses at which it can rest; "
    "thick: plateaus, where it did.",
    theory="Descent can rest at critical values only. From small weights it visits them in turn, "
    "each mode after a plateau; from weights small enough under decay it ends at zero, the trap. "
    "What is drawn is computed, not proven.",
    paper="Saxe, McClelland & Ganguli (2014)",
    link="https://arxiv.org/abs/1312.6120",
    page="docs/plateaus.md",
    figure=figure,
)


def draw(scene: Scene, *, plain: bool) -> Drawn:
    """Descend on the exact noise-averaged loss, or without decay and dropout.

    Raises
    ------
    LinscapeError
        If weights or losses leave the range of floats.
    """
    problem = scene.plain if plain else scene.problem
    gain, steps = scene.settings.gain, _steps(problem)
    every = max(1, steps // _RECORDS)
    start = random_weights(problem, scheme="lecun", gain=gain, rng=0)
    size = _step_size(scene, problem, start)
    path = descend(problem, start, step_size=size, steps=steps, momentum=_MOMENTUM, every=every)
    code = scene.code(
        f'weights = ls.random_weights(problem, scheme="lecun", gain={gain!r}, rng=0)',
        *_step_code(scene, plain),
        f"path = ls.descend(problem, weights, step_size=step_size, steps={steps},",
        f"                  momentum={_MOMENTUM}, every={every})",
        *_resting_code(scene, plain),
        plain=plain,
    )
    rungs = _rungs(scene, plain)
    found = _plateaus(problem, path) if plain else None
    words = _summary(path, rungs, found, float(size), several=problem.moments.outputs > 1)
    return Drawn(_updates(path, rungs, found), words, code)


def frame(step: Any, loss: Any, number: int) -> Updates:
    """Return the update that plays a curve up to a frame."""
    shown = max(1, round(len(step) * min(number, FRAMES) / FRAMES))
    return {
        **trace(_PLAYED, step[:shown], loss[:shown]),
        **trace(_HEAD, step[shown - 1 : shown], loss[shown - 1 : shown]),
    }


def curve_of(figure_now: Any) -> tuple[list[Any], list[Any]]:
    """Return steps and losses of the curve that a figure shows."""
    one = figure_now["data"][_CURVE]
    return one["x"], one["y"]


def _steps(problem: Problem) -> int:
    """Return as many steps as take about a tenth of a second on a small machine."""
    layers = problem.network.depth + 1
    return 50 * round(36 / (layers * (2 if any(problem.network.noise) else 1)))


def _step_size(scene: Scene, problem: Problem, start: list[Any]) -> float:
    """Return a step; with several targets one that does not need the minimum under decay."""
    if scene.moments.outputs == 1 or problem is scene.plain:
        return float(sharpness_step_size(problem, start))
    return float(sharpness_step_size(scene.plain, start)) / problem.network.inflation


def _step_code(scene: Scene, plain: bool) -> list[str]:
    if scene.moments.outputs == 1 or plain:
        return ["step_size = ls.sharpness_step_size(problem, weights)"]
    return [
        "plain = ls.Problem(moments, ls.Network(network.hidden))",
        "step_size = ls.sharpness_step_size(plain, weights) / network.inflation",
    ]


def _rungs(scene: Scene, plain: bool) -> list[float]:
    """Return the losses at which descent can rest."""
    if plain:
        return [value.loss for value in critical_values(scene.plain).descent]
    if scene.moments.outputs > 1:
        return [critical_values(scene.plain).descent[0].loss]  # of zero, which has no decay to pay
    return [solution.loss for solution in solutions(scene.problem)]


def _plateaus(problem: Problem, path: Trajectory) -> Plateaus:
    return plateaus(problem, path, values=critical_values(problem).descent)


def _resting_code(scene: Scene, plain: bool) -> list[str]:
    if plain:
        return [
            "values = ls.critical_values(problem).descent",
            "plateaus = ls.plateaus(problem, path, values=values)",
        ]
    if scene.moments.outputs > 1:
        return ["levels = [ls.critical_values(plain).descent[0].loss]  # of zero"]
    return ["levels = [solution.loss for solution in ls.solutions(problem)]"]


def _updates(path: Trajectory, rungs: list[float], found: Plateaus | None) -> Updates:
    step, loss = path.at, path["loss"]
    top = max([*rungs, float(loss[0])])
    high = min(top, 1.6 * max([*rungs, float(loss[-1])]))
    low = min([*rungs, float(np.nanmin(loss))])
    # a curve that hardly moves is no more than that, and its axis has numbers that differ
    pad = max(0.07 * (high - low), _LEAST_PAD * abs(high)) or 1.0
    rests = list(found or ())
    x = [value for rest in rests for value in (rest.entered, rest.left, np.nan)]
    y = [value for rest in rests for value in (rest.value, rest.value, np.nan)]
    return {
        **trace(_LEVELS, *levels(rungs, 0, float(step[-1]))),
        **trace(_PLATEAUS, x, y),
        **trace(_CURVE, step, loss),
        **trace(_PLAYED, [], []),
        **trace(_HEAD, step[-1:], loss[-1:]),
        ("layout", "xaxis", "range"): [-0.01 * float(step[-1]), 1.02 * float(step[-1])],
        ("layout", "yaxis", "range"): [low - pad, high + pad],
    }


def _summary(
    path: Trajectory,
    rungs: list[float],
    found: Plateaus | None,
    step_size: float,
    *,
    several: bool,
) -> str:
    end = float(path["loss"][-1])
    words = f"{int(path.at[-1])} steps of {step_size:.2g}, momentum {_MOMENTUM}: loss {end:.6g}"
    if str(path.status) == "diverged":
        return f"{words}. It diverged: start from a smaller gain."
    if found is not None:
        names = [len(rest.modes or ()) for rest in found]
        rested = ", ".join(map(str, names)) or "none"
        return f"{words}. Plateaus at numbers of modes: {rested}."
    if several:
        # of the levels only that of zero is known, and whether zero is the best is not asked
        if abs(end - rungs[0]) < 1e-3 * rungs[0]:
            return f"{words}, that of zero, where it fell, or which it has not yet left."
        return f"{words}."
    if len(rungs) > 1 and abs(end - rungs[0]) < 0.02 * abs(rungs[0] - min(rungs)):
        return f"{words}, that of zero, where it started or fell: the trap, or not yet left."
    if rungs and end - min(rungs) < 1e-3 * abs(rungs[0]):
        return f"{words}, within 0.1 % of the global minimum."
    return f"{words}."
