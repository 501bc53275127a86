"""The proven step sizes of random nets: two, three and four layers, wide and narrow."""

from typing import TYPE_CHECKING

import numpy as np

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.gradient_descent.random_nets import (
    DEVIATION,
    HIDDEN,
    NOISE,
    SIGNALS,
    Array,
    random_nets,
    suggested_bounds,
)
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, SKY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "safe-step-sizes"
SOURCE = "experiment on Nguegnang, Rauhut & Terstiege (2021), Theorem 2.4, Figures 4 and 5"
DEVIATIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
PRINTED = {"2 layers": 1e-3, "3 layers": 1e-4, "4 layers": 1e-4}
_KEYS = dict(zip(HIDDEN, ("two", "three", "narrow", "four"), strict=True))


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute the bounds of many nets of each kind."""
    rng = np.random.default_rng(seed)
    count = 2000 if quick else 100_000
    arrays: dict[str, Array] = {"deviations": np.array(DEVIATIONS)}
    for k, (name, hidden) in enumerate(HIDDEN.items()):
        nets = random_nets(hidden, count, rng)
        bounds = suggested_bounds(nets)
        arrays[_KEYS[name]] = bounds[bounds > 0]
        spread = [_medians(hidden, count // 10, rng, deviation) for deviation in DEVIATIONS]
        arrays[f"{_KEYS[name]}_by_deviation"] = np.array(spread)
        advance((k + 1) / len(HIDDEN))
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"nets": count, "signals": list(SIGNALS), "noise": NOISE, "deviation": DEVIATION,
         "nets_by_deviation": count // 10, "loss": "½‖Y − WX‖²", "delta": "suggested"},
        seed, arrays, _claims(arrays, count),
    )  # fmt: skip


def _medians(
    hidden: tuple[int, ...], count: int, rng: np.random.Generator, deviation: float
) -> tuple[float, float, float]:
    """Return the medians over the nets covered, by the theorem and with the printed M; a share."""
    nets = random_nets(hidden, count, rng, deviation)
    bounds, printed = suggested_bounds(nets), suggested_bounds(nets, printed=True)
    covered = bounds > 0
    return _median(bounds[covered]), _median(printed[printed > 0]), float(np.mean(covered))


def _median(values: Array) -> float:
    return float(np.median(values)) if len(values) else np.nan


def _claims(arrays: dict[str, Array], count: int) -> tuple[Claim, ...]:
    medians = {name: float(np.median(arrays[key])) for name, key in _KEYS.items()}
    printed_M = {
        name: float(np.nanmax(arrays[f"{key}_by_deviation"][:, 1])) for name, key in _KEYS.items()
    }
    claims = [
        Claim(
            f"The bound of nets with {name} is about {PRINTED[name]:.0e}.",
            SOURCE,
            printed=PRINTED[name],
            computed=medians[name],
            # "about": within a factor of two
            holds=bool(0.5 <= medians[name] / PRINTED[name] <= 2),
            note=f"Median of the {len(arrays[_KEYS[name]]) / count:.1%} of starts balanced enough "
            "for the suggested δ. With the printed M, whose root covers both terms and which is "
            f"not safe, the median is at most {printed_M[name]:.2g} at any size of the weights.",
        )
        for name in PRINTED
    ]
    steps = medians["2 layers"] / medians["3 layers"], medians["3 layers"] / medians["4 layers"]
    widths = medians["3 layers, 5-2-2-5"] / medians["3 layers"]
    return (
        *claims,
        Claim(
            "Each further layer divides the bound by about ten.",
            SOURCE,
            printed="10 and 10 (but 1e-4 is printed for three layers and for four)",
            computed=f"{steps[0]:.1f} and {steps[1]:.0f}",
            holds=bool(all(5 <= step <= 20 for step in steps)),
            note="Within a factor of two. The second rises with the size of the weights: small "
            "ones are more balanced.",
        ),
        Claim(
            "Hidden widths of 2 in place of 5 leave the distribution roughly as it is.",
            SOURCE,
            printed=1.0,
            computed=widths,
            holds=bool(0.5 <= widths <= 2),
            note="Ratio of the medians. The widths enter through the start alone.",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the four histograms, and medians over the size of the weights."""
    figure, axes = panels(5 + 1, rows=2, height=3.4)
    for panel, (name, key) in zip(axes, _KEYS.items(), strict=False):
        bounds = np.asarray(found.arrays[key])
        edges = np.geomspace(float(np.quantile(bounds, 0.001)), float(bounds.max()), 60)
        panel.hist(bounds, list(edges), color=SKY, edgecolor=GREY, linewidth=0.3)
        panel.axvline(float(np.median(bounds)), color="black", linestyle="--", linewidth=1.2,
                      label=f"median {np.median(bounds):.2g}")  # fmt: skip
        if name in PRINTED:
            panel.axvline(PRINTED[name], color=ORANGE, linestyle=":", linewidth=1.6,
                          label=f"printed, about {PRINTED[name]:.0e}")  # fmt: skip
        panel.set_xscale("log")
        panel.set_title(name, loc="left", fontsize=10)
        panel.set_xlabel("proven step size")
        panel.set_ylabel("nets")
        panel.legend(frameon=False, fontsize=8, loc="upper left")
    for panel, column, title in (
        (axes[4], 0, "medians by the theorem"), (axes[5], 1, "medians with the printed, unsafe M")
    ):  # fmt: skip
        for (name, key), colour, style in zip(
            _KEYS.items(), (BLUE, ORANGE, GREEN, "black"), ("-", "--", "-.", ":"), strict=True
        ):
            values = found.arrays[f"{key}_by_deviation"][:, column]
            panel.plot(DEVIATIONS, values, style, marker=".", color=colour, label=name)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_ylim(1e-9, 3e-3)
        panel.set_xlabel("standard deviation of the weights")
        panel.set_title(title, loc="left", fontsize=10)
        panel.legend(frameon=False, fontsize=8, loc="lower left")
    return figure
