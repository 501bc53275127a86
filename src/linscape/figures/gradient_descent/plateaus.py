"""Descent from random weights, and the critical values at which its loss rests."""

from typing import TYPE_CHECKING

import numpy as np

from linscape.dynamics.descent import descend
from linscape.dynamics.plateaus import plateaus
from linscape.dynamics.sharpness_step import sharpness_step_size
from linscape.dynamics.trajectory import Trajectory
from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.gradient_descent.regression import PARAMETERS, Array, regression
from linscape.figures.reproduction import Advance, Reproduction
from linscape.initialisation import random_weights
from linscape.landscape.unregularised.values import critical_values
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "plateaus"
SOURCE = "experiment on Achour, Malgouyres & Gerchinovitz (2021), Figure 1"
GAINS = (0.01, 0.03, 0.1, 0.3, 1.0)  # deviations of the weights, which are not printed
_DRAWN = (0.01, 0.1, 0.3)
_MOST = 0.9
_FULL, _QUICK = (100, 20_000), (6, 8000)  # starts, steps


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Descend from weights of every size, and find the plateaus."""
    rng = np.random.default_rng(seed)
    starts, steps = _QUICK if quick else _FULL
    problem = regression(rng)
    units = random_weights(problem, scheme="normal", rng=rng, batch=starts)
    step = float(sharpness_step_size(problem, [np.zeros(shape) for shape in problem.shapes]))
    weights = [np.multiply.outer(GAINS, W) for W in units]
    path = descend(problem, weights, step_size=step, steps=steps, every=10)
    advance(0.8)
    lasted = _lengths(problem, path)
    arrays = {
        "at": path.at,
        "losses": path["loss"][:, :, 0],
        "levels": np.array([value.loss for value in critical_values(problem).descent]),
        "shares": np.mean(lasted > 0, axis=1),
        "lengths": np.median(lasted, axis=1),
    }
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        PARAMETERS
        | {"deviations": list(GAINS), "starts": starts, "steps": steps, "step_size": step},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def _lengths(problem: Problem, path: Trajectory) -> Array:
    """Return how long each net rests at the best values of ranks 0, …, 4; 0 where it does not."""
    rungs = critical_values(problem).descent
    found = np.zeros((*path.status.shape, len(rungs)))
    for plateau in plateaus(problem, path, values=rungs):
        rank = [value.loss for value in rungs].index(plateau.value)
        found[(*plateau.net, rank)] = plateau.left - plateau.entered
    return found


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    shares, lengths = arrays["shares"][:, :4], arrays["lengths"][:, 3]
    seen = ", ".join(
        f"{gain:g}: {share:.0%}" for gain, share in zip(GAINS, shares.min(axis=1), strict=True)
    )
    last = ", ".join(f"{gain:g}: {steps:.0f}" for gain, steps in zip(GAINS, lengths, strict=True))
    ends = float(np.abs(arrays["losses"][-1] / arrays["levels"][-1] - 1).max())
    return (
        Claim(
            "Before the minimum, descent from small random weights rests at the best values of "
            "ranks 0, 1, 2 and 3, one after the other.",
            SOURCE,
            computed=f"share of starts that rest at the rank most often missed, by the weights' "
            f"deviation: {seen}",
            holds=bool(shares[0].min() >= _MOST),
            note=f"Holds: at deviation {GAINS[0]:g} at least {_MOST:.0%} rest at each rank. "
            "The deviation is not printed.",
        ),
        Claim(
            "It does so from random weights of any size.",
            SOURCE,
            computed=f"deviation 1: {shares[-1].min():.0%} to {shares[-1].max():.0%}, by rank",
            holds=bool(shares[-1].min() >= _MOST),
            note="Large weights carry all modes from the first; plateaus need small ones.",
        ),
        Claim(
            "The plateau at rank 3 lasts about 500 epochs.",
            SOURCE,
            printed=500.0,
            computed=f"median steps, by deviation: {last}",
            holds=None,
            note="It grows with 1/deviation and with 1/step size, and neither is printed.",
        ),
        Claim(
            "Descent ends at the global minimum of rank 4.",
            SOURCE,
            printed="tr Σ_yy − λ_1 − … − λ_4",
            computed=f"{arrays['levels'][-1]:.8g}, reached to {ends:.1e}",
            holds=bool(ends <= 1e-6),
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw losses with the predicted levels, and how many starts rest at each of them."""
    figure, (left, right) = panels(2)
    arrays = found.arrays
    at, levels = np.asarray(arrays["at"]), np.asarray(arrays["levels"])
    for gain, colour, style in zip(_DRAWN, (BLUE, ORANGE, GREEN), ("-", "--", "-."), strict=True):
        loss = arrays["losses"][:, GAINS.index(gain)]
        left.plot(np.maximum(at, 1), loss, style, color=colour, label=f"deviation {gain:g}")
    for rank, level in enumerate(levels):
        left.axhline(level, color=GREY, linestyle=":", linewidth=0.9, zorder=1)
        left.annotate(f"rank {rank}", (1.01, level), xycoords=("axes fraction", "data"),
                      va="center", fontsize=8)  # fmt: skip
    left.set_xscale("log")
    left.set_xlim(10, at[-1])
    left.set_ylim(-2, 1.1 * levels[0])
    left.set_xlabel("step")
    left.set_ylabel("loss, mean of squares")
    left.legend(frameon=False, fontsize=9, loc="upper right", bbox_to_anchor=(1.0, 0.88))
    _shares(right, np.asarray(arrays["shares"])[:, :4])
    return figure


def _shares(axes: "Axes", shares: Array) -> None:
    axes.imshow(shares.T, cmap="Blues", vmin=0, vmax=1.2, aspect="auto", origin="lower")
    for (gain, rank), share in np.ndenumerate(shares):
        colour = "white" if share > 0.7 else "black"
        axes.text(gain, rank, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(GAINS)), [f"{gain:g}" for gain in GAINS])
    axes.set_yticks(range(shares.shape[1]))
    axes.set_xlabel("standard deviation of the weights at the start")
    axes.set_ylabel("rank")
    axes.set_title("share of starts that rest at each level", loc="left", fontsize=10)
