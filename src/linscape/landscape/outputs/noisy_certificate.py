r"""What a matrix M and a number T prove about one hidden layer with noise.

With ν = σ²/d_1 and λ = 2√(γ_uγ_w), the gain over zero of a network (u_j, w_j), j ≤ d_1, is at most

    2E⟨f, y⟩ − E‖Mx‖² − Σ_j [2νT q_j + λ‖u_j‖‖w_j‖] + νT²,      q_j = ‖u_j‖ E[(w_j·x)²]^½,

by Σ q_j² ≥ (Σ q_j)²/d_1 and (Σ q_j)² ≥ 2TΣ q_j − T². For any r with E[r xᵀ] = G and

    ‖Gw‖ ≤ νT E[(w·x)²]^½ + ½λ‖w‖  for every w                                              (*)

the sum over j is at least 2E⟨r, Mx⟩, so that the gain is at most νT² + E‖y − r‖². With
r = ρ(y − M'x) for a given M' that is a bound in closed form, and (*) is a family in one number: by
(α + β)² = min over θ > 0 of (1 + θ)α² + (1 + 1/θ)β² it says that for every y

    ‖G(I + e^y A)^{−½}‖₂² ≤ ¼λ² + (νT)² e^{−y}.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.branching import Boxes, supremum
from linscape.landscape.energy.energy import Energy
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.noisy_newton import NoisyLayer

Array = NDArray[np.float64]

_TOLERANCE = 2.0**-43  # of the ratio that (*) compares with one
_WIDTH = 2.0**-24  # what the second derivative can add over such a box is below rounding
_SLOPE = 1 / 2  # its largest slope, either way


def certified_gain(
    measure: OutputMeasure, energy: Energy, layer: NoisyLayer, product: Array, noise: float
) -> float:
    """Return an upper bound on the gain over zero, in the units of the measure.

    Parameters
    ----------
    measure, energy : OutputMeasure, Energy
        The problem: one hidden layer.
    layer : NoisyLayer
        The same as numbers.
    product : (m, r) ndarray
        M' in the eigenbasis; the nearer to the best, the better the bound.
    noise : float
        T > 0, best Σ q_j.
    """
    spectrum = measure.spectrum
    unit = UNIT_ROUNDOFF * (4 * sum(product.shape) + 64)
    lost = measure.coefficient_error
    through = product * layer.values
    signal = float(np.sum(product * layer.target))
    signal += float(np.linalg.norm(product)) * lost
    signal += unit * float(np.sum(np.abs(product * layer.target)))
    quadratic = float(np.sum(product * through)) * (1 + unit + spectrum.relative_error)
    quadratic += spectrum.value_error * float(np.sum(product**2))
    slack_error = lost + spectrum.value_error * float(np.linalg.norm(product))
    slack_error += spectrum.relative_error * math.sqrt(quadratic * float(layer.values[-1]))
    slack_error += unit * float(np.linalg.norm(np.abs(through) + np.abs(layer.target)))
    decay = 1 - energy.log_error - unit  # of the penalty
    half = layer.penalty / 2 * decay
    ratio = _largest_ratio(measure, layer.target - through, layer.spread * noise * (1 - unit), half)
    short = max(1 - 1 / (ratio + slack_error / half), 0.0) + unit
    explained = _explained(measure)
    rest = short**2 * explained + (1 - short) ** 2 * quadratic
    rest += 2 * short * (1 - short) * max(signal, 0.0)
    return (layer.spread * noise**2 + rest) * (1 + unit)


def _explained(measure: OutputMeasure) -> float:
    """Return an upper bound on ‖A^{−½}C‖_F²."""
    squares = float(np.sum(measure.coefficients**2 / measure.spectrum.values[:, None]))
    outputs = int(measure.coefficients.shape[1])
    return squares + outputs * float(measure.ridge_error(np.zeros(1))[0])


def _largest_ratio(measure: OutputMeasure, slack: Array, pull: float, half: float) -> float:
    """Return an upper bound on the largest ‖G(I + e^y A)^{−½}‖₂/(half² + pull² e^{−y})^½.

    Its logarithm is a supremum over unit vectors u of ½ log Σ_i g_i(u)²/(1 + a_i e^y), less the
    logarithm of the denominator; its slope lies in (−½, ½).
    """
    lowered = measure.spectrum.lowered
    known: dict[float, float] = {}

    def logarithm(y: Array) -> Array:
        new = np.array([at for at in np.unique(y) if at not in known])
        known.update(zip(new.tolist(), _log_ratio(slack, lowered, new, pull, half), strict=True))
        return np.array([known[at] for at in y.tolist()])

    def bounds(left: Array, right: Array) -> tuple[Array, Array, Array]:
        at_left, at_right = logarithm(left), logarithm(right)
        bend = _bend(lowered, left, right, 2 * math.log(pull / half))
        upper = _above(right - left, at_left, at_right, bend)
        return np.maximum(at_left, at_right), upper, np.zeros_like(upper)

    norm = float(np.linalg.norm(slack))
    if norm == 0:
        return 0.0
    whitened = float(np.linalg.norm(slack / np.sqrt(lowered)))
    low = 2 * math.log(pull / (2 * norm))  # outside, the ratio is below a half
    high = max(2 * math.log(2 * whitened / half), low)
    edges = np.linspace(low, high, 65)
    pieces = Boxes(edges[:-1], edges[1:])
    upper = supremum(bounds, pieces, lambda value: max(_TOLERANCE, -1e-3 - value), _WIDTH)[1]
    rounding = UNIT_ROUNDOFF * (64 + 8 * sum(slack.shape) + abs(low) + abs(high))
    return max(math.exp(upper) * (1 + rounding), 0.5)


def _log_ratio(slack: Array, values: Array, y: Array, pull: float, half: float) -> list[float]:
    scales = 1 / np.sqrt(1 + np.exp(y)[:, None] * values)
    largest = [float(np.linalg.norm(slack * scale, 2)) for scale in scales]
    bounds = np.logaddexp(2 * math.log(half), 2 * math.log(pull) - y) / 2
    logarithms: list[float] = (np.log(largest) - bounds).tolist()
    return logarithms


def _bend(values: Array, left: Array, right: Array, middle: float) -> Array:
    """Return minus a lower bound on the second derivative over boxes, which vanishes on plateaus.

    The two parts are s(1 − s)/2 at most, s = a_i e^y/(1 + a_i e^y) and s = 1/(1 + e^{y − middle}).
    """
    with np.errstate(over="ignore"):
        before, after = np.exp(right) * values[-1], np.exp(-left) / values[0]
        falling, rising = 1 / (1 + np.exp(left - middle)), 1 / (1 + np.exp(middle - right))
    first = np.minimum(0.25, np.minimum(before, after))
    second = np.minimum(0.25, np.minimum(falling, rising))
    bend: Array = (first + second) / 2
    return bend


def _above(width: Array, at_left: Array, at_right: Array, bend: Array) -> Array:
    """Bound a function over boxes by its ends, its slope and its second derivative."""
    rise, bulge = at_right - at_left, bend * width**2 / 2
    where = np.clip(0.5 + rise / (2 * np.maximum(bulge, 1e-300)), 0, 1)
    curved = at_left + rise * where + bulge * where * (1 - where)
    tent = (at_left + at_right + _SLOPE * width) / 2
    lowest: Array = np.minimum(curved, tent)
    return lowest
