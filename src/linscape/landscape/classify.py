"""What kind of critical point given weights are."""

import numpy as np

from linscape.arguments import guarded
from linscape.errors import InvalidOption, InvalidWeights
from linscape.landscape.by_curvature import classified_by_curvature
from linscape.landscape.classification import Classification
from linscape.landscape.unregularised.classification import classified
from linscape.problem import Problem, Weights


@guarded
def classify(problem: Problem, weights: Weights, *, tolerance: float = 1e-6) -> Classification:
    r"""Say what kind of critical point weights are, or that they are none.

    Without decay and noise in the hidden layers, by theory, for any depth, widths, number of
    outputs and data. Write P for the end-to-end map, λ for the modes of the data (descending), r
    for the rank of P on the data and r_max for the least width, input and output included.

    - The loss is the least possible: global minimum.
    - It exceeds c(E‖y‖² − Σ_{i ≤ r} λ_i), so P lacks one of its r largest modes: strict saddle.
    - It equals that: non-strict saddle if the point is *tightened*, else strict. With N layers and
      B_{a:b} = W_a⋯W_b, tightened means that for every pair i > j of layers B_{j−1:1} E[xyᵀ]
      B_{N:i+1} or B_{i−1:j+1} has rank exactly r.

    Saddles come with an escape whose descent was evaluated; without one the answer is "undecided".

    With decay or noise the answer is numerical: a saddle is strict if the smallest eigenvalue of
    the Hessian is negative; otherwise weights are a global minimum if their loss is that of
    :func:`global_minimum` where it is exact, and a local one if the Hessian is positive except
    along the directions that only mix hidden units. Beyond that it is "undecided".

    No dense Hessian is needed; where the net has at most 600 weights one is formed for `inertia`.

    Parameters
    ----------
    problem : Problem
        Moments, network and reduction.
    weights : sequence of array
        W_1, …, W_D, U, without batch axes.
    tolerance : float, default 1e-6
        How large the relative gradient of weights that count as critical may be, and how well the
        weights count as known. No unit of x, y or a layer matters: inputs are whitened, each layer
        is divided by its norm (layers close to zero by the size at which they would matter), and
        the gradient, B_{N:h+1}ᵀ (T − P) B_{h−1:1}ᵀ for layer h, is compared with ‖T‖ + ‖P‖, T being
        least squares; with decay or noise, with the size of the loss's terms. In these units a
        block of the layers is zero up to 32·max(gradient, rounding, tolerance²), it is not above
        ten times that and ten times the tolerance, and between the answer is "undecided". A small
        tolerance takes the weights at their word.

    Returns
    -------
    Classification
        The kind with its reason; rank, modes, inertia, and for saddles an escape.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network or have batch axes.
    NoExactSolution
        For biases that decay with decays of zero; give bias="free".
    InvalidOption
        If `tolerance` is not above 0 and at most 0.001.

    References
    ----------
    Achour, Malgouyres & Gerchinovitz (2021), *The loss landscape of deep linear neural networks: a
    second-order analysis*, Theorem 1, extended to repeated eigenvalues and deficient data;
    Kawaguchi (2016), Theorem 2.3.

    Examples
    --------
    Zero weights: with one hidden layer a strict saddle, with two a non-strict one, from which
    three layers must move together.

    >>> import linscape as ls
    >>> from linscape.landscape.classify import classify
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> one = ls.Problem(moments, ls.Network(hidden=(1,)))
    >>> classify(one, [[[0.0]], [[0.0]]]).kind
    'strict saddle'
    >>> two = ls.Problem(moments, ls.Network(hidden=(1, 1)))
    >>> zero = classify(two, [[[0.0]], [[0.0]], [[0.0]]])
    >>> zero.kind, zero.escape.order, zero.inertia
    ('non-strict saddle', 3, (0, 3, 0))
    >>> classify(two, [[[1.0]], [[0.5]], [[2.0]]]).kind
    'global minimum'
    """
    if not 0 < tolerance <= 1e-3:
        raise InvalidOption(f"tolerance must be above 0 and at most 0.001, got {tolerance!r}")
    matrices = _single(problem, weights)
    network = problem.network
    if any(network.weight_decay) or any(network.noise):
        return classified_by_curvature(problem, matrices, tolerance)
    return classified(problem, matrices, tolerance)


def _single(problem: Problem, weights: Weights) -> list[np.ndarray]:
    """Return the weights as matrices, or refuse batch axes."""
    flat = problem.flatten(weights)
    if flat.ndim > 1:
        raise InvalidWeights(
            f"classify takes one set of weights, got batch axes {flat.shape[:-1]}; "
            "ask for one member at a time"
        )
    return problem.unflatten(flat)
