"""Theorem 4: the variance of a stochastic network's prediction over width, noise and depth.

Inputs of variance s², so that the global minimum is a scalar problem; the variance is taken at the
x of length 1 along E[xy], where it is largest. It comes from global_minimum's predictor p:
Var f(x) = (τ − 1)(p·x)².
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape import critical_dropout, global_minimum
from linscape.landscape.bounds.bound import SOURCE
from linscape.landscape.minimum import GlobalMinimum
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, ORANGE, figure_class
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "prediction-variance"
INPUTS, SCALE = 5, 2.0  # s² = 2, as 1 would hide its powers
DECAY, WIDTH, NOISE = 1e-6, 32, 1.0  # where they are not on the axis
DEPTHS = (1, 2, 3)  # over width and noise
NOISES = (8.0, 32.0, 128.0)  # over depth, times which ρ = 1.25, 2, 5 at the width above


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute the variance at the global minimum along the three limits."""
    step = 1 if quick else 4
    widths = 2 ** np.arange(0, 18)
    noises = np.geomspace(1e-2, 1e11, 13 * step + 1)
    depths = np.arange(1, 41 if quick else 121)
    arrays: dict[str, Array] = {
        "width": widths.astype(float),
        "noise": noises,
        "depth": depths.astype(float),
    }
    for at, depth in enumerate(DEPTHS, start=1):
        arrays[f"over_width_depth_{depth}"] = np.array(
            [at_x(depth, w, NOISE) for w in widths.tolist()]
        )
        arrays[f"over_noise_depth_{depth}"] = np.array([at_x(depth, WIDTH, s) for s in noises])
        advance(0.2 * at)
    for noise in NOISES:
        arrays[f"over_depth_noise_{noise:g}"] = np.array(
            [at_x(D, WIDTH, noise) for D in depths.tolist()]
        )
    advance(1.0)
    return Reproduction(
        name=NAME,
        title=CATALOGUE[NAME].title,
        source=CATALOGUE[NAME].source,
        parameters={
            "inputs": INPUTS,
            "input_variance": SCALE,
            "signal": 1.0,
            "weight_decay": DECAY,
            "width": WIDTH,
            "noise": NOISE,
            "noises_over_depth": list(NOISES),
        },
        seed=seed,
        arrays=arrays,
        claims=(
            _width(arrays),
            _noise(),
            _noise_by_width(),
            *_depth(arrays),
            *_printed_forms(),
        ),
    )


def solve(depth: int, width: int, noise: float, decay: float = DECAY) -> GlobalMinimum:
    """Return the global minimum for A = s²I and E[xy] of length 1."""
    moments = Moments(SCALE * np.eye(INPUTS), np.full(INPUTS, INPUTS**-0.5), 1.0)
    network = Network((width,) * depth, noise=noise, weight_decay=decay)
    return global_minimum(Problem(moments, network))


def at_x(depth: int, width: int, noise: float) -> float:
    """Return Var f(x) at the x of length 1 along E[xy], zero at a trivial minimum."""
    minimum = solve(depth, width, noise)
    inflation = minimum.problem.network.log_inflation
    return float(math.expm1(inflation) * np.sum(np.square(minimum.predictor)))


def _slope(x: Array, y: Array) -> float:
    return float(np.log(y[-1] / y[0]) / np.log(x[-1] / x[0]))


def _width(arrays: dict[str, Array]) -> Claim:
    wide = slice(-4, None)
    x = arrays["width"][wide]
    slopes = [_slope(x, arrays[f"over_width_depth_{depth}"][wide]) for depth in DEPTHS]
    return Claim(
        "for large width d_0 the variance is O(1/d_0), tight whatever the depth is",
        f"{SOURCE}, Theorem 4.1",
        printed="exponent −1",
        computed="exponents " + ", ".join(f"{slope:.5f}" for slope in slopes),
        holds=all(abs(slope + 1) < 1e-3 for slope in slopes),
        note=f"D = {DEPTHS}, over the three largest doublings; the leading term is Dσ²(p·x)²/d_0",
    )


