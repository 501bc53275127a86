"""Two maps given as counterexamples to the bound on the layers of a residual net."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import BLUE, GREY, ORANGE
from linscape.residual.norm import ResidualNormBound, residual_norm_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "residual-counterexamples"
SOURCE = "counterexamples to Hardt & Ma (2017), Theorem 2.1"
MAPS = {"first": [[-21.0, -19.0], [-19.0, -21.0]], "second": [[-19.0, -21.0], [-21.0, -19.0]]}
PRINTED_NORM, PRINTED_BOUND = 41.0, 23.63


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute the least norms of the layers over their number; nothing is random."""
    layers = np.unique(np.geomspace(1, 100 if quick else 1000, 40).round().astype(int))
    arrays: dict[str, NDArray[Any]] = {"layers": layers}
    single: dict[str, ResidualNormBound] = {}
    for name, R in MAPS.items():
        bounds = [residual_norm_bound(R, int(count)) for count in layers]
        single[name] = bounds[0]
        arrays[f"{name}_lower"] = np.array([bound.lower for bound in bounds])
        upper = [np.nan if bound.upper is None else bound.upper for bound in bounds]
        arrays[f"{name}_upper"] = np.array(upper)
    gamma = single["first"].log_stretch
    arrays["formula"] = (4 * math.pi + 3 * gamma) / layers
    arrays["covered"] = layers >= 3 * gamma
    advance(1.0)
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"maps": MAPS, "layers": layers.tolist()}, seed, arrays, _claims(single, arrays),
    )  # fmt: skip


def _claims(
    single: dict[str, ResidualNormBound], arrays: dict[str, NDArray[Any]]
) -> tuple[Claim, ...]:
    first, second = single["first"], single["second"]
    formula = 4 * math.pi + 3 * first.log_stretch
    covered = arrays["covered"]
    obeys = arrays["first_upper"][covered] <= arrays["formula"][covered]
    least = float(arrays["second_lower"].min())
    return (
        Claim(
            "Both maps have ‖R − I‖ = 41.",
            SOURCE,
            printed=PRINTED_NORM,
            computed=float(first.lower),
            holds=bool(abs(first.lower - 41) < 1e-10 and abs(second.lower - 41) < 1e-10),
        ),
        Claim(
            "For both 4π + 3γ is about 23.63.",
            SOURCE,
            printed=PRINTED_BOUND,
            computed=formula,
            holds=bool(abs(formula - PRINTED_BOUND) < 0.005),
        ),
        *(
            Claim(
                f"The {name} map is a counterexample to the theorem at l = 1.",
                SOURCE,
                printed="41 > 23.63",
                computed="; ".join(bound.failing),
                holds=not bound.failing,
                note="The conclusion fails, and so does a hypothesis: no counterexample, but an "
                "example that the hypothesis cannot be dropped.",
            )
            for name, bound in single.items()
        ),
        Claim(
            "With l ≥ 3γ layers the first map obeys the bound.",
            "Hardt & Ma (2017), Theorem 2.1",
            computed=f"at all of {covered.sum()} numbers of layers from "
            f"{arrays['layers'][covered][0]}; there the norm is "
            f"{arrays['first_upper'][covered][0]:.3f}, the bound "
            f"{arrays['formula'][covered][0]:.3f}",
            holds=bool(obeys.all()),
        ),
        Claim(
            "The sign of the determinant matters for the second map at every number of layers.",
            "our addition",
            computed=f"some layer has a norm of at least {least:g}",
            holds=bool(least >= 1),
            note="With all norms below 1 the determinant is positive.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the norms over the number of layers, and the bound where it is promised."""
    figure, (axes,) = panels(1)
    arrays = {name: np.asarray(array) for name, array in found.arrays.items()}
    layers, covered = arrays["layers"], arrays["covered"].astype(bool)
    axes.plot(layers, arrays["first_upper"], "-", color=BLUE, label="first map: attained")
    axes.plot(layers, arrays["first_lower"], ":", color="black", label="first map: at least")
    axes.plot(layers, arrays["second_lower"], "--", color=ORANGE,
              label="second map, det < 0: at least")  # fmt: skip
    axes.plot(layers[covered], arrays["formula"][covered], color=GREY, linewidth=2,
              label="(4π + 3γ)/l, promised for det > 0")  # fmt: skip
    axes.plot(layers[~covered], arrays["formula"][~covered], color=GREY, linewidth=1,
              linestyle=(0, (1, 2)), label="the same where l < 3γ: not promised")  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("layers l")
    axes.set_ylabel("max ‖A_i‖")
    axes.legend(frameon=False, fontsize=9)
    return figure
