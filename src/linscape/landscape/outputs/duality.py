r"""What a matrix M proves about the least squares with a nuclear norm, without an eigenbasis.

    min over M of  E‖Mx − y‖² + λ‖M‖_*

is at most its value at M, and at least 2ρE⟨r, y⟩ − ρ²E‖r‖² for the residual r = y − Mx and any ρ
with
ρ‖E[r xᵀ]‖₂ ≤ ½λ (weak duality: ‖M′‖_* λ ≥ 2ρ⟨M′, E[r xᵀ]⟩ for every M′).
"""

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.assembly import GainBounds

Array = NDArray[np.float64]


def gain_bounds(A: Array, C: Array, total: float, penalty: float, product: Array) -> GainBounds:
    """Bound the gain over M = 0 from both sides by the product M = `product` (m, d).

    The rounding of every sum is bounded by its own terms, so the moments may be singular and badly
    scaled; they are taken as exact.

    Examples
    --------
    A = 1, c = 3, λ = 2: (1 − λ/2c)₊ of c is left, p = 2, and the gain p² = 4.

    >>> A, C, p = np.ones((1, 1)), np.array([[3.0]]), np.array([[2.0]])
    >>> bounds = gain_bounds(A, C, 9.0, 2.0, p)
    >>> bool(bounds.lower <= 4 <= bounds.upper), bool(bounds.upper - bounds.lower < 1e-11)
    (True, True)
    """
    unit = UNIT_ROUNDOFF * (4 * len(A) + 4 * len(product) + 16)
    through = product @ A
    signal = float(np.sum(product * C.T))
    quadratic = float(np.sum(through * product))
    sizes = np.abs(product)
    signal_error = unit * float(np.sum(sizes * np.abs(C.T)))
    quadratic_error = 2 * unit * float(np.sum((sizes @ np.abs(A)) * sizes))
    slack = C.T - through
    slack_error = unit * float(np.linalg.norm(sizes @ np.abs(A) + np.abs(C.T)))
    largest = (1 + unit) * float(np.linalg.norm(slack, 2)) + slack_error
    norm = float(np.sum(np.linalg.svd(product, compute_uv=False)))
    attained = 2 * signal - quadratic - penalty * norm
    error = 2 * signal_error + quadratic_error + unit * penalty * norm
    short = _shortfall(signal, quadratic, total, penalty / 2 / largest if largest else 1.0)
    upper = short**2 * total + 2 * (1 - short) * short * signal + (1 - short) ** 2 * quadratic
    above = 2 * signal_error + quadratic_error + unit * (short**2 * total + abs(upper))
    lower, value = max(attained - error, 0.0), max(attained, 0.0)
    return GainBounds(lower, value, upper + above, error + above, spectral=0.0, truncation=0.0)


def _shortfall(signal: float, quadratic: float, total: float, feasible: float) -> float:
    """Return 1 − ρ for the feasible ρ with the largest dual value."""
    residual = total - 2 * signal + quadratic
    best = (total - signal) / residual if residual > 0 else 1.0
    return 1 - max(min(best, feasible * (1 - 4 * UNIT_ROUNDOFF)), 0.0)
