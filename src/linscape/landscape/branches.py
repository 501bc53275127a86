"""Every solution followed along a path of weight decays, through its folds.

A solution is a point where H(t) takes the level ℓ, and ℓ is all that the decays change. So the
branches of solutions are the stretches between the extrema of H: on each, one solution moves
monotonically with ℓ, and the extrema are the folds, where a minimum and a saddle meet.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork
from linscape.landscape.energy.branching import Curvature, undecided
from linscape.landscape.energy.energy import Energy, log_decay_unit, power_sum, square_sum_slope
from linscape.landscape.interval import exponential, json_value, real_numbers
from linscape.landscape.solutions import Kind
from linscape.landscape.theorems import require_free_biases, require_one_output
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import Spectrum, linear_moments, spectra

Array = NDArray[np.float64]

_REACH = 60.0  # beyond e^±60 of the spectrum H is a pure power, to rounding
# log H has slope in (−2, 1), second derivative in [−½, 1], and a third that is a cumulant of
# variables in [−2, 0]: at most 8√3/18 + 3·½·½ + 0.2 < 1.8
_SLOPE_CURVATURE = Curvature(slope=1.0, lowest=-1.8, highest=1.8)


@dataclass(frozen=True)
class Branch:
    """One solution as the weight decay varies.

    Attributes
    ----------
    kind : "minimum" or "saddle"
        What it is all along the branch.
    energy, loss, gain : ndarray
        At each weight decay of the path; NaN where the branch does not exist.
    folds : (float, float)
        The weight decays between which it exists: 0 or infinity at an open end.
    """

    kind: Kind
    energy: Array
    loss: Array
    gain: Array
    folds: tuple[float, float]


@dataclass(frozen=True)
class Branches:
    """All solutions along a path of common weight decays, in the order of their energies.

    Attributes
    ----------
    weight_decay : ndarray
        The path.
    loss_at_zero : float
        The loss of the trivial solution, the same all along.
    branches : tuple of Branch
        The nontrivial ones, from the least energy.
    """

    weight_decay: Array
    loss_at_zero: float
    branches: tuple[Branch, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the branches ready for JSON, null where one does not exist."""
        return {
            "weight_decay": self.weight_decay.tolist(),
            "loss_at_zero": self.loss_at_zero,
            "branches": [
                {
                    "kind": branch.kind,
                    "folds": json_value(branch.folds),
                    **{name: _nulls(getattr(branch, name)) for name in ("energy", "loss", "gain")},
                }
                for branch in self.branches
            ],
        }


@guarded
def branches(problem: Problem, *, weight_decay: ArrayLike) -> Branches:
    """Follow every solution along a path of common weight decays.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least; its own decays do not enter.
    weight_decay : (k,) array_like
        Positive decays γ, the same for every layer, in any order.

    Raises
    ------
    NoExactSolution
        For several outputs, or biases that decay.
    InvalidNetwork
        If there is no hidden layer, or a decay on the path is not positive.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorem 2; the folds are not in the paper.

    Examples
    --------
    A = c = 1 and D = 2: a saddle and a minimum, which meet at γ = (27/256)^{1/3} = 0.4725.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> found = ls.branches(ls.Problem(moments, ls.Network((2, 2))), weight_decay=[0.3, 0.5])
    >>> [branch.kind for branch in found.branches]
    ['saddle', 'minimum']
    >>> [round(branch.folds[1], 4) for branch in found.branches]
    [0.4725, 0.4725]
    >>> found.branches[1].energy.round(4)
    array([0.2261,    nan])
    """
    require_free_biases(problem)
    require_one_output(problem)
    path = real_numbers(weight_decay)
    positive = path.size > 0 and bool(np.all(np.isfinite(path) & (path > 0)))
    if problem.network.depth == 0 or path.ndim != 1 or not positive:
        raise InvalidNetwork(
            "branches need a hidden layer and a one-dimensional path of positive weight decays; "
            f"got hidden={problem.network.hidden}, weight_decay={weight_decay!r}"
        )
    (measure,) = spectra(problem)
    at_zero = problem.data_factor * float(np.trace(linear_moments(problem)[2]))
    if not np.any(measure.coefficients):
        return Branches(path, at_zero, ())
    energies = [Energy.of(_with_decay(problem, float(decay)), measure) for decay in path]
    return Branches(
        path,
        at_zero,
        tuple(
            _follow(problem, energies, at_zero, stretch)
            for stretch in _stretches(measure, problem.network.depth)
        ),
    )


