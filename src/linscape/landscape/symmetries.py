"""Directions along which the loss of a network is constant because its units can be mixed."""

import numpy as np
from numpy.typing import NDArray

from linscape.problem import Problem

Array = NDArray[np.float64]


def orbit_dimension(problem: Problem, weights: list[Array]) -> int:
    """Return the dimension of the set of weights that mixing hidden units makes of these.

    Without noise in a layer its units can be mixed by any invertible matrix if neither of the two
    weight matrices beside it decays, else by rotations; with noise they can be rescaled if neither
    decays. Free biases of a layer without noise can be shifted, the next layer's making up for it.
    """
    tangents = [problem.flatten(tangent) for tangent in _tangents(problem, weights)]
    if not tangents:
        return 0
    singular = np.linalg.svd(np.array(tangents), compute_uv=False)
    return int(np.sum(singular > 1e-8 * singular[0])) if singular[0] > 0 else 0


def _tangents(problem: Problem, weights: list[Array]) -> list[list[Array]]:
    network = problem.network
    found = []
    for k, (width, noise) in enumerate(zip(network.hidden, network.noise, strict=True)):
        decays = network.weight_decay[k] > 0 or network.weight_decay[k + 1] > 0
        after = weights[k + 1][:, :width]
        for generator in _generators(width, noise=noise > 0, decays=decays):
            tangent = [np.zeros_like(weight) for weight in weights]
            tangent[k] = generator @ weights[k]
            tangent[k + 1][:, :width] = -after @ generator
            found.append(tangent)
        if network.bias == "free" and noise == 0:
            for unit in range(width):
                tangent = [np.zeros_like(weight) for weight in weights]
                tangent[k][unit, -1] = 1.0
                tangent[k + 1][:, -1] = -after[:, unit]
                found.append(tangent)
    return found


def _generators(width: int, *, noise: bool, decays: bool) -> list[Array]:
    """Return a basis of the matrices Ω for which exp(tΩ) mixes units and keeps the loss."""
    found = []
    for i in range(width):
        for j in range(width):
            generator = np.zeros((width, width))
            generator[i, j] = 1.0
            if noise:
                if i == j and not decays:
                    found.append(generator)
            elif not decays:
                found.append(generator)
            elif i < j:
                found.append(generator - generator.T)
    return found
