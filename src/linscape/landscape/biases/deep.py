"""Decayed biases at any depth and with any means: the chain of a problem, solved and proven."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.biases.attained import BestFit, Point, attained, best_fit, layers
from linscape.landscape.biases.chain import Chain
from linscape.landscape.biases.result import BiasedMinimum
from linscape.landscape.biases.search import largest_gain
from linscape.landscape.biases.setting import Setting, setting, spectral_error
from linscape.landscape.biases.states import trivial_state
from linscape.landscape.certificate import Certificate
from linscape.landscape.minimum import GlobalMinimum
from linscape.problem import Problem
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

CHAIN = (
    "Ziyin, Li & Meng (2022), Appendix D, corrected, for any depth and means: reduced exactly to "
    "one number a layer, minimised by branch and bound"
)
NUMERICAL = (
    "; numerical: the search stopped after {} boxes, so its best point may not be the best, but "
    "the interval holds"
)


class _Search(NamedTuple):
    """The best point, a bound on the gain of all, the boxes it took, whether the two met."""

    point: Point
    upper: float
    boxes: int
    closed: bool


class _Gains(NamedTuple):
    """lower ≤ largest gain ≤ upper, the value attained, and the parts of the interval."""

    lower: float
    value: float
    upper: float
    rounding: float
    spectral: float
    truncation: float


def deep_minimum(problem: Problem, measure: Spectrum, free: GlobalMinimum) -> BiasedMinimum:
    """Return the global minimum for one output, hidden layers and positive decays, any means.

    Parameters
    ----------
    problem : Problem
        With decayed biases.
    measure : Spectrum
        The spectrum of the centred moments.
    free : GlobalMinimum
        The minimum of the same problem with biases free of decay, which is a lower bound.
    """
    found = setting(problem, measure)
    unit = problem.data_factor * 4.0**found.exponent
    free_gain = free.gain_upper / unit
    error = spectral_error(found, free_gain, 0.0)
    start = _start(found.chain, free.energy / unit)
    search = _search(found.chain, free_gain + error, -error, start)
    values = best_fit(problem, found, search.point)
    gains = _gains(problem, found, search, values, free_gain)
    trivial: bool | None = None
    if search.point.ridges is None and search.closed and measure.null_is_rounding:
        trivial = True
        gains = gains._replace(upper=0.0)
    in_units = _Gains(*(unit * part for part in gains))
    if gains.lower > 0 or trivial_state(problem).is_minimum is False:
        trivial = False  # where it turns into a saddle the gain begins too small to be seen
    return _assemble(problem, found, search, values, in_units, trivial)


def _start(chain: Chain, energy: float) -> Array | None:
    """Return the ridge parameters of the minimum with free biases, a good point to begin from."""
    if energy == 0:
        return None
    norms = [math.log(energy) - math.log(chain.output_decay)]  # log V_D, …, log V_1
    for decay in chain.decays[:0:-1]:
        norms.append(norms[-1] + math.log(energy) - math.log(decay))
    return np.exp(np.clip(np.log(chain.decays) - norms[::-1], -700, 700))


def _search(chain: Chain, free_gain: float, threshold: float, start: Array | None) -> _Search:
    """Search the chain, and those whose lowest layers are dead and that biases alone feed.

    A threshold below zero makes sure that, where nothing is found, no error of the spectrum hides
    a point better than the trivial state.
    """
    best, point = threshold, Point(None)
    upper, boxes, closed = threshold, 0, True
    for dead in range(chain.depth):
        part = chain.above(dead) if dead else chain
        if dead and part.bias_reach <= best:
            break
        found = largest_gain(part, 0.0 if dead else free_gain, best, None if dead else start)
        if found.ridges is not None:
            best, point = found.lower, Point(found.ridges, dead)
        upper, boxes = max(upper, found.upper), boxes + found.boxes
        closed = closed and found.closed
    if point.ridges is not None and best <= 0:  # within the errors, the trivial state is as good
        return _Search(Point(None), max(upper, 0.0), boxes, False)
    return _Search(point, upper, boxes, closed)


def _gains(
    problem: Problem, found: Setting, search: _Search, values: BestFit, free_gain: float
) -> _Gains:
    """Return the gain that is attained with its interval, in the units of the setting."""
    chain = found.chain
    gain, error = attained(problem, found, search.point, values)
    constants = (64 + 8 * chain.depth) * UNIT_ROUNDOFF * chain.reach  # κ, ρ, τ, γ are rounded
    rounding = max(search.upper - gain, 0.0) + error + constants
    spectral = spectral_error(found, free_gain, gain)
    limit = chain.bias_reach + free_gain + constants  # no gain exceeds it
    truncation = _truncation(problem, found, search.point)
    if not found.measure.null_is_rounding:
        truncation = max(limit - gain, 0.0)  # a direction with signal was lost: it may hold all
    upper = max(min(gain + rounding + spectral + truncation, limit), gain)
    return _Gains(max(gain - error - constants, 0.0), gain, upper, rounding, spectral, truncation)


def _truncation(problem: Problem, found: Setting, point: Point) -> float:
    """Return what the part of Cov(x, y) without variance could gain if that were rounding."""
    measure = found.measure
    if point.ridges is None or point.dead or not measure.null_signal:
        return 0.0
    ridge = math.ldexp(float(point.ridges[0]), -2 * measure.input_exponent)
    variance = max(measure.value_error, 2 * UNIT_ROUNDOFF) * problem.network.inflation
    gain = measure.null_signal**2 / (variance + ridge)
    return math.ldexp(gain, 2 * (measure.output_exponent - found.exponent))


def _assemble(
    problem: Problem,
    found: Setting,
    search: _Search,
    values: BestFit,
    gains: _Gains,
    is_trivial: bool | None,
) -> BiasedMinimum:
    """Build the result; gains are in the units of the problem."""
    variance = float(np.reshape(np.asarray(problem.moments.covariance_y), ()))
    reach = math.ldexp(found.chain.bias_reach, 2 * found.exponent)
    at_zero = problem.data_factor * (variance + reach)
    slack = 8 * UNIT_ROUNDOFF * at_zero
    least, most = max(at_zero - gains.upper - slack, 0.0), at_zero - gains.lower + slack
    weights = layers(problem, found, search.point, values)
    predictor = np.ldexp(values.predictor, found.exponent)
    offset = math.ldexp(math.fsum(values.offsets), found.exponent) + float(weights[-1][0, -1])
    theorem = CHAIN if search.closed else CHAIN + NUMERICAL.format(search.boxes)
    flat = problem.moments.C.ndim == 1
    return BiasedMinimum(
        problem=problem,
        loss=min(max(at_zero - gains.value, least), most),
        lower=least,
        upper=most,
        gain=gains.value,
        gain_lower=gains.lower,
        gain_upper=gains.upper,
        is_trivial=is_trivial,
        energy=problem.network.weight_decay[-1] * float(np.sum(weights[-1][:, :-1] ** 2)),
        predictor=predictor if flat else predictor[None],
        intercept=offset if flat else np.array([offset]),
        certificate=Certificate(
            theorem, least, most, *gains[3:], null_directions=found.measure.null_directions
        ),
        layers=weights,
    )
