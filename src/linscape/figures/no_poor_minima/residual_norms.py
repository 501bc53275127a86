"""How small the layers of a residual net can be, over their number, beside (4π + 3γ)/l."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.no_poor_minima.random_maps import random_maps
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import BLUE, GREEN, ORANGE
from linscape.residual.norm import residual_norm_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "residual-norms"
SOURCE = "Hardt & Ma (2017), Theorem 2.1"
STRETCHES = (0.5, 2.0, 5.0)
_SIZE = 5


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Bound the norms of random maps from both sides."""
    rng = np.random.default_rng(seed)
    count, points = (3, 10) if quick else (100, 30)
    layers = np.unique(np.geomspace(1, 300, points).round().astype(int))
    upper = np.empty((len(STRETCHES), count, len(layers)))
    lower = np.empty_like(upper)
    for k, gamma in enumerate(STRETCHES):
        for i, R in enumerate(random_maps(count, _SIZE, gamma, rng)):
            for j, number in enumerate(layers):
                bound = residual_norm_bound(R, int(number))
                lower[k, i, j] = bound.lower
                upper[k, i, j] = np.nan if bound.upper is None else bound.upper
            advance((k + (i + 1) / count) / len(STRETCHES))
    arrays = {"layers": layers, "upper": upper, "lower": lower,
              "theorem": np.array([(4 * math.pi + 3 * g) / layers for g in STRETCHES]),
              "covered": np.array([layers >= 3 * g for g in STRETCHES])}  # fmt: skip
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"size": _SIZE, "log_stretches": list(STRETCHES), "maps": count},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    upper, covered = arrays["upper"], arrays["covered"].astype(bool)
    ratios = (arrays["theorem"][:, None, :] / upper)[np.broadcast_to(covered[:, None], upper.shape)]
    ends = upper[..., -1] * arrays["layers"][-1]
    limits = np.array([math.pi + 1.19 * gamma for gamma in STRETCHES])[:, None]
    gap = upper / arrays["lower"]
    falls = np.polyfit(np.log(arrays["layers"][-5:]), np.log(upper[..., -5:].mean(axis=1)).T, 1)[0]
    return (
        Claim(
            "If l ≥ 3γ and det R > 0, layers with max ‖A_i‖ ≤ (4π + 3γ)/l have the product R.",
            SOURCE,
            computed=f"the bound is {ratios.min():.1f} to {ratios.max():.1f} times the norm "
            f"attained, in {len(ratios)} cases",
            holds=bool(ratios.min() >= 1),
        ),
        Claim(
            "The norm is of order 1/l.",
            SOURCE,
            printed="1/l",
            computed="exponents " + ", ".join(f"{fall:.2f}" for fall in falls),
            holds=bool(np.all(np.abs(falls + 1) < 0.05)),
            note="Fitted over the five largest l.",
        ),
        Claim(
            "Better constants: max ‖A_i‖ ≤ (π + 1.19γ)/l.",
            "docs/residual.md, section 1",
            computed=f"l·max ‖A_i‖ at l = {arrays['layers'][-1]}: at most "
            + ", ".join(f"{end:.2f}" for end in ends.max(axis=1))
            + "; limits "
            + ", ".join(f"{limit:.2f}" for limit in limits[:, 0]),
            holds=bool(np.all(ends <= limits)),
        ),
        Claim(
            "What is attained is near the least possible.",
            "docs/residual.md, section 2",
            computed=f"attained over proven least norm: median {np.median(gap):.2f}, at most "
            f"{gap.max():.2f}",
            holds=None,
            note="Equal for normal maps; for others the least norm is not known exactly.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the band between the bounds, and the theorem's line where it is promised."""
    figure, axes = panels(3, height=4.0)
    arrays = {name: np.asarray(array) for name, array in found.arrays.items()}
    layers = arrays["layers"]
    for k, (panel, gamma) in enumerate(zip(axes, STRETCHES, strict=True)):
        upper, lower = arrays["upper"][k], arrays["lower"][k]
        panel.fill_between(layers, upper.min(axis=0), upper.max(axis=0), color=BLUE, alpha=0.2)
        panel.plot(layers, np.median(upper, axis=0), color=BLUE, label="attained, median and range")
        panel.plot(layers, np.median(lower, axis=0), ":", color="black", label="at least, median")
        covered = arrays["covered"][k].astype(bool)
        panel.plot(layers[covered], arrays["theorem"][k][covered], "--", color=ORANGE,
                   label="(4π + 3γ)/l, l ≥ 3γ")  # fmt: skip
        panel.axhline(1, color=GREEN, linewidth=0.9, linestyle="-.",
                      label="1: below it no poor critical points")  # fmt: skip
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(3e-3, 300)
        panel.set_xlabel("layers l")
        panel.set_title(f"γ = {gamma:g}", loc="left", fontsize=10)
    axes[0].set_ylabel("max ‖A_i‖")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
