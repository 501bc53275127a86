r"""The learning transition of any number of outputs, enclosed.

Zero is the global minimum iff P ≥ P*, for any widths, noise and moments, with

    P* = τ^{1−D} [max_t g(t)/D]^D,     g(t) = λ_max(Cᵀ t^{D−1}(I + t^D A)⁻¹ C),

(one hidden layer: P* = ‖C‖₂²). With t^D = e^y, log g = (1 − 1/D) y + log λ_max(Cᵀ(I + e^y A)⁻¹C) is
a supremum over unit vectors u of the functions of the one output u·y. Each has its slope in
(−1/D, 1 − 1/D) and its second derivative at least −¼, hence so has the supremum.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.branching import Boxes, supremum
from linscape.landscape.energy.energy import Energy
from linscape.landscape.interval import Interval
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.problem import Problem

Array = NDArray[np.float64]

_TOLERANCE = 2.0**-49
_WIDTH = 2.0**-26  # what the second derivative can add over such a box is below rounding
_BEND = 1 / 4


def learning_threshold(measure: OutputMeasure, depth: int, log_inflation: float) -> Interval:
    """Enclose log P* of a network with D ≥ 1 hidden layers, in the units of the measure."""
    if not np.any(measure.coefficients):
        return Interval(-math.inf, -math.inf)
    if depth == 1:
        return _log_square(measure)
    shift = (1 - depth) * log_inflation - depth * math.log(depth)
    largest = _maximum(measure, depth)
    error = 4 * UNIT_ROUNDOFF * (depth * max(map(abs, largest)) + abs(shift))
    return Interval(depth * largest.lower + shift - error, depth * largest.upper + shift + error)


def is_trivial(problem: Problem, measure: OutputMeasure) -> bool | None:
    """Say whether zero is a global minimum, that is P ≥ P*; None if undecided."""
    network = problem.network
    energy = Energy.of(problem, measure.spectrum)
    learns = energy.is_below(learning_threshold(measure, network.depth, network.log_inflation))
    return None if learns is None else not learns


def _log_square(measure: OutputMeasure) -> Interval:
    """Enclose log ‖C‖₂²."""
    norm = float(np.linalg.norm(measure.coefficients, 2))
    error = measure.coefficient_error + _rounding(measure) * norm
    lower = 2 * math.log(norm - error) if norm > error else -math.inf
    return Interval(lower, 2 * math.log(norm + error))


def _maximum(measure: OutputMeasure, depth: int) -> Interval:
    """Enclose max over y of log g."""
    growth = 1 - 1 / depth
    known: dict[float, float] = {}

    def function(y: Array) -> Array:
        new = np.array([point for point in np.unique(y) if point not in known])
        if len(new):
            values = growth * new + measure.largest(new)[0]
            known.update(zip(new.tolist(), values.tolist(), strict=True))
        return np.array([known[point] for point in y.tolist()])

    def bounds(left: Array, right: Array) -> tuple[Array, Array, Array]:
        at_left, at_right = function(left), function(right)
        slack = _rounding(measure) + UNIT_ROUNDOFF * 8 * (np.abs(left) + np.abs(at_left))
        above = _relative_error(measure, right, at_left + (1 - growth) * left)
        largest = np.maximum(at_left, at_right)
        best = np.where(at_left >= at_right, left, right)
        below = _relative_error(measure, best, largest + (1 - growth) * best)
        with np.errstate(divide="ignore"):
            certain = np.log1p(-np.minimum(below, 1))
        value = largest - slack + certain
        upper = _above(left, right, at_left, at_right, growth) + slack + np.log1p(above)
        return value, upper, 2 * slack + np.log1p(below) - certain

    attained = float(np.max(function(_centres(measure))))
    lower, upper, _ = supremum(bounds, _span(measure, growth, attained), _gap, _WIDTH)
    return Interval(lower, upper)


def _above(left: Array, right: Array, at_left: Array, at_right: Array, growth: float) -> Array:
    """Bound the function over boxes by its ends.

    With second derivative ≥ −b it lies below the chord plus b(y − l)(r − y)/2; and it climbs at
    most by `growth` a unit from the left, and by 1 − growth from the right.
    """
    width, rise = right - left, at_right - at_left
    bulge = _BEND * width**2 / 2
    where = np.clip(0.5 + rise / (2 * np.maximum(bulge, 1e-300)), 0, 1)
    curved = at_left + rise * where + bulge * where * (1 - where)
    climbing = at_left + growth * width
    falling = at_right + (1 - growth) * width
    lowest: Array = np.minimum(curved, np.minimum(climbing, falling))
    return lowest


def _centres(measure: OutputMeasure) -> Array:
    """Return points of which one is near the maximum."""
    logs = -np.log(measure.spectrum.values)
    return np.linspace(logs.min() - 1, logs.max() + 1, 9)


def _gap(value: float) -> float:
    return _TOLERANCE * (8 + abs(value))


def _rounding(measure: OutputMeasure) -> float:
    return UNIT_ROUNDOFF * (64 + 8 * sum(measure.coefficients.shape))


def _span(measure: OutputMeasure, growth: float, attained: float) -> Boxes:
    """Return boxes over the range that can hold a maximum of at least `attained`."""
    zero = np.zeros(1)
    flat = _log_square(measure).upper
    steep = float((measure.largest_ridge_gain(zero) + measure.ridge_error(zero))[0])
    margin = 1e-6  # covers rounding
    left = (attained - flat - margin) / growth
    right = (math.log(steep) - attained + margin) / (1 - growth)
    edges = np.linspace(left, right, 17)
    return Boxes(edges[:-1], edges[1:])


def _relative_error(measure: OutputMeasure, right: Array, log_least: Array) -> Array:
    """Bound the relative error that the errors of the spectrum cause in λ_max over boxes.

    `log_least` is the logarithm of λ_max(Cᵀ(A + μ)⁻¹C) where it is least, at the left end.
    """
    with np.errstate(over="ignore"):
        ridge = np.minimum(np.exp(-right), 1e300)
        return np.asarray(measure.ridge_error(ridge) * np.exp(-log_least))
