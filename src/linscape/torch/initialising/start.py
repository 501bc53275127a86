"""The weights of a start: those of the theorem's form, or random ones of the same norms."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.initialisation.schemes import orthogonal, widths_of
from linscape.landscape.minimise import global_minimum
from linscape.landscape.realisation import realised, solution_weights
from linscape.landscape.search import search_minimum
from linscape.landscape.solutions import solutions
from linscape.network import Network
from linscape.problem import Problem

Array = NDArray[np.float64]

_SPREAD = 0.1  # norm of what breaks the symmetry of equal units, relative to the layer's


def without_biases(problem: Problem) -> Problem:
    """Return the problem of the weights alone: what free biases leave, the centred one."""
    network, moments = problem.network, problem.moments
    if network.bias is False:
        return problem
    plain = Network(
        network.hidden,
        noise=network.noise,
        weight_decay=network.weight_decay,
        input_noise=network.input_noise,
    )
    return Problem(moments.centered(), plain, reduction=problem.reduction)


def target(problem: Problem) -> Array | None:
    """Return the predictor of the best minimum that is not zero, or None if there is none.

    Raises
    ------
    NoExactSolution
        If no theorem gives one, and the loss is not bounded below by one that is attained.
    """
    network = problem.network
    if problem.moments.outputs == 1 and network.depth and all(network.weight_decay):
        minima = [one for one in solutions(problem) if one.kind == "minimum" and one.energy > 0]
        return min(minima, key=lambda one: one.loss).predictor if minima else None
    predictor = _best_predictor(problem)
    return predictor if np.any(predictor) else None


def _best_predictor(problem: Problem) -> Array:
    try:
        return global_minimum(problem).predictor
    except NoExactSolution:
        if not all(problem.network.weight_decay):
            raise
    return search_minimum(problem, starts=3, rng=0).predictor


def aligned(problem: Problem, predictor: Array, rng: np.random.Generator) -> list[Array]:
    """Return layers of the theorem's form that realise a predictor, and a little noise on each.

    Half of the units of a layer have each sign, so that a positively homogeneous activation makes
    the same predictor of them as a linear one.
    """
    network = problem.network
    if problem.moments.outputs == 1:
        signs = [rng.permutation(np.resize([1.0, -1.0], width)) for width in network.hidden]
        weights = solution_weights(network, np.ravel(predictor), signs)
    else:
        weights = realised(problem, predictor, rng)
    if network.depth == 0:
        return weights
    return [W + _noise(W, rng) for W in weights]


def random(problem: Problem, predictor: Array, rng: np.random.Generator) -> list[Array]:
    """Return orthonormal rows or columns, of the layers' norms at the target and E⟨f, y⟩ ≥ 0."""
    norms = [np.linalg.norm(W) for W in realised(problem, predictor)]
    drawn = [orthogonal((after, before), rng) for before, after in pairwise(widths_of(problem))]
    weights = [norm / np.linalg.norm(Q) * Q for norm, Q in zip(norms, drawn, strict=True)]
    moments = problem.moments
    mean = np.reshape(problem.predictor(weights), (moments.outputs, moments.inputs))
    if np.sum(mean.T * np.reshape(moments.C, mean.T.shape)) < 0:
        weights[-1] = -weights[-1]
    return weights


def _noise(W: Array, rng: np.random.Generator) -> Array:
    draw = rng.standard_normal(W.shape)
    noise: Array = _SPREAD * np.linalg.norm(W) / np.linalg.norm(draw) * draw
    return noise
