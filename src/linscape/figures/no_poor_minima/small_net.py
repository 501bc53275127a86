"""Two layers of width two on X = [1 2], Y = [2 4]: critical points and their curvatures."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape.classify import classify
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREY, ORANGE
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "small-net"
SOURCE = "worked example on Kawaguchi (2016), Theorem 2.3"


def problem() -> Problem:
    """Return the example, L = ½‖AB·X − Y‖²: W_1 = B = (b_1, b_2)ᵀ, U = A = (a_1, a_2)."""
    moments = Moments.from_arrays([[1.0], [2.0]], [[2.0], [4.0]])
    return Problem(moments, Network(hidden=(2,)), reduction="half_sum")


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute the curvatures at random points and at the critical points."""
    rng = np.random.default_rng(seed)
    count = 50 if quick else 2000
    anywhere = rng.standard_normal((count, 4))
    first, second = _families(rng.standard_normal((2, count, 3)))
    arrays = {
        "points": anywhere,
        "first": first,
        "second": second,
        "curvatures": _curvatures(anywhere),
        "first_curvature": _curvatures(first)[:, -1],
        "second_curvature": _curvatures(second)[:, -1],
        "zero_curvatures": _curvatures(np.zeros((1, 4)))[0],
    }
    advance(1.0)
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"X": [1, 2], "Y": [2, 4], "hidden": [2], "points": count},
        seed, arrays, _claims(arrays, _kinds(first, second)),
    )  # fmt: skip


def _families(free: Array) -> tuple[Array, Array]:
    """Return points (a_1, a_2, b_1, b_2) with a_1b_1 + a_2b_2 = 2, a_2 ≠ 0 and a_2 = 0 ≠ a_1."""
    a, b, c = np.moveaxis(free, -1, 0)
    first = np.stack([a[0], b[0], c[0], (2 - a[0] * c[0]) / b[0]], axis=1)
    second = np.stack([a[1], np.zeros_like(a[1]), 2 / a[1], c[1]], axis=1)
    return first, second


def _weights(point: Array) -> list[Array]:
    return [point[2:].reshape(2, 1), point[:2].reshape(1, 2)]


def _curvatures(points: Array) -> Array:
    """Return the eigenvalues of the Hessian, ascending."""
    net = problem()
    return np.array([np.linalg.eigvalsh(net.hessian(_weights(point))) for point in points])


def _kinds(first: Array, second: Array) -> set[str]:
    net = problem()
    return {classify(net, _weights(point)).kind for point in (*first[:25], *second[:25])}


def printed_curvatures(points: Array) -> Array:
    """Return the four printed eigenvalues at any points, ascending."""
    square, p = np.square(points).sum(axis=1), np.vecdot(points[:, :2], points[:, 2:])
    root = np.sqrt(square**2 + 4 * (4 - 8 * p + 3 * p**2))
    four = [5 * (2 - p), 5 * (p - 2), 5 / 2 * (square - root), 5 / 2 * (square + root)]
    return np.sort(np.stack(four, axis=1), axis=1)


def printed_first(points: Array) -> Array:
    """Return the curvature printed for the family a_2 ≠ 0."""
    a, _, _, d = points.T
    return np.asarray(5 * (4 + a**4 + a**2 * d**2) / a**2)


def printed_second(points: Array) -> Array:
    """Return the one printed for a_2 = 0 ≠ a_1 as far as it exists there: its numerator."""
    a, b, c, _ = points.T
    return np.asarray(5 * (4 + (a * b) ** 2 + b**4 - 4 * a * c + (a * c) ** 2 + (b * c) ** 2))


def norms(points: Array) -> Array:
    """Return 5(‖a‖² + ‖b‖²), the largest curvature at every minimum."""
    return np.asarray(5 * np.square(points).sum(axis=1))


def _error(found: Array, expected: Array) -> float:
    return float(np.max(np.abs(found / expected - 1)))


