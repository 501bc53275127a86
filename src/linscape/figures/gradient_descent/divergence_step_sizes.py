"""The doubled step size at which random nets first diverge."""

import math
from typing import TYPE_CHECKING

import numpy as np

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent import own_data
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.gradient_descent.random_nets import (
    DEVIATION,
    HIDDEN,
    NOISE,
    SIGNALS,
    Array,
    RandomNets,
    random_nets,
    suggested_bounds,
)
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import SKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "divergence-step-sizes"
SOURCE = "experiment on Nguegnang, Rauhut & Terstiege (2021), Theorem 2.4, Figure 6"
KINDS = {"wide": "3 layers", "narrow": "3 layers, 5-2-2-5"}
STEPS = 500
LONG = 5000  # epochs of the print, run on some nets to see that 500 tell
_LIMIT = 1e8  # times the larger of the losses at the start and at zero
_DOUBLINGS = 40
_FULL, _QUICK = (10_000, 100), (40, 5)  # nets, and how many of them are run for longer


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Double the step of every net until it diverges."""
    rng = np.random.default_rng(seed)
    count, checked = _QUICK if quick else _FULL
    arrays: dict[str, Array] = {}
    for k, (key, kind) in enumerate(KINDS.items()):
        nets = random_nets(HIDDEN[kind], count, rng)
        bounds = suggested_bounds(nets)
        nets, bounds = nets.part(bounds > 0), bounds[bounds > 0]
        arrays[key] = first_divergence(nets, 0.9 * bounds, STEPS, advance, (k, len(KINDS)))
        arrays[f"{key}_factors"] = arrays[key] / bounds
        some = nets.part(np.arange(checked))
        longer = first_divergence(some, 0.9 * bounds[:checked], LONG)
        arrays[f"{key}_same"] = longer == arrays[key][:checked]
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"nets": count, "signals": list(SIGNALS), "noise": NOISE, "deviation": DEVIATION,
         "steps": STEPS, "loss_limit": _LIMIT, "loss": "½‖Y − WX‖²", "first": 0.9,
         "checked_with_5000_steps": checked},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def first_divergence(
    nets: RandomNets,
    first: Array,
    steps: int,
    advance: Advance | None = None,
    part: tuple[int, int] = (0, 1),
) -> Array:
    """Return the first of `first`, 2·`first`, … at which each net diverges, infinite if none."""
    A, C = nets.moments
    lost = np.square(nets.Y).sum(axis=(1, 2)) / 2
    start = own_data.excess(nets.weights, A, C) + lost
    limit = _LIMIT * np.maximum(start, lost) - lost
    found, running, size = np.full(len(A), np.inf), np.arange(len(A)), first.copy()
    for _ in range(_DOUBLINGS):
        bad = own_data.diverges(
            [W[running] for W in nets.weights], A[running], C[running], limit[running],
            size[running], steps,
        )  # fmt: skip
        found[running[bad]] = size[running[bad]]
        running = running[~bad]
        size *= 2
        if advance is not None:
            advance((part[0] + 1 - len(running) / len(A)) / part[1])
        if not len(running):
            break
    return found


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    wide, narrow = arrays["wide"], arrays["narrow"]
    inside = float(np.mean((wide >= 0.01) & (wide <= 0.03)))
    skewed = float(np.mean(wide) / np.median(wide))
    spreads = [_spread(wide), _spread(narrow)]
    top = float(np.quantile(wide, 0.99))
    beyond = float(np.mean(narrow > top))
    near = np.abs(narrow - np.median(narrow)) <= np.median(np.abs(wide - np.median(wide)))
    same = np.concatenate([arrays["wide_same"], arrays["narrow_same"]])
    factors = np.quantile(arrays["wide_factors"], [0.05, 0.5, 0.95])
    return (
        Claim(
            "With widths 5 most nets first diverge at steps from 0.01 to 0.03.",
            SOURCE,
            printed="most in [0.01, 0.03]",
            computed=f"{inside:.0%}, median {np.median(wide):.3g}",
            holds=bool(inside > 0.5),
            note="For L = ½‖Y − WX‖²; for ‖Y − WX‖², the loss printed beside it, every step is "
            f"half of that. {same.mean():.0%} of {len(same)} nets keep their step when run for "
            f"{LONG} epochs in place of {STEPS}.",
        ),
        Claim(
            "The distribution for widths 5 is skewed to the right.",
            SOURCE,
            computed=f"mean/median {skewed:.2f}",
            holds=bool(skewed > 1),
        ),
        Claim(
            "With widths 2 there is less variability, and most diverge near 0.02.",
            SOURCE,
            printed=0.02,
            computed=f"median {np.median(narrow):.3g}; interquartile range {spreads[1]:.2g}, "
            f"against {spreads[0]:.2g}",
            holds=_larger(float(near.mean()), 0.5, len(near)),
            note="By the share within the median distance of widths 5 from the median: "
            f"{near.mean():.1%}, against 50 %; open within three standard errors.",
        ),
        Claim(
            "With widths 2 large outliers are more frequent.",
            SOURCE,
            computed=f"{beyond:.2%} above {top:.3g}, against 1 %",
            holds=_larger(beyond, 0.01, len(narrow)),
            note="Open within three standard errors.",
        ),
        Claim(
            "The first step that fails is 115 times the bound, in the worked example.",
            SOURCE,
            printed=115.2,
            computed=f"median {factors[1]:.0f}, 90 % between {factors[0]:.0f} and {factors[2]:.0f}",
            holds=bool(factors[0] <= 115.2 <= factors[2]),
            note="Among the nets covered; holds if 115 lies within the middle 90 %.",
        ),
    )


def _larger(share: float, other: float, count: int) -> bool | None:
    """Say whether a share among `count` nets is above one among as many others, if they tell."""
    error = 3 * math.sqrt(2 * other * (1 - other) / count)
    return None if abs(share - other) <= error else share > other


def _spread(values: Array) -> float:
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low)


def draw(found: Reproduction) -> "Figure":
    """Draw both histograms."""
    figure, axes = panels(2, height=3.8)
    together = np.concatenate([found.arrays[key] for key in KINDS])
    edges = np.linspace(0, np.quantile(together[np.isfinite(together)], 0.995), 60)
    for panel, (key, title) in zip(axes, KINDS.items(), strict=True):
        values = np.asarray(found.arrays[key])
        panel.hist(values, list(edges), color=SKY, edgecolor="black", linewidth=0.3)
        panel.axvspan(0.01, 0.03, color="black", alpha=0.08, label="[0.01, 0.03]")
        panel.axvline(float(np.median(values)), color="black", linestyle="--",
                      label=f"median {np.median(values):.3g}")  # fmt: skip
        panel.set_title(title, loc="left", fontsize=10)
        panel.set_xlabel("first step size that diverges")
        panel.set_ylabel("nets")
        panel.legend(frameon=False, fontsize=9)
    return figure
