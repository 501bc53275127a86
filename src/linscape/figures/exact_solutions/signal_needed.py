"""Inequality (20): how strong a signal a network needs, over its depth and its width.

Inputs of equal variance, so that the paper's sufficient condition is necessary too and its formula
can be held against the exact threshold; a second set of inputs of unequal variance for what (20)
says of signals below it.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape import bounds, critical_signal, critical_weight_decay, phase
from linscape.landscape.bounds.bound import SOURCE
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, ORANGE, figure_class
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "signal-needed"
DECAY, NOISE, INPUTS = 0.01, 1.0, 5
DEPTHS_DRAWN = (2, 4, 8)  # over the width
WIDTHS_DRAWN = (2, 8, 32)  # over the depth
QUANTITIES = ("existence", "learning", "printed")


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute ‖E[xy]‖² at the edges of existence and of learning, and as (20) prints it."""
    depths = np.arange(1, 21 if quick else 61)
    widths = 2 ** np.arange(1, 8 if quick else 13)
    arrays: dict[str, Array] = {"depth": depths.astype(float), "width": widths.astype(float)}
    for width in WIDTHS_DRAWN:
        rows = np.array([needed(int(depth), width) for depth in depths])
        arrays |= {f"{q}_width_{width}": rows[:, k] for k, q in enumerate(QUANTITIES)}
        advance(0.1 * (1 + WIDTHS_DRAWN.index(width)))
    for depth in DEPTHS_DRAWN:
        rows = np.array([needed(depth, int(width)) for width in widths])
        arrays |= {f"{q}_depth_{depth}": rows[:, k] for k, q in enumerate(QUANTITIES)}
        advance(0.3 + 0.2 * (1 + DEPTHS_DRAWN.index(depth)))
    advance(1.0)
    return Reproduction(
        name=NAME,
        title=CATALOGUE[NAME].title,
        source=CATALOGUE[NAME].source,
        parameters={
            "weight_decay": DECAY,
            "noise": NOISE,
            "inputs": f"{INPUTS}, of variance 1",
            "depths": [int(depths[0]), int(depths[-1])],
            "widths": [int(widths[0]), int(widths[-1])],
        },
        seed=seed,
        arrays=arrays,
        claims=(
            _leading(arrays),
            _in_depth(arrays),
            _in_width(arrays),
            _two_layers(arrays),
            _below(),
            _decay(),
        ),
    )


def problem_of(depth: int, width: int, decay: float = DECAY) -> Problem:
    """Return the problem with isotropic inputs and ‖E[xy]‖ = 1."""
    moments = Moments(np.eye(INPUTS), np.full(INPUTS, INPUTS**-0.5), 1.0)
    return Problem(moments, Network((width,) * depth, noise=NOISE, weight_decay=decay))


def needed(depth: int, width: int) -> tuple[float, float, float]:
    """Return ‖E[xy]‖² from which solutions exist, from which they are global, and that of (20)."""
    problem = problem_of(depth, width)
    # P_e grows with ‖E[xy]‖^{2D}, as P* does
    factor = critical_weight_decay(problem).existence_factor or math.nan
    return (
        float(factor ** (-(depth + 1) / depth)),
        critical_signal(problem).norm ** 2,
        float(bounds.signal_sufficient(problem).as_printed or math.nan),
    )


def _leading(arrays: dict[str, Array]) -> Claim:
    depth, width = int(arrays["depth"][-1]), WIDTHS_DRAWN[-1]
    exact, printed = (float(arrays[f"{q}_width_{width}"][-1]) for q in ("existence", "printed"))
    corrected = 4 * DECAY * (1 + NOISE / width) ** (depth - 1)
    return Claim(
        "solutions need ‖E[xy]‖² of at least 4 d_0² a_max γ ρ^D + O(1), ρ = (σ² + d_0)/d_0",
        f"{SOURCE}, (20)",
        printed=printed,
        computed=exact,
        holds=abs(printed / exact - 1) < 5 / depth,
        note=f"at D = {depth}, d_0 = {width}. Right is 4 a_max γ ρ^(D−1)(1 + O(1/D)), here "
        f"{corrected:.4g} before the 1/D: no d_0², and one ρ less",
    )


def _in_depth(arrays: dict[str, Array]) -> Claim:
    rates = [float(_growth(arrays[f"existence_width_{w}"])) for w in WIDTHS_DRAWN]
    printed = [math.log1p(NOISE / w) for w in WIDTHS_DRAWN]
    last = float(arrays["depth"][-1])
    return Claim(
        "the signal needed grows exponentially with the depth, by ρ a layer",
        f"{SOURCE}, (20)",
        printed=", ".join(f"{rate:.4f}" for rate in printed),
        computed=", ".join(f"{rate:.4f}" for rate in rates),
        # what is left of (1 + O(1/D)) changes by O(1/D²) from one layer to the next
        holds=all(abs(r - p) < 5 / last**2 for r, p in zip(rates, printed, strict=True)),
        note=f"growth of log ‖E[xy]‖² over the last layer, widths {WIDTHS_DRAWN}; without noise "
        "ρ = 1 and it does not grow",
    )


