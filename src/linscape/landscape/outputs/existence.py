r"""Between which decay products critical points other than zero cease to exist.

From below: with Φ(t) = E‖y‖² + D(P/τ)^{1/D} t − t g(t)/τ, the least loss of rank-one networks of
energy K = t(P/τ)^{1/D}, any t₁ < t₂ with Φ(t₂) < Φ(t₁) prove a local minimum of Φ beyond t₁; it is
a critical point in the whole weight space. From above: at a critical point every layer has the
energy K = s − q, s = E⟨f, y⟩ and q = E‖f‖², and

    s ≤ ‖C‖₂ (K^{D+1}/P)^{½},    q ≥ s²/β,    1/β = 1/‖A^{−½}C‖_F² + (τ − 1)/‖A^{−½}C‖₂²,

so that P ≤ ‖C‖₂² max_s s^{D−1}(1 − s/β)^{D+1}. For one output and A = s²I the bound is P_e itself.

Exact: for A = s²I without noise, where the modes separate and the largest singular value decides.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.thresholds import existence_threshold
from linscape.landscape.interval import Interval
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import is_isotropic, singular_modes

Array = NDArray[np.float64]

_STEP = 2.0**-10  # of log t: it costs 1e-6 of the slope, and rounding 1e-13
_POINTS = 65


def existence_bounds(measure: OutputMeasure, depth: int, log_inflation: float) -> Interval:
    """Enclose log P_e of a network with D ≥ 2 hidden layers, in the units of the measure.

    Below the interval a critical point other than zero exists, above it none does.
    """
    if not np.any(measure.coefficients):
        return Interval(-math.inf, -math.inf)
    if log_inflation == 0 and is_isotropic(measure):
        return existence_threshold(singular_modes(measure)[0].spectrum, depth, log_inflation)
    lower = _attained(measure, depth) - depth * math.log(depth) + (1 - depth) * log_inflation
    return Interval(lower, max(lower, _excluded(measure, depth, log_inflation)))


def _attained(measure: OutputMeasure, depth: int) -> float:
    """Return log of a difference quotient [t₂g(t₂) − t₁g(t₁)]^D/(t₂ − t₁)^D, as large as found."""
    logs = -np.log(measure.spectrum.values)
    y = np.linspace(logs.min() - 3, logs.max() + 3, _POINTS)
    for _ in range(4):
        slopes = _slopes(measure, y, depth)
        best = int(np.argmax(slopes))
        y = np.linspace(y[max(best - 1, 0)], y[min(best + 1, len(y) - 1)], 17)
    return depth * float(np.max(slopes))


def _slopes(measure: OutputMeasure, y: Array, depth: int) -> Array:
    """Return log of d(t g)/dt by differences, rounded down."""
    # t g = λ_max(Cᵀ t^D (I + t^D A)⁻¹C), t^D = e^y, grows with t
    step = depth * _STEP
    before, after = (y + measure.largest(y)[0] for y in (y - step, y + step))
    error = UNIT_ROUNDOFF * (64 + 8 * sum(measure.coefficients.shape) + 8 * np.abs(y))
    with np.errstate(over="ignore"):
        ridge = np.minimum(np.exp(-(y + step)), 1e300)
        error = error + measure.ridge_error(ridge) * np.exp(-before)
    growth = -np.expm1(before - after + 2 * error)
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.where(growth > 0, after - error + np.log(np.maximum(growth, 0)), -np.inf)
    log_distance = (y + step) / depth + math.log(-math.expm1(-2 * _STEP))
    slopes: Array = rise - log_distance
    return slopes


def _excluded(measure: OutputMeasure, depth: int, log_inflation: float) -> float:
    """Return log ‖C‖₂² max_s s^{D−1}(1 − s/β)^{D+1}, rounded up."""
    norm = float(np.linalg.norm(measure.coefficients, 2)) + measure.coefficient_error
    zero = np.zeros(1)
    error = float(measure.ridge_error(zero)[0])
    whitened = measure.coefficients / np.sqrt(measure.spectrum.values)[:, None]
    total = float(np.sum(whitened**2)) + error * measure.coefficients.shape[1]
    largest = float(measure.largest_ridge_gain(zero)[0]) + error
    beta = 1 / (1 / total + math.expm1(log_inflation) / largest)
    value = (
        2 * math.log(norm)
        + (depth - 1) * math.log(beta * (depth - 1) / (2 * depth))
        + (depth + 1) * math.log((depth + 1) / (2 * depth))
    )
    return value + UNIT_ROUNDOFF * (256 + 32 * sum(measure.coefficients.shape)) * (depth + 1)
