"""Phase and critical decays between the bounds of Gauss quadrature."""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.branching import Boxes, Curvature, enclose, supremum
from linscape.landscape.energy.energy import Energy, log_decay_unit
from linscape.landscape.energy.thresholds import existence_threshold, learning_threshold
from linscape.landscape.interval import Interval
from linscape.landscape.krylov.expansion import MOST_STEPS, Expansion
from linscape.landscape.krylov.quadrature import Quadrature
from linscape.landscape.theorems import decays
from linscape.landscape.transition import CriticalWeightDecay, Phase, critical_from_levels
from linscape.problem import Problem

Array = NDArray[np.float64]

_WIDTH = 1e-10  # of log P: the width of an interval that is good enough
_TOLERANCE = 2.0**-40
_NARROW = 2.0**-24


def krylov_critical_weight_decay(
    problem: Problem, *, steps: int = MOST_STEPS
) -> CriticalWeightDecay:
    """Return the critical decays of :func:`linscape.critical_weight_decay` from products alone.

    The intervals hold the thresholds by Gauss and Gauss–Radau quadrature, up to rounding, for which
    they contain an estimate. Lanczos stops when both are known to 1e-10 of log P, or no better
    because of rounding, or after `steps` steps; `existence` is None where its interval is wider
    than 1e-6.

    Parameters
    ----------
    problem : Problem
        One output; no biases, or biases free of decay.
    steps : int, default 1000
        Products with E[xxᵀ] at most.

    Raises
    ------
    NoExactSolution, NeedsDenseMoments
        As :func:`krylov_minimum` does, but any decays do.

    Examples
    --------
    One hidden layer: the threshold is ‖c‖, here 3.

    >>> import linscape as ls
    >>> moments = ls.Moments.from_operator([[1.0], [-1.0]], [3.0, -3.0])
    >>> problem = ls.Problem(moments, ls.Network(hidden=(8,), noise=1.0, weight_decay=1.5))
    >>> critical = krylov_critical_weight_decay(problem)
    >>> round(critical.learning, 12), round(critical.learning_factor, 12)
    (3.0, 2.0)
    """
    network = problem.network
    learning, existence = _in_problem_units(problem, Expansion(problem, steps))
    return critical_from_levels(learning, existence, network.log_decay_product, network.depth)


def krylov_phase(problem: Problem, *, steps: int = MOST_STEPS) -> Phase:
    """Return the phase of :func:`linscape.phase` from products with E[xxᵀ] alone.

    It takes as many steps of Lanczos as decide it, at most `steps`; "undecided" if they don't.

    Parameters
    ----------
    problem : Problem
        One output; no biases, or biases free of decay.
    steps : int, default 1000
        Products with E[xxᵀ] at most.

    Raises
    ------
    NoExactSolution, NeedsDenseMoments
        As :func:`krylov_minimum`.

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments.from_operator([[1.0], [-1.0]], [1.0, -1.0])
    >>> for decay in (0.2, 0.45, 0.6):
    ...     network = ls.Network(hidden=(4, 4), weight_decay=decay)
    ...     print(decay, krylov_phase(ls.Problem(moments, network)).name)
    0.2 learning
    0.45 metastable
    0.6 collapsed
    """
    expansion, depth = Expansion(problem, steps), problem.network.depth
    if not decays(problem) or depth == 0 or expansion.process is None:
        signal = expansion.process is not None
        zero = depth > 1 and decays(problem)
        return Phase("learning" if signal else "collapsed", False, zero or not signal)
    for rule, last in expansion.rules():
        learning, existence, rounding = _thresholds(problem, rule)
        energy = Energy.of(problem, rule.below)
        learns = energy.is_below(learning)
        exists = True if learns else energy.is_below(existence)
        if learns or exists is False:
            break
        if last or (exists and learns is False) or _is_settled(learning, existence, rounding):
            break
    if learns:
        return Phase("learning", False, depth > 1)
    if exists is False:
        return Phase("collapsed", False, True)
    if exists and learns is False:
        return Phase("metastable", False, True)
    return Phase("undecided", True, True if depth > 1 or learns is False else None)


