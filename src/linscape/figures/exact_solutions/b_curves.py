"""Figure 2: the loss along the line of the two-layer solutions, for four activations.

The line is Theorem 1's: all units equal, U = b(1, …, 1) and W_i = b[b²d_1A + γI]⁻¹E[xy], for any b;
the solutions are points of it. The paper prints neither the sizes nor the decay of its figure.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape import energy_curve, global_minimum
from linscape.landscape.bounds.bound import SOURCE
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, figure_class
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "b-curves"
INPUTS, ROWS, WIDTH = 5, 1000, 32  # those of Figure 3; Figure 2 has none
SHARE = 1 / 4  # of the decay at which the linear network stops to learn, ‖E[xy]‖
REACH = 2.0  # largest |b| drawn, over that of the linear network's minimum
CLOSE = 0.1  # of the linear network's gain: what counts as close, fixed beforehand

PANELS = {"linear": "y = v·x", "tanh": "y = v·tanh(x)"}
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": np.tanh,
    "swish": lambda z: z / (1 + np.exp(-z)),
}


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute the loss over b on both data sets, and at width 1 for comparison."""
    points = 81 if quick else 401
    arrays: dict[str, Array] = {}
    for panel in PANELS:
        X, y = data(panel, seed)
        for width in (WIDTH, 1):
            found = curves(X, y, width, points)
            arrays |= {f"{panel}_{width}_{key}": values for key, values in found.items()}
        advance((list(PANELS).index(panel) + 1) / len(PANELS))
    return Reproduction(
        name=NAME,
        title=CATALOGUE[NAME].title,
        source=CATALOGUE[NAME].source,
        parameters={
            "inputs": INPUTS,
            "rows": ROWS,
            "widths": [WIDTH, 1],
            "weight_decay_over_signal": SHARE,
            "points": points,
        },
        seed=seed,
        arrays=arrays,
        claims=(
            _exact(arrays, seed),
            _tanh(arrays),
            _swish(arrays),
            _relu(arrays),
            _minima(arrays),
        ),
    )


def data(panel: str, seed: int) -> tuple[Array, Array]:
    """Return Gaussian inputs, and a linear or a nonlinear function of them with Gaussian v."""
    rng = np.random.default_rng(seed)
    X, v = rng.standard_normal((ROWS, INPUTS)), rng.standard_normal(INPUTS)
    return X, (X if panel == "linear" else np.tanh(X)) @ v


def problem_of(X: Array, y: Array, width: int) -> Problem:
    """Return the linear network's problem at the decay of the figure."""
    moments = Moments.from_arrays(X, y)
    decay = SHARE * float(np.linalg.norm(moments.C))
    return Problem(moments, Network((width,), weight_decay=decay))


def curves(X: Array, y: Array, width: int, points: int) -> dict[str, Array]:
    """Return b and the loss of each activation at it; b = 0 and the minima ±b* are points."""
    problem = problem_of(X, y, width)
    decay = problem.network.weight_decay[0]
    best = float(np.sqrt(global_minimum(problem).energy / (decay * width)))
    b = best * np.linspace(-REACH, REACH, points)
    losses = {name: loss_along(X, y, b, width, decay, name) for name in ACTIVATIONS}
    return {"b": b, "best_b": np.array([best]), **losses}


def loss_along(X: Array, y: Array, b: Array, width: int, decay: float, name: str) -> Array:
    """Return E(f − y)² + γ(‖U‖² + ‖W‖²) on the line, f = b d_1 φ(w·x)."""
    A, c = X.T @ X / len(X), X.T @ y / len(X)
    losses = np.empty_like(b)
    for at, value in enumerate(b):
        w = value * np.linalg.solve(value**2 * width * A + decay * np.eye(len(c)), c)
        f = value * width * ACTIVATIONS[name](X @ w)
        losses[at] = np.mean((f - y) ** 2) + decay * width * (value**2 + w @ w)
    return losses


def minima(losses: Array) -> NDArray[np.intp]:
    """Return where a curve has local minima inside."""
    inner = losses[1:-1]
    return np.flatnonzero((inner < losses[:-2]) & (inner < losses[2:])) + 1


