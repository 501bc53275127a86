"""With all layers but one held fixed the loss is convex; in all together it is neither."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape.minimise import global_minimum
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "one-layer-convexity"
SOURCE = "Baldi & Hornik (1989) and Baldi & Lu (2012), as reported with Kawaguchi (2016)"
HIDDEN = ((2,), (2, 2), (2, 3, 2), (3, 2, 2, 3))
_LINE = np.linspace(-1.5, 1.5, 121)


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute curvatures of single layers and of all at random points."""
    rng = np.random.default_rng(seed)
    points = 10 if quick else 250
    layered, together = [], []
    for k, hidden in enumerate(HIDDEN):
        for _ in range(points):
            problem = _problem(hidden, rng)
            weights = [rng.standard_normal(shape) for shape in problem.shapes]
            layer, whole = curvatures(problem, weights)
            layered.append(layer)
            together.append(whole)
        advance((k + 1) / len(HIDDEN))
    arrays = {
        "one_layer": np.array(layered),
        "together": np.array(together),
        "line": _LINE,
        **_lines(rng),
    }
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"inputs": 3, "outputs": 3, "hidden": [list(hidden) for hidden in HIDDEN],
         "points": points},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def _problem(hidden: tuple[int, ...], rng: np.random.Generator) -> Problem:
    X, Y = rng.standard_normal((2, 20, 3))
    return Problem(Moments.from_arrays(X, X @ rng.standard_normal((3, 3)) + Y), Network(hidden))


def curvatures(problem: Problem, weights: list[Array]) -> tuple[float, tuple[float, float]]:
    """Return the least curvature in one layer, and the ends of the spectrum in all.

    Relative to the largest: of that layer, and of the Hessian.
    """
    H = problem.hessian(weights)
    edges = np.cumsum([0, *(W.size for W in weights)])
    blocks = [np.linalg.eigvalsh(H[a:b, a:b]) for a, b in pairwise(edges)]
    whole = np.linalg.eigvalsh(H)
    size = np.abs(whole).max()
    return min(float(block[0] / block[-1]) for block in blocks), (
        float(whole[0] / size), float(whole[-1] / size)
    )  # fmt: skip


def _lines(rng: np.random.Generator) -> dict[str, Array]:
    """Return losses along lines through a global minimum, at t = 1.

    In one layer after the other along a random line, and along (tW_1, tW_2, W_3): t = −1 is a
    global minimum too, and at t = 0 nothing is learnt.
    """
    problem = _problem((2, 2), rng)
    weights = global_minimum(problem).weights(rng)
    shift = _LINE[:, None, None] - 1
    losses = []
    for k, W in enumerate(weights):
        V = rng.standard_normal(W.shape)
        moved = [np.repeat(layer[None], len(_LINE), axis=0) for layer in weights]
        moved[k] = W + shift * (W + np.linalg.norm(W) / np.linalg.norm(V) * V)
        losses.append(problem.loss(moved))
    t = _LINE[:, None, None]
    both = [t * weights[0], t * weights[1], np.repeat(weights[2][None], len(_LINE), axis=0)]
    return {"losses": np.array([*losses, problem.loss(both)])}


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    least, whole = arrays["one_layer"].min(), arrays["together"]
    both = float(np.mean((whole[:, 0] < 0) & (whole[:, 1] > 0)))
    return (
        Claim(
            "With the other layers held fixed the loss is convex in each layer, at any depth.",
            SOURCE,
            computed=f"least curvature {least:.1g} of the largest, over {len(whole)} points",
            holds=bool(least >= -1e-12),
            note="Up to rounding. In one layer the loss is a quadratic with the form "
            "‖B V C X‖² ≥ 0, B and C the layers after and before: that needs no assumption on "
            "the data.",
        ),
        Claim(
            "In all layers together the loss is neither convex nor concave.",
            "Kawaguchi (2016), Theorem 2.3 (i)",
            computed=f"the Hessian has both signs at {both:.0%} of the points",
            holds=bool(both > 0),
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the loss along lines, and the least curvatures."""
    figure, (left, right) = panels(2)
    losses = np.asarray(found.arrays["losses"])
    names = ("W₁ alone", "W₂ alone", "W₃ alone", "W₁ and W₂ together")
    looks = ((BLUE, "-"), (GREEN, "-."), (GREY, ":"), (ORANGE, "--"))
    for name, loss, (colour, style) in zip(names, losses, looks, strict=True):
        left.plot(found.arrays["line"], loss, style, color=colour, label=name)
    left.set_ylim(0, 3 * losses[3][len(losses[3]) // 2])
    left.set_xlabel("position t on a line, a global minimum at 1")
    left.set_ylabel("loss")
    left.legend(frameon=False, fontsize=9)
    least = [np.asarray(found.arrays["one_layer"]), np.asarray(found.arrays["together"])[:, 0]]
    edges = list(np.linspace(-1, 0.2, 61))
    for values, colour, hatch, name in zip(
        least, (BLUE, ORANGE), ("", "///"), ("one layer", "all layers"), strict=True
    ):
        right.hist(values, edges, color=colour, hatch=hatch, alpha=0.6, edgecolor="black",
                   linewidth=0.3, label=name)  # fmt: skip
    right.set_yscale("log")
    right.set_xlabel("least curvature, of the largest in magnitude")
    right.set_ylabel("points")
    right.legend(frameon=False, fontsize=9)
    return figure
