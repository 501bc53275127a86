"""Theorem 2.2 on given weights: inside the region no small gradient without a small loss."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidMoments
from linscape.moments import Moments
from linscape.residual.objective import checked_factors, residual_problem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ResidualGradientBound:
    """The inequality ‖∇f‖ ≥ 2√l (1 − τ)^{l−1} √(λ (f − f*)) at given layers.

    Attributes
    ----------
    norm : float
        τ = max_i ‖A_i‖₂.
    inside : bool
        Whether τ < 1, where the inequality is proven.
    gradient_norm : float
        ‖∇f‖, over all layers.
    bound : float
        The right side; 0 outside, where it says nothing.
    excess : float
        f − f*, above the least loss of any linear map, in the directions that vary.
    smallest_eigenvalue : float
        λ, the smallest eigenvalue of E[xxᵀ] that is not zero up to rounding.
    holds : bool or None
        Whether the gradient computed is at least the bound, up to its own rounding; None outside.
    source : str
        What it rests on.
    """

    norm: float
    inside: bool
    gradient_norm: float
    bound: float
    excess: float
    smallest_eigenvalue: float
    holds: bool | None
    source: str = "Hardt & Ma (2016), Theorem 2.2"

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers ready for JSON."""
        return asdict(self)


@guarded
def residual_gradient_bound(moments: Moments, factors: ArrayLike) -> ResidualGradientBound:
    r"""Check Theorem 2.2 of Hardt and Ma at the layers A_1, …, A_l of a linear residual net.

    For f = E‖(I + A_l) ⋯ (I + A_1)x − y‖² (no ½), τ = max_i ‖A_i‖₂ < 1, f* the least loss of any
    linear map and λ the smallest positive eigenvalue of E[xxᵀ],

    .. math:: ‖∇f‖² ≥ 4l (1 − τ)^{2l−2} λ (f − f^*)

    so that a point with τ < 1 and ∇f = 0 is a global minimum. Square roots of both sides are
    reported. At τ = 0 and E[xxᵀ] = λI the two are equal. Outside, at τ ≥ 1, critical points that
    are no minima exist: all A_i = −I, for two layers or more.

    Parameters
    ----------
    moments : Moments
        Second moments of d inputs and as many outputs, E[xxᵀ] not zero.
    factors : (l, d, d) array
        A_1, …, A_l.

    Raises
    ------
    InvalidWeights
        If the layers are not finite real matrices of the size of the data.
    InvalidMoments
        If there are not as many outputs as inputs, or all inputs are zero.
    OutOfRange
        If the gradient is too large for a 64-bit float.

    References
    ----------
    Hardt & Ma (2016), *Identity matters in deep learning*, Theorem 2.2 and its proof. It is stated
    there for nonsingular E[xxᵀ]; zero eigenvalues do no harm, since E[yxᵀ] vanishes on them.

    Examples
    --------
    x = 1, y = 3, one layer A = 0: f − f* = 4, and both sides are 2·2.

    >>> import linscape as ls
    >>> check = residual_gradient_bound(ls.Moments([[1.0]], [3.0], 9.0), [[[0.0]]])
    >>> check.gradient_norm, check.bound, check.holds
    (4.0, 4.0, True)
    """
    layers = checked_factors(factors, moments.inputs)
    problem = residual_problem(moments, len(layers))
    weights = list(np.eye(moments.inputs) + layers)
    gradient_norm = float(np.linalg.norm([np.linalg.norm(G) for G in problem.gradient(weights)]))
    norm = float(np.linalg.norm(layers, 2, axis=(1, 2)).max())
    smallest, root_excess, noise = _distance(moments, np.atleast_2d(problem.predictor(weights)))
    inside = bool(norm < 1)
    count = len(layers)
    factor = 2 * math.sqrt(count) * (1 - norm) ** (count - 1) if inside else 0.0
    bound = factor * math.sqrt(smallest) * root_excess
    # the residual's rounding, as the layers pass it on, and the products' own
    slack = 2 * math.sqrt(count) * (1 + norm) ** (count - 1) * noise + 1e-10 * bound
    return ResidualGradientBound(
        norm=norm,
        inside=inside,
        gradient_norm=gradient_norm,
        bound=bound,
        excess=root_excess**2,
        smallest_eigenvalue=smallest,
        holds=bool(gradient_norm + slack >= bound) if inside else None,
    )


def _distance(moments: Moments, M: Array) -> tuple[float, float, float]:
    """Return λ, √(f − f*) and the rounding of the residual M E[xxᵀ] − E[yxᵀ].

    With E[xxᵀ] = V diag(λ) Vᵀ, f − f* = Σ_k ‖(M E[xxᵀ] − E[yxᵀ]) v_k‖²/λ_k: no two nearly equal
    losses are subtracted.
    """
    A, C = moments.A, np.asarray(moments.C).reshape(moments.inputs, -1)
    values, V = np.linalg.eigh(A)
    eps = len(A) * np.finfo(np.float64).eps
    kept = values > eps * values[-1]
    if not kept.any():
        raise InvalidMoments("E[xxᵀ] is zero: no input varies; give data with inputs")
    residual = M @ A - C.T
    components = np.linalg.norm(residual @ V[:, kept], axis=0) / np.sqrt(values[kept])
    noise = 8 * eps * float(np.linalg.norm(M) * np.linalg.norm(A) + np.linalg.norm(C))
    return float(values[kept][0]), float(np.linalg.norm(components)), noise
