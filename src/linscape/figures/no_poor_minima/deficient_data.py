"""Equal eigenvalues and deficient XYᵀ: no poor minima either, and what disturbing the data does."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape.classify import classify
from linscape.landscape.factors import balanced_factors
from linscape.landscape.unregularised.modes import data_modes
from linscape.landscape.unregularised.theorems import TheoremReport, theorem_report
from linscape.landscape.unregularised.values import critical_values
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "deficient-data"
SOURCE = "remarks on the assumptions of Kawaguchi (2016), Theorem 2.3"
# E[xyᵀ] for white inputs, and the hidden width and modes where a tie or a gap is at stake
CASES = {
    "equal eigenvalues": ((2.0, 2.0, 1.0), 1, (1,)),
    "XYᵀ of rank 2": ((2.0, 1.0, 0.0), 3, (0, 1)),
}
_HIDDEN = ((2,), (2, 2))
SIZES = np.geomspace(1e-6, 0.1, 16)
_FULL, _QUICK = (200, 50), (8, 2)  # starts of searches, disturbances
_KEYS = ("equal", "deficient")
_THEOREM = "Kawaguchi (2016), 2.3 (ii)"


def data(signals: tuple[float, ...], disturbance: Array | None = None) -> Moments:
    """Return moments of white inputs, y = diag(signals)x + noise, both disturbed or not."""
    size = len(signals)
    M, B = np.diag(signals), np.eye(size)
    if disturbance is not None:
        M = M + disturbance[0]
        B = B + disturbance[1]  # x ← Bx
    return Moments(B @ B.T, B @ B.T @ M.T, M @ B @ B.T @ M.T + 0.25 * np.eye(size))


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Search for critical points, and disturb the data by more and more."""
    rng = np.random.default_rng(seed)
    starts, draws = _QUICK if quick else _FULL
    arrays: dict[str, Array] = {"sizes": SIZES}
    kinds: dict[str, list[str]] = {}
    for k, (key, (signals, width, modes)) in enumerate(zip(_KEYS, CASES.values(), strict=True)):
        kinds[key], arrays[f"{key}_misses"] = _searched(signals, starts, rng)
        advance((k + 0.7) / len(CASES))
        arrays[f"{key}_met"] = _met(signals, width, draws, rng)
        disturbed = [_disturbed(signals, width, modes, rng) for _ in range(draws)]
        arrays[f"{key}_curvatures"] = np.array([curvature for curvature, _ in disturbed])
        arrays[f"{key}_values"] = disturbed[0][1]
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"signals": [list(case[0]) for case in CASES.values()],
         "hidden": [list(hidden) for hidden in _HIDDEN], "starts": starts, "draws": draws,
         "noise_variance": 0.25},
        seed, arrays, _claims(arrays, kinds),
    )  # fmt: skip


def _searched(
    signals: tuple[float, ...], starts: int, rng: np.random.Generator
) -> tuple[list[str], Array]:
    """Return the kinds of points where searches for a zero gradient end.

    With them comes the distance of each loss from the nearest critical value. Searches that stop
    before the gradient vanishes to nine digits are left out.
    """
    kinds: list[str] = []
    misses = []
    for hidden in _HIDDEN:
        problem = Problem(data(signals), Network(hidden))
        losses = critical_values(problem).losses
        for _ in range(starts):
            found = classify(problem, _critical(problem, rng), tolerance=1e-9)
            if found.kind != "not critical":
                kinds.append(found.kind)
                misses.append(np.abs(losses - found.loss).min())
    return kinds, np.array(misses)


def _critical(problem: Problem, rng: np.random.Generator) -> list[Array]:
    """Return weights where the gradient vanishes, by least squares on it."""
    start = rng.standard_normal(sum(rows * columns for rows, columns in problem.shapes))
    end = least_squares(
        lambda w: problem.flatten(problem.gradient(problem.unflatten(w))),
        start, jac=lambda w: problem.hessian(problem.unflatten(w)),
        xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000,
    )  # fmt: skip
    return problem.unflatten(end.x)


def _met(signals: tuple[float, ...], width: int, draws: int, rng: np.random.Generator) -> Array:
    """Say of disturbed data whether the theorem's assumptions hold, at each size."""
    found = []
    for _ in range(draws):
        G = rng.standard_normal((2, 3, 3))
        reports = [
            theorem_report(Problem(data(signals, size * G), Network((width,)))) for size in SIZES
        ]
        found.append([_covered(report) for report in reports])
    return np.array(found, dtype=bool)