def _claims(arrays: dict[str, Array], kinds: set[str]) -> tuple[Claim, ...]:
    first, second, zero = arrays["first"], arrays["second"], arrays["zero_curvatures"]
    top, other = arrays["first_curvature"], arrays["second_curvature"]
    anywhere, size = arrays["curvatures"], np.abs(arrays["curvatures"]).max(axis=1)
    off = np.abs(anywhere - printed_curvatures(arrays["points"])).max(axis=1) / size
    wrong, right = _error(printed_first(first), top), _error(norms(first), top)
    swapped = _error(printed_first(second), other)
    back = _error(printed_second(first) / first[:, 1] ** 2, top)
    indefinite = float(np.mean((anywhere[:, 0] < 0) & (anywhere[:, -1] > 0)))
    return (
        Claim(
            "The four printed eigenvalues are those of the Hessian at every point.",
            SOURCE,
            computed=f"relative error at most {off.max():.0e}",
            holds=bool(off.max() <= 1e-10),
        ),
        Claim(
            "The Hessian has eigenvalues of both signs, so L is neither convex nor concave.",
            SOURCE + " (i)",
            computed=f"at {indefinite:.0%} of random points",
            holds=bool(indefinite > 0),
        ),
        Claim(
            "At zero the eigenvalues are −10, −10, 10, 10.",
            SOURCE,
            printed="-10, -10, 10, 10",
            computed=", ".join(f"{value:g}" for value in zero.round(9)),
            holds=bool(np.allclose(zero, [-10, -10, 10, 10], rtol=1e-10)),
        ),
        Claim(
            "At the minima with a_2 ≠ 0 the largest eigenvalue is 5(4 + a_1⁴ + a_1²b_2²)/a_1².",
            SOURCE,
            printed="5(4 + a_1⁴ + a_1²b_2²)/a_1²",
            computed=f"5(‖a‖² + ‖b‖²); the printed one is off by up to {wrong:.0e} relative",
            holds=bool(wrong <= 1e-10),
            note="It belongs to the other family, a_2 = 0, b_1 = 2/a_1, where it is right to "
            f"{swapped:.0e}.",
        ),
        Claim(
            "At the minima with a_2 = 0 the largest eigenvalue is "
            "5(4 + a_1²a_2² + a_2⁴ − 4a_1b_1 + a_1²b_1² + a_2²b_1²)/a_2².",
            SOURCE,
            printed="5(4 + a_1²a_2² + a_2⁴ − 4a_1b_1 + a_1²b_1² + a_2²b_1²)/a_2²",
            computed="5(‖a‖² + ‖b‖²); the printed one divides by a_2² = 0",
            holds=bool(np.all(second[:, 1] != 0)),
            note=f"It belongs to the family a_2 ≠ 0, where it is right to {back:.0e}.",
        ),
        Claim(
            "Corrected: at every minimum the largest eigenvalue is 5(‖a‖² + ‖b‖²).",
            "our correction",
            computed=f"relative error at most {max(right, _error(norms(second), other)):.0e}",
            holds=bool(max(right, _error(norms(second), other)) <= 1e-10),
        ),
        Claim(
            "Zero is a saddle and all other critical points are global minima.",
            SOURCE + " (ii)-(iv)",
            computed=f"{classify(problem(), _weights(np.zeros(4))).kind}; {', '.join(kinds)}",
            holds=bool(kinds == {"global minimum"} and zero[0] < 0),
            note="The families are printed for all real a_1, a_2, b_1, b_2; the first needs "
            "a_2 ≠ 0, the second a_1 ≠ 0.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the printed curvature against the computed one for both families, and the loss."""
    figure, (left, right) = panels(2)
    arrays = {name: np.asarray(array) for name, array in found.arrays.items()}
    first, second = arrays["first"], arrays["second"]
    left.plot(arrays["first_curvature"], printed_first(first), ".", color=ORANGE, markersize=3,
              label="a₂ ≠ 0, as printed")  # fmt: skip
    left.plot(arrays["first_curvature"], norms(first), "x", color=BLUE, markersize=4,
              label="a₂ ≠ 0, 5(‖a‖² + ‖b‖²)")  # fmt: skip
    left.plot(arrays["second_curvature"], norms(second), "+", color="black", markersize=4,
              label="a₂ = 0, 5(‖a‖² + ‖b‖²)")  # fmt: skip
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("largest eigenvalue of the Hessian at a minimum")
    left.set_ylabel("by the formula")
    left.legend(frameon=False, fontsize=9)
    grid = np.linspace(-3, 3, 241)
    loss = 5 / 2 * (np.outer(grid, grid) - 2) ** 2
    contours = right.contour(grid, grid, loss, [0.1, 1, 3, 6, 10, 20, 40], colors=GREY,
                             linewidths=0.8)  # fmt: skip
    right.clabel(contours, fontsize=7, fmt="%g")
    curve = np.geomspace(2 / 3, 3, 50)
    for sign in (1, -1):
        right.plot(sign * curve, sign * 2 / curve, color=BLUE, linewidth=2,
                   label="global minima" if sign > 0 else "_")  # fmt: skip
    right.plot(0, 0, "o", color=ORANGE, label="strict saddle")
    right.set_xlabel("a₁")
    right.set_ylabel("b₁")
    right.set_aspect("equal")
    right.set_title("L at a₂ = b₂ = 0", loc="left", fontsize=10)
    right.legend(framealpha=1, edgecolor="white", fontsize=9, loc="upper left")
    return figure
