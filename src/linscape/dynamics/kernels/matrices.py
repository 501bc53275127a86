"""Steps of descent by numpy's batched matrix products: any size, any network."""

import numpy as np
from numpy.typing import NDArray

from linscape import propagation
from linscape.dynamics.kernels.nets import CONVERGED, DIVERGED, LARGEST, RUNNING, Nets
from linscape.dynamics.kernels.units import Units

Array = NDArray[np.float64]

# bytes of one net's layers times nets taken together: what stays in a core's cache
_CACHE = 2**19


def advance(nets: Nets, units: Units, count: int, momentum: float, nesterov: bool) -> None:
    """Take `count` steps with every net that has not stopped, a cacheful of nets at a time."""
    members = np.flatnonzero(nets.status == RUNNING)
    size = sum(layer[0].nbytes for layer in nets.layers)
    together = max(1, _CACHE // size)
    for first in range(0, len(members), together):
        chosen = members[first : first + together]
        part = nets.part(chosen)
        with np.errstate(over="ignore", invalid="ignore"):
            _advance(part, units, count, momentum, nesterov)
        nets.put(chosen, part)
    nets.step += count


def squared_norm(units: Units, vectors: list[Array]) -> Array:
    """Return Σ K∘V², the squared length in the problem's own units but for a common factor."""
    total = np.zeros(vectors[0].shape[:-2])
    for scale, vector in zip(units.scale, vectors, strict=True):
        if scale.size == 1:
            total += scale[0, 0] * _dot(vector, vector)
        else:
            total += _dot(scale * vector, vector)
    return total


def gradient(units: Units, layers: list[Array]) -> tuple[list[Array], Array]:
    """Return the derivative of L' by each layer, and twice the excess of L' over its value at 0."""
    data = _with_noise if units.noisy else _without_noise
    gradients, excess = data(units, layers)
    for pull, layer, own in zip(units.pull, layers, gradients, strict=True):
        if pull.any():
            decayed = pull * layer
            own += decayed
            excess += _dot(decayed, layer)
    return gradients, excess


def _dot(one: Array, two: Array) -> Array:
    """Return the sums of the products of entries, matrix by matrix."""
    flat = (*one.shape[:-2], -1)
    result: Array = np.vecdot(one.reshape(flat), two.reshape(flat))
    return result


def _with_noise(units: Units, layers: list[Array]) -> tuple[list[Array], Array]:
    gradients = propagation.gradient(layers, units.masks, units.A / 2, units.C / 2)
    signal = units.C
    for layer in layers[:-1]:
        signal = layer @ signal
    return gradients, _dot(layers[-1], gradients[-1] - signal.mT)


def _without_noise(units: Units, layers: list[Array]) -> tuple[list[Array], Array]:
    """Use that the data term depends on the product of the layers only: a third of the work."""
    products = [layers[0]]
    for layer in layers[1:]:
        products.append(layer @ products[-1])
    signal = units.C.mT
    residual = products[-1] @ units.A
    residual -= signal
    excess = _dot(products[-1], residual - signal)
    gradients = []
    for k in range(len(layers) - 1, 0, -1):
        gradients.append(residual @ products[k - 1].mT)
        residual = layers[k].mT @ residual
    gradients.append(residual)
    return gradients[::-1], excess


def _advance(nets: Nets, units: Units, count: int, momentum: float, nesterov: bool) -> None:
    bound = np.maximum(1.0, nets.step_size**2 * max(float(scale.max()) for scale in units.scale))
    rates = [nets.step_size[:, None, None] * scale for scale in units.scale]
    for step in range(nets.step, nets.step + count):
        gradients, excess = gradient(units, nets.layers)
        if _stops(nets, step, _size(nets, units, gradients), excess, bound):
            return
        moving = nets.status == RUNNING
        for k, update in enumerate(gradients):
            if nets.velocity:
                velocity = nets.velocity[k]
                velocity *= momentum
                velocity += update
                update = update + momentum * velocity if nesterov else velocity.copy()
            update *= rates[k]
            if moving.all():
                nets.layers[k] -= update
            else:
                nets.layers[k][moving] -= update[moving]


def _size(nets: Nets, units: Units, gradients: list[Array]) -> Array:
    """Return Σ K∘(gradient² + velocity²)."""
    square = squared_norm(units, gradients)
    return square + squared_norm(units, nets.velocity) if nets.velocity else square


def _stops(nets: Nets, step: int, square: Array, excess: Array, bound: Array) -> bool:
    """Stop the nets that have diverged or converged, and return whether all have."""
    inside = (excess <= nets.limit) & (square * bound < LARGEST)
    stopping = ~(inside & (square > nets.threshold)) & (nets.status == RUNNING)
    if not stopping.any():
        return False
    nets.status[stopping] = np.where(inside, CONVERGED, DIVERGED)[stopping]
    nets.stopped_at[stopping] = step
    return not (nets.status == RUNNING).any()
