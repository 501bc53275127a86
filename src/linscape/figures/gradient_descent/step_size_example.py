"""The worked example of a step size: which of its numbers agree with one another."""

import math
from typing import TYPE_CHECKING

import numpy as np

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.gradient_descent.random_nets import Array, random_nets
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import BLUE, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "step-size-example"
SOURCE = "worked example on Nguegnang, Rauhut & Terstiege (2021), Theorem 2.4"
DELTA, BALANCEDNESS, ALPHA, STEP, FAILING = 1.17328, 0.84352, 0.71894, 2.374e-4, 0.0273
_N = 3


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute what the printed numbers imply, beside random data."""
    draws = 2000 if quick else 200_000
    nets = random_nets((5, 5), draws, np.random.default_rng(seed), deviation=1.0)
    arrays = {
        "norms": np.asarray(np.linalg.norm(nets.X, 2, axis=(1, 2))),
        "balancedness": nets.balancedness,
        "largest": np.array([largest_norm(STEP), largest_norm(2 * STEP)]),
    }
    advance(1.0)
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"draws": draws, "delta": DELTA, "balancedness": BALANCEDNESS, "step_size": STEP,
         "failing": FAILING},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def largest_norm(step: float) -> float:
    """Return the largest ‖X‖₂ that a proven step for ½‖Y − WX‖² leaves room for.

    The suggested δ makes K = M^{2/N} + (N + 1)²δ = (N + 1)³δ, whatever M is, and
    η ≤ 2/B ≤ 1/(eNK^{N−1}‖X‖²).
    """
    K = (_N + 1) ** 3 * DELTA
    return math.sqrt(1 / (math.e * _N * K ** (_N - 1) * step))


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    half, whole = (float(norm) for norm in arrays["largest"])
    # ‖X‖ ≤ r needs every |X_ij| ≤ r
    chance = math.erf(half / math.sqrt(2)) ** 25
    low, middle, high = np.sqrt(
        BALANCEDNESS / np.quantile(arrays["balancedness"], [0.95, 0.5, 0.05])
    )
    doubled = 0.9 * STEP * 2**7
    return (
        Claim(
            "δ = 1.17328 and a balancedness αδ of 0.84352 give α.",
            SOURCE,
            printed=ALPHA,
            computed=BALANCEDNESS / DELTA,
            holds=bool(abs(BALANCEDNESS / DELTA - ALPHA) <= 6e-6),  # of printed digits
        ),
        Claim(
            "0.9η doubled until it fails stops at 0.0273.",
            SOURCE,
            printed=FAILING,
            computed=doubled,
            holds=bool(abs(doubled - FAILING) <= 1e-4),
            note="Seven doublings: 0.9·2.374e-4·2⁷. The fourth digit is off by one.",
        ),
        Claim(
            "With this δ, η = 2.374e-4 is the bound for 5 × 5 standard normal X.",
            SOURCE,
            printed=STEP,
            computed=f"needs ‖X‖₂ ≤ {half:.3f}; the smallest of {len(arrays['norms'])} draws has "
            f"{arrays['norms'].min():.2f}",
            holds=bool(arrays["norms"].min() <= half),
            note=f"K = 64δ = {64 * DELTA:.2f} and η ≤ 1/(3eK²‖X‖²), whatever M is. The chance of "
            f"such data is at most {chance:.0e}. For the loss without ½ the room is {whole:.3f}. "
            "The data, the weights and the seed are not printed.",
        ),
        Claim(
            "The weights are normal.",
            SOURCE,
            computed=f"deviation {middle:.2f} (90 %: {low:.2f} to {high:.2f}) for αδ = 0.84352",
            holds=None,
            note="Their deviation is not printed; this one gives 5 × 5 weights the printed "
            "balancedness.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the norms of random data, and those that the printed step leaves room for."""
    figure, (axes,) = panels(1)
    norms = np.asarray(found.arrays["norms"])
    axes.hist(norms, 80, color=SKY, edgecolor="black", linewidth=0.2,
              label=f"‖X‖₂ of {len(norms)} normal 5 × 5 matrices")  # fmt: skip
    half, whole = (float(norm) for norm in found.arrays["largest"])
    axes.axvline(half, color=ORANGE, linestyle="--", label=f"room for η, ½‖Y − WX‖²: {half:.3f}")
    axes.axvline(whole, color=BLUE, linestyle=":", label=f"room for η, ‖Y − WX‖²: {whole:.3f}")
    axes.set_xlim(left=0)
    axes.set_xlabel("spectral norm of the inputs")
    axes.set_ylabel("draws")
    axes.legend(frameon=False, fontsize=9)
    return figure
