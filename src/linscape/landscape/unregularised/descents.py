"""Explicit directions down from strict saddles of an undecayed network, without an eigen-solver.

All are directions of the factors of a :class:`~linscape.landscape.unregularised.frame.Frame`, as
{layer: matrix}, layers counted from 1. E = T − P is the residual, B_{a:b} = Ŵ_a⋯Ŵ_b.
"""

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.unregularised.frame import Frame
from linscape.landscape.unregularised.tightness import residual_block

Array = NDArray[np.float64]
Moves = dict[int, Array]


def exchange(frame: Frame, kept: Array, missing: Array) -> Moves:
    """Return the direction that turns an output mode u_s the network has into u_q it lacks.

    V_N = u_q u_sᵀŴ_N and V_1 = z u_qᵀT with B_{N:2}z = u_s: the product moves by
    u_q u_sᵀT + u_s u_qᵀT, and with both amounts one the loss by λ_s − λ_q to second order.
    """
    layers = len(frame.layers)
    z = np.linalg.lstsq(frame.upper(1), kept, rcond=None)[0]
    return {
        layers: np.outer(missing, kept @ frame.layers[-1]),
        1: np.outer(z, missing @ frame.target),
    }


def loosened(frame: Frame, i: int, j: int, noise: float) -> list[Moves]:
    """Return directions of layers i and j that lower the loss, of which one at least must.

    V_i = a bᵀ, V_j = e fᵀ, where f and a are the leading singular vectors of B_{j−1:1}EᵀB_{N:i+1}.
    Their mixed term is (fᵀB_{j−1:1}EᵀB_{N:i+1}a)(bᵀB_{i−1:j+1}e). With B_{N:j+1}e = 0, or with
    bᵀB_{i−1:1} = 0, one of them leaves the product to first order, and the mixed term wins. Were
    neither possible, the null spaces of B_{N:j+1} and B_{i−1:j+1} would agree, and so would those
    on the left of B_{i−1:1}; with P of rank r, the block B_{i−1:j+1} would have rank r.
    """
    left, _, right = np.linalg.svd(residual_block(frame, i, j))
    f, a = left[:, 0], right[0]
    between = frame.between(i, j)
    free_below = null_space(frame.upper(j), noise)
    free_above = null_space(frame.lower(i - 1).T, noise)
    pairs = []
    if free_below.shape[1]:
        _, _, coefficients = np.linalg.svd(between @ free_below)
        e = free_below @ coefficients[0]
        pairs.append((_normalised(between @ e), e))
    if free_above.shape[1]:
        _, _, coefficients = np.linalg.svd(between.T @ free_above)
        b = free_above @ coefficients[0]
        pairs.append((b, _normalised(between.T @ b)))
    return [{i: np.outer(a, b), j: np.outer(e, f)} for b, e in pairs]


def null_space(matrix: Array, noise: float) -> Array:
    """Return an orthonormal basis of the directions that `matrix` takes to nothing, as columns."""
    _, values, right = np.linalg.svd(matrix)
    rank = int(np.sum(values > noise))
    basis: Array = right[rank:].T
    return basis


def _normalised(vector: Array) -> Array:
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm else vector
