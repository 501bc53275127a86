"""Sub-networks: some hidden units alive, the others switched off."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.realisation import solution_weights
from linscape.network import Network
from linscape.problem import Problem

Array = NDArray[np.float64]


def subproblem(problem: Problem, active: tuple[int, ...]) -> Problem:
    """Return the same data and layers with `active` units in each hidden layer."""
    return Problem(problem.moments, _narrowed(problem.network, active), reduction=problem.reduction)


def multiplicity(network: Network, active: tuple[int, ...]) -> int:
    """Return how many points, or separate spheres of points, one solution of a sub-network makes.

    In a noisy layer k of d units are chosen and each has its sign: (d over k)·2^k. Without noise
    the signs are any unit vector: one sphere, which is two points where the layer has one unit.
    Zero is one point.
    """
    if not any(active):
        return 1
    layers = zip(network.hidden, network.noise, active, strict=True)
    return math.prod(
        math.comb(width, count) * 2**count if variance else (2 if width == 1 else 1)
        for width, variance, count in layers
    )


def dimension(network: Network, active: tuple[int, ...]) -> int:
    """Return the dimension of those spheres: width − 1 for every hidden layer without noise."""
    if not any(active):
        return 0
    pairs = zip(network.hidden, network.noise, strict=True)
    return sum(width - 1 for width, variance in pairs if not variance)


def representative(
    problem: Problem,
    active: tuple[int, ...],
    predictor: Array,
    rng: np.random.Generator | None = None,
) -> list[Array]:
    """Return weights with `active` units alive, of the theorem's form, and the others at zero.

    The first units, all signs plus; `rng` draws units, signs and directions uniformly instead.
    """
    network = problem.network
    weights = [np.zeros(shape) for shape in problem.shapes]
    if not any(active):
        return weights
    signs = None if rng is None else _signs(network, active, rng)
    parts = solution_weights(_narrowed(network, active), predictor, signs)
    units = [np.arange(problem.moments.inputs), *_units(network, active, rng), np.arange(1)]
    for layer, part in enumerate(parts):
        weights[layer][np.ix_(units[layer + 1], units[layer])] = part
    return weights


def _narrowed(network: Network, active: tuple[int, ...]) -> Network:
    arguments = network.to_dict()
    return Network(**(arguments | {"hidden": active}))


def _units(
    network: Network, active: tuple[int, ...], rng: np.random.Generator | None
) -> list[NDArray[np.int64]]:
    if rng is None:
        return [np.arange(count) for count in active]
    pairs = zip(network.hidden, active, strict=True)
    return [np.sort(rng.choice(width, size=count, replace=False)) for width, count in pairs]


def _signs(network: Network, active: tuple[int, ...], rng: np.random.Generator) -> Sequence[Array]:
    """Draw a sign vector for each noisy layer; else any vector of the same length √k."""
    signs: list[Array] = []
    for variance, count in zip(network.noise, active, strict=True):
        if variance:
            signs.append(rng.choice([-1.0, 1.0], size=count))
        else:
            direction = rng.standard_normal(count)
            signs.append(math.sqrt(count) * direction / np.linalg.norm(direction))
    return signs