def _distance(arrays: dict[str, Array], panel: str, width: int, name: str) -> Array:
    """Return |L − L_linear| over the linear network's gain, at each b."""
    linear, other = (arrays[f"{panel}_{width}_{each}"] for each in ("linear", name))
    gain = linear[len(linear) // 2] - linear.min()
    distance: Array = np.abs(other - linear) / gain
    return distance


def _largest(arrays: dict[str, Array], name: str, width: int = WIDTH) -> tuple[float, ...]:
    return tuple(float(_distance(arrays, panel, width, name).max()) for panel in PANELS)


def _exact(arrays: dict[str, Array], seed: int) -> Claim:
    worst = 0.0
    for panel in PANELS:
        problem = problem_of(*data(panel, seed), WIDTH)
        b, losses = arrays[f"{panel}_{WIDTH}_b"], arrays[f"{panel}_{WIDTH}_linear"]
        curve = energy_curve(problem, problem.network.weight_decay[0] * WIDTH * b**2)
        worst = max(worst, float(np.abs(losses / curve - 1).max()))
    return Claim(
        "for the linear network the loss is a function of one number, the energy K = γ d_1 b²",
        f"{SOURCE}, Theorem 1 and (6)",
        computed=f"largest relative difference to the exact energy curve {worst:.1e}",
        holds=worst < 1e-10,
    )


def _tanh(arrays: dict[str, Array]) -> Claim:
    found, narrow = _largest(arrays, "tanh"), _largest(arrays, "tanh", 1)
    return Claim(
        f"the curve of Tanh is always close to the linear one (within {CLOSE:.0%} of its gain)",
        f"{SOURCE}, section 5 and Figure 2",
        computed=f"at most {found[0]:.1%} and {found[1]:.1%} away, left and right; with one "
        f"unit {narrow[0]:.0%} and {narrow[1]:.0%}",
        holds=max(found) <= CLOSE,
        note="a matter of the width, which is not printed: the wider the network, the smaller the "
        "weights of its solutions, and the less tanh bends",
    )


def _swish(arrays: dict[str, Array]) -> Claim:
    swish, tanh = _largest(arrays, "swish"), _largest(arrays, "tanh")
    return Claim(
        "Swish is not as close as Tanh",
        f"{SOURCE}, section 5 and Figure 2",
        computed=f"at most {swish[0]:.0%} and {swish[1]:.0%} away, left and right",
        holds=all(s > t for s, t in zip(swish, tanh, strict=True)),
        note="Swish has slope ½ at zero: its network is the linear one with half the signal",
    )


def _relu(arrays: dict[str, Array]) -> Claim:
    sides: list[float] = []
    for panel in PANELS:
        distance = _distance(arrays, panel, WIDTH, "relu")
        middle = len(distance) // 2
        sides += [float(distance[:middle].max()), float(distance[middle + 1 :].max())]
    return Claim(
        "ReLU agrees completely with the linear network on one side of b = 0",
        f"{SOURCE}, section 5 and Figure 2",
        printed="no difference on one side",
        computed="differs by " + ", ".join(f"{side:.0%}" for side in sides)
        + " (left panel b < 0, b > 0, right panel b < 0, b > 0)",
        holds=min(sides) < 1e-10,
        note="on this line φ(w·x) = w·x needs w·x ≥ 0 on every row, which Gaussian rows exclude, "
        "on either side alike: each half of the line sees half of the rows. It would be so where "
        "v·x has one sign on all rows, as for a single one",
    )  # fmt: skip


def _minima(arrays: dict[str, Array]) -> Claim:
    found: list[str] = []
    equal = True
    for panel in PANELS:
        b, best = arrays[f"{panel}_{WIDTH}_b"], arrays[f"{panel}_{WIDTH}_best_b"][0]
        places = {name: b[minima(arrays[f"{panel}_{WIDTH}_{name}"])] for name in ACTIVATIONS}
        equal &= len({len(place) for place in places.values()}) == 1
        found += [
            f"{name} {' '.join(f'{value / best:+.2f}' for value in place)}"
            for name, place in places.items()
        ]
    half = len(ACTIVATIONS)
    return Claim(
        "all curves have the same number of local minima, at similar b",
        f"{SOURCE}, section 5 and Figure 2",
        computed=f"minima at b/b*: {', '.join(found[:half])}; right: {', '.join(found[half:])}",
        holds=equal,
        note="b* is the linear network's. Near zero the line has L = E y² + γ d_1 b²(1 + q² − "
        "2 s q²), q = ‖E[xy]‖/γ, where s is 1 for Tanh and ½ for Swish and (for symmetric inputs) "
        "ReLU: with s = ½ zero is a minimum of the curve, whatever the decay, and the minima that "
        "learn are two more",
    )


def draw(found: Reproduction) -> "Figure":
    """Draw both panels, with the minima of every curve marked."""
    figure = figure_class()(figsize=(9.6, 4.4), layout="constrained")
    styles = {
        "linear": (GREY, "-", 2.4),
        "tanh": (BLUE, "--", 1.5),
        "swish": (GREEN, "-.", 1.5),
        "relu": (ORANGE, "-", 1.5),
    }
    names = {"linear": "linear", "tanh": "Tanh", "swish": "Swish", "relu": "ReLU"}
    for at, (panel, formula) in enumerate(PANELS.items(), start=1):
        axes = figure.add_subplot(1, 2, at)
        b = found.arrays[f"{panel}_{WIDTH}_b"]
        for name, (colour, line, thickness) in styles.items():
            losses = found.arrays[f"{panel}_{WIDTH}_{name}"]
            axes.plot(
                b, losses, color=colour, linestyle=line, linewidth=thickness, label=names[name]
            )
            lowest = minima(losses)
            axes.plot(b[lowest], losses[lowest], "o", color=colour, markersize=5)
        linear = found.arrays[f"{panel}_{WIDTH}_linear"]
        middle = linear[len(linear) // 2]
        gain = middle - linear.min()
        axes.set_ylim(linear.min() - 0.15 * gain, middle + 0.6 * gain)
        axes.set_xlabel("b")
        axes.set_ylabel("loss, decay included")
        axes.set_title(
            f"{formula}, one hidden layer of {WIDTH}, γ = ¼‖E[xy]‖", loc="left", fontsize=10
        )
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure
