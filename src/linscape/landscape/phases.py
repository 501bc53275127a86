"""Collapsed, metastable or learning, and the weight decays at which that changes."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linscape.landscape.energy.energy import Energy, log_decay_unit
from linscape.landscape.energy.thresholds import existence_threshold, learning_threshold
from linscape.landscape.interval import Interval, exponential, json_value
from linscape.landscape.theorems import covering_theorem, require_free_biases, require_one_output
from linscape.problem import Problem
from linscape.spectrum import spectra


@dataclass(frozen=True)
class CriticalWeightDecay:
    """The weight decays at which learning, and any solution but zero, end.

    Attributes
    ----------
    learning : float
        The common decay γ* = P*^{1/(D+1)} below which the global minimum is nontrivial; for unequal
        decays, their geometric mean there. In the units of the problem's reduction (γ‖W‖², no ½).
    existence : float
        The common decay up to which a solution other than zero exists; at least `learning`.
    learning_factor, existence_factor : float
        What the problem's own decays must be multiplied by, all together, to be there.
    learning_interval, existence_interval : (float, float)
        Proven bounds on `learning` and `existence`, for the stored moments.
    """

    learning: float
    existence: float
    learning_factor: float
    existence_factor: float
    learning_interval: tuple[float, float]
    existence_interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers ready for JSON, infinities as the string "inf"."""
        return {key: json_value(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Phase:
    """Which solutions there are, and which is the global minimum.

    Attributes
    ----------
    name : str
        "collapsed": zero is the only solution; "metastable": others are local minima and zero is
        global; "learning": the global minimum is nontrivial; "undecided": too near an edge for
        64-bit floats.
    undecided : bool
        Whether `name` is "undecided".
    zero_is_minimum : bool or None
        Whether zero is a local minimum: always so from two hidden layers on, which makes it a trap
        in the learning phase; with one, exactly where the network does not learn.
    """

    name: str
    undecided: bool
    zero_is_minimum: bool | None

    def to_dict(self) -> dict[str, Any]:
        """Return the phase ready for JSON."""
        return asdict(self)


def critical_weight_decay(problem: Problem) -> CriticalWeightDecay:
    r"""Return the largest weight decays that still learn, and that still have a solution.

    .. math:: P^* = τ^{1−D} [\\max_t G(t)/D]^D, \\quad G(t) = Σ c_i² t^{D−1}/(1 + a_i t^D)

    and P_e = τ^{1−D} [max_t H(t)]^D with H = Σ c_i² t^{D−1}/(1 + a_i t^D)². With one hidden layer
    both are ‖c‖². Without a hidden layer no decay is too large: infinity.

    Parameters
    ----------
    problem : Problem
        One output; its own decays enter the two factors only, and may be zero.

    Raises
    ------
    NoExactSolution
        For several outputs, or biases that decay.

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
    learning, existence = _log_thresholds(problem)
    layers = problem.network.depth + 1
    own = problem.network.log_decay_product
    return CriticalWeightDecay(
        learning=_middle(learning, 0.0, layers),
        existence=_middle(existence, 0.0, layers),
        learning_factor=_middle(learning, own, layers),
        existence_factor=_middle(existence, own, layers),
        learning_interval=_decays(learning, layers),
        existence_interval=_decays(existence, layers),
    )


def phase(problem: Problem) -> Phase:
    """Return the phase of a problem with one output.

    With D ≥ 2 hidden layers and every decay positive: collapsed for P > P_e, metastable for
    P* < P ≤ P_e, learning for P < P*. With one: collapsed for P ≥ ‖c‖², else learning. Without a
    hidden layer, or without decay: learning unless E[xy] = 0.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, or some decays zero and others not.

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
    covering_theorem(problem)
    require_one_output(problem)
    depth = problem.network.depth
    (measure,) = spectra(problem)
    if depth == 0 or not any(problem.network.weight_decay):
        signal = bool(np.any(measure.coefficients))
        return Phase("learning" if signal else "collapsed", False, not signal)
    energy = Energy.of(problem, measure)
    learns = energy.is_below(learning_threshold(measure, depth, energy.log_inflation))
    if learns:
        return Phase("learning", False, depth > 1)
    exists = energy.is_below(existence_threshold(measure, depth, energy.log_inflation))
    if exists is False:
        return Phase("collapsed", False, True)
    if learns is False and exists:
        return Phase("metastable", False, True)
    return Phase("undecided", True, True if depth > 1 else None)


def _log_thresholds(problem: Problem) -> tuple[Interval, Interval]:
    """Return log P* and log P_e in the units of the problem."""
    require_free_biases(problem)
    require_one_output(problem)
    (measure,) = spectra(problem)
    depth = problem.network.depth
    if depth == 0:
        level = math.inf if np.any(measure.coefficients) else -math.inf
        return Interval(level, level), Interval(level, level)
    inflation = problem.network.log_inflation
    levels = (
        learning_threshold(measure, depth, inflation),
        existence_threshold(measure, depth, inflation),
    )
    shift = log_decay_unit(problem, measure)
    error = 4e-16 * abs(shift)
    learning, existence = (
        Interval(level.lower + shift - error, level.upper + shift + error) for level in levels
    )
    return learning, existence


def _decays(level: Interval, layers: int) -> tuple[float, float]:
    return exponential(level.lower / layers), exponential(level.upper / layers)


def _middle(level: Interval, own: float, layers: int) -> float:
    if own == -math.inf:
        return math.inf if level.upper > -math.inf else 0.0
    if math.isinf(level.lower):
        return exponential((level.upper - own) / layers)
    return exponential(((level.lower + level.upper) / 2 - own) / layers)
