"""The minimiser W* of rank four beside diag(5, 4, 3, 2), and all critical values."""

from typing import TYPE_CHECKING

import numpy as np

from linscape.dynamics.descent import descend
from linscape.dynamics.sharpness_step import sharpness_step_size
from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.gradient_descent.regression import PARAMETERS, SIGNALS, Array, regression
from linscape.figures.reproduction import Advance, Reproduction
from linscape.initialisation import random_weights
from linscape.landscape.minimise import global_minimum
from linscape.landscape.unregularised.modes import data_modes
from linscape.landscape.unregularised.values import CriticalValues, critical_values
from linscape.plots.figure import BLUE, GREY, ORANGE
from linscape.problem import Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "critical-values"
SOURCE = "Achour, Malgouyres & Gerchinovitz (2021), Theorem 1, and an experiment on it"
TARGET = np.diag((*SIGNALS[:4], 0.0))
_GAIN, _CLOSE = 0.1, 0.2  # a tenth of the least signal that is kept
_FULL, _QUICK = (100, 200, 12_000), (8, 20, 6000)  # starts, redraws, steps


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Compute W*, the critical values, and where descent ends."""
    rng = np.random.default_rng(seed)
    starts, redraws, steps = _QUICK if quick else _FULL
    problem = regression(rng)
    best = data_modes(problem).product(range(4))
    values = critical_values(problem)
    ends = _ends(problem, starts, steps, rng)
    advance(0.7)
    deviations = [_deviation(regression(rng)) for _ in range(redraws)]
    minimum = global_minimum(problem)
    arrays = {
        "minimiser": best,
        "losses": values.losses,
        "ranks": np.array([value.rank for value in values]),
        "descent": np.array([value.loss for value in values.descent]),
        "ends": ends,
        "deviations": np.array(deviations),
    }
    reached = float(problem.loss(minimum.weights()))
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        PARAMETERS | {"starts": starts, "gain": _GAIN, "steps": steps, "redraws": redraws},
        seed, arrays, (*_values_claims(values, reached, minimum.loss), *_claims(arrays)),
    )  # fmt: skip


def _deviation(problem: Problem) -> float:
    return float(np.abs(data_modes(problem).product(range(4)) - TARGET).max())


def _ends(problem: Problem, starts: int, steps: int, rng: np.random.Generator) -> Array:
    """Return ‖W − W*‖_F where descents from small random weights end."""
    weights = random_weights(problem, scheme="normal", gain=_GAIN, rng=rng, batch=starts)
    step = sharpness_step_size(problem, [W[0] for W in weights])
    path = descend(
        problem, weights, step_size=float(step), steps=steps, every=steps, record=("product_error",)
    )
    return np.asarray(path["product_error"][-1])


def _values_claims(values: CriticalValues, reached: float, minimum: float) -> tuple[Claim, ...]:
    return (
        Claim(
            "The critical values come from the subsets of [1, 4].",
            SOURCE,
            printed="subsets of [1, 4], so 16",
            computed=f"{values.count}, from subsets of [1, 5]",
            holds=False,
            note="The theorem has sets of at most r_max = 4 indices among the d_y = 5 eigenvalues, "
            "2⁵ − 1 = 31; subsets of [1, 4] leave out every one with mode 5.",
        ),
        Claim(
            "The loss at W* is tr Σ_yy less the sum of the four largest eigenvalues of Σ.",
            SOURCE,
            printed="tr Σ_yy − λ_1 − … − λ_4",
            computed=f"{reached:.12g}; by the formula {minimum:.12g}",
            holds=bool(abs(minimum - reached) <= 1e-10 * minimum),
        ),
    )


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    largest, missed = arrays["deviations"].max(), arrays["ends"].max()
    return (
        Claim(
            "W* is very close to diag(5, 4, 3, 2), the difference being due to the noise.",
            SOURCE,
            printed="diag(5, 4, 3, 2)",
            computed=f"entries off by at most {np.abs(arrays['minimiser'] - TARGET).max():.3f}; "
            f"by at most {largest:.3f} in {len(arrays['deviations'])} redraws",
            holds=bool(largest <= _CLOSE),
            note="Read as diag(5, 4, 3, 2, 0). Close: within a tenth of the least signal kept. "
            "Most of it is the sampling of the inputs, whose covariance turns the modes.",
        ),
        Claim(
            "Descent from random weights converges to W*.",
            SOURCE,
            computed=f"‖W − W*‖ at most {missed:.1e} after all {len(arrays['ends'])} starts",
            holds=bool(missed <= 1e-6),
        ),
    )


def draw(found: Reproduction) -> "Figure":
    """Draw W* and the ladder of critical values."""
    figure, (left, right) = panels(2)
    _matrix(left, np.asarray(found.arrays["minimiser"]))
    losses, ranks = found.arrays["losses"], found.arrays["ranks"]
    passed = np.isin(losses, found.arrays["descent"])
    for chosen, colour, width, label in (
        (~passed, GREY, 1.2, "strict saddles only"),
        (passed, BLUE, 2.6, "best of their rank"),
    ):
        right.hlines(
            losses[chosen], ranks[chosen] - 0.3, ranks[chosen] + 0.3,
            color=colour, linewidth=width, label=label,
        )  # fmt: skip
    right.plot(4, losses.min(), "v", color=ORANGE, label="where descent ends")
    right.set_xlabel("number of modes learnt")
    right.set_ylabel("loss, mean of squares")
    right.set_title(f"{len(losses)} critical values", loc="left", fontsize=10)
    right.legend(frameon=False, fontsize=9)
    return figure


def _matrix(axes: "Axes", matrix: Array) -> None:
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=6)
    for (row, column), entry in np.ndenumerate(matrix):
        colour = "white" if entry > 3 else "black"
        axes.text(column, row, f"{entry:.2f}", ha="center", va="center", fontsize=9, color=colour)
    axes.set_title("W*, the best product of rank four", loc="left", fontsize=10)
    axes.set_xlabel("input")
    axes.set_ylabel("output")
    axes.set_xticks(range(5), list("12345"))
    axes.set_yticks(range(5), list("12345"))
