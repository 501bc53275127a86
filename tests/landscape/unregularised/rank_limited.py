"""Networks without decay or noise, and the truth about them at 60 digits."""

import numpy as np
from mpmath import mp

import linscape as ls


def orthogonal(size, rng):
    """A random rotation or reflection."""
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def rows(rng, inputs=4, outputs=3, *, count=30, noise=0.3):
    """X (n, d) and Y (n, m), linear up to noise."""
    X = rng.standard_normal((count, inputs))
    Y = X @ rng.standard_normal((inputs, outputs))
    return X, Y + noise * rng.standard_normal(Y.shape)


def from_rows(X, Y, hidden, **network):
    """A problem from rows."""
    return ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(hidden, **network))


def with_modes(values, hidden, rng, *, inputs=None, total=None, rotate=True, **options):
    """A problem built backwards: E[yxᵀ]E[xxᵀ]⁻¹E[xyᵀ] has these eigenvalues."""
    outputs = len(values)
    inputs = outputs if inputs is None else inputs
    T = np.zeros((outputs, inputs))
    T[: min(outputs, inputs), : min(outputs, inputs)] = np.diag(np.sqrt(values[:inputs]))
    if rotate:
        T = orthogonal(outputs, rng) @ T @ orthogonal(inputs, rng)
    root = orthogonal(inputs, rng) * rng.uniform(1, 2, inputs) if rotate else np.eye(inputs)
    yy = T @ T.T + (0.1 if total is None else total) * np.eye(outputs)
    moments = ls.Moments(root @ root.T, root @ T.T, yy, n=10)
    return ls.Problem(moments, ls.Network(hidden), **options)


def mp_least_loss(problem, rank):
    """min c·E‖y − Rx‖² over rank R ≤ rank for the stored moments, E[xxᵀ] invertible, in mp.

    With M = R L, E[xxᵀ] = LLᵀ, it is c(E‖y‖² − the `rank` largest eigenvalues of TᵀT), T = L⁻¹C.
    """
    moments = problem.moments
    with mp.workdps(60):
        if problem.network.bias == "free":
            A, C, yy = moments.covariance_x, moments.covariance_xy, moments.covariance_y
        else:
            A, C, yy = moments.A, moments.C, moments.yy
        exact = [mp.matrix(np.reshape(part, (len(part), -1)).tolist()) for part in (A, C, yy)]
        A, C, yy = exact
        explained = C.T * mp.lu_solve(A, C) if C.cols == 1 else C.T * _solved(A, C)
        values = sorted(mp.eigsy((explained + explained.T) / 2, eigvals_only=True), reverse=True)
        total = mp.fsum(yy[i, i] for i in range(yy.rows))
        return mp.mpf(problem.data_factor) * (total - mp.fsum(values[:rank]))


def _solved(A, C):
    solution = mp.matrix(A.rows, C.cols)
    for column in range(C.cols):
        solution[:, column] = mp.lu_solve(A, C[:, column])
    return solution


def relative_slopes(problem, weights):
    """‖∂L/∂W_k‖‖W_k‖ over c·E‖y‖²: what a relative change of each layer does to the loss."""
    total = problem.data_factor * np.trace(np.atleast_2d(problem.moments.yy))
    parts = zip(problem.gradient(weights), weights, strict=True)
    return max(np.linalg.norm(slope) * np.linalg.norm(W) for slope, W in parts) / total