def _with_decay(problem: Problem, decay: float) -> Problem:
    own = problem.network
    network = Network(
        own.hidden,
        noise=own.noise,
        weight_decay=decay,
        bias=own.bias,
        input_noise=own.input_noise,
    )
    return Problem(problem.moments, network, reduction=problem.reduction)


def _stretches(measure: Spectrum, depth: int) -> list[tuple[float, float]]:
    """Return the intervals in y on which log H is monotone, the outer ones infinite."""
    growth = 1 - 1 / depth
    if growth == 0:
        return [(-np.inf, np.inf)]
    alive = measure.values[measure.coefficients != 0]
    span = (-float(np.log(alive[-1])) - _REACH, -float(np.log(alive[0])) + _REACH)

    def slope(y: Array) -> tuple[Array, Array]:
        first, second = square_sum_slope(measure, y)
        return growth + first, second

    boxes = undecided(slope, lambda y: np.full(len(y), 1e-14), span, _SLOPE_CURVATURE, 1e-10)
    edges = [-np.inf, *((boxes.left + boxes.right) / 2), np.inf]
    return [(float(left), float(right)) for left, right in itertools.pairwise(edges)]


def _follow(
    problem: Problem, energies: list[Energy], at_zero: float, stretch: tuple[float, float]
) -> Branch:
    """Return the solution on one stretch, for every decay of the path."""
    measure, depth = energies[0].spectrum, energies[0].depth
    heights = _heights(measure, depth, stretch)
    levels = np.array([energy.log_level for energy in energies])
    alive = (levels > min(heights)) & (levels < max(heights))
    rises = heights[0] < heights[1]
    found = np.full((3, len(levels)), np.nan)
    if alive.any():
        roots = _roots(measure, depth, stretch, levels[alive], rises)
        unit = problem.data_factor * 2.0 ** (2 * measure.output_exponent)
        for index, root in zip(np.flatnonzero(alive), roots, strict=True):
            energy, y = energies[index], np.array([root])
            gain = unit * float(energy.gain(y)[0])
            found[:, index] = unit * float(np.exp(energy.log_energy(y))[0]), at_zero - gain, gain
    folds = sorted(_decay_at(problem, energies[0], height) for height in heights)
    kind: Kind = "saddle" if rises else "minimum"
    return Branch(kind, found[0], found[1], found[2], (folds[0], folds[1]))


def _heights(measure: Spectrum, depth: int, stretch: tuple[float, float]) -> tuple[float, float]:
    """Return log H at the ends of a stretch."""
    growth = 1 - 1 / depth
    heights = [-np.inf, -np.inf]
    for index, end in enumerate(stretch):
        if math.isfinite(end):
            heights[index] = growth * end + float(power_sum(measure, np.array([end]), 2)[0][0])
    if depth == 1:
        heights[0] = 2 * math.log(float(np.linalg.norm(measure.coefficients)))
    return heights[0], heights[1]


def _roots(
    measure: Spectrum, depth: int, stretch: tuple[float, float], levels: Array, rises: bool
) -> Array:
    """Return where log H takes the levels on a stretch on which it is monotone, by bisection."""
    growth, margin = 1 - 1 / depth, 1e-3
    alive = measure.coefficients != 0
    c, a = measure.coefficients[alive], measure.values[alive]
    steep = (2 * math.log(float(np.linalg.norm(c / a))) - levels) / (1 + 1 / depth) + margin
    if depth == 1:
        flat = np.minimum(steep, -math.log(a[-1])) - 2 * _REACH
    else:
        flat = (levels - 2 * math.log(float(np.linalg.norm(c)))) / growth - margin
    left = flat if math.isinf(stretch[0]) else np.full(len(levels), stretch[0])
    right = steep if math.isinf(stretch[1]) else np.full(len(levels), stretch[1])
    for _ in range(80):
        middle = (left + right) / 2
        above = growth * middle + power_sum(measure, middle, 2)[0] > levels
        stays_left = above == rises
        left, right = np.where(stays_left, left, middle), np.where(stays_left, middle, right)
    result: Array = (left + right) / 2
    return result


def _decay_at(problem: Problem, energy: Energy, height: float) -> float:
    """Return the common decay at which the level is `height`."""
    if math.isinf(height):
        return 0.0
    log_product = energy.depth * height - (energy.depth - 1) * energy.log_inflation
    shifted = log_product + log_decay_unit(problem, energy.spectrum)
    return exponential(shifted / (energy.depth + 1))


def _nulls(values: Array) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]
