"""Section 5 on initialisation: whether descent collapses by a law of 1/√width.

The paper compares a lower bound on the entries of a nontrivial minimum, (γ/‖E[xy]‖)^{1/(D−1)}/d_0,
with those of Kaiming's start, about 1/√d_0, and concludes for D = 2 that networks with ‖E[xy]‖ well
below γ/√d_0 start in the basin of zero. Run here: D = 2 linear networks without noise, A = I, and
descent with steps short enough to follow gradient flow, until a run is in the proven trap around
zero, or at rest elsewhere, or below the loss at zero. Where the phase is collapsed nothing is run:
zero is the only critical point. How wide the basin really is, is measured too: by the gain on
Kaiming's start at which descent ceases to collapse, at one signal.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.exact_solutions.rank_one import (
    COLLAPSED,
    UNDECIDED,
    critical_gain,
    outcome,
)
from linscape.figures.reproduction import Advance, Reproduction
from linscape.initialisation import random_weights
from linscape.landscape import critical_weight_decay, phase, trap_radius
from linscape.landscape.bounds.bound import SOURCE
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, SKY, figure_class
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "width-law"
DECAY, INPUTS = 0.1, 5
WIDTHS = (8, 16, 32, 64, 128, 256, 512)
# over the signal from which a solution other than zero exists
SIGNALS = (0.03, 0.1, 0.3, 0.9, 1.02, 1.1, 1.3, 2.0, 4.0)
# few, but close on both sides of existence, where collapse ends
QUICK_SIGNALS = (0.03, 0.3, 0.9, 1.02, 1.3, 4.0)
HALVINGS = 7  # of the logarithm of the gain
GAIN_SIGNAL = 2.0  # over the same, where the critical gain is measured


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Run descent from Kaiming's start for each width and signal."""
    widths = np.array(WIDTHS[:4] if quick else WIDTHS)
    starts, steps = (3, 3000) if quick else (5, 100_000)
    edge = existence()
    signals = edge * np.array(QUICK_SIGNALS if quick else SIGNALS)
    ends = np.empty((len(widths), len(signals), starts))
    gains = np.empty((len(widths), starts))
    proven = np.empty(len(widths))
    work = np.cumsum(widths.astype(float) ** 2)
    for i, width in enumerate(widths):
        rng = np.random.default_rng([seed, int(width)])
        weights = random_weights(problem_of(int(width), 1.0), rng=rng, batch=starts)
        for j, signal in enumerate(signals):
            ends[i, j] = outcomes(int(width), float(signal), weights, steps)
        gains[i] = critical_gains(int(width), GAIN_SIGNAL * edge, weights, steps)
        # with two hidden layers every trap's radius falls with the signal as its inverse
        proven[i] = float(np.min(trap_radius(problem_of(int(width), 1.0)).margin(weights)))
        advance(work[i] / work[-1])
    arrays = {
        "width": widths.astype(float),
        "signal": signals,
        "end": ends,
        "proven": proven,
        "critical_gain": gains,
        "existence": np.array([edge]),
    }
    arrays["threshold_lower"], arrays["threshold_upper"] = thresholds(arrays)
    return Reproduction(
        name=NAME,
        title=CATALOGUE[NAME].title,
        source=CATALOGUE[NAME].source,
        parameters={
            "weight_decay": DECAY,
            "inputs": f"{INPUTS}, of variance 1",
            "hidden_layers": 2,
            "widths": widths.tolist(),
            "signals": len(signals),
            "scheme": "kaiming",
            "starts": starts,
            "most_steps": steps,
        },
        seed=seed,
        arrays=arrays,
        claims=(
            _law(arrays),
            _weak(arrays),
            _proven(arrays),
            _gain(arrays),
            _basin(arrays),
        ),
    )


def problem_of(width: int, signal: float) -> Problem:
    """Return the problem with A = I and E[xy] of this length."""
    c = np.full(INPUTS, signal * INPUTS**-0.5)
    network = Network((width, width), weight_decay=DECAY)
    return Problem(Moments(np.eye(INPUTS), c, signal**2), network)


def existence() -> float:
    """Return ‖E[xy]‖ from which a solution other than zero exists; no width enters."""
    factor = critical_weight_decay(problem_of(1, 1.0)).existence_factor
    return math.pow(factor or math.nan, -0.75)


def outcomes(width: int, signal: float, weights: list[Array], steps: int) -> Array:
    """Return how descent from each start ends."""
    problem = problem_of(width, signal)
    if phase(problem).name == "collapsed":
        return np.full(len(weights[0]), COLLAPSED)
    trap, c = trap_radius(problem), problem.moments.C
    return np.array([outcome(one, c, DECAY, trap, steps) for one in _singly(weights)])