def _covered(report: TheoremReport) -> bool:
    """Say whether the theorem's printed assumptions hold."""
    return any(one.theorem == _THEOREM and one.printed is True for one in report.guarantees)


def _disturbed(
    signals: tuple[float, ...], width: int, modes: tuple[int, ...], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the least curvature at a point that was a minimum, and the critical values.

    Both over the size of the disturbance, whose direction is drawn once.
    """
    G = rng.standard_normal((2, 3, 3))
    curvatures, values = [], []
    for size in SIZES:
        problem = Problem(data(signals, size * G), Network((width,)))
        weights = balanced_factors(data_modes(problem).product(modes), (width,))
        curvatures.append(np.linalg.eigvalsh(problem.hessian(weights))[0])
        values.append(critical_values(problem).losses)
    return np.array(curvatures), np.array(values)


def slope(curvatures: Array) -> float:
    """Return the exponent with which the median curvature grows with the disturbance."""
    medians = np.median(np.abs(curvatures), axis=0)
    return float(np.polyfit(np.log(SIZES), np.log(medians), 1)[0])


def _claims(arrays: dict[str, Array], kinds: dict[str, list[str]]) -> tuple[Claim, ...]:
    claims = []
    for key, name in zip(_KEYS, CASES, strict=True):
        counts = {kind: kinds[key].count(kind) for kind in sorted(set(kinds[key]))}
        off = float(arrays[f"{key}_misses"].max())
        claims.append(
            Claim(
                f"With {name} every local minimum is still global (left open).",
                SOURCE,
                computed=", ".join(f"{count} {kind}" for kind, count in counts.items())
                + f"; losses within {off:.0e} of the critical values",
                holds=bool("local minimum" not in counts and off <= 1e-6),
                note="The classification of critical points by their loss needs neither distinct "
                "eigenvalues nor full ranks (docs/saddles.md; for full ranks of X and Y, Lu & "
                "Kawaguchi 2017); the searches could only refute it. Undecided are saddles so "
                "close to a non-strict one that 64-bit floats do not tell which they are.",
            )
        )
    met = np.concatenate([arrays[f"{key}_met"].ravel() for key in _KEYS])
    powers = [slope(arrays[f"{key}_curvatures"]) for key in _KEYS]
    return (
        *claims,
        Claim(
            "Slightly disturbed data meet the assumptions.",
            SOURCE,
            computed=f"{met.mean():.0%} of {met.size} disturbances between {SIZES[0]:.0e} and "
            f"{SIZES[-1]:g}",
            holds=bool(met.all()),
        ),
        Claim(
            "The remedy has a price: points that were minima become strict saddles whose curvature "
            "is proportional to the disturbance.",
            "our addition",
            computed=f"exponents {powers[0]:.2f} and {powers[1]:.2f}",
            holds=bool(all(abs(power - 1) < 0.1 for power in powers)),
            note="Descent does not gain by it: it may stay near them as long as it pleases. The "
            "losses differ by the disturbance, or by its square where a signal was zero.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the critical values and the curvatures over the size of the disturbance."""
    figure, axes = panels(3)
    sizes = np.asarray(found.arrays["sizes"])
    for panel, key, (name, (_, width, _)) in zip(axes, _KEYS, CASES.items(), strict=False):
        panel.plot(sizes, found.arrays[f"{key}_values"], color=BLUE, linewidth=1.2)
        panel.set_xscale("log")
        panel.set_xlabel("size of the disturbance")
        panel.set_ylabel("critical values")
        panel.set_title(f"{name}, hidden width {width}", loc="left", fontsize=10)
    for key, name, colour, style in zip(_KEYS, CASES, (ORANGE, GREEN), ("-", "--"), strict=True):
        medians = np.median(np.abs(found.arrays[f"{key}_curvatures"]), axis=0)
        axes[2].plot(sizes, medians, style, marker=".", color=colour, label=name)
    axes[2].plot(sizes, sizes, color=GREY, linewidth=0.8, linestyle=":", label="∝ disturbance")
    axes[2].set_xscale("log")
    axes[2].set_yscale("log")
    axes[2].set_xlabel("size of the disturbance")
    axes[2].set_title("− least curvature where minima were", loc="left", fontsize=10)
    axes[2].legend(frameon=False, fontsize=9)
    return figure
