"""A linear map as stretch times rotation, R = KQ, and the powers of both."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import schur

from linscape.errors import InvalidData

Array = NDArray[np.float64]
Determinant = Literal["positive", "negative", "undecided"]


@dataclass(frozen=True)
class Polar:
    """R = KQ: K = U diag(σ) Uᵀ positive definite, Q = W diag(e^{iφ}) Wᴴ orthogonal.

    The columns of the unitary W come in conjugate pairs, one for each plane that Q rotates, so that
    every power Q^t is real; eigenvalues −1 are paired as rotations by π, which det Q = 1 allows.
    """

    directions: Array
    logarithms: Array
    planes: NDArray[np.complex128]
    angles: Array

    @property
    def largest_angle(self) -> float:
        """The largest angle by which Q rotates a plane, in [0, π]."""
        return float(np.abs(self.angles).max())

    def stretch(self, power: float | Array) -> Array:
        """Return K^t − I, exact also where it is small; t may have batch axes."""
        values = np.expm1(np.multiply.outer(power, self.logarithms))
        U = self.directions
        scaled = U * values[..., None, :]
        # one product of tall matrices: many small ones are slow where BLAS has threads
        return np.asarray((scaled.reshape(-1, len(U)) @ U.T).reshape(scaled.shape))

    def rotation(self, power: float | Array) -> Array:
        """Return Q^t − I, exact also where it is small; t may have batch axes."""
        values = np.expm1(1j * np.multiply.outer(power, self.angles))
        W = self.planes
        scaled = W * values[..., None, :]
        return np.asarray((scaled.reshape(-1, len(W)) @ W.conj().T).real.reshape(scaled.shape))

    def share(self, stretch: float | Array, rotation: float | Array) -> Array:
        """Return K^a Q^b − I."""
        S, T = self.stretch(stretch), self.rotation(rotation)
        return np.asarray(S + T + S @ T)


def checked_map(R: ArrayLike) -> Array:
    """Return R as a square matrix of finite float64, or refuse it."""
    matrix = np.asarray(R)
    shape: Any = matrix.shape
    if matrix.dtype.kind not in "fiub" or matrix.ndim != 2 or shape[0] != shape[1] or not shape[0]:
        raise InvalidData(
            "R must be a real square matrix, at least 1 by 1, for a residual net keeps the "
            f"dimension; got {matrix.dtype} of shape {shape}"
        )
    if not np.isfinite(matrix).all():
        raise InvalidData("R has entries that are NaN or infinite; give a finite matrix")
    return matrix.astype(np.float64)


def rounding(singular_values: Array) -> float:
    """Return a bound on the rounding of the singular values of a matrix."""
    return float(8 * len(singular_values) * np.finfo(np.float64).eps * singular_values[0])


def determinant_of(R: Array) -> Determinant:
    """Return the sign of det R, undecided where rounding could have made R singular."""
    U, singular_values, Vt = _singular(R)
    if singular_values[-1] <= rounding(singular_values):
        return "undecided"
    return "positive" if np.linalg.det(U @ Vt) > 0 else "negative"


def polar(R: Array) -> Polar:
    """Return the polar form of a matrix of positive determinant."""
    U, singular_values, Vt = _singular(R)
    logarithms = np.log(singular_values)
    planes, angles = _planes(U @ Vt, (U * logarithms) @ U.T)
    return Polar(U, logarithms, planes, angles)


def _singular(R: Array) -> tuple[Array, Array, Array]:
    U, singular_values, Vt = np.linalg.svd(R)
    return np.asarray(U), np.asarray(singular_values), np.asarray(Vt)


def _planes(Q: Array, log_K: Array) -> tuple[NDArray[np.complex128], Array]:
    """Return W and φ of a rotation.

    Its real Schur form is block diagonal up to rounding: ±1, and rotations of a plane.
    """
    T, Z = schur(Q, output="real")
    pairs: list[tuple[Array, Array, float]] = []
    fixed: list[Array] = []
    flipped: list[Array] = []
    column = 0
    while column < len(Q):
        if column + 1 < len(Q) and T[column + 1, column] != 0:
            angle = float(np.arctan2(T[column + 1, column], T[column, column]))
            pairs.append((Z[:, column], Z[:, column + 1], angle))
            column += 2
        else:
            (fixed if T[column, column] > 0 else flipped).append(Z[:, column])
            column += 1
    flipped = _alike(flipped, log_K)
    pairs += [(p, q, np.pi) for p, q in zip(flipped[::2], flipped[1::2], strict=True)]
    half = [(p - 1j * q) / np.sqrt(2) for p, q, _ in pairs]
    turns = [angle for *_, angle in pairs]
    columns = [*half, *(w.conj() for w in half), *fixed]
    angles = [*turns, *(-angle for angle in turns), *(0.0 for _ in fixed)]
    return np.stack(columns, axis=1).astype(np.complex128), np.array(angles)


def _alike(vectors: list[Array], log_K: Array) -> list[Array]:
    """Return another basis of the same space, in which neighbours are stretched most alike.

    Any two vectors that Q reverses may be paired as a half turn; it commutes with K if K stretches
    them by the same factor.
    """
    if not vectors:
        return []
    basis = np.stack(vectors, axis=1)
    return list((basis @ np.linalg.eigh(basis.T @ log_K @ basis)[1]).T)
