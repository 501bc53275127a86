"""Critical points of nets without decay or noise, built from their modes; exact Hessians of them.

P = W_H ⋯ W_1, W_H = [U_S, U_Q Z_H] D_{H−1}⁻¹, W_h = D_h diag(I, Z_h) D_{h−1}⁻¹ and
W_1 = D_1 [U_Sᵀ E[yxᵀ] E[xxᵀ]⁺; Z_1].
"""

from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

import linscape as ls
from cases import orthogonal


class Data(NamedTuple):
    """Moments with the eigenvalues λ of E[yxᵀ] E[xxᵀ]⁺ E[xyᵀ] and what builds critical points."""

    moments: ls.Moments
    eigenvalues: np.ndarray  # one for each output
    basis: np.ndarray  # U, as columns
    regression: np.ndarray  # E[yxᵀ] E[xxᵀ]⁺


def data(rng, inputs, eigenvalues, *, rank=None):
    """Random moments with these eigenvalues; E[xxᵀ] has the rank, at least that of the λ."""
    values = np.asarray(eigenvalues, dtype=float)
    outputs, rank = len(values), inputs if rank is None else rank
    U, K = orthogonal(outputs, rng), orthogonal(inputs, rng)
    roots = np.zeros(inputs)
    roots[:rank] = rng.uniform(0.7, 1.4, rank)
    V, count = K[:, :rank] @ orthogonal(rank, rng), min(rank, outputs)
    signal = (U[:, :count] * np.sqrt(values[:count])) @ V[:, :count].T
    half = (K * roots) @ K.T
    inverse = (K[:, :rank] / roots[:rank]) @ K[:, :rank].T
    A = half @ half
    yy = (U * (values + 1)) @ U.T
    moments = ls.Moments((A + A.T) / 2, half @ signal.T, (yy + yy.T) / 2)
    return Data(moments, values, U, signal @ inverse)


def critical_point(rng, data, modes, hidden, Z=None):
    """Weights with these modes; Z[h], h = 1..H, are the blocks that are not zero."""
    modes = list(modes)
    rest = [i for i in range(len(data.eigenvalues)) if i not in modes]
    U_S, U_Q, r, Z = data.basis[:, modes], data.basis[:, rest], len(modes), Z or {}
    widths = (data.regression.shape[1], *hidden, len(data.eigenvalues))
    layers = []
    for h, (below, above) in enumerate(pairwise(widths), start=1):
        W = np.zeros((above, below))
        if h == 1:
            W[:r] = U_S.T @ data.regression
            W[r:] = Z.get(h, 0)
        elif h == len(hidden) + 1:
            W[:, :r], W[:, r:] = U_S, U_Q @ Z[h] if h in Z else 0
        else:
            W[:r, :r] = np.eye(r)
            W[r:, r:] = Z.get(h, 0)
        layers.append(W)
    for h, width in enumerate(hidden):
        D = (orthogonal(width, rng) * rng.uniform(0.7, 1.4, width)) @ orthogonal(width, rng)
        layers[h] = D @ layers[h]
        layers[h + 1] = layers[h + 1] @ np.linalg.inv(D)
    return layers


def integer_hessian(Y, weights):
    """4 ∂²‖Y − W_H ⋯ W_1‖² in Python's integers: mixed differences, exact as each power is ≤ 2."""
    shapes = [np.shape(W) for W in weights]
    cuts = np.cumsum([a * b for a, b in shapes])[:-1]
    w = np.concatenate([np.ravel(W) for W in weights]).astype(object)
    Y = np.asarray(Y).astype(object)

    def loss(*moves):
        v = w.copy()
        for i, step in moves:
            v[i] += step
        parts = [part.reshape(shape) for part, shape in zip(np.split(v, cuts), shapes, strict=True)]
        product = parts[0]
        for W in parts[1:]:
            product = W @ product
        return ((Y - product) ** 2).sum()

    size, middle = len(w), loss()
    H = np.zeros((size, size), dtype=object)
    for i in range(size):
        H[i, i] = 4 * (loss((i, 1)) - 2 * middle + loss((i, -1)))
        for j in range(i):
            corners = [a * b * loss((i, a), (j, b)) for a in (1, -1) for b in (1, -1)]
            H[i, j] = H[j, i] = sum(corners)
    return H


def exact_inertia(matrix):
    """(n₋, n₀, n₊) of an integer symmetric matrix by congruence, in rational arithmetic."""
    rows = [[Fraction(int(x)) for x in row] for row in matrix]
    negative = positive = 0
    while rows:
        size = len(rows)
        pivot = next((i for i in range(size) if rows[i][i]), None)
        if pivot is None:
            pair = next(((i, j) for i in range(size) for j in range(i) if rows[i][j]), None)
            if pair is None:
                break
            i, j = pair  # add row and column j to i: the diagonal becomes 2 rows[i][j] ≠ 0
            rows[i] = [a + b for a, b in zip(rows[i], rows[j], strict=True)]
            for row in rows:
                row[i] += row[j]
            pivot = i
        row = rows.pop(pivot)
        diagonal = row.pop(pivot)
        negative, positive = negative + (diagonal < 0), positive + (diagonal > 0)
        for other in rows:
            factor = other.pop(pivot) / diagonal
            if factor:
                other[:] = [a - factor * b for a, b in zip(other, row, strict=True)]
    return negative, len(matrix) - negative - positive, positive
