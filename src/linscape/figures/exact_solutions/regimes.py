"""Figure 1, left: which regimes the weight decay runs through, at every depth; computed."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape import bounds, critical_weight_decay, phase, phase_diagram
from linscape.landscape.bounds.bound import SOURCE
from linscape.landscape.diagram import PHASES
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, SKY, YELLOW, figure_class
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "regimes"
VARIANCES = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16)  # of five independent inputs; y is their mean · √5
NOISE, WIDTH = 1.0, 32
SMALLEST, LARGEST = 0.03, 2.0  # decays drawn, over ‖E[xy]‖

_BOUNDS = {
    "learning_sufficient": bounds.learning_sufficient,
    "existence_sufficient": bounds.existence_sufficient,
    "existence_necessary": bounds.existence_necessary,
}
_LABELS = ("below (18): it learns", "below (15): solutions exist", "above (14): none exists")


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute the decays at which each depth changes its regime, and the paper's bounds on them."""
    depths = np.arange(1, 6 if quick else 11)
    arrays: dict[str, Array] = {"depth": depths.astype(float)}
    columns: dict[str, list[float]] = {"learning": [], "existence": []}
    columns |= {name: [] for name in _BOUNDS}
    for depth in depths:
        found = critical_weight_decay(problem := problem_of(int(depth)))
        columns["learning"].append(found.learning)
        columns["existence"].append(float(found.existence or np.nan))
        for name, bound in _BOUNDS.items():
            columns[name].append(bound(problem).value)
        advance(depth / (len(depths) + 1))
    arrays |= {name: np.array(column) for name, column in columns.items()}
    arrays["signal"] = np.array([signal()])
    arrays["weight_decay"] = signal() * np.geomspace(SMALLEST, LARGEST, 100 if quick else 1000)
    diagram = phase_diagram(
        moments(), depth=depths, weight_decay=arrays["weight_decay"], noise=NOISE, width=WIDTH
    )
    arrays["phase"] = diagram.phase[:, :, 0, 0, 0].astype(float)
    advance(1.0)
    return Reproduction(
        name=NAME,
        title=CATALOGUE[NAME].title,
        source=CATALOGUE[NAME].source,
        parameters={
            "input_variances": list(VARIANCES),
            "noise": NOISE,
            "width": WIDTH,
            "depths": [int(depths[0]), int(depths[-1])],
            "weight_decays": len(arrays["weight_decay"]),
        },
        seed=seed,
        arrays=arrays,
        claims=(*_regimes(arrays), *_zero(arrays), *_bounds(arrays)),
    )


def moments() -> Moments:
    """Return the moments of the data: y = v·x, ‖v‖ = 1, inputs of unequal variance."""
    A = np.diag(VARIANCES)
    v = np.full(len(VARIANCES), len(VARIANCES) ** -0.5)
    return Moments(A, A @ v, float(v @ A @ v))


def signal() -> float:
    """Return ‖E[xy]‖."""
    return float(np.linalg.norm(moments().C))


def problem_of(depth: int, weight_decay: float = 1.0, width: int = WIDTH) -> Problem:
    """Return the problem at a depth; its critical decays do not depend on its own decay."""
    network = Network((width,) * depth, noise=NOISE, weight_decay=weight_decay)
    return Problem(moments(), network)


