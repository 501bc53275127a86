"""Where solutions appear and where they win: the two critical decay products, enclosed.

    P*  = τ^{1−D} [max_t G(t)/D]^D     the global minimum is nontrivial iff P < P*   (learning)
    P_e = τ^{1−D} [max_t H(t)]^D       a nontrivial solution exists iff P ≤ P_e      (existence)

with t^D = e^y in the variable of :mod:`linscape.landscape.energy.energy`. For D = 1 both are ‖c‖².
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.branching import Boxes, Curvature, enclose, supremum
from linscape.landscape.energy.energy import mean_value, power_sum, ridge_error, ridge_gain
from linscape.landscape.interval import Interval
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

_TOLERANCE = 2.0**-50
_WIDTH = 2.0**-26  # the maximum is flat to second order: this is 1e-16 of it


def learning_threshold(spectrum: Spectrum, depth: int, log_inflation: float) -> Interval:
    """Enclose log P* of a network with D ≥ 1 hidden layers, in the units of the spectrum."""
    if depth == 1 or not np.any(spectrum.coefficients):
        return _log_square(spectrum)
    shift = (1 - depth) * log_inflation - depth * math.log(depth)
    return _product(_maximum(spectrum, depth, 1), depth, shift)


def existence_threshold(spectrum: Spectrum, depth: int, log_inflation: float) -> Interval:
    """Enclose log P_e of a network with D ≥ 1 hidden layers, in the units of the spectrum."""
    if depth == 1 or not np.any(spectrum.coefficients):
        return _log_square(spectrum)
    return _product(_maximum(spectrum, depth, 2), depth, (1 - depth) * log_inflation)


def _log_square(spectrum: Spectrum) -> Interval:
    """Enclose log ‖c‖²."""
    norm = float(np.linalg.norm(spectrum.coefficients))
    if norm == 0:
        return Interval(-math.inf, -math.inf)
    error = spectrum.coefficient_error + 8 * UNIT_ROUNDOFF * norm
    lower = 2 * math.log(norm - error) if norm > error else -math.inf
    return Interval(lower, 2 * math.log(norm + error))


def _product(maximum: Interval, depth: int, shift: float) -> Interval:
    error = 4 * UNIT_ROUNDOFF * (depth * max(map(abs, maximum)) + abs(shift))
    return Interval(depth * maximum.lower + shift - error, depth * maximum.upper + shift + error)


def _maximum(spectrum: Spectrum, depth: int, power: int) -> Interval:
    """Enclose max over y of (1 − 1/D) y + log Σ c_i²/(1 + a_i e^y)^power."""
    growth = 1 - 1 / depth
    # slope of the logarithm of the sum: −power·E[q]; curvature: −power·E[q(1−q)] + power²·Var(q)
    curvature = Curvature(max(growth, power - growth), -power / 4, power**2 / 4)

    def function(y: Array) -> tuple[Array, Array]:
        log_sum, share = power_sum(spectrum, y, power)
        return growth * y + log_sum, growth - power * share

    def bounds(left: Array, right: Array) -> tuple[Array, Array, Array]:
        middle = (left + right) / 2
        value, slope = function(middle)
        upper = enclose(value, slope, (right - left) / 2, curvature)[1]
        slack = _rounding(middle, value)
        above = _relative_error(spectrum, left, right, power)
        below = _relative_error(spectrum, middle, middle, power)
        with np.errstate(invalid="ignore", divide="ignore"):
            certain = np.where(below < 1, np.log1p(-np.minimum(below, 1)), -np.inf)
        fixed = 2 * slack + np.log1p(below) - certain
        return value - slack + certain, upper + slack + np.log1p(above), fixed

    centres = -np.log(spectrum.values[spectrum.coefficients != 0])
    attained = float(np.max(function(centres)[0]))
    lower, upper, _ = supremum(bounds, _span(spectrum, growth, power, attained), _gap, _WIDTH)
    return Interval(lower, upper)


def _gap(value: float) -> float:
    return _TOLERANCE * (8 + abs(value))


def _rounding(y: Array, value: Array) -> Array:
    result: Array = UNIT_ROUNDOFF * (64 + 8 * np.abs(y) + 8 * np.abs(value))
    return result


def _span(spectrum: Spectrum, growth: float, power: int, attained: float) -> Boxes:
    """Return boxes over the range that can hold a maximum of at least `attained`.

    The function is at most growth·y + log ‖c‖² and (growth − power) y + log Σ c_i²/a_i^power, both
    with the errors of the spectrum; nothing larger lies where either is below `attained`.
    """
    c, error = spectrum.coefficients, spectrum.coefficient_error
    flat = 2 * math.log(float(np.linalg.norm(c)) + error)
    lowered = spectrum.lowered
    if power == 1:
        zero = np.zeros(1)
        steep = math.log(float((ridge_gain(spectrum, zero) + ridge_error(spectrum, zero))[0]))
    else:
        steep = 2 * math.log(float(np.linalg.norm(c / lowered)) + error / float(lowered[0]))
    margin = 1e-6  # covers rounding
    left = (attained - flat - margin) / growth
    right = (steep - attained + margin) / (power - growth)
    edges = np.linspace(left, right, 65)
    return Boxes(edges[:-1], edges[1:])


def _relative_error(spectrum: Spectrum, left: Array, right: Array, power: int) -> Array:
    """Bound the relative error, over boxes, that the spectrum's errors cause in the sum."""
    with np.errstate(over="ignore"):
        ridge_left = np.minimum(np.exp(-left), 1e300)
        ridge_right = np.minimum(np.exp(-right), 1e300)
    if power == 1:
        return np.asarray(ridge_error(spectrum, ridge_right) / ridge_gain(spectrum, ridge_left))
    # (1 + e^y A)⁻¹c changes by at most (e_c + e^y e ‖(1 + e^y Ã)⁻¹c̃‖)/(1 + e^y (a_min − e))
    root = np.exp(power_sum(spectrum, right, 2)[0] / 2)
    scaled = spectrum.coefficient_error * ridge_left / root + spectrum.value_error
    relative = scaled / (ridge_right + spectrum.lowered[0])
    if spectrum.relative_error:
        # |E| ≤ ηA instead: ‖(1 + zA)⁻¹(zA)^½‖ ≤ ½, and the mean of z a_i bounds the rest
        mean = np.exp(np.minimum(right, 700.0)) * mean_value(spectrum, left)
        relative = relative + 0.51 * spectrum.relative_error * np.sqrt(mean)
    return np.asarray(2 * relative + relative**2)
