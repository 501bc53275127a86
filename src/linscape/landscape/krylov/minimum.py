"""The global minimum between the bounds of Gauss quadrature, by products with E[xxᵀ] alone."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.enclosure import UNIT_ROUNDOFF
from linscape.errors import InvalidOption, OutOfRange
from linscape.landscape.energy.candidates import Gain, largest_gain
from linscape.landscape.energy.energy import Energy, ridge_error, ridge_gain
from linscape.landscape.energy.thresholds import learning_threshold
from linscape.landscape.interval import from_logarithm
from linscape.landscape.krylov.expansion import MOST_STEPS, Expansion
from linscape.landscape.krylov.quadrature import Quadrature
from linscape.landscape.krylov.result import krylov_result, krylov_zero
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.theorems import covering_theorem
from linscape.problem import Problem
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

GAP = 1e-8
_BOUNDS = "Gauss–Radau bounds from {} Lanczos steps; rounding estimated, not proven"


class _Bracket(NamedTuple):
    """The largest gain by either rule, in the units of the spectra."""

    below: Gain
    above: Gain
    ridge: float  # μ in p = (A + μ)⁻¹c/τ; infinite at zero
    is_trivial: bool | None

    @property
    def lower(self) -> float:
        return self.below.lower

    @property
    def upper(self) -> float:
        return max(self.above.upper, self.below.value)

    @property
    def is_rounding(self) -> bool:
        """Whether the rules are closer to each other than rounding tells them apart."""
        noise = self.below.rounding + self.below.spectral
        return self.above.value - self.below.value <= noise


@guarded
def krylov_minimum(problem: Problem, *, gap: float = GAP, steps: int = MOST_STEPS) -> GlobalMinimum:
    r"""Return the global minimum from products with E[xxᵀ] alone.

    k steps of Lanczos started at c = E[xy] give two data sets of about k inputs, between whose
    sums Σ c_i²/(a_i + μ) those of the data lie for every μ > 0 (Gauss and Gauss–Radau quadrature).
    The global minima of both, found as :func:`linscape.global_minimum` finds them, bracket that of
    the data; the upper one is attained by the predictor. It stops when upper − lower ≤ gap · loss
    and it is known whether zero is the minimum, when rounding is all that is left of the bracket,
    or after `steps` steps, whatever the gap: `certificate` has it.

    The interval is proven up to rounding, and for rounding it contains an estimate.

    Parameters
    ----------
    problem : Problem
        One output; no biases, or biases free of decay. The moments may be kept as an operator
        (:meth:`Moments.from_operator`) or dense: for thousands of inputs this is faster than the
        eigendecomposition.
    gap : float, default 1e-8
        Width of the interval to reach, relative to the loss.
    steps : int, default 1000
        Products with E[xxᵀ] at most; fewer if the basis would take more than a gigabyte.

    Returns
    -------
    GlobalMinimum
        Its `certificate` is a :class:`KrylovCertificate`.

    Raises
    ------
    NoExactSolution
        If no theorem covers the problem.
    NeedsDenseMoments
        For biases that decay, or noise on the inputs of a LinearOperator.
    OutOfRange
        If the answer is too large or too small for a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorem 2; Golub & Meurant (2010), *Matrices, Moments and Quadrature*.

    Examples
    --------
    One input, one hidden layer, A = c = E[y²] = 1 and γ = ½: the loss is (1 − p)² + 2γ|p|, least at
    p = ½. One step is enough.

    >>> import linscape as ls
    >>> moments = ls.Moments.from_operator([[1.0]], [1.0])
    >>> minimum = krylov_minimum(ls.Problem(moments, ls.Network(hidden=(3,), weight_decay=0.5)))
    >>> round(minimum.loss, 12), round(minimum.energy, 12), minimum.certificate.steps
    (0.75, 0.25, 1)
    """
    if isinstance(gap, bool) or not isinstance(gap, int | float) or not 0 < gap < math.inf:
        raise InvalidOption(f"expected gap a positive number, got {gap!r}")
    expansion, theorem = Expansion(problem, steps), covering_theorem(problem)
    if expansion.process is None:
        return krylov_zero(problem, problem.data_factor * expansion.second_moment_y, theorem)
    for rule, last in expansion.rules():
        bracket = _bracket(problem, rule)
        if last or _is_enough(bracket, gap, rule.below.second_moment_y):
            break
    return _result(problem, expansion, rule, bracket, theorem)


def _is_enough(bracket: _Bracket, gap: float, at_zero: float) -> bool:
    """Say whether the gap is met, or rounding is all that is left of it."""
    met = bracket.upper - bracket.lower <= gap * (at_zero - bracket.lower)
    return bracket.is_rounding or (met and bracket.is_trivial is not None)


def _bracket(problem: Problem, rule: Quadrature) -> _Bracket:
    network = problem.network
    if network.depth == 0 or not any(network.weight_decay):
        ridge = _ridge(problem, rule.below)
        below, above = (_linear(problem, part, ridge) for part in (rule.below, rule.above))
        return _Bracket(below, above, ridge, False)
    low, high = (Energy.of(problem, part) for part in (rule.below, rule.above))
    below, above = largest_gain(low), largest_gain(high)
    trivial = _is_trivial(low, high, below, above)
    if trivial:
        return _Bracket(Gain.zero(), Gain.zero(), math.inf, trivial)
    ridge = math.inf
    if below.log_ridge > -math.inf:
        ridge = from_logarithm(-below.log_ridge, "the ridge parameter of the minimum")
    return _Bracket(below, above, ridge, trivial)


def _is_trivial(low: Energy, high: Energy, below: Gain, above: Gain) -> bool | None:
    """Say whether zero is the minimum, from both rules; None if they don't tell."""
    if below.lower > 0:
        return False
    if above.upper == 0:
        return True
    if low.is_below(learning_threshold(low.spectrum, low.depth, low.log_inflation)):
        return False
    learns = high.is_below(learning_threshold(high.spectrum, high.depth, high.log_inflation))
    return True if learns is False else None