def _regimes(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    level, edge = signal(), arrays["learning"][0]
    one = [PHASES[int(p)] for p in dict.fromkeys(arrays["phase"][0])]
    deeper = [tuple(dict.fromkeys(row)) for row in arrays["phase"][1:]]
    expected = tuple(float(PHASES.index(n)) for n in ("learning", "metastable", "collapsed"))
    return (
        Claim(
            "with one hidden layer there are two regimes, and they meet at γ = ‖E[xy]‖",
            f"{SOURCE}, Figure 1 (left) and Theorem 1",
            printed=level,
            computed=float(edge),
            holds=one == ["learning", "collapsed"]
            and bool(np.allclose([edge, arrays["existence"][0]], level, rtol=1e-12)),
            note="the edge comes from critical_weight_decay, the regimes from phase_diagram",
        ),
        Claim(
            "with two hidden layers or more there are at least three regimes",
            f"{SOURCE}, Figure 1 (left)",
            printed="at least 3",
            computed=f"{min(map(len, deeper))} at every depth"
            if len(set(map(len, deeper))) == 1
            else f"{min(map(len, deeper))} to {max(map(len, deeper))}",
            holds=all(row == expected for row in deeper),
            note="learning, metastable and collapsed, in this order as the decay grows. Counting "
            "solutions there can be more (several minima); by which of zero and the others exist "
            "and is global there are these three",
        ),
    )


def _zero(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    decay = 1.1 * float(arrays["learning"][1])
    small = problem_of(2, decay, width=2)
    zeros = [np.zeros(shape) for shape in small.shapes]
    curvature: Any = np.linalg.eigvalsh(small.hessian(zeros))
    slope = float(np.linalg.norm(small.flatten(small.gradient(zeros))))
    diagonal = slope == 0 and bool(np.allclose(curvature, 2 * decay, rtol=1e-12))
    beyond = phase(problem_of(2, decay)).name
    inside = phase(problem_of(2, 0.9 * float(arrays["learning"][1])))
    return (
        Claim(
            "with two hidden layers or more and weight decay, zero is a local minimum",
            f"{SOURCE}, Proposition 2",
            computed=f"curvature {curvature.min():.6g} to {curvature.max():.6g} at zero",
            holds=diagonal,
            note="without biases, or with E[y] = 0",
        ),
        Claim(
            "the Hessian at zero is γI",
            f"{SOURCE}, Proposition 2",
            printed=decay,
            computed=float(curvature.max()),
            holds=bool(np.allclose(curvature, decay)),
            note="γ‖W‖² has the Hessian 2γI; that zero is a strict local minimum is not touched",
        ),
        Claim(
            "with two hidden layers or more and weight decay, zero is a bad minimum, that is a "
            "local minimum that is not global",
            f"{SOURCE}, section 5",
            computed=f"{beyond} at 1.1, {inside.name} at 0.9 times the critical decay, D = 2",
            holds=beyond == "learning",
            note="only below the critical decay; above it zero is the global minimum",
        ),
        Claim(
            "for a depth-2 network b = 0 is a saddle or the global minimum",
            f"{SOURCE}, section 5",
            computed=f"D = 2 at 0.9 times the critical decay: {inside.name}, zero a local minimum",
            holds=not (inside.name == "learning" and inside.zero_is_minimum),
            note="true of depth 1, which is meant: the paper counts hidden layers elsewhere and "
            "layers here",
        ),
    )


def _bounds(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    learning, sufficient, necessary = (arrays[name] for name in _BOUNDS)
    exact, exists, slack = arrays["learning"], arrays["existence"], 1 + 1e-12
    # (18) is stated for D ≥ 2: at D = 1 it is its own limit, Theorem 1
    ratio = exact[1:] / learning[1:]
    return (
        Claim(
            "below the decay of (18) the global minimum is nontrivial",
            f"{SOURCE}, Theorem 3",
            computed=f"learning ends at {ratio.min():.3f} to {ratio.max():.3f} times that decay",
            holds=bool(np.all(learning <= exact * slack)),
            note="sufficient, and not tight, as the paper says; the exact edge is drawn beside it",
        ),
        Claim(
            "solutions other than zero exist up to the decay of (15), and none above that of (14)",
            f"{SOURCE}, Proposition 3",
            computed=f"existence ends at {(exists / sufficient).min():.3f} to "
            f"{(exists / sufficient).max():.3f} times (15), {(exists / necessary).min():.3f} to "
            f"{(exists / necessary).max():.3f} times (14)",
            holds=bool(np.all((sufficient <= exists * slack) & (exists <= necessary * slack))),
            note="at D = 1 (15) has to be strict: at equality there is zero only",
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the regimes of each depth as a bar over the weight decay, and the bounds as ticks."""
    arrays = found.arrays
    level = float(arrays["signal"][0])
    depth, first = arrays["depth"], arrays["learning"] / level
    second = arrays["existence"] / level
    figure = figure_class()(figsize=(7.6, 5.0), layout="constrained")
    axes = figure.add_subplot()
    low, high = np.full_like(first, SMALLEST), np.full_like(first, LARGEST)
    bar: dict[str, Any] = {"height": 0.74, "edgecolor": "#00000055", "linewidth": 0}
    axes.barh(depth, first - low, left=low, color=SKY, label="learning", **bar)
    axes.barh(
        depth, second - first, left=first, color=YELLOW, hatch="..", label="metastable", **bar
    )
    axes.barh(depth, high - second, left=second, color=GREY, hatch="///", label="collapsed", **bar)
    marks: dict[str, Any] = {"linestyle": "--", "linewidth": 1.0, "markersize": 5}
    styles = zip(_BOUNDS, _LABELS, "v^s", (BLUE, GREEN, ORANGE), strict=True)
    for name, label, marker, colour in styles:
        axes.plot(arrays[name] / level, depth, marker=marker, color=colour, label=label, **marks)
    axes.set_xscale("log")
    axes.set_xlim(SMALLEST, LARGEST)
    ticks = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_yticks(depth)
    axes.set_xlabel("weight decay γ of every layer, over ‖E[xy]‖")
    axes.set_ylabel("hidden layers D")
    axes.set_title(
        f"Regimes by depth: five inputs of variance 1 to 1/16, width {WIDTH}, noise variance 1",
        loc="left",
        fontsize=10,
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
