"""How far a computed eigendecomposition can be from the matrix, proven after the fact.

Matrix products are split so that their leading part is exact in float64: entries rounded to
multiples of 2⁻²⁶ have products that are multiples of 2⁻⁵², and rows of norm at most one keep every
partial sum below 2, so no addition rounds, in whatever order BLAS adds. What is left is 2⁻²⁶
smaller, and its rounding errors vanish beside the bound.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

UNIT_ROUNDOFF = 2.0**-53
_GRID = 1.5 * 2.0**26  # adding and subtracting it rounds to multiples of 2⁻²⁶
_LARGE = 200
_SAFETY = 1 + 2.0**-20  # covers the rounding of the norms themselves, for any d below 10⁴


@dataclass(frozen=True)
class EigenBounds:
    """A = O diag(a) Oᵀ + E, where O is the orthogonal matrix nearest to the computed basis.

    Attributes
    ----------
    values : (d,) ndarray
        a, ascending, none negative; each carries a relative rounding error of one unit.
    basis : (d, d) ndarray
        The computed eigenvectors, one a column.
    value_error : float
        Proven bound on ‖E‖₂, or 0 where the error is relative.
    basis_error : float
        Proven bound on the error of the components of a vector of norm one.
    relative_error : float
        Proven bound on |pᵀEp|/pᵀAp where :mod:`linscape.grading` gives one, else 0.
    norm_error : float
        Bound on the relative error of ‖p‖² as the sum of squares of p's components.
    overlap : (d, d) ndarray or None
        QᵀQ − I, where the components are (QᵀQ)⁻¹Qᵀc.
    """

    values: Array
    basis: Array
    value_error: float
    basis_error: float
    relative_error: float = 0.0
    norm_error: float = 0.0
    overlap: Array | None = None

    def components(self, c: Array) -> tuple[Array, float]:
        """Return the components of c, ‖c‖ ≤ 1, and a bound on the norm of their error.

        Each component carries a relative rounding error of four units besides.
        """
        size = float(np.linalg.norm(c))
        if self.overlap is not None:
            components = _rotate(self.basis, c)
            return components - self.overlap @ components, _SAFETY * self.basis_error * size
        if self.basis_error == 0:
            return self.basis.T @ c, 0.0
        error = (self.basis_error + 2 * UNIT_ROUNDOFF) * size
        return _rotate(self.basis, c), _SAFETY * error


def eigen_bounds(A: Array) -> EigenBounds:
    """Diagonalise a symmetric matrix and bound the error a posteriori.

    Parameters
    ----------
    A : (d, d) ndarray
        Symmetric, of Frobenius norm at most one, its eigenvalues not negative up to rounding.

    Examples
    --------
    A diagonal matrix is its own decomposition, without error:

    >>> bounds = eigen_bounds(np.diag([0.5, 0.25]))
    >>> bounds.values, bounds.value_error
    (array([0.25, 0.5 ]), 0.0)
    """
    diagonal = np.diagonal(A)
    if _is_diagonal(A):
        order = np.argsort(diagonal, kind="stable")
        values = np.maximum(diagonal[order], 0.0)
        negative = max(0.0, -float(np.min(diagonal, initial=0.0)))
        return EigenBounds(values, np.eye(len(A))[:, order], negative, 0.0)
    computed, Q = np.linalg.eigh(A)
    roots = np.sqrt(np.maximum(computed, 0.0))
    _, residual = gram_residual(Q * roots, A)
    norm = float(np.max(np.abs(computed))) * (1 + 2.0**-30)
    # rounding Q·√a moves each of its entries by one unit, and with it the product by twice that
    rounding = 2 * UNIT_ROUNDOFF * math.sqrt(norm * float(np.sum(roots**2)))
    # O has ‖Q − O‖ ≤ ω/(2 − ω) with ω = ‖QᵀQ − I‖
    _, orthogonality = gram_residual(Q.T)
    distance = _SAFETY * orthogonality / (2 - orthogonality)
    error = _SAFETY * (residual + rounding + 2 * distance * (1 + distance) * norm)
    return EigenBounds(roots**2, Q, error, distance)


def symmetric_product(A: Array, x: Array) -> tuple[Array, float]:
    """Return Ax and a bound on its error's norm, for A as in :func:`eigen_bounds`, ‖x‖ ≤ 1."""
    image = _rotate(A, x)
    low = len(x) ** 1.5 * 2.0**-25 * float(np.linalg.norm(x))
    return image, UNIT_ROUNDOFF * (2 * float(np.linalg.norm(image)) + low)


def _is_diagonal(A: Array) -> bool:
    return not any(row[:i].any() or row[i + 1 :].any() for i, row in enumerate(A))


def _split(X: Array) -> tuple[Array, Array]:
    high = X + _GRID
    high -= _GRID
    return high, X - high


def gram_residual(B: Array, target: Array | None = None) -> tuple[Array, float]:
    """Return BBᵀ − target and a bound on its norm, for B with rows of norm (nearly) one at most.

    The target is the identity if none is given.
    """
    high, low = _split(B)
    residual = high @ high.T
    if target is None:
        residual.flat[:: len(B) + 1] -= 1
    else:
        residual -= target
    high += B
    correction = low @ high.T
    correction *= 0.5
    residual += correction
    residual += correction.T
    rows, columns = B.shape
    # |low| ≤ 2⁻²⁷ and rows of norm one bound the rounding of the correction's inner products
    rounding = 2 * columns * UNIT_ROUNDOFF * 2.0**-27 * math.sqrt(columns) * rows
    return residual, float(_SAFETY * (_symmetric_norm(residual) + rounding))


def _symmetric_norm(R: Array) -> float:
    """Return ‖R‖₂, or for a large matrix, where that costs more than it gains, ‖R‖_F above it."""
    if len(R) > _LARGE:
        return float(np.linalg.norm(R))
    return float(np.max(np.abs(np.linalg.eigvalsh(R)), initial=0.0))


def _rotate(Q: Array, c: Array) -> Array:
    """Return Qᵀc to about one unit of ‖c‖."""
    Q_high, Q_low = _split(Q)
    c_high, c_low = _split(c)
    result: Array = Q_high.T @ c_high + (Q_low.T @ c + Q_high.T @ c_low)
    return result
