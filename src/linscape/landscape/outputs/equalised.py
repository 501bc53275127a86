"""Weights whose hidden units share the noise: every unit of a layer carries as much as the others.

For singular values that a network must realise, the noise costs least where all units agree
(Mianjy & Arora, 2019): the orthonormal frames by which the units see the modes are free, and are
turned until they do.
"""

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.factors import balanced_factors
from linscape.landscape.outputs.newton import Factors
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]


def equalised_factors(product: Array, problem: Problem) -> list[Array]:
    """Return W_1, …, W_D, U of least decay whose product is M, the noise spread over the units.

    In every hidden layer the unit's share of ‖W‖² and of E‖h‖², added, is the same for all units.
    With one hidden layer and A = s²I, or with M of rank one, all units then agree in everything and
    the noise costs exactly (τ − 1)‖MA^½‖_*².

    Parameters
    ----------
    product : (m, d) ndarray
        M, of rank no larger than the least width.
    problem : Problem
        All decays positive; biases are left to the caller.

    Raises
    ------
    InvalidNetwork
        If the rank of the product exceeds the least width.

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments(np.eye(2), np.diag([9.0, 1.0]), np.diag([81.0, 1.0]))
    >>> problem = ls.Problem(moments, ls.Network((2,), noise=1.0, weight_decay=1.0))
    >>> W, U = equalised_factors(np.diag([9.0, 1.0]), problem)
    >>> (W**2).sum(axis=1).round(9), (U**2).sum(axis=0).round(9)      # (9 + 1)/2 each
    (array([5., 5.]), array([5., 5.]))
    """
    network = problem.network
    deviations = np.sqrt(np.diagonal(linear_moments(problem)[0]))
    weights = balanced_factors(
        product, network.hidden, weight_decay=network.weight_decay, column_scale=deviations
    )
    if not np.any(product):
        return weights
    A = linear_moments(problem)[0] / np.max(deviations, initial=0.0) ** 2
    seen = weights[0] / np.max(np.abs(weights[0]))
    own, passed = seen @ seen.T, seen @ A @ seen.T
    shares = own / np.trace(own) + passed / np.trace(passed)
    turns = [levelling(_resized(shares, width)) for width in network.hidden]
    for k, turn in enumerate(turns):
        weights[k] = turn.T @ weights[k]
        weights[k + 1] = weights[k + 1] @ turn
    return weights


def levelling(matrix: Array) -> Array:
    """Return an orthogonal O that makes the diagonal of OᵀSO constant, for symmetric S.

    Each rotation, of one entry above the mean and one below, makes one of the two the mean.

    Examples
    --------
    >>> turn = levelling(np.diag([4.0, 1.0, 1.0]))
    >>> np.diagonal(turn.T @ np.diag([4.0, 1.0, 1.0]) @ turn).round(12)
    array([2., 2., 2.])
    """
    size = len(matrix)
    S, turn = matrix.copy(), np.eye(size)
    mean = float(np.trace(S)) / size
    unsettled = list(range(size))
    while len(unsettled) > 1:
        diagonal = np.diagonal(S)[unsettled] - mean
        high, low = unsettled[int(np.argmax(diagonal))], unsettled[int(np.argmin(diagonal))]
        if high == low:
            break
        rotation = _rotation(S, high, low, mean)
        pair = [high, low]
        S[:, pair] = S[:, pair] @ rotation
        S[pair] = rotation.T @ S[pair]
        turn[:, pair] = turn[:, pair] @ rotation
        unsettled.remove(high)
    return turn


def _rotation(S: Array, high: int, low: int, mean: float) -> Array:
    """Return the 2×2 rotation after which the entry at `high` is the mean."""
    # c²S_hh + 2cs S_hl + s²S_ll = mean, s = tc: a quadratic with roots of both signs
    above, below, cross = S[high, high] - mean, S[low, low] - mean, S[high, low]
    if above <= 0 or below >= 0:
        return np.eye(2)
    root = np.sqrt(cross**2 - above * below)
    tangent = -above / (cross + np.copysign(root, cross))  # the smaller root, without cancellation
    cosine = 1 / np.sqrt(1 + tangent**2)
    sine = tangent * cosine
    return np.array([[cosine, -sine], [sine, cosine]])


def _resized(shares: Array, width: int) -> Array:
    """Return the shares of a layer with another width: hidden unit j carries mode j."""
    size = min(width, len(shares))
    resized = np.zeros((width, width))
    resized[:size, :size] = shares[:size, :size]
    return resized


def copied_units(units: Factors, values: Array, width: int) -> Factors | None:
    """Return `width` units of the same product, each of the given ones split into equal copies.

    Each next copy goes where it lowers Σ q_j²/n_j most, q_j = ‖u_j‖ E[(w_j·x)²]^½. None if the
    units are too many.

    Parameters
    ----------
    units : Factors
        u_j as columns and w_j as rows, in the eigenbasis of E[xxᵀ].
    values : (r,) ndarray
        Its eigenvalues.
    width : int
        d_1.

    Examples
    --------
    >>> one = Factors(np.array([[2.0]]), np.array([[2.0]]))
    >>> copied_units(one, np.ones(1), 4)
    Factors(left=array([[1., 1., 1., 1.]]), right=array([[1.],
           [1.],
           [1.],
           [1.]]))
    """
    squares = (units.left**2).sum(axis=0) * (units.right**2 @ values)
    if not 0 < len(squares) <= width:
        return None
    copies = np.ones(len(squares), dtype=int)
    for _ in range(width - len(squares)):
        copies[np.argmax(squares / (copies * (copies + 1)))] += 1
    root = np.sqrt(np.repeat(copies, copies))
    left, right = np.repeat(units.left, copies, axis=1), np.repeat(units.right, copies, axis=0)
    return Factors(left / root, right / root[:, None])
