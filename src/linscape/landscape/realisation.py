"""Weights that realise a solution: rank-one layers of equal energy, or balanced ones."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.factors import balanced_factors
from linscape.landscape.interval import from_logarithm
from linscape.landscape.outputs.equalised import equalised_factors
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]


def realised(
    problem: Problem, predictor: Array, rng: np.random.Generator | int | None = None
) -> list[Array]:
    """Return weights of the theorem's form for a problem's predictor, biases included.

    For one output every unit of a layer has the same size; for several the layers are those of
    least penalty (without decay: of least norm), the noise spread evenly over the units.

    Parameters
    ----------
    problem : Problem
        Without biases, or with biases free of decay.
    predictor : (d,) or (m, d) ndarray
        p or M.
    rng : numpy.random.Generator, optional
        Draws the signs of the units, all plus by default; or the frames of the hidden layers.
    """
    generator = None if rng is None else np.random.default_rng(rng)
    network = problem.network
    matrix = np.atleast_2d(predictor)
    if network.depth == 0:
        weights = [matrix]
    elif len(matrix) > 1 and any(network.noise) and any(network.weight_decay):
        weights = equalised_factors(matrix, problem)
    elif len(matrix) > 1:
        deviations = np.sqrt(np.diagonal(linear_moments(problem)[0]))
        weights = balanced_factors(
            matrix,
            network.hidden,
            weight_decay=network.weight_decay if any(network.weight_decay) else None,
            column_scale=deviations,
            rng=generator,
        )
    else:
        signs = None
        if generator is not None:
            signs = [generator.choice([-1.0, 1.0], size=width) for width in network.hidden]
        weights = solution_weights(network, matrix[0], signs)
    return weights if network.bias is False else with_free_biases(problem, weights)


def with_free_biases(problem: Problem, weights: list[Array]) -> list[Array]:
    """Append biases: the first layer centres x, the last adds E[y], the others vanish."""
    moments = problem.moments
    biases = [np.zeros(len(matrix)) for matrix in weights]
    biases[0] = -weights[0] @ np.asarray(moments.mean_x)
    biases[-1] = biases[-1] + np.reshape(np.asarray(moments.mean_y), -1)
    return [np.column_stack(pair) for pair in zip(weights, biases, strict=True)]


def solution_weights(
    network: Network, predictor: Array, signs: Sequence[Array] | None = None
) -> list[Array]:
    """Return weights of the theorem's form whose mean output is `predictor`·x, without biases.

    U = b_u r_D, W_i = b_i r_i r_{i−1}ᵀ and W_1 = r_1 vᵀ with sign vectors r_i. All layers carry the
    energy γ‖W‖² = K, K^{D+1} = P‖p‖²; where no layer decays they all have the same norm instead.
    Every unit of a layer has the same size, so the noise costs exactly the factor τ.

    Parameters
    ----------
    network : Network
        The architecture; its biases are ignored.
    predictor : (d,) ndarray
        p.
    signs : sequence of ndarray, optional
        r_1, …, r_D, of entries ±1; ones by default.

    Raises
    ------
    OutOfRange
        If a weight is too large or too small for a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorem 2.

    Examples
    --------
    >>> solution_weights(Network(hidden=(1,), weight_decay=1.0), np.array([4.0]))
    [array([[2.]]), array([[2.]])]
    """
    if network.depth == 0:
        return [predictor.reshape(1, -1)]
    if signs is None:
        signs = [np.ones(width) for width in network.hidden]
    top = int(np.frexp(np.max(np.abs(predictor), initial=0.0))[1])
    direction = np.ldexp(predictor, -top)
    size = float(np.linalg.norm(direction))
    if size == 0:
        shapes = network.shapes(len(predictor), 1)
        return [
            np.zeros((rows, predictor.size if k == 0 else network.hidden[k - 1]))
            for k, (rows, _) in enumerate(shapes)
        ]
    log_norms = _log_layer_norms(network, math.log(size) + top * math.log(2))
    ends = [direction / size, *signs, np.ones(1)]
    widths = [1.0, *map(float, network.hidden), 1.0]
    weights = []
    for k, log_norm in enumerate(log_norms):
        log_entry = log_norm - (math.log(widths[k]) + math.log(widths[k + 1])) / 2
        entry = from_logarithm(log_entry, "a weight of the solution")
        weights.append(entry * np.outer(ends[k + 1], ends[k]))
    return weights


def _log_layer_norms(network: Network, log_size: float) -> list[float]:
    """Return log ‖W_k‖_F of layers with product norm exp(log_size) and equal energies."""
    layers = network.depth + 1
    if 0.0 in network.weight_decay:
        return [log_size / layers] * layers
    # ‖W_k‖² = K/γ_k with log K = (log P + 2 log‖p‖)/(D + 1)
    log_energy = (network.log_decay_product + 2 * log_size) / layers
    return [(log_energy - math.log(decay)) / 2 for decay in network.weight_decay]
