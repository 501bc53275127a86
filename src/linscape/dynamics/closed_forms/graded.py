"""Orthonormal bases of matrices whose rows differ by factors beyond the range of floats."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def graded_basis(rows: Array, exponents: Array) -> Array:
    r"""Return Q with orthonormal columns and the range of diag(e^ℓ) B, for B of full column rank.

    Householder's QR with rows and columns exchanged so that the largest entry is the pivot has
    errors that are small relative to each row of diag(e^ℓ) B (Cox & Higham, 1998), however far
    the rows lie apart. The factors e^ℓ only ever enter relative to the pivot's.

    Parameters
    ----------
    rows : ndarray, shape (n, k)
        B, n ≥ k.
    exponents : ndarray, shape (n,)
        ℓ: natural logarithms of the rows' factors.

    Examples
    --------
    >>> Q = graded_basis(np.array([[1.0, 1.0], [1.0, 2.0], [3.0, 4.0]]), np.array([0, 900, 2000.0]))
    >>> (np.abs(Q @ Q.T) + 0.0).round(12)
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    B = np.array(rows, dtype=np.float64)
    size, columns = B.shape
    left = np.ones(size, dtype=bool)  # rows that are no pivot yet
    Q, reflections = np.zeros((size, columns)), []
    for step in range(columns):
        with np.errstate(divide="ignore"):
            magnitude = np.log(np.abs(B[:, step:])) + exponents[:, None]
        magnitude[~left] = -np.inf
        pivot, column = divmod(int(np.argmax(magnitude)), columns - step)
        relative = np.sign(B[:, step:]) * np.exp(magnitude - magnitude[pivot, column])
        for matrix, first in ((B, step), (relative, 0)):
            pair = np.array([first, first + column])
            matrix[:, pair] = matrix[:, pair[::-1]]
        v = relative[:, 0].copy()
        norm = np.linalg.norm(v)
        v[pivot] += np.copysign(norm, v[pivot])
        beta = 1 / (norm * (norm + 1))  # 2/‖v‖², the pivot being ±1
        left[pivot] = False
        # v_i e^{−ℓ_i} is B_i's own entry in every row but the pivot's, which is done with
        B[left, step:] -= np.outer(B[left, step], beta * (v @ relative))
        Q[pivot, step] = 1.0
        reflections.append((v, beta))
    for v, beta in reversed(reflections):
        Q -= np.outer(beta * v, v @ Q)
    return Q
