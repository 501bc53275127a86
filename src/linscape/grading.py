"""The eigendecomposition of badly scaled moments, with errors relative to each eigenvalue.

Where columns of x have very different scales, an eigendecomposition loses the small ones: its error
is a fraction of the largest eigenvalue. Here A = 2^k R 2^k, R of unit diagonal, is taken apart in
two steps. R = VMVᵀ is well scaled; B = 2^k V √M then has BBᵀ = A, and its singular values come from
LAPACK's preconditioned Jacobi method, which loses nothing to the scales. All is checked afterwards.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF, EigenBounds, eigen_bounds, gram_residual

Array = NDArray[np.float64]

_WORST = 2.0**-20  # larger relative errors of the eigenvalues gain nothing over the plain method
_SAFETY = 1 + 2.0**-20
_ROW_SCALED = 2  # dgejsv's joba = 'F': accurate for diagonal × well-conditioned matrices


def is_badly_scaled(A: Array) -> bool:
    """Say whether variances differ so much that the plain eigendecomposition loses digits."""
    variances = np.diagonal(A)
    return bool(0 < np.min(variances) < 2.0**-20 * np.max(variances))


def graded_bounds(A: Array, *, diagonal_error: float = 0.0) -> EigenBounds | None:
    """Diagonalise with relative errors, or return None if the correlations are near singular.

    The diagonal of A may itself carry a relative error.

    With A = QΣ²Qᵀ + E and ‖2^{−k}E2^{−k}‖₂ ≤ e, R ≥ m and so A ≥ m·4^k give |pᵀEp| ≤ (e/m) pᵀAp:
    a relative error. The components of c are (QᵀQ)⁻¹Qᵀc, so that Q need not be orthogonal to the
    last bit; ‖p‖² then is the sum of squares of p's components up to a factor 1 ± ‖QᵀQ − I‖.

    Examples
    --------
    >>> A = np.array([[0.9, 1e-12], [1e-12, 1e-20]])
    >>> bounds = graded_bounds(A)
    >>> bool(abs(bounds.values[0] / (1e-20 - 1e-24 / 0.9) - 1) < 1e-14), bounds.value_error
    (True, 0.0)
    """
    from scipy.linalg.lapack import dgejsv

    exponents = (np.frexp(np.diagonal(A))[1] + 1) // 2
    R = np.ldexp(A, -(exponents[:, None] + exponents))
    size = 2.0 ** -np.ceil(np.log2(len(A)))  # keeps ‖R‖_F at most one
    inner = eigen_bounds(R * size)
    least = (inner.values[0] - inner.value_error) / size
    if least <= 0:
        return None
    B = np.ldexp(inner.basis * np.sqrt(inner.values / size), exponents[:, None])
    sigma, Q, _, scales, _, info = dgejsv(B, joba=_ROW_SCALED)
    if info != 0 or not sigma[-1] > 0:
        return None
    sigma, Q = sigma[::-1] * (scales[0] / scales[1]), Q[:, ::-1]
    rows = np.ldexp(Q * sigma, -exponents[:, None])
    _, residual = gram_residual(rows, R)
    rounding = 4 * UNIT_ROUNDOFF * math.sqrt(len(A)) * math.sqrt(len(A) * 1.01)
    overlap, distance = gram_residual(Q.T)
    relative = _SAFETY * (residual + rounding + diagonal_error) / least
    if relative > _WORST or distance > _WORST:
        return None
    return EigenBounds(
        values=sigma**2,
        basis=Q,
        value_error=0.0,
        basis_error=_SAFETY * distance**2 + 4 * UNIT_ROUNDOFF * distance + UNIT_ROUNDOFF * 2.0**-20,
        relative_error=relative,
        norm_error=_SAFETY * distance,
        overlap=overlap,
    )
