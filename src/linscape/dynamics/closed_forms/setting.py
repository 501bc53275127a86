"""What every closed form asks of a problem and of its start."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.errors import InvalidWeights, NoExactSolution
from linscape.problem import Problem

Array = NDArray[np.float64]

TOLERANCE = 1e-12  # relative; what a start of orthogonal factors misses by rounding is below it


class Setting(NamedTuple):
    """E[xxᵀ] with the noise on the inputs, E[yxᵀ], and the decay all layers have in common."""

    A: Array
    B: Array
    decay: float


def setting(problem: Problem, closed_form: str) -> Setting:
    """Return the setting of a problem without hidden noise, biases and unequal decays.

    Raises
    ------
    NoExactSolution
        If it has any; the message names which.
    """
    network = problem.network
    found = {
        "noise on hidden units": any(network.noise),
        "biases": network.bias is not False,
        "unequal weight decays": len(set(network.weight_decay)) > 1,
    }
    for hypothesis, fails in found.items():
        if fails:
            raise NoExactSolution(
                f"{closed_form} has no closed form with {hypothesis}; integrate it with flow"
            )
    moments = problem.moments
    A = np.array(moments.A)
    A += np.diag(network.input_noise * np.diagonal(A))
    return Setting(A, moments.C.reshape(moments.inputs, -1).T, network.weight_decay[0])


def single_net(problem: Problem, weights: Sequence[ArrayLike]) -> list[Array]:
    """Return the weights of one net as arrays.

    Raises
    ------
    InvalidWeights
        If they do not fit the network, or have batch axes.
    """
    matrices = problem.unflatten(problem.flatten(weights))
    if matrices[0].ndim != 2:
        raise InvalidWeights(
            "a closed form takes the weights of one net, "
            f"got batch axes {matrices[0].shape[:-2]}; call it once for each net"
        )
    return matrices
