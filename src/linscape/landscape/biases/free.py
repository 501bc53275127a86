"""Decayed biases beside free ones: the problem with free ones, and when the two are the same."""

import numpy as np

from linscape.errors import InvalidNetwork
from linscape.network import Network
from linscape.problem import Problem


def with_free_biases(problem: Problem) -> Problem:
    """Return a problem with decayed biases as it is when they are free of decay.

    Raises
    ------
    InvalidNetwork
        If the problem's network has no decayed biases.
    """
    network = problem.network
    if network.bias != "decayed":
        raise InvalidNetwork(
            f"expected a network with bias='decayed', got bias={network.bias!r}; "
            "linscape.global_minimum solves it"
        )
    free = Network(
        network.hidden,
        noise=network.noise,
        weight_decay=network.weight_decay,
        bias="free",
        input_noise=network.input_noise,
    )
    return Problem(problem.moments, free, reduction=problem.reduction)


def is_centred(problem: Problem) -> bool:
    """Say whether E[x] = 0 and E[y] = 0; then all biases vanish at every critical point.

    Multiplying all biases by t leaves f = (linear in x) + t·g, where E[x] = 0 and E[y] = 0 make the
    loss L(0) + t²(E g² + Σγ_k‖β_k‖²). Its derivative vanishes at t = 1 for β = 0 only, and there
    the loss has no second derivative that mixes weights and biases, and is convex in these.
    """
    return not np.any(problem.moments.mean_x) and not np.any(problem.moments.mean_y)


def equivalent_with_free_biases(problem: Problem) -> Problem | None:
    """Return the problem with free biases where that has the same solutions, else None.

    Without decay there is no difference; on centred data all biases vanish.
    """
    if is_centred(problem) or not any(problem.network.weight_decay):
        return with_free_biases(problem)
    return None
