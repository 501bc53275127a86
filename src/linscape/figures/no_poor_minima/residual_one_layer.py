"""One residual layer: ‖R − I‖ ≤ e^γ + 1 whatever the determinant, and where it is tight."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.no_poor_minima.random_maps import random_maps
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import BLUE, GREY, ORANGE
from linscape.residual.norm import residual_norm_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "residual-one-layer"
SOURCE = "strengthened Theorem 2.1 of Hardt & Ma (2017) for one layer"
LARGEST = 1 / 3  # of γ, as l ≥ 3γ asks at l = 1
BOUND = math.exp(LARGEST) + 1
_SIZES = (1, 2, 3, 5)


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Draw maps of every stretch and sign, and measure ‖R − I‖."""
    rng = np.random.default_rng(seed)
    stretches = np.linspace(0.005, LARGEST, 20 if quick else 200)
    count = 5 if quick else 100
    gammas, norms, signs = [], [], []
    for gamma in stretches:
        for size in _SIZES:
            maps = random_maps(count, size, float(gamma), rng, sign=None)
            gammas.append(np.full(count, gamma))
            norms.append(np.linalg.norm(maps - np.eye(size), 2, axis=(1, 2)))
            signs.append(np.sign(np.linalg.det(maps)))
        advance(float(gamma / LARGEST))
    extreme = [np.linalg.norm(-math.exp(gamma) * np.eye(2) - np.eye(2), 2) for gamma in stretches]
    arrays = {
        "gammas": np.concatenate(gammas),
        "norms": np.concatenate(norms),
        "signs": np.concatenate(signs),
        "stretches": stretches,
        "extreme": np.array(extreme),
    }
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"sizes": list(_SIZES), "maps": len(arrays["norms"]), "largest_log_stretch": LARGEST},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    norms, negative = arrays["norms"], arrays["signs"] < 0
    limits = np.exp(arrays["gammas"]) + 1
    attained = float(arrays["extreme"][-1])
    many = residual_norm_bound([[1.0, 0.0], [0.0, -1.0]], 100)
    return (
        Claim(
            "With γ ≤ 1/3, ‖R − I‖ ≤ e^{1/3} + 1.",
            SOURCE,
            printed="e^{1/3} + 1",
            computed=f"largest of {len(norms)}: {norms.max():.4f}",
            holds=bool(norms.max() <= BOUND * (1 + 1e-12)),  # rounding: −e^γ attains it
        ),
        Claim(
            "That bound is about 1.91.",
            SOURCE,
            printed=1.91,
            computed=BOUND,
            holds=bool(abs(BOUND - 1.91) < 0.005),
            note="e^{1/3} + 1 = 2.3956.",
        ),
        Claim(
            "It is below 4π + 3γ.",
            SOURCE,
            printed="4π = 12.566 and more",
            computed=BOUND,
            holds=bool(4 * math.pi > BOUND),
        ),
        Claim(
            "For l = 1 the sign of the determinant plays no role.",
            SOURCE,
            computed=f"{negative.sum()} maps with det < 0: at most {norms[negative].max():.4f}",
            holds=bool(np.all(norms[negative] <= limits[negative] * (1 + 1e-12))),
            note="For l = 1 only: diag(1, −1) has γ = 0 and needs a norm of "
            f"{many.lower:g} in 100 layers, where 4π/l is {4 * math.pi / 100:.2f}.",
        ),
        Claim(
            "‖R − I‖ ≤ e^γ + 1 for every γ, and −e^γ I attains it.",
            "our addition",
            computed=f"{attained:.10g} at γ = 1/3",
            holds=bool(
                np.all(norms <= limits * (1 + 1e-12))
                and np.allclose(arrays["extreme"], np.exp(arrays["stretches"]) + 1, rtol=1e-12)
            ),
            note="In two dimensions −e^γ I has a positive determinant, so nothing is gained by "
            "asking for one.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the norms over γ, under the bounds."""
    figure, (axes,) = panels(1)
    arrays = {name: np.asarray(array) for name, array in found.arrays.items()}
    for sign, marker, colour, name in ((1, ".", BLUE, "det R > 0"), (-1, "x", ORANGE, "det R < 0")):
        chosen = np.flatnonzero(arrays["signs"] == sign)[::5]
        axes.plot(arrays["gammas"][chosen], arrays["norms"][chosen], marker, color=colour,
                  markersize=3, alpha=0.5, label=name)  # fmt: skip
    axes.plot(
        arrays["stretches"], arrays["extreme"], color="black", label="exp(γ) + 1, at −exp(γ)I"
    )
    axes.axhline(BOUND, color=GREY, linestyle="--", label="exp(1/3) + 1 = 2.3956")
    axes.axhline(1.91, color=GREY, linestyle=":", label="printed, 1.91")
    axes.set_xlabel("γ = max |log σ(R)|")
    axes.set_ylabel("‖R − I‖")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure
