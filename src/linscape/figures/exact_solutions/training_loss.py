"""Figure 3: the training loss of ReLU and Tanh networks against ‖E[xy]‖, for a range of decays.

All sizes are the printed ones: two hidden layers of 32, 1000 rows of 5 normal inputs, y = v·x with
v rescaled, step size 0.1, 10⁴ steps, biases, Kaiming's start. The weight decay is not printed: a
range of them is drawn, each with the transition of the linear network. The text says SGD, the
appendix gradient descent: both are run. The batch size is not printed; 32 is ours.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.exact_solutions.training import Activation, kaiming, train
from linscape.figures.reproduction import Advance, Reproduction
from linscape.landscape import critical_weight_decay
from linscape.landscape.bounds.bound import SOURCE
from linscape.moments import Moments
from linscape.network import Network
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE, figure_class
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = "training-loss"
ROWS, INPUTS, WIDTH, STEP_SIZE, STEPS, BATCH = 1000, 5, 32, 0.1, 10_000, 32
DECAYS = (1e-4, 1e-3, 1e-2, 1e-1)
SIGNALS = tuple(np.geomspace(1e-3, 1.0, 10))
STUCK = 0.99  # of the trivial solution's loss: a loss above it is that
SETTLED = 1e-3  # of it too: the largest change over the last tenth of the steps at rest
ACTIVATIONS: tuple[Activation, ...] = ("relu", "tanh")
METHODS = ("full", "sgd")


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Train every network of the grid, on all rows and on mini-batches."""
    decays = DECAYS[2:] if quick else DECAYS
    signals = np.array(SIGNALS[::3] if quick else SIGNALS)
    rows, steps = (200, 2000) if quick else (ROWS, STEPS)
    X, unit = data(rows, seed)
    arrays: dict[str, Array] = {"signal": signals, "weight_decay": np.array(decays)}
    arrays |= predicted(X, unit, np.array(decays))
    arrays["linear"] = np.array([[ridge_loss(X, s * unit, g) for s in signals] for g in decays])
    nets = len(decays) * len(signals)
    total = len(ACTIVATIONS) * sum(len(_pieces(how, nets, rows)) for how in METHODS)
    done = iter(range(1, total + 1))

    def tick() -> None:
        advance(next(done) / total)

    for activation in ACTIVATIONS:
        for method in METHODS:
            before, after = _grid(activation, method, X, unit, arrays, steps, seed, tick)
            arrays[f"{activation}_{method}"] = after
            arrays[f"{activation}_{method}_change"] = np.abs(after - before)
    return Reproduction(
        name=NAME,
        title=CATALOGUE[NAME].title,
        source=CATALOGUE[NAME].source,
        parameters={
            "rows": rows,
            "inputs": INPUTS,
            "widths": [WIDTH, WIDTH],
            "step_size": STEP_SIZE,
            "steps": steps,
            "batch_size": BATCH,
            "scheme": "kaiming (normal, variance 2/fan-in; biases zero)",
            "precision": "float32",
            "weight_decays": list(decays),
        },
        seed=seed,
        arrays=arrays,
        claims=(
            _stuck(arrays),
            _expected(arrays),
            _basin(arrays),
            _regressor(arrays),
            _settled(arrays),
        ),
    )


def data(rows: int, seed: int) -> tuple[Array, Array]:
    """Return X of shape (d, n), and y = v·x with ‖E[xy]‖ = 1 on these rows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((INPUTS, rows))
    y = rng.standard_normal(INPUTS) @ X
    return X, y / float(np.linalg.norm(X @ y / rows))


def problem_of(X: Array, y: Array, decay: float) -> Problem:
    """Return the linear network's problem; biases free of decay, as the means are next to zero."""
    network = Network((WIDTH, WIDTH), weight_decay=decay, bias="free")
    return Problem(Moments.from_arrays(X.T, y), network)


def predicted(X: Array, unit: Array, decays: Array) -> dict[str, Array]:
    """Return ‖E[xy]‖ from which the linear network has a solution, and from which it is global.

    P_e and P* grow with ‖E[xy]‖⁴ at D = 2, and P is γ³.
    """
    found = [critical_weight_decay(problem_of(X, unit, float(decay))) for decay in decays]
    return {
        "existence": np.array([float(one.existence_factor or np.nan) for one in found]) ** -0.75,
        "learning": np.array([one.learning_factor for one in found]) ** -0.75,
    }


def trivial_loss(y: Array, decay: Array) -> Array:
    """Return the data loss at the trivial solution, the output bias E[y]/(1 + γ)."""
    loss: Array = np.var(y) + np.square(np.mean(y) * decay / (1 + decay))
    return loss


def ridge_loss(X: Array, y: Array, decay: float) -> float:
    """Return mean (p·x + q − y)² over Var y of the linear regressor whose p decays alike."""
    X, y = X - X.mean(axis=1, keepdims=True), y - y.mean()
    p = np.linalg.solve(X @ X.T / len(y) + decay * np.eye(len(X)), X @ y / len(y))
    return float(np.mean((p @ X - y) ** 2) / np.mean(y**2))


def _grid(
    activation: Activation,
    method: str,
    X: Array,
    unit: Array,
    arrays: dict[str, Array],
    steps: int,
    seed: int,
    advance: Callable[[], None],
) -> tuple[Array, Array]:
    """Return losses over the trivial one, shape (decays, signals), near the end and there."""
    decays, signals = arrays["weight_decay"], arrays["signal"]
    shape = (len(decays), len(signals))
    decay, signal = (part.ravel() for part in np.meshgrid(decays, signals, indexing="ij"))
    nets = len(decay)
    rng = np.random.default_rng([seed, ACTIVATIONS.index(activation)])
    weights, biases = kaiming(rng, (INPUTS, WIDTH, WIDTH, 1), nets)
    inputs, y = X.astype(np.float32), (signal[:, None, None] * unit).astype(np.float32)
    ends = []
    for piece in _pieces(method, nets, X.shape[1]):
        ends.append(
            train(
                [W[piece] for W in weights],
                [beta[piece] for beta in biases],
                activation,
                inputs,
                y[piece],
                weight_decay=decay[piece].astype(np.float32),
                step_size=STEP_SIZE,
                steps=steps,
                batch_size=BATCH if method == "sgd" else None,
                rng=rng if method == "sgd" else None,
            )
        )
        advance()
    level = (signal**2 * trivial_loss(unit, decay)).reshape(shape)
    before, after = (np.concatenate(part).reshape(shape) for part in zip(*ends, strict=True))
    return before / level, after / level


def settled(arrays: dict[str, Array]) -> NDArray[np.bool_]:
    """Return which decays have brought every run to rest."""
    changes = [arrays[f"{name}_{how}_change"] for name in ACTIVATIONS for how in METHODS[:1]]
    rest: NDArray[np.bool_] = np.max(changes, axis=(0, 2)) < SETTLED
    return rest


