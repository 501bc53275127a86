"""Descent of residual nets from the identity: how many stay in the ball, and how many arrive."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent import own_data
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.no_poor_minima.random_maps import random_maps
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "residual-descents"
SOURCE = "remarks on Hardt & Ma (2017), Theorems 2.1 and 2.2"
STRETCHES = (0.1, 0.3, 0.6, 1.0)
LAYERS = (2, 3, 4, 8, 16)
_SIZE, _LOOK = 3, 10
_ARRIVED = 1e-6  # of the excess loss at the start
_FULL, _QUICK = (100, 3000), (20, 600)  # maps, steps


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Descend for random maps of positive determinant, whitened inputs, from A = 0."""
    rng = np.random.default_rng(seed)
    count, steps = _QUICK if quick else _FULL
    tau = np.empty((len(STRETCHES), len(LAYERS), count))
    left = np.empty_like(tau)
    for k, gamma in enumerate(STRETCHES):
        maps = random_maps(count, _SIZE, gamma, rng)
        for j, layers in enumerate(LAYERS):
            tau[k, j], left[k, j] = path(maps, layers, step_size(gamma, layers), steps)
            advance((k + (j + 1) / len(LAYERS)) / len(STRETCHES))
    ball = np.array([[(4 * math.pi + 3 * g) / layers for layers in LAYERS] for g in STRETCHES])
    half_turn = path(-np.eye(2)[None], 4, step_size(0.0, 4), steps)
    arrays = {
        "largest_norm": tau,
        "loss_left": left,
        "ball": ball,
        "half_turn": np.concatenate(half_turn),
    }
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"size": _SIZE, "log_stretches": list(STRETCHES), "layers": list(LAYERS), "maps": count,
         "steps": steps, "step_size": "1/(4 l e^{2γ}) for ½‖M − R‖²", "inputs": "white"},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def step_size(log_stretch: float, layers: int) -> float:
    """Return 1/(4λ), λ = l e^{2γ} a bound on the curvature l σ_max^{2−2/l} at the optimum."""
    return 1 / (4 * layers * math.exp(2 * log_stretch))


def path(maps: Array, layers: int, step: float, steps: int) -> tuple[Array, Array]:
    """Return max ‖A_i‖ along descent of ½‖(I + A_l) ⋯ (I + A_1) − R‖², and the share of loss left.

    The norms are looked at every tenth step.
    """
    eye = np.broadcast_to(np.eye(maps.shape[-1]), maps.shape)
    weights = [eye.copy() for _ in range(layers)]
    sizes, tau = np.full(len(maps), step), np.zeros(len(maps))
    lost = np.square(maps).sum(axis=(1, 2)) / 2
    first = own_data.excess(weights, eye, maps) + lost
    for _ in range(0, steps, _LOOK):
        own_data.advance(weights, eye, maps, sizes, _LOOK)
        norms = [np.linalg.norm(W - eye, 2, axis=(1, 2)) for W in weights]
        tau = np.maximum(tau, np.max(norms, axis=0))
    return tau, (own_data.excess(weights, eye, maps) + lost) / first


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    tau, arrived = arrays["largest_norm"], arrays["loss_left"] < _ARRIVED
    inside = tau < 1
    shares = ", ".join(
        f"{layers}: {share:.0%}"
        for layers, share in zip(LAYERS, inside.mean(axis=(0, 2)), strict=True)
    )
    small = np.broadcast_to(arrays["ball"][..., None] < 1, tau.shape)
    within = (tau <= arrays["ball"][..., None])[small]
    outside = arrived[~inside]
    turn_norm, turn_left = arrays["half_turn"]
    return (
        Claim(
            "Descent may leave the ball max ‖A_i‖ < 1 in which there are no poor critical points.",
            SOURCE,
            computed=f"share that stays inside, by layers: {shares}",
            holds=bool(not inside.all()),
            note="A possibility left open; random maps of positive determinant, started at A = 0.",
        ),
        Claim(
            "Where (4π + 3γ)/l < 1, descent stays within that smaller ball.",
            SOURCE,
            computed=f"{within.mean():.1%} of {within.size} paths",
            holds=bool(within.all()),
            note="Assumed, not proven, where both theorems are put together. A share of random "
            "maps proves nothing for all.",
        ),
        Claim(
            "Outside, descent may fall victim to a bad saddle.",
            SOURCE,
            computed=f"{outside.mean():.0%} of the {outside.size} paths that left the ball arrived "
            "all the same"
            if outside.size
            else "no path left the ball",
            holds=None,
            note="Arrived: less than 1e-6 of the excess loss left. Those that have not are slow "
            "or held up; the steps given do not tell.",
        ),
        Claim(
            "Inside the ball descent arrives.",
            SOURCE,
            computed=f"{arrived[inside].mean():.1%} of {inside.sum()} paths that stayed; −I in two "
            f"dimensions (det = 1), four layers: norms up to {turn_norm:.2f}, {turn_left:.2f} of "
            "the excess loss left",
            holds=bool(turn_norm >= 1 or turn_left < _ARRIVED),
            note="The theorem is about points, not paths: towards max ‖A_i‖ = 1 the gradient may "
            "vanish. From A = 0 every eigenvalue of −I is learned by a factor w that tends to the "
            "saddle w = 0, so that a quarter of the excess is left for ever. The random maps that "
            "have not arrived may be on their way.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw shares over the number of layers, and the norms reached."""
    figure, (left, middle, right) = panels(3, height=4.0)
    tau = np.asarray(found.arrays["largest_norm"])
    _shares(left, (tau < 1).mean(axis=2), "share that stays in the ball, max ‖A_i‖ < 1")
    arrived = np.asarray(found.arrays["loss_left"]) < _ARRIVED
    _shares(middle, arrived.mean(axis=2), "share that arrives at the minimum")
    for gamma, ball, reached, (colour, style) in zip(
        STRETCHES, found.arrays["ball"], tau, _LOOKS, strict=False
    ):
        right.plot(LAYERS, np.median(reached, axis=1), style, marker=".", color=colour,
                   label=f"γ = {gamma:g}, median")  # fmt: skip
        if gamma == STRETCHES[-1]:
            right.plot(LAYERS, ball, color="black", linewidth=0.8, label=f"(4π + 3γ)/l, {gamma:g}")
    right.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    right.set_xticks(LAYERS, list(map(str, LAYERS)))
    right.set_xlabel("layers l")
    right.set_title("largest max ‖A_i‖ on the way", loc="left", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    return figure


_LOOKS = ((BLUE, "-"), (GREEN, "-."), (ORANGE, "--"), (GREY, ":"))


def _shares(axes: "Axes", shares: Array, title: str) -> None:
    for gamma, share, (colour, style) in zip(STRETCHES, shares, _LOOKS, strict=False):
        axes.plot(LAYERS, share, style, marker=".", color=colour, label=f"γ = {gamma:g}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(LAYERS, list(map(str, LAYERS)))
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("layers l")
    axes.set_title(title, loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
