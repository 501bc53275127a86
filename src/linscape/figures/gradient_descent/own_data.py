"""Gradient descent of many nets at once, each on data of its own: L = ½‖Y − W_N ⋯ W_1 X‖_F²."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CACHE = 2**19  # bytes of layers taken together: what stays in a core's cache
_LOOK = 10  # steps between looks at the loss


def excess(layers: list[Array], A: Array, C: Array) -> Array:
    """Return L less its value at zero, of layers (n, rows, columns), A = XXᵀ and C = YXᵀ."""
    P = _products(layers)[-1]
    return np.asarray(np.vecdot(_rows(P), _rows(P @ A / 2 - C)))


def advance(layers: list[Array], A: Array, C: Array, step_size: Array, count: int) -> None:
    """Take `count` steps in place, W_j ← W_j − η ∂L/∂W_j, with a step size for each net."""
    rates = step_size[:, None, None]
    for _ in range(count):
        products = _products(layers)
        residual = rates * (products[-1] @ A - C)
        for k in range(len(layers) - 1, 0, -1):
            update = residual @ products[k - 1].mT
            residual = layers[k].mT @ residual
            layers[k] -= update
        layers[0] -= residual


def diverges(
    layers: list[Array], A: Array, C: Array, limit: Array, step_size: Array, steps: int
) -> NDArray[np.bool_]:
    """Say which nets exceed `limit` in L less its value at zero within so many steps.

    The loss is looked at every tenth step; the layers given are left as they are.
    """
    count = len(A)
    together = max(1, _CACHE // sum(layer[0].nbytes for layer in layers))
    result = np.zeros(count, dtype=bool)
    for first in range(0, count, together):
        part = slice(first, first + together)
        result[part] = _part_diverges(
            [layer[part] for layer in layers], A[part], C[part], limit[part], step_size[part], steps
        )
    return result


def _part_diverges(
    layers: list[Array], A: Array, C: Array, limit: Array, step_size: Array, steps: int
) -> NDArray[np.bool_]:
    result = np.zeros(len(A), dtype=bool)
    running = np.arange(len(A))
    layers = [layer.copy() for layer in layers]
    for done in range(0, steps, _LOOK):
        with np.errstate(over="ignore", invalid="ignore"):
            advance(layers, A, C, step_size, min(_LOOK, steps - done))
            inside = excess(layers, A, C) <= limit  # false for NaN too
        result[running[~inside]] = True
        if not inside.any():
            break
        if not inside.all():
            running, A, C = running[inside], A[inside], C[inside]
            limit, step_size = limit[inside], step_size[inside]
            layers = [layer[inside] for layer in layers]
    return result


def _products(layers: list[Array]) -> list[Array]:
    """Return W_1, W_2W_1, …, W_N ⋯ W_1."""
    products = [layers[0]]
    for layer in layers[1:]:
        products.append(layer @ products[-1])
    return products


def _rows(matrices: Array) -> Array:
    return matrices.reshape(len(matrices), -1)
