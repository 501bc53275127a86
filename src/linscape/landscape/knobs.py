"""The learning transition asked of the other knobs: signal, dropout, depth."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork, InvalidOption
from linscape.landscape.energy.energy import Energy, ridge_error, ridge_gain
from linscape.landscape.energy.thresholds import learning_threshold
from linscape.landscape.interval import Interval, exponential, json_value
from linscape.landscape.theorems import require_free_biases, require_one_output
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import Spectrum, spectra


@dataclass(frozen=True)
class CriticalSignal:
    """The weakest signal that is still learned at the problem's own decays.

    Attributes
    ----------
    factor : float
        What y must be multiplied by to be at the transition: above it the network learns.
    norm : float
        ‖E[xy]‖ there, in the units of the moments.
    factor_interval : (float, float)
        Proven bounds on `factor`.
    """

    factor: float
    norm: float
    factor_interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers ready for JSON, infinities as the string "inf"."""
        return {key: json_value(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class CriticalDropout:
    """The largest dropout, the same on every hidden layer, that still learns.

    Attributes
    ----------
    rate : float or None
        Dropout rate at the transition; 1 where no dropout ends learning; None where the network
        does not learn even without.
    noise : float or None
        The noise variance p/(1 − p) there, possibly infinite.
    inflation : float
        τ at the transition; below 1 the network does not learn without noise.
    """

    rate: float | None
    noise: float | None
    inflation: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers ready for JSON, infinities as the string "inf"."""
        return {key: json_value(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class CriticalDepth:
    """The depths that learn, all else equal; they need not be consecutive.

    Attributes
    ----------
    learning : tuple of int
        Numbers of hidden layers, from 1, for which the global minimum is nontrivial.
    undecided : tuple of int
        Depths too near the transition for 64-bit floats.
    searched : int
        The largest depth looked at.
    complete : bool
        Whether it is proven that no larger depth learns.
    """

    learning: tuple[int, ...]
    undecided: tuple[int, ...]
    searched: int
    complete: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the depths ready for JSON."""
        return asdict(self)


@guarded
def critical_signal(problem: Problem) -> CriticalSignal:
    """Return how weak the signal may get: P* grows with ‖E[xy]‖^{2D}, in depth D ≥ 1.

    Raises
    ------
    NoExactSolution
        For several outputs, or biases that decay.
    InvalidNetwork
        If the network has no hidden layer (any signal is learned) or a layer without decay.

    References
    ----------
    Ziyin, Li & Meng (2022), section 4, extended to the global minimum.

    Examples
    --------
    One hidden layer learns iff ‖c‖ > γ; here ‖c‖ = 3 and γ = 1.5.

    >>> import linscape as ls
    >>> moments = ls.Moments([[4.0]], [3.0], 10.0)
    >>> signal = ls.critical_signal(ls.Problem(moments, ls.Network((8,), weight_decay=1.5)))
    >>> round(signal.factor, 12), round(signal.norm, 12)
    (0.5, 1.5)
    """
    energy = _energy(problem)
    level = learning_threshold(energy.spectrum, energy.depth, energy.log_inflation)
    power = 2 * energy.depth
    if level.upper == -math.inf:
        return CriticalSignal(math.inf, 0.0, (math.inf, math.inf))
    lower, upper = (
        exponential((energy.log_decay_product - bound) / power)
        for bound in (level.upper + energy.log_error, level.lower - energy.log_error)
    )
    factor = exponential((energy.log_decay_product - _centre(level)) / power)
    return CriticalSignal(factor, factor * _signal_norm(energy.spectrum), (lower, upper))


@guarded
def critical_dropout(problem: Problem) -> CriticalDropout:
    """Return the largest common dropout that learns: P* falls with the inflation as τ^{1−D}.

    The problem's own hidden noise does not enter. With one hidden layer neither does dropout: P* is
    ‖c‖² whatever τ is, so the rate is 1 (none is too large) or None.

    Raises
    ------
    NoExactSolution
        For several outputs, or biases that decay.
    InvalidNetwork
        If the network has no hidden layer or a layer without decay.

    Examples
    --------
    A = c = 1, two hidden layers of width 4: P* = 1/(16 τ), so at γ³ = 1/32 learning ends at τ = 2
    = (1 + σ²/4)², σ² = 4(√2 − 1).

    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> network = ls.Network(hidden=(4, 4), weight_decay=(1 / 32) ** (1 / 3))
    >>> critical = ls.critical_dropout(ls.Problem(moments, network))
    >>> round(critical.inflation, 12), round(critical.noise / 4 + 1, 12) == round(2**0.5, 12)
    (2.0, True)
    """
    energy = _energy(problem)
    depth, hidden = energy.depth, problem.network.hidden
    excess = _centre(learning_threshold(energy.spectrum, depth, 0.0)) - energy.log_decay_product
    if excess <= 0:
        inflation = 0.0 if depth == 1 else exponential(excess / (depth - 1))
        return CriticalDropout(None, None, inflation)
    if depth == 1:
        return CriticalDropout(1.0, math.inf, math.inf)
    log_inflation = excess / (depth - 1)
    noise = _common_noise(hidden, log_inflation)
    rate = 1.0 if math.isinf(noise) else noise / (1 + noise)
    return CriticalDropout(rate, noise, exponential(log_inflation))


@guarded
def critical_depth(problem: Problem, *, largest: int = 64) -> CriticalDepth:
    """Return which depths learn with the problem's common width, noise and decay.

    The set need not be an interval, and a deeper network can learn where a shallower one does
    not. It is finite: with n_0 = cᵀA⁺c, learning at depth D needs D γ ≤ n_0 (‖c‖²/(n_0 γ))^{1/D},
    because G(t) ≤ min(‖c‖² t^{D−1}, n_0/t).

    Parameters
    ----------
    problem : Problem
        Its hidden layers must all have one width, one noise and one decay.
    largest : int, default 64
        The largest depth to look at.

    Raises
    ------
    NoExactSolution
        For several outputs, or biases that decay.
    InvalidNetwork
        If the layers differ, there is none, or one has no decay.

    Examples
    --------
    A weak input, E[x²] = 0.01, and unit signal: one hidden layer needs γ < 1, but two learn at 1.5.

    >>> import linscape as ls
    >>> moments = ls.Moments([[0.01]], [1.0], 100.0)
    >>> depths = ls.critical_depth(ls.Problem(moments, ls.Network((4,), weight_decay=1.5)))
    >>> 1 in depths.learning, 2 in depths.learning, depths.complete
    (False, True, True)
    """
    if isinstance(largest, bool) or not isinstance(largest, int | np.integer) or largest < 1:
        raise InvalidOption(f"largest must be a whole number of at least 1, got {largest!r}")
    network = problem.network
    energy = _energy(problem)
    common = {*network.hidden}, {*network.noise}, {*network.weight_decay}
    if any(len(values) > 1 for values in common):
        raise InvalidNetwork(
            "to ask which depths learn, all layers must have one width, noise and decay; "
            f"got widths {network.hidden}, noise {network.noise}, decays {network.weight_decay}"
        )
    learning, undecided = [], []
    for depth in range(1, largest + 1):
        below = _at_depth(problem, energy.spectrum, depth)
        if below is None:
            undecided.append(depth)
        elif below:
            learning.append(depth)
    complete = _none_deeper(problem, energy.spectrum, largest + 1)
    return CriticalDepth(tuple(learning), tuple(undecided), largest, complete)


def _energy(problem: Problem) -> Energy:
    require_free_biases(problem)
    require_one_output(problem)
    network = problem.network
    if network.depth == 0 or not all(network.weight_decay):
        raise InvalidNetwork(
            "the transition in signal, dropout or depth needs a hidden layer and positive decays; "
            f"got hidden={network.hidden}, weight_decay={network.weight_decay}"
        )
    (measure,) = spectra(problem)
    return Energy.of(problem, measure)


def _signal_norm(measure: Spectrum) -> float:
    norm = float(np.linalg.norm(measure.coefficients))
    return float(np.ldexp(norm, measure.input_exponent + measure.output_exponent))


def _common_noise(hidden: tuple[int, ...], log_inflation: float) -> float:
    """Return σ² with Σ log(1 + σ²/d_k) = log τ, by bisection on an increasing function."""
    lowest, highest = math.log(min(hidden)), math.log(max(hidden))
    each = log_inflation / len(hidden)
    if each > 600:
        return math.inf
    growth = math.log(math.expm1(each))
    lower, upper = lowest + growth, highest + growth  # all widths the least, or the largest
    while upper - lower > 4e-16 * max(1.0, abs(upper)):
        middle = (lower + upper) / 2
        if not lower < middle < upper:
            break
        total = math.fsum(math.log1p(math.exp(middle) / width) for width in hidden)
        lower, upper = (middle, upper) if total < log_inflation else (lower, middle)
    return math.exp(lower)


def _at_depth(problem: Problem, measure: Spectrum, depth: int) -> bool | None:
    own = problem.network
    network = Network(
        (own.hidden[0],) * depth,
        noise=own.noise[0],
        weight_decay=own.weight_decay[0],
        bias=own.bias,
        input_noise=own.input_noise,
    )
    deeper = Problem(problem.moments, network, reduction=problem.reduction)
    energy = Energy.of(deeper, measure)
    return energy.is_below(learning_threshold(measure, depth, energy.log_inflation))


def _none_deeper(problem: Problem, measure: Spectrum, depth: int) -> bool:
    """Say whether the bound excludes learning at `depth` and everything deeper.

    Learning at depth D needs φ(D) = aD + b − D log D > 0, and φ falls for log D > a − 1.
    """
    if not np.any(measure.coefficients):
        return True
    zero = np.zeros(1)
    inverse = math.log(float((ridge_gain(measure, zero) + 2 * ridge_error(measure, zero))[0]))
    square = 2 * math.log(float(np.linalg.norm(measure.coefficients)) + measure.coefficient_error)
    log_decay = math.log(problem.network.weight_decay[0]) - math.log(problem.data_factor)
    a = inverse - log_decay + 2 * measure.output_exponent * math.log(2)
    b = square - inverse - log_decay + 2 * measure.input_exponent * math.log(2)
    phi = a * depth + b - depth * math.log(depth)
    return math.log(depth) > a - 1 and phi < -1e-9 * depth


def _centre(level: Interval) -> float:
    return level.upper if math.isinf(level.lower) else (level.lower + level.upper) / 2
