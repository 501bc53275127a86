"""The critical points of F, isolated, and the proven interval of the largest gain F(0) − F."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.energy.branching import Boxes, Curvature, enclose, supremum, undecided
from linscape.landscape.energy.energy import Energy, ridge_error

Array = NDArray[np.float64]

_WIDTH = 2.0**-27  # F is flat to second order at its critical points: this is 1e-16 of it
_CURVATURE = Curvature(slope=2.0, lowest=-0.5, highest=1.0)  # of h, for any data and depth


class Gain(NamedTuple):
    """The largest F(0) − F over all energies, and where it is."""

    lower: float
    value: float
    upper: float
    log_ridge: float  # y at the critical point, −inf at zero
    rounding: float  # the parts of upper − lower
    spectral: float

    @classmethod
    def zero(cls) -> "Gain":
        """Return the gain where zero is proven to be the minimum."""
        return cls(0.0, 0.0, 0.0, -np.inf, 0.0, 0.0)


def critical_boxes(energy: Energy) -> Boxes:
    """Return narrow boxes in y that hold every critical point of F; elsewhere F′ ≠ 0 is proven."""
    if not np.any(energy.spectrum.coefficients):
        return Boxes(np.empty(0), np.empty(0))
    log_square = _log_norm_square(energy.spectrum.coefficients)
    log_inverse = _log_norm_square(energy.spectrum.coefficients / energy.values)
    level, margin = energy.log_level, 1e-6
    right = (log_inverse - level) / (1 + 1 / energy.depth) + margin
    if energy.depth == 1:
        return _descending(energy, log_square, right)
    left = (level - log_square) / (1 - 1 / energy.depth) - margin
    if right <= left:
        return Boxes(np.empty(0), np.empty(0))
    return undecided(energy.slope, energy.rounding, (left, right), _CURVATURE, _WIDTH)


def polish(energy: Energy, left: float, right: float) -> float:
    """Return the critical point in a box by Newton's method, kept inside."""
    y = (left + right) / 2
    for _ in range(20):
        value, slope = energy.slope(np.array([y]))
        step = float(value[0] / slope[0]) if slope[0] else 0.0
        moved = min(max(y - step, left), right)
        if abs(moved - y) <= 4e-16 * abs(y):
            return moved
        y = moved
    return y


def largest_gain(energy: Energy) -> Gain:
    """Enclose the largest gain over all energies K ≥ 0; zero itself has gain 0."""
    boxes = critical_boxes(energy)
    if not len(boxes.left):
        return Gain.zero()
    points = np.array([polish(energy, *box) for box in zip(*boxes, strict=True)])
    gains = energy.gain(points)
    best = int(np.argmax(gains))
    rounding = float(energy.gain_rounding(points)[best])
    spectral = float(_spectral_error(energy, points)[best])
    value = float(gains[best])
    inside = float(np.max(_gain_over(energy, boxes) + _spectral_error(energy, boxes.right)))
    upper = max(inside, _beyond(energy, boxes, spectral))
    if value <= 0:
        return Gain(0.0, 0.0, max(upper, 0.0), -np.inf, rounding, spectral)
    lower = max(value - rounding - spectral, 0.0)
    return Gain(lower, value, max(upper, value), float(points[best]), rounding, spectral)


def _descending(energy: Energy, log_square: float, right: float) -> Boxes:
    """Return the box of the one root for D = 1, where h falls from log ‖c‖² − log ℓ > 0."""
    excess = log_square - energy.log_level
    noise = float(energy.rounding(np.zeros(1))[0])
    if excess <= -noise:
        return Boxes(np.empty(0), np.empty(0))
    # S ≥ ‖c‖²/(1 + a_max e^y)², so h > 0 up to e^y = (√(‖c‖²/ℓ) − 1)/a_max
    half = max(excess - 2 * noise, 1e-300) / 2
    log_reach = half + np.log(-np.expm1(-half)) - np.log(energy.values[-1])
    left = max(float(log_reach) - 1e-6, right - 2000.0)
    for _ in range(12):
        y = np.linspace(left, right, 65)
        value, slack = energy.slope(y)[0], energy.rounding(y)
        positive, negative = np.flatnonzero(value > slack), np.flatnonzero(value < -slack)
        left = float(y[positive[-1]]) if len(positive) else left
        right = float(y[negative[0]]) if len(negative) else right
    return Boxes(np.array([left]), np.array([right]))


def _gain_over(energy: Energy, boxes: Boxes) -> Array:
    """Bound the gain over boxes from above, by its value and its slope K(e^h − 1)."""
    middle, half = (boxes.left + boxes.right) / 2, (boxes.right - boxes.left) / 2
    slack = energy.rounding(middle)
    if energy.depth == 1:  # h falls, so its ends bound it however wide the box
        lower, upper = energy.slope(boxes.right)[0], energy.slope(boxes.left)[0]
        slack = np.maximum(energy.rounding(boxes.left), energy.rounding(boxes.right))
    else:
        lower, upper = enclose(*energy.slope(middle), half, _CURVATURE)
    level = energy.log_energy(boxes.right)
    with np.errstate(over="ignore", under="ignore"):
        # K|e^h − 1| is at most K e^h where h is large, and in logarithms that stays in range
        rising = np.exp(level + np.maximum(upper + slack, 0)) * -np.expm1(-np.abs(upper + slack))
        falling = np.exp(level) * np.abs(np.expm1(np.minimum(lower - slack, 0)))
    change = half * np.maximum(rising, falling)
    result: Array = energy.gain(middle) + energy.gain_rounding(middle) + change
    return result


def _beyond(energy: Energy, boxes: Boxes, spectral: float) -> float:
    """Bound the gain, errors of the spectrum added, where it falls: right of each maximum.

    Left of a maximum both grow, so the box of the maximum bounds them. No gain exceeds E[y²]/τ
    and D·K is taken off it, so nothing lies beyond K = E[y²]/(τD).
    """
    tau = np.exp(energy.log_inflation)
    end = energy.log_decay(energy.spectrum.second_moment_y / (tau * energy.depth)) + 1e-6
    left, right = boxes.right, np.append(boxes.left[1:], max(float(end), boxes.right[-1]))
    middle = energy.slope((left + right) / 2)[0]
    falls = (middle < 0) & (right > left)
    if not falls.any():
        return -np.inf

    def bounds(left: Array, right: Array) -> tuple[Array, Array, Array]:
        value = energy.gain(left) + energy.gain_rounding(left)
        lower, upper = _spectral_error(energy, left), _spectral_error(energy, right)
        return value + lower, value + upper, np.zeros_like(value)

    pieces = Boxes(left[falls], right[falls])
    return supremum(bounds, pieces, lambda value: 0.02 * spectral + 1e-16 * abs(value), 1e-6)[1]


def _spectral_error(energy: Energy, y: Array) -> Array:
    """Bound what the errors of the spectrum do to the gain at y."""
    with np.errstate(over="ignore"):
        ridge = np.minimum(np.exp(-y), 1e300)
    result: Array = ridge_error(energy.spectrum, ridge) * np.exp(-energy.log_inflation)
    return result


def _log_norm_square(vector: Array) -> float:
    size = float(np.max(np.abs(vector)))
    return 2 * float(np.log(size) + np.log(np.linalg.norm(vector / size)))