def _pieces(method: str, nets: int, rows: int) -> list[NDArray[np.intp]]:
    """Return which networks are trained together: as many rows at once as the cache holds."""
    parts = 1 if method == "sgd" else max(1, nets * rows // ROWS)
    return list(np.array_split(np.arange(nets), parts))


def _losses(arrays: dict[str, Array], name: str) -> Array:
    """Return the losses of both methods, shape (methods, decays, signals)."""
    return np.stack([arrays[f"{name}_{how}"] for how in METHODS])


def _named(decays: Array) -> str:
    return ", ".join(f"{decay:g}" for decay in decays) or "none"


def _stuck(arrays: dict[str, Array]) -> Claim:
    rest, least = settled(arrays), arrays["signal"][0]
    at_least = np.stack([_losses(arrays, name)[:, :, 0] for name in ACTIVATIONS])
    stuck = np.all(at_least > STUCK, axis=(0, 1)) & rest
    return Claim(
        "for a weak enough signal ReLU and Tanh networks from Kaiming's start end at the trivial "
        "solution",
        f"{SOURCE}, Figure 3",
        computed=f"at ‖E[xy]‖ = {least:g} all do for γ = {_named(arrays['weight_decay'][stuck])}",
        holds=bool(np.all(stuck[rest])) if rest.any() else None,
        note=f"the paper's decay is not printed. The runs have come to rest for γ = "
        f"{_named(arrays['weight_decay'][rest])}; with less decay 10⁴ steps "
        "are too few to collapse",
    )


def _expected(arrays: dict[str, Array]) -> Claim:
    rest = settled(arrays)
    below = (arrays["signal"][None, :] < arrays["existence"][:, None]) & rest[:, None]
    count = [int(np.sum((_losses(arrays, name) > STUCK) & below)) for name in ACTIVATIONS]
    total = len(METHODS) * int(below.sum())
    return Claim(
        "networks are stuck where the theory of the linear network expects it",
        f"{SOURCE}, Figure 3",
        computed=f"where the linear network has no solution but zero, ReLU is stuck in {count[0]} "
        f"and Tanh in {count[1]} of {total} runs",
        holds=min(count) == total if total else None,
        note="for the decays that have come to rest; the transitions themselves are drawn: dashed "
        "existence, dotted the global minimum",
    )


def _basin(arrays: dict[str, Array]) -> Claim:
    rest = settled(arrays)
    above = (arrays["signal"][None, :] > arrays["learning"][:, None]) & rest[:, None]
    count = [int(np.sum((_losses(arrays, name) > STUCK) & above)) for name in ACTIVATIONS]
    total = len(METHODS) * int(above.sum())
    return Claim(
        "Kaiming's start lies in the basin of a bad minimum at zero: descent is stuck there though "
        "the global minimum learns",
        f"{SOURCE}, section 5 on initialisation",
        computed=f"where the linear network's global minimum learns, ReLU is stuck in {count[0]} "
        f"and Tanh in {count[1]} of {total} runs",
        holds=count[1] > 0 if total else None,
        note="the theory speaks of the linear network, which Tanh is near zero; a ReLU network "
        "needs more signal to learn at all, so its being stuck does not show a bad minimum",
    )


def _regressor(arrays: dict[str, Array]) -> Claim:
    return Claim(
        "an optimal linear regressor is better than the trivial solution at every signal",
        f"{SOURCE}, Figure 3",
        computed=f"loss over the trivial one at most {arrays['linear'].max():.4g}",
        holds=bool(np.all(arrays["linear"] < 1)),
        note="with the same decay as the networks; without decay its loss is zero",
    )


def _settled(arrays: dict[str, Array]) -> Claim:
    rest = settled(arrays)
    changes = np.max([arrays[f"{name}_{METHODS[0]}_change"] for name in ACTIVATIONS], axis=(0, 2))
    return Claim(
        "after 10⁴ steps the training loss has stopped to fall in all experiments",
        f"{SOURCE}, Appendix A",
        computed="; ".join(
            f"γ = {decay:g}: {change:.1e}"
            for decay, change in zip(arrays["weight_decay"], changes, strict=True)
        ),
        holds=None if not rest.all() else True,
        note="largest change over the last tenth of the steps, over the trivial loss, full batch. "
        "That it had stopped bounds the unprinted decay from below: weights vanish as "
        "exp(−2ηγ·steps)",
    )


def draw(found: Reproduction) -> "Figure":
    """Draw one panel for each decay and method, over ‖E[xy]‖."""
    arrays = found.arrays
    decays = arrays["weight_decay"]
    figure = figure_class()(figsize=(2.7 * len(decays) + 1.2, 5.4), layout="constrained")
    panels = figure.subplots(2, len(decays), sharex=True, sharey=True, squeeze=False)
    titles = {"full": "full batch", "sgd": f"SGD, {BATCH} rows"}
    for row, how in zip(panels, METHODS, strict=True):
        row[0].set_ylabel(f"{titles[how]}\nloss / trivial loss")
        for at, axes in enumerate(row):
            for name, label, colour, mark in (
                ("relu", "ReLU", ORANGE, "s-"),
                ("tanh", "Tanh", BLUE, "o-"),
            ):
                losses = arrays[f"{name}_{how}"][at]
                axes.plot(arrays["signal"], losses, mark, color=colour, markersize=4, label=label)
            axes.plot(arrays["signal"], arrays["linear"][at], color=GREEN, label="linear regressor")
            axes.axhline(1, color="#00000044", linewidth=0.8)
            edges = (("existence", "--", "linear network: solutions exist"),
                     ("learning", ":", "… and are global"))  # fmt: skip
            for edge, line, label in edges:
                axes.axvline(arrays[edge][at], color=GREY, linestyle=line, label=label)
            axes.set_xscale("log")
            axes.spines[["top", "right"]].set_visible(False)
    for axes, decay in zip(panels[0], decays, strict=True):
        axes.set_title(f"γ = {decay:g}", loc="left", fontsize=10)
    for axes in panels[1]:
        axes.set_xlabel("‖E[xy]‖")
    panels[0, 0].set_ylim(-0.05, 1.6)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