def _noise() -> Claim:
    ends = {D: largest_noise(D) for D in DEPTHS[1:]}
    one = np.array([at_x(1, WIDTH, noise) for noise in (1e9, 1e10)])
    slope = _slope(np.array([1e9, 1e10]), one)
    dead = all(solve(D, WIDTH, 1.01 * end).is_trivial is True for D, end in ends.items())
    alive = all(solve(D, WIDTH, 0.99 * end).is_trivial is False for D, end in ends.items())
    return Claim(
        "for large noise the variance is O(1/(σ²)^D)",
        f"{SOURCE}, Theorem 4.2",
        printed="exponent −D",
        computed=f"D = 1: exponent {slope:.4f}; "
        + "; ".join(f"D = {D}: zero from σ² = {end:.4g} on" for D, end in ends.items()),
        holds=abs(slope + 1) < 1e-3 and dead and alive,
        note="true, and sharp for D = 1 only: deeper, enough noise makes the global minimum "
        "trivial, and the variance is exactly zero beyond",
    )


def largest_noise(depth: int) -> float:
    """Return the noise variance from which the global minimum is trivial, D ≥ 2."""
    return float(critical_dropout(solve(depth, WIDTH, NOISE).problem).noise or math.nan)


def _noise_by_width() -> Claim:
    noises = np.array([1e9, 1e10])
    slopes = [_slope(noises, np.array([at_x(1, w, s) for s in noises])) for w in (4, 16, 64)]
    return Claim(
        "the scaling with the noise is different for different widths",
        f"{SOURCE}, section 5 after Theorem 4",
        computed="exponents " + ", ".join(f"{slope:.4f}" for slope in slopes),
        holds=float(np.ptp(slopes)) > 1e-3,
        note="D = 1, widths 4, 16, 64: the same. The exponent is the depth; depth seems meant",
    )


