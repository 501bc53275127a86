"""Signs of the Hessian's eigenvalues, counted in the frame's units."""

import numpy as np
from numpy.typing import NDArray

from linscape import propagation
from linscape.landscape.classification import Classification
from linscape.landscape.unregularised.frame import Frame
from linscape.landscape.unregularised.tightness import BAND, levels
from linscape.problem import Problem

Array = NDArray[np.float64]

LARGEST = 600  # weights; beyond, the Hessian is not formed


def computed_inertia(
    problem: Problem, at: Frame, result: Classification
) -> tuple[int, int, int] | None:
    """Return (n₋, n₀, n₊), or None for large nets and where eigenvalues do not separate.

    Changing the units of layers and inputs keeps the signs (Sylvester). Directions of W_1 in which
    x does not vary add zeros. Biases free of decay add one zero for each hidden unit and one
    positive eigenvalue for each output: E[f] can be a coordinate in place of the last bias.
    """
    rows, columns = zip(*(layer.shape for layer in at.layers), strict=True)
    size = sum(r * c for r, c in zip(rows, columns, strict=True))
    if size > LARGEST or result.kind == "undecided":
        return None
    values = np.linalg.eigvalsh(_hessian(at)) if at.target.size else np.zeros(size)
    gradient, tolerance = result.gradient_norm, result.tolerance
    zero = 4 * levels(at, gradient, tolerance, 1.0).zero * (1 + at.size)
    magnitudes = np.abs(values)
    if np.any((magnitudes > zero) & (magnitudes <= BAND * zero)):
        return None
    negative, positive = int(np.sum(values < -zero)), int(np.sum(values > zero))
    if (result.kind == "strict saddle") != (negative > 0):
        return None
    total = sum(r * c for r, c in problem.shapes)
    if problem.network.bias == "free":
        positive += rows[-1]
    return negative, total - negative - positive, positive


def _hessian(at: Frame) -> Array:
    """Return the Hessian of ‖T − Ŵ_N⋯Ŵ_1‖²."""
    shapes = [layer.shape for layer in at.layers]
    sizes = [rows * columns for rows, columns in shapes]
    parts = np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
    directions = [part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
    masks = [np.ones((len(layer), len(layer))) for layer in at.layers[:-1]]
    white = np.eye(at.target.shape[1])
    products = propagation.hessian(at.layers, masks, white, at.target.T)(directions)
    flat = np.concatenate([product.reshape(sum(sizes), -1) for product in products], axis=1)
    hessian: Array = (flat + flat.T) / 2
    return hessian
