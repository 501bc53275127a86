"""Collapsed, metastable or learning, and the weight decays at which that changes."""

import math

import numpy as np

from linscape.arguments import guarded
from linscape.landscape.biases.free import (
    equivalent_with_free_biases,
    is_centred,
    with_free_biases,
)
from linscape.landscape.biases.phases import biased_critical_weight_decay, biased_phase
from linscape.landscape.energy.energy import Energy, log_decay_unit
from linscape.landscape.energy.thresholds import existence_threshold, learning_threshold
from linscape.landscape.interval import Interval
from linscape.landscape.krylov import krylov_critical_weight_decay, krylov_phase
from linscape.landscape.outputs.existence import existence_bounds
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.transition import learning_threshold as outputs_threshold
from linscape.landscape.theorems import decays
from linscape.landscape.transition import CriticalWeightDecay, Phase, critical_from_levels
from linscape.problem import Problem

__all__ = ["CriticalWeightDecay", "Phase", "critical_weight_decay", "phase"]


@guarded
def critical_weight_decay(problem: Problem) -> CriticalWeightDecay:
    r"""Return the largest weight decays that still learn, and that still have a solution.

    .. math:: P^* = τ^{1−D} [\\max_t G(t)/D]^D, \\quad G(t) = Σ c_i² t^{D−1}/(1 + a_i t^D)

    and P_e = τ^{1−D} [max_t H(t)]^D with H = Σ c_i² t^{D−1}/(1 + a_i t^D)². With one hidden layer
    both are ‖c‖². Without a hidden layer no decay is too large: infinity.

    With several outputs learning is exact too, with λ_max(Cᵀ t^{D−1}(I + t^DA)⁻¹C) in place of G,
    C = E[xyᵀ] (docs/outputs.md has the proof); existence with one hidden layer (both are ‖C‖₂²) and
    for inputs of one variance without noise, else it is None between two proven bounds.

    With biases that decay and one hidden layer it is learning iff ‖c̃‖² > γ_uγ_1, c̃ =
    E[x'y] − E[y]E[x']/(1 + γ_u), x' = (x, 1), γ_u over the factor of the data term (Theorem 5 of
    the source, corrected). c̃ depends on γ_u, and the decays that learn may be two intervals: the
    result is a :class:`BiasedCriticalWeightDecay`, whose `windows` lists them, computed in rational
    arithmetic. With more hidden layers biases are covered where E[x] = 0 and E[y] = 0; they vanish.

    Parameters
    ----------
    problem : Problem
        Its own decays enter the two factors only, and may be zero.

    Raises
    ------
    NoExactSolution
        For biases that decay with several outputs, or with two hidden layers or more and means not
        zero.

    References
    ----------
    Ziyin, Li & Meng (2022), section 4 and Theorem 3, extended to the global minimum.

    Examples
    --------
    One hidden layer: the threshold is ‖c‖, here 3.

    >>> import linscape as ls
    >>> moments = ls.Moments([[4.0]], [3.0], 10.0)
    >>> problem = ls.Problem(moments, ls.Network(hidden=(8,), noise=1.0, weight_decay=1.5))
    >>> critical = ls.critical_weight_decay(problem)
    >>> round(critical.learning, 12), round(critical.learning_factor, 12)
    (3.0, 2.0)
    """
    if problem.network.bias == "decayed":
        windows = problem.network.depth < 2 and problem.moments.outputs == 1
        if windows or not is_centred(problem):
            return biased_critical_weight_decay(problem)
        problem = with_free_biases(problem)
    if problem.moments.is_operator:
        return krylov_critical_weight_decay(problem)
    learning, existence = _log_thresholds(problem)
    network = problem.network
    return critical_from_levels(learning, existence, network.log_decay_product, network.depth)


@guarded
def phase(problem: Problem) -> Phase:
    """Return the phase of a problem.

    With D ≥ 2 hidden layers and every decay positive: collapsed for P > P_e, metastable for
    P* < P ≤ P_e, learning for P < P*. With one: collapsed for P ≥ ‖c‖², else learning. Without a
    hidden layer, or without decay: learning unless E[xy] = 0. With several outputs learning is
    decided in the same way; where zero is global and existence is not known, "undecided".

    With biases that decay, learning means that the global minimum uses the inputs (see
    :class:`Phase`). Up to one hidden layer that is decided in exact arithmetic; where E[x] = 0 and
    E[y] = 0 the biases vanish at every critical point; else all critical points are enumerated, as
    :func:`solutions` does, and compared.

    Raises
    ------
    NoExactSolution
        For some decays zero and others not; for biases that decay with several outputs, or where
        critical points are too close to each other to be told apart.

    References
    ----------
    Ziyin, Li & Meng (2022), section 4.

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> for decay in (0.2, 0.45, 0.6):
    ...     network = ls.Network(hidden=(4, 4), weight_decay=decay)
    ...     print(decay, ls.phase(ls.Problem(moments, network)).name)
    0.2 learning
    0.45 metastable
    0.6 collapsed
    """
    if problem.network.bias == "decayed":
        equivalent = equivalent_with_free_biases(problem)
        if equivalent is None:
            return biased_phase(problem)
        problem = equivalent
    if problem.moments.is_operator:
        return krylov_phase(problem)
    depth, decaying = problem.network.depth, decays(problem)
    measure = OutputMeasure.of(problem)
    if depth == 0 or not decaying:
        signal = bool(np.any(measure.coefficients))
        return Phase("learning" if signal else "collapsed", False, not signal)
    energy = Energy.of(problem, measure.spectrum)
    learning, existence = _thresholds(problem, measure)
    learns = energy.is_below(learning)
    if learns:
        return Phase("learning", False, depth > 1)
    exists = energy.is_below(existence)
    if exists is False:
        return Phase("collapsed", False, True)
    if learns is False and exists:
        return Phase("metastable", False, True)
    return Phase("undecided", True, True if depth > 1 or learns is False else None)


def _thresholds(problem: Problem, measure: OutputMeasure) -> tuple[Interval, Interval]:
    """Return log P* and log P_e in the units of the measure."""
    depth, inflation = problem.network.depth, problem.network.log_inflation
    if problem.moments.outputs == 1:
        return (
            learning_threshold(measure.spectrum, depth, inflation),
            existence_threshold(measure.spectrum, depth, inflation),
        )
    learning = outputs_threshold(measure, depth, inflation)
    if depth == 1:
        return learning, learning
    return learning, existence_bounds(measure, depth, inflation)


def _log_thresholds(problem: Problem) -> tuple[Interval, Interval]:
    """Return log P* and log P_e in the units of the problem."""
    measure = OutputMeasure.of(problem)
    if problem.network.depth == 0:
        level = math.inf if np.any(measure.coefficients) else -math.inf
        return Interval(level, level), Interval(level, level)
    shift = log_decay_unit(problem, measure.spectrum)
    error = 4e-16 * abs(shift)
    learning, existence = (
        Interval(level.lower + shift - error, level.upper + shift + error)
        for level in _thresholds(problem, measure)
    )
    return learning, existence