def critical_gains(width: int, signal: float, weights: list[Array], steps: int) -> Array:
    """Return the gain at which each start ceases to collapse, to a few per cent."""
    problem = problem_of(width, signal)
    trap, c = trap_radius(problem), problem.moments.C
    return np.array(
        [critical_gain(one, c, DECAY, trap, steps, HALVINGS) for one in _singly(weights)]
    )


def _singly(weights: list[Array]) -> list[list[Array]]:
    return [list(one) for one in zip(*weights, strict=True)]


def thresholds(arrays: dict[str, Array]) -> tuple[Array, Array]:
    """Return for each width two signals drawn, between which half of the starts cease to collapse.

    Undecided runs may do either; the upper is infinite where half may collapse to the last.
    """
    ends, signal = arrays["end"], arrays["signal"]
    surely = (ends == COLLAPSED).mean(axis=2) >= 0.5
    perhaps = np.isin(ends, (COLLAPSED, UNDECIDED)).mean(axis=2) >= 0.5
    beyond = np.append(signal, math.inf)
    last_sure = [np.flatnonzero(row)[-1] for row in surely]
    last_possible = [np.flatnonzero(row)[-1] for row in perhaps]
    return signal[last_sure], beyond[np.add(last_possible, 1)]


def exponents(width: Array, lower: Array, upper: Array) -> tuple[float, float]:
    """Return the least and the largest exponent of a power law between these bounds.

    The least is above the largest if no power law runs between them.
    """
    i, j = np.triu_indices(len(width), 1)
    run = np.log(width[j] / width[i])
    # lines with a given slope meet every interval if they meet any two of them (Helly)
    least, most = np.log(lower[j] / upper[i]) / run, np.log(upper[j] / lower[i]) / run
    return float(least.max()), float(most.min())


def is_law(least: float, most: float) -> bool | None:
    """Return whether the exponent is −0.5 within 0.1; None where this range cannot tell."""
    low, high = -0.6, -0.4
    if least > most or most < low or least > high:
        return False
    return True if low < least and most < high else None


def _exponent(arrays: dict[str, Array], values: Array) -> float:
    return float(np.polyfit(np.log(arrays["width"]), np.log(values), 1)[0])


def _law(arrays: dict[str, Array]) -> Claim:
    lower, upper = arrays["threshold_lower"], arrays["threshold_upper"]
    least, most = exponents(arrays["width"], lower, upper)
    slope = f"exponent between {least:.2f} and {most:.2f}" if least <= most else "no power law"
    return Claim(
        "the signals at which Kaiming's start collapses end at about γ/√d_0",
        f"{SOURCE}, section 5 on initialisation",
        printed="exponent −0.5 in the width",
        computed=f"{slope}; at widths {arrays['width'][0]:.0f} to {arrays['width'][-1]:.0f} half "
        f"of the starts collapse up to an ‖E[xy]‖ between {lower.min():.3g} and {upper.max():.3g}",
        holds=is_law(least, most),
        note=f"what decides is whether a solution exists, ‖E[xy]‖ = {arrays['existence'][0]:.4f} "
        "at this decay whatever the width: Kaiming's norms are far outside the trap, and descent "
        "reaches the solution where there is one",
    )


def _weak(arrays: dict[str, Array]) -> Claim:
    share = (arrays["end"] == COLLAPSED).mean(axis=2)
    printed = DECAY / np.sqrt(arrays["width"])
    below = arrays["signal"][None, :] < printed[:, None]
    return Claim(
        "networks with ‖E[xy]‖ below γ/√d_0 collapse",
        f"{SOURCE}, section 5 on initialisation",
        computed=f"{share[below].min():.0%} at the {int(below.sum())} points below"
        if below.any()
        else "no point below",
        holds=bool(np.all(share[below] == 1)) if below.any() else None,
        note="they do, but so do those with signals many times as strong, and not by where they "
        "start: zero is their only critical point",
    )


def _proven(arrays: dict[str, Array]) -> Claim:
    slope = _exponent(arrays, arrays["proven"])
    return Claim(
        "the signals at which Kaiming's start is proven to collapse end at about γ/√d_0",
        "not in the paper: its (16), as a statement on norms that is proven (docs/trap.md)",
        printed="exponent −0.5 in the width",
        computed=f"exponent {slope:.3f}; {arrays['proven'][0]:.3g} to {arrays['proven'][-1]:.3g}",
        holds=abs(slope + 0.5) < 0.1,
        note="the trap has max ‖W_k‖_F < γ/‖E[xy]‖, and Kaiming's norms are √(2d_0), √(2d_0), √2. "
        "So the law in the text is that of a sufficient condition, not of what happens",
    )


