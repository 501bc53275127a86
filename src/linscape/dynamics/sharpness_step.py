"""A step size for descent, from the curvature where it starts and where it should end."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.sharpness import sharpness
from linscape.errors import NoExactSolution
from linscape.landscape.minimise import global_minimum
from linscape.problem import Problem

Array = NDArray[np.float64]


@guarded
def sharpness_step_size(problem: Problem, weights: Sequence[ArrayLike]) -> float | Array:
    r"""Return η = 1/(2λ), λ the larger sharpness of the start and of the global minimum.

    A heuristic: descent is attracted by a minimum of sharpness λ_max for steps below 2/λ_max, so
    that η is a quarter of the limit at both ends. Nothing is proven about the way between; see
    :func:`safe_step_size` for that. The minimum is taken with balanced weights, the flattest, and
    only where :func:`linscape.global_minimum` is exact. Without curvature anywhere λ is that of
    least squares, 2α tr E[xxᵀ].

    Parameters
    ----------
    problem : Problem
        The objective.
    weights : sequence of array_like
        Where descent starts; batch axes in front for many nets.

    Returns
    -------
    float or ndarray
        η, or one for each net; numerical.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network.

    Examples
    --------
    L = (u − 1)² has λ = 2 everywhere.

    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=()))
    >>> sharpness_step_size(problem, [[[0.0]]])
    0.25
    """
    largest = np.maximum(sharpness(problem, weights), _at_minimum(problem))
    flat = 2 * problem.data_factor * float(np.trace(problem.moments.A)) or 1.0
    step = 1 / (2 * np.where(largest > 0, largest, flat))
    return float(step) if step.ndim == 0 else np.asarray(step)


def _at_minimum(problem: Problem) -> float:
    """Return the sharpness of the global minimum, 0 where no theorem gives one."""
    try:
        minimum = global_minimum(problem)
    except NoExactSolution:
        return 0.0
    return float(sharpness(problem, minimum.weights()))
