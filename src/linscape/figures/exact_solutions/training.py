"""Descent on nonlinear networks with two hidden layers and biases, many at once, in float32.

The objective is mean (f − y)² + γ(‖weights‖² + ‖biases‖²), f = U φ(W_2 φ(W_1 x + β_1) + β_2) + β_U:
the one of Ziyin, Li & Meng (2022), Appendix D, with φ between the layers.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Activation = Literal["relu", "tanh"]

_CHECKED = 250  # steps between two looks whether a batch has come to rest
_REST = 1e-9  # of E[y²]: a gradient that over the size of the weights changes the loss by less


def kaiming(
    rng: np.random.Generator, widths: tuple[int, ...], nets: int
) -> tuple[list[Array], list[Array]]:
    """Return normal weights of variance 2/fan-in, and biases that are zero."""
    pairs = list(pairwise(widths))
    weights = [
        (np.sqrt(2 / before) * rng.standard_normal((nets, after, before))).astype(np.float32)
        for before, after in pairs
    ]
    return weights, [np.zeros((nets, after, 1), np.float32) for _, after in pairs]


def train(
    weights: list[Array],
    biases: list[Array],
    activation: Activation,
    X: Array,
    y: Array,
    *,
    weight_decay: Array,
    step_size: float,
    steps: int,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Array, Array]:
    """Train a batch of networks and return their data losses at 9/10 of the steps and at the end.

    X has shape (d, n), y (nets, 1, n). With `batch_size` each step takes that many random rows, the
    same for all networks; without, all rows, until every network has come to rest.
    """
    power = np.mean(np.square(y), axis=(1, 2))
    decay = weight_decay.astype(np.float32)[:, None, None]
    before = np.full(len(y), np.nan, np.float32)
    for step in range(steps):
        if step == (9 * steps) // 10:
            before = data_loss(weights, biases, activation, X, y)
        rows = X, y
        if batch_size is not None and rng is not None:
            chosen = rng.integers(X.shape[1], size=batch_size)
            rows = X[:, chosen], y[:, :, chosen]
        slopes = gradients(weights, biases, activation, *rows)
        slopes = tuple(
            [g + 2 * decay * w for g, w in zip(part, values, strict=True)]
            for part, values in zip(slopes, (weights, biases), strict=True)
        )
        weights, biases = (
            [w - np.float32(step_size) * g for w, g in zip(values, part, strict=True)]
            for part, values in zip(slopes, (weights, biases), strict=True)
        )
        if step % _CHECKED == 0:
            advance()
            if batch_size is None and _at_rest(
                [*weights, *biases], [*slopes[0], *slopes[1]], power
            ):
                before = data_loss(weights, biases, activation, X, y)
                break
    return before, data_loss(weights, biases, activation, X, y)


def gradients(
    weights: list[Array], biases: list[Array], activation: Activation, X: Array, y: Array
) -> tuple[list[Array], ...]:
    """Return the gradients of the data part of the loss, by weights and by biases."""
    layers = _layers(weights, biases, activation, X)
    adjoint = (2 / X.shape[-1]) * (layers[-1] - y)
    by_weights, by_biases = [], []
    for k in range(len(weights) - 1, -1, -1):
        by_weights.append(adjoint @ layers[k].swapaxes(-2, -1))
        by_biases.append(adjoint.sum(axis=-1, keepdims=True))
        if k > 0:
            h = layers[k]
            bend = (h > 0).astype(np.float32) if activation == "relu" else 1 - h * h
            # behind one output a product of matrices is an outer product, which is faster so
            back = np.multiply if weights[k].shape[-2] == 1 else np.matmul
            adjoint = back(weights[k].swapaxes(-2, -1), adjoint)
            adjoint *= bend
    return by_weights[::-1], by_biases[::-1]


def data_loss(
    weights: list[Array], biases: list[Array], activation: Activation, X: Array, y: Array
) -> Array:
    """Return mean (f − y)² of each network."""
    f = _layers(weights, biases, activation, X)[-1]
    loss: Array = np.mean(np.square(f - y), axis=(1, 2))
    return loss


def _layers(
    weights: list[Array], biases: list[Array], activation: Activation, X: Array
) -> list[Array]:
    """Return x, the hidden layers and f."""
    layers = [X]
    for k, (W, beta) in enumerate(zip(weights, biases, strict=True)):
        h = W @ layers[-1]
        h += beta
        if k < len(weights) - 1:
            h = np.maximum(h, 0, out=h) if activation == "relu" else np.tanh(h, out=h)
        layers.append(h)
    return layers


def _at_rest(values: list[Array], slopes: list[Array], power: Array) -> bool:
    norm, slope = (
        np.sqrt(sum(np.sum(np.square(part), axis=(1, 2)) for part in parts))
        for parts in (values, slopes)
    )
    return bool(np.all(norm * slope <= _REST * power))