def _depth(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    printed, found, ends = [], [], []
    for noise in NOISES:
        values = arrays[f"over_depth_noise_{noise:g}"]
        alive = values[values > 0]
        printed.append(-2 * math.log1p(noise / WIDTH))
        # halfway, where ρ^D is large already and the decay is not felt yet
        middle = len(alive) // 2
        found.append(float(np.log(alive[middle] / alive[middle - 1])))
        ends.append(len(alive))
    drawn = len(arrays["depth"])
    gone = ", ".join(f"{end + 1}" if end < drawn else f"beyond {drawn}" for end in ends)
    return (
        Claim(
            "for large depth the variance falls as exp(−2D log ρ), ρ = (σ² + d_0)/d_0",
            f"{SOURCE}, Theorem 4.3 and (103)",
            printed=", ".join(f"{rate:.4f}" for rate in printed),
            computed=", ".join(f"{rate:.4f}" for rate in found),
            holds=all(abs(f / p - 1) < 0.1 for f, p in zip(found, printed, strict=True)),
            note=f"growth of log Var a layer, σ² = {NOISES}, halfway to where the minimum becomes "
            "trivial. From (100) itself it is exp(−D log ρ), half the printed rate: (ρ^D − 1)/ρ^2D",
        ),
        Claim(
            "the variance goes to zero with the depth",
            f"{SOURCE}, Theorem 4.3",
            computed=f"exactly zero from depth {gone} on",
            holds=all(end < drawn for end in ends[1:]),
            note="at fixed parameters the global minimum becomes trivial at a finite depth, so the "
            "limit as it stands says nothing of the rate before",
        ),
    )


def _printed_forms() -> tuple[Claim, ...]:
    """Hold (98) to (100) against the variance itself, at one network."""
    D, width, noise, decay = 2, 4, 1.0, 0.01
    minimum = solve(D, width, noise, decay)
    variance = float(math.expm1(minimum.problem.network.log_inflation)) * float(
        np.sum(np.square(minimum.predictor))
    )
    b2 = minimum.energy / (decay * width**2)
    sums = (noise + width) ** D - width**D
    bottom = b2**D * width**D * (noise + width) ** D * SCALE + decay
    forms = {
        "(98)": width ** (3 * D) * sums * b2 ** (2 * D) / bottom**2,
        "(99)": width ** (3 * D) * sums * b2 ** (D + 1),
        "(100)": width**D * sums / ((noise + width) ** (2 * D) * SCALE),
    }
    right = {"(99)": width ** (D + 2) * sums * b2 ** (D + 1), "(100)": forms["(100)"] / SCALE}
    where = f"D = {D}, d_0 = {width}, σ² = {noise:g}, γ = {decay}, s² = {SCALE:g}"

    def same(value: float) -> bool:
        return math.isclose(value, variance, rel_tol=1e-9)

    return (
        Claim(
            "Var f(x) at the global minimum is (98)",
            f"{SOURCE}, (98)",
            printed=forms["(98)"],
            computed=variance,
            holds=same(forms["(98)"]),
            note=where,
        ),
        Claim(
            "and that is (99), with d_0^{3D}",
            f"{SOURCE}, (99)",
            printed=forms["(99)"],
            computed=variance,
            holds=same(forms["(99)"]),
            note=f"{where}; right is d_0^(D+2), which gives {right['(99)']:.12g}",
        ),
        Claim(
            "and at most (100), with s² below",
            f"{SOURCE}, (100)",
            printed=forms["(100)"],
            computed=variance,
            holds=variance <= forms["(100)"],
            note=f"{where}; what follows from (16) has s⁴ below, {right['(100)']:.12g}; for s² < 1 "
            "the printed bound is too small",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the three limits side by side, each with the law that it is said to follow."""
    figure = figure_class()(figsize=(11.4, 4.2), layout="constrained")
    panels = figure.subplots(1, 3)
    arrays, colours = found.arrays, (BLUE, GREEN, ORANGE)
    for depth, colour in zip(DEPTHS, colours, strict=True):
        label = f"D = {depth}"
        _line(panels[0], arrays["width"], arrays[f"over_width_depth_{depth}"], colour, label)
        _line(panels[1], arrays["noise"], arrays[f"over_noise_depth_{depth}"], colour, label)
    for noise, colour in zip(NOISES, colours, strict=True):
        values, rho = arrays[f"over_depth_noise_{noise:g}"], 1 + noise / WIDTH
        _line(panels[2], arrays["depth"], values, colour, f"σ² = {noise:g}")
        printed = np.exp(-2 * arrays["depth"] * np.log(rho)) * values[0] * rho**2
        shown = printed > 1e-9
        panels[2].plot(arrays["depth"][shown], printed[shown], ":", color=colour, linewidth=1.2)
    width = arrays["width"]
    law = arrays["over_width_depth_2"][-1] * width[-1] / width
    panels[0].plot(width[4:], law[4:], "k:", linewidth=1.2, label="∝ 1/d₀")
    titles = ("width d₀ (σ² = 1)", f"noise variance σ² (width {WIDTH})", "hidden layers D")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_yscale("log")
        axes.set_xlabel(title)
        axes.set_ylabel("Var f(x)")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    panels[0].set_xscale("log", base=2)
    panels[1].set_xscale("log")
    panels[1].set_title("crosses: trivial beyond", loc="left", fontsize=10)
    panels[2].set_title("dotted: exp(−2D log ρ), printed", loc="left", fontsize=10)
    return figure


def _line(axes: "Axes", x: Array, values: Array, colour: str, label: str) -> None:
    alive = values > 0
    axes.plot(x[alive], values[alive], color=colour, linewidth=1.6, label=label)
    if not alive.all():
        axes.plot(x[alive][-1], values[alive][-1], "x", color=colour, markersize=7)