def _growth(values: Array) -> float:
    return float(np.log(values[-1] / values[-2]))


def _in_width(arrays: dict[str, Array]) -> Claim:
    slopes = []
    for depth in DEPTHS_DRAWN:
        values = arrays[f"existence_depth_{depth}"]
        slopes.append(math.log2(values[-1] / values[0]) / math.log2(arrays["width"][-1] / 2))
    falls = all(bool(np.all(np.diff(arrays[f"existence_depth_{d}"]) < 0)) for d in DEPTHS_DRAWN)
    return Claim(
        "the signal needed grows polynomially with the width (as d_0²)",
        f"{SOURCE}, section 5 on (20)",
        printed="exponent 2",
        computed="exponents " + ", ".join(f"{slope:.3f}" for slope in slopes),
        holds=not falls,
        note=f"D = {DEPTHS_DRAWN}: it falls with the width at every step, and levels out",
    )


def _two_layers(arrays: dict[str, Array]) -> Claim:
    found = [float(arrays[f"learning_width_{width}"][0]) for width in WIDTHS_DRAWN]
    return Claim(
        "with one hidden layer the condition is ‖E[xy]‖² > γ², whatever width and noise are",
        f"{SOURCE}, Theorem 1 and section 5",
        printed=DECAY**2,
        computed=found[0],
        holds=bool(np.allclose(found, DECAY**2, rtol=1e-10)),
    )


def _below() -> Claim:
    moments = Moments(np.diag([100.0, 1.0]), np.array([0.0, 1.0]), 1.0)
    network = Network((4, 4), noise=1.0, weight_decay=0.3)
    problem = Problem(moments, network)
    bound = bounds.signal_sufficient(problem)
    name = phase(problem).name
    return Claim(
        "below the signal of (20) the network cannot learn the data",
        f"{SOURCE}, section 5 on (20)",
        printed=f"no solution below {bound.as_printed:.4g}, or {bound.value:.4g} as corrected",
        computed=f"{name} at ‖E[xy]‖² = 1",
        holds=name != "learning",
        note="A = diag(100, 1), E[xy] = (0, 1), D = 2, width 4, noise variance 1, γ = 0.3. (15), "
        "which (20) comes from, is sufficient only; with a_min for a_max, from (14), it is "
        "necessary",
    )


def _decay() -> Claim:
    def largest(depth: int, width: int) -> float:
        return critical_weight_decay(problem_of(depth, width)).learning

    deeper = largest(8, 8) < largest(4, 8)
    wider = largest(4, 16) < largest(4, 8)
    return Claim(
        "with more depth or more width γ should be decreased",
        f"{SOURCE}, section 5 on (20)",
        computed=f"critical γ: D = 4 {largest(4, 8):.4f}, D = 8 {largest(8, 8):.4f} at width 8; "
        f"width 16 {largest(4, 16):.4f} at D = 4",
        holds=deeper and wider,
        note="true of depth here (not of all data: the critical decay may rise with depth first), "
        "and wrong of width: a wider network averages the noise and bears more decay",
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the signal needed over the depth and over the width, beside the printed formula."""
    figure = figure_class()(figsize=(9.6, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _panel(left, found, "depth", [("width", width) for width in WIDTHS_DRAWN])
    _panel(right, found, "width", [("depth", depth) for depth in DEPTHS_DRAWN])
    left.set_xlabel("hidden layers D")
    right.set_xlabel("width of every hidden layer")
    right.set_xscale("log", base=2)
    left.set_title(f"γ = {DECAY}, noise variance {NOISE:g}, A = I", loc="left", fontsize=10)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles[:3], labels[:3], loc="outside lower center", ncols=3, frameon=False)
    return figure


def _panel(axes: "Axes", found: Reproduction, over: str, rows: list[tuple[str, int]]) -> None:
    styles = {
        "existence": ("-", "solutions exist (exact)"),
        "learning": (":", "they are global (exact)"),
        "printed": ("--", "(20) as printed"),
    }
    for (name, value), colour in zip(rows, (BLUE, GREEN, ORANGE), strict=True):
        for quantity, (line, label) in styles.items():
            values = found.arrays[f"{quantity}_{name}_{value}"]
            axes.plot(found.arrays[over], values, line, color=colour, linewidth=1.5, label=label)
        axes.annotate(
            f" {'d₀' if name == 'width' else 'D'} = {value}",
            (found.arrays[over][-1], found.arrays[f"existence_{name}_{value}"][-1]),
            color=colour,
            fontsize=9,
            verticalalignment="center",
        )
    axes.margins(x=0.12)
    axes.set_yscale("log")
    axes.set_ylabel("‖E[xy]‖² needed")
    axes.spines[["top", "right"]].set_visible(False)