def _ridge(problem: Problem, measure: Spectrum) -> float:
    """Return the known ridge parameter of a problem without hidden layers or without decay."""
    if not any(problem.network.weight_decay):
        return 0.0
    decay = problem.network.weight_decay[0] / problem.data_factor
    with np.errstate(over="ignore"):
        ridge = float(np.ldexp(decay, -2 * measure.input_exponent))
    if not np.finfo(np.float64).tiny <= ridge < math.inf:
        raise OutOfRange(
            "the decay is too large or too small beside the inputs for a 64-bit float; "
            "rescale the data or the decay"
        )
    return ridge


def _linear(problem: Problem, measure: Spectrum, ridge: float) -> Gain:
    """Return Σ c_i²/(a_i + μ)/τ for a known μ."""
    inflation, at = problem.network.inflation, np.array([ridge])
    value = float(ridge_gain(measure, at)[0]) / inflation
    spectral = float(ridge_error(measure, at)[0]) / inflation
    rounding = (64 + math.log2(1 + len(measure.values))) * UNIT_ROUNDOFF * value
    error = spectral + rounding
    return Gain(max(value - error, 0.0), value, value + error, 0.0, rounding, spectral)


def _unit(problem: Problem, rule: Quadrature) -> float:
    with np.errstate(over="ignore"):
        unit = float(np.ldexp(problem.data_factor, 2 * rule.below.output_exponent))
    if math.isinf(unit):
        raise OutOfRange("the gain does not fit a 64-bit float; rescale y")
    return unit


def _result(
    problem: Problem, expansion: Expansion, rule: Quadrature, bracket: _Bracket, theorem: str
) -> GlobalMinimum:
    """Return the minimum in the units of the problem, its predictor attaining the rule below."""
    below, above, unit = bracket.below, bracket.above, _unit(problem, rule)
    coordinates = rule.below.ridge_predictor(bracket.ridge, problem.network.log_inflation)
    rest = rule.rest * abs(float(coordinates[-1])) * problem.network.inflation
    return krylov_result(
        problem,
        predictor=rule.below.unscaled(expansion.vector(coordinates)),
        is_trivial=bracket.is_trivial,
        at_zero=problem.data_factor * expansion.second_moment_y,
        gain=(unit * bracket.lower, unit * below.value, unit * bracket.upper),
        rounding=unit * max(below.rounding, above.rounding),
        spectral=unit * max(below.spectral, above.spectral),
        truncation=unit * max(bracket.upper - below.upper, 0.0),
        theorem=f"{theorem}; {_BOUNDS.format(rule.steps)}",
        steps=rule.steps,
        residual=rest / float(np.linalg.norm(rule.below.cross_moment)),
    )
