"""The largest eigenvalue of the Hessian, which limits the steps of gradient descent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.problem import Problem

Array = NDArray[np.float64]

_DENSE = 300  # variables up to which all eigenvalues are cheaper than a few products


@guarded
def sharpness(problem: Problem, weights: Sequence[ArrayLike]) -> float | Array:
    """Return the largest eigenvalue λ_max of the Hessian of L, numerically.

    At a minimum, gradient descent with a step above 2/λ_max is repelled along its eigenvector, and
    with a step below it is attracted.

    Parameters
    ----------
    problem : Problem
        The objective.
    weights : sequence of array_like
        Where; batch axes in front for several nets.

    Returns
    -------
    float or ndarray
        λ_max, or an array over the batch axes: from all eigenvalues up to 300 weights, by Lanczos
        iteration beyond.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network.

    Examples
    --------
    w = u = 1, A = c = E[y²] = 1: the Hessian at the minimum is [[2, 2], [2, 2]].

    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(1,)))
    >>> round(sharpness(problem, [[[1.0]], [[1.0]]]), 12)
    4.0
    """
    flat = problem.flatten(weights)
    result = np.empty(flat.shape[:-1])
    for net in np.ndindex(result.shape):
        result[net] = _largest(problem, problem.unflatten(flat[net]))
    return float(result) if result.ndim == 0 else result


def _largest(problem: Problem, weights: list[Array]) -> float:
    size = sum(matrix.size for matrix in weights)
    if size <= _DENSE:
        return float(np.linalg.eigvalsh(problem.hessian(weights))[-1])
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal(size)
    operator = problem.hessian_operator(weights)
    return float(eigsh(operator, k=1, which="LA", v0=start, return_eigenvectors=False)[0])