def _gain(arrays: dict[str, Array]) -> Claim:
    middle = np.median(arrays["critical_gain"], axis=1)
    slope = _exponent(arrays, middle)
    return Claim(
        "the bad minimum at zero is as wide as (16): along Kaiming's start its basin ends at a "
        "gain that falls as 1/√d_0",
        f"{SOURCE}, section 5 on initialisation",
        printed="exponent −0.5 in the width",
        computed=f"exponent {slope:.3f}; median critical gain {middle[0]:.3f} at width "
        f"{arrays['width'][0]:.0f}, {middle[-1]:.3f} at width {arrays['width'][-1]:.0f}",
        holds=abs(slope + 0.5) < 0.1,
        note=f"at ‖E[xy]‖ = {GAIN_SIGNAL:g} times that from which solutions exist. Entries of "
        "1/d_0 are norms that do not change with the width; Kaiming's norms grow as √d_0",
    )


def _basin(arrays: dict[str, Array]) -> Claim:
    beyond = arrays["signal"] > arrays["existence"][0]
    ends = arrays["end"][:, beyond]
    collapsed, unknown = int((ends == COLLAPSED).sum()), int((ends == UNDECIDED).sum())
    return Claim(
        "Kaiming's start lies in the basin of a zero that is not the only minimum",
        f"{SOURCE}, section 5 on initialisation",
        computed=f"{collapsed} of {ends.size} runs collapse where another minimum exists"
        + (f"; {unknown} undecided" if unknown else ""),
        holds=collapsed > 0,
        note="by width: "
        + ", ".join(
            f"{width:.0f}: {int((row == COLLAPSED).sum())} of {row.size}"
            for width, row in zip(arrays["width"], ends, strict=True)
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the share that collapses over the signal, and the edges over the width."""
    arrays = found.arrays
    figure = figure_class()(figsize=(11.8, 4.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _shares(left, found)
    width, edge = arrays["width"], arrays["existence"][0]
    ends = arrays["threshold_lower"], np.minimum(arrays["threshold_upper"], arrays["signal"][-1])
    middle.vlines(width, *ends, color=BLUE, linewidth=5, label="half collapse up to here")
    middle.axhline(edge, color=GREY, linestyle="--", label="solutions exist (exact)")
    middle.plot(width, DECAY / np.sqrt(width), ":", color=ORANGE, label="γ/√d₀, printed")
    middle.plot(width, arrays["proven"], "^-.", color=GREEN, label="all proven to collapse")
    middle.set_ylabel("‖E[xy]‖")
    gains = arrays["critical_gain"]
    center = np.median(gains, axis=1)
    right.plot(width, gains, ".", color=SKY)
    right.plot(width, center, "o-", color=BLUE, label="critical gain, median")
    law = center[0] * np.sqrt(width[0] / width)
    right.plot(width, law, ":", color=ORANGE, label="∝ 1/√d₀, printed")
    right.set_ylabel("gain on Kaiming's start")
    right.set_title(f"basin of zero at ‖E[xy]‖ = {GAIN_SIGNAL * edge:.3f}", loc="left", fontsize=10)
    for axes in (middle, right):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlabel("width of both hidden layers")
    ticks = [0.02, 0.05, 0.1, 0.2]
    right.set_yticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    right.set_yticks([], minor=True)
    for axes in (left, middle, right):
        axes.legend(frameon=False, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _shares(axes: "Axes", found: Reproduction) -> None:
    arrays = found.arrays
    share = (arrays["end"] == COLLAPSED).mean(axis=2)
    colours = (SKY, BLUE, GREEN, ORANGE, GREY, "#CC79A7", "#000000")
    styles = zip(arrays["width"], share, colours, "osv^D*x", strict=False)
    for width, row, colour, mark in styles:
        axes.plot(
            arrays["signal"], row, mark + "-", color=colour, alpha=0.8, label=f"width {width:.0f}"
        )
    axes.axvline(arrays["existence"][0], color=GREY, linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("‖E[xy]‖  (dashed: solutions exist)")
    axes.set_ylabel("share of Kaiming starts that collapse")
    axes.set_title(f"D = 2, γ = {DECAY}, A = I", loc="left", fontsize=10)
