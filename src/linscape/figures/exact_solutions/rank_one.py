"""Descent of wide linear networks with two hidden layers, one output, no noise and A = I.

With p = U W_2 W_1 the loss is ‖p − c‖² + E[y²] − ‖c‖² + γΣ‖W‖², and every gradient of its data part
has rank one, so a step costs as much as a product with a vector; the library's own descent carries
second moments, which costs the cube of the width.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dger

from linscape.landscape.trap import TrapRadius

Array = NDArray[np.float64]

COLLAPSED, ELSEWHERE, UNDECIDED = 0.0, 1.0, 2.0

_LOOK = 20  # steps between two looks
_STILL = 1e-3  # a gradient over its decay part below which a run is at rest


def outcome(weights: list[Array], c: Array, decay: float, trap: TrapRadius, steps: int) -> float:
    """Return how descent from these weights ends, by steps that follow gradient flow.

    COLLAPSED once it is in a proven trap, ELSEWHERE once it is below the loss at zero or at rest.
    """
    W1, W2, U = (np.array(matrix, order="C") for matrix in weights)
    # W_2 is scale · W2 with norm at most size: decaying and measuring it cost passes over it
    scale = size = 1.0
    for step in range(steps):
        if step % _LOOK == 0:
            W2, scale = scale * W2, 1.0
            size = float(np.linalg.norm(W2))
            end = _ended([W1, W2, U], c, decay, trap)
            if end != UNDECIDED:
                return end
        v, H = scale * (U @ W2), scale * (W2 @ W1)
        residual = 2 * (v @ W1 - c)
        eta = step_size(W1, size, U, v, H, residual, decay)
        shrink, first = 1 - 2 * eta * decay, W1 @ residual[0]
        size = shrink * size + eta * float(np.linalg.norm(U) * np.linalg.norm(first))
        scale *= shrink
        dger(-eta / scale, first, U[0], a=W2.T, overwrite_a=True)
        W1 = shrink * W1 - eta * (v.T * residual)
        U = shrink * U - eta * (H @ residual[0])
    return UNDECIDED


def critical_gain(
    weights: list[Array], c: Array, decay: float, trap: TrapRadius, steps: int, halvings: int
) -> float:
    """Return the gain at which these weights cease to collapse, by bisection up to gain 1."""
    low, high = math.log(min(float(trap.margin(weights)), 1.0)), 0.0
    for _ in range(halvings):
        middle = (low + high) / 2
        scaled = [math.exp(middle) * matrix for matrix in weights]
        if outcome(scaled, c, decay, trap, steps) == COLLAPSED:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def step_size(
    W1: Array, size: float, U: Array, v: Array, H: Array, residual: Array, decay: float
) -> float:
    """Return half of a lower bound on 1/‖Hessian‖; ‖W_2‖ ≤ size, residual = 2(p − c).

    The Hessian is that of the decay, of the slopes of p, and of its bends: U, W_2 and W_1 between
    two layers each.
    """
    slopes = np.sum(v * v) * np.eye(W1.shape[1]) + np.sum(U * U) * (W1.T @ W1) + H.T @ H
    largest = max(size, float(np.linalg.norm(W1)), float(np.linalg.norm(U)))
    bends = 2 * float(np.linalg.norm(residual)) * largest
    return 0.5 / (2 * float(np.linalg.eigvalsh(slopes)[-1]) + bends + 2 * decay)


def gradients(weights: list[Array], c: Array, decay: float) -> list[Array]:
    """Return the gradient by each layer."""
    W1, W2, U = weights
    v, H = U @ W2, W2 @ W1
    residual = 2 * (v @ W1 - c)
    slopes = (v.T * residual, U.T * (W1 @ residual.T).T, (H @ residual.T).T)
    return [slope + 2 * decay * matrix for slope, matrix in zip(slopes, weights, strict=True)]


def _ended(weights: list[Array], c: Array, decay: float, trap: TrapRadius) -> float:
    if trap.margin(weights) > 1:
        return COLLAPSED
    W1, W2, U = weights
    p = (U @ W2) @ W1
    size = sum(float(np.sum(matrix * matrix)) for matrix in weights)
    if float(np.sum(p * p) - 2 * np.sum(p * c)) + decay * size < 0:
        return ELSEWHERE
    parts = gradients(weights, c, decay)
    slope = math.sqrt(sum(float(np.sum(part * part)) for part in parts))
    return ELSEWHERE if slope <= _STILL * 2 * decay * math.sqrt(size) else UNDECIDED