def _in_problem_units(problem: Problem, expansion: Expansion) -> tuple[Interval, Interval]:
    """Return log P* and log P_e in the units of the problem."""
    if problem.network.depth == 0 or expansion.process is None:
        signal = problem.network.depth == 0 and expansion.process is not None
        level = math.inf if signal else -math.inf
        return Interval(level, level), Interval(level, level)
    for rule, last in expansion.rules():
        learning, existence, rounding = _thresholds(problem, rule)
        if last or _is_settled(learning, existence, rounding):
            break
    shift = log_decay_unit(problem, rule.below)
    error = 4e-16 * abs(shift)
    return _shifted(learning, shift, error), _shifted(existence, shift, error)


def _is_settled(learning: Interval, existence: Interval, rounding: float) -> bool:
    """Say whether both thresholds are known as well as they are wanted, or can be."""
    enough = max(_WIDTH, 2 * rounding)
    return max(level.upper - level.lower for level in (learning, existence)) <= enough


def _thresholds(problem: Problem, rule: Quadrature) -> tuple[Interval, Interval, float]:
    """Return log P*, log P_e in the units of the rules, and how wide rounding makes them."""
    depth, inflation = problem.network.depth, problem.network.log_inflation
    low = learning_threshold(rule.below, depth, inflation)
    exists = existence_threshold(rule.below, depth, inflation)
    rounding = max(low.upper - low.lower, exists.upper - exists.lower)
    if depth == 1:
        return low, exists, rounding
    high = learning_threshold(rule.above, depth, inflation)
    attained = (exists.lower - (1 - depth) * inflation) / depth
    top = depth * _highest(rule, depth, attained) + (1 - depth) * inflation
    top += 8 * UNIT_ROUNDOFF * (abs(top) + depth * abs(inflation))
    return (
        Interval(low.lower, max(low.upper, high.upper)),
        Interval(exists.lower, max(exists.upper, top)),
        rounding,
    )


def _highest(rule: Quadrature, depth: int, attained: float) -> float:
    """Bound max over y of (1 − 1/D) y + log Σ c_i²/(1 + a_i e^y)² from above.

    The rule with a node at 0 does it, but grows without end. a_i e^y/(1 + a_i e^y)² ≤ ¼ and
    Σ c_i²/a_i ≤ E[y²] give log(E[y²]/4) − y/D besides.
    """
    growth, ceiling = 1 - 1 / depth, math.log(rule.below.second_moment_y / 4)
    error = rule.below.value_error

    def bounds(left: Array, right: Array) -> tuple[Array, Array, Array]:
        middle = (left + right) / 2
        value, slope = _log_sum(rule, middle)
        value = growth * middle + value
        steep = Curvature(max(growth, 2 - growth), -0.5, 1.0)
        upper = enclose(value, growth + slope, (right - left) / 2, steep)[1]
        # ‖(I + e^y A)⁻¹c‖ changes by at most e^y‖E‖ of itself
        with np.errstate(over="ignore"):
            fixed = 2 * np.log1p(error * np.exp(np.minimum(right, 700.0)))
        fixed += UNIT_ROUNDOFF * (64 + 8 * np.abs(middle) + 8 * np.abs(value))
        low = np.minimum(value, ceiling - middle / depth)
        high = np.minimum(upper + fixed, ceiling - left / depth + 1e-14 * (1 + abs(ceiling)))
        return low, high, np.where(high < upper + fixed, 0.0, fixed)

    flat = math.log(float(np.sum(rule.weights)))
    left = (attained - flat) / growth - 1e-6
    right = max((ceiling - attained) * depth, left) + 1e-6
    edges = np.linspace(left, right, 65)
    pieces = Boxes(edges[:-1], edges[1:])
    return supremum(bounds, pieces, lambda value: _TOLERANCE * (8 + abs(value)), _NARROW)[1]


def _log_sum(rule: Quadrature, y: Array) -> tuple[Array, Array]:
    """Return log Σ w_i/(1 + a_i e^y)² and its slope, for nodes that may be zero."""
    small = np.exp(-np.maximum(y, 0.0))[:, None]
    grown = np.exp(np.minimum(y, 0.0))[:, None] * rule.nodes
    fraction = 1 / (small + grown)
    terms = rule.weights * fraction**2
    total = terms.sum(axis=1)
    slope = -2 * (terms * grown * fraction).sum(axis=1) / total
    return np.log(total) - 2 * np.maximum(y, 0.0), slope


def _shifted(level: Interval, shift: float, error: float) -> Interval:
    return Interval(level.lower + shift - error, level.upper + shift + error)
