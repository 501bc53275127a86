"""The inertia of the Hessian at critical points without decay or noise, by counting."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from linscape.arguments import guarded
from linscape.errors import InvalidWeights

Triple = tuple[int, int, int]


@guarded
def structured_inertia(
    eigenvalues: ArrayLike,
    modes: Sequence[int],
    widths: Sequence[int],
    *,
    input_rank: int | None = None,
    inner_rank: int = 0,
) -> Triple:
    r"""Return the inertia (n₋, n₀, n₊) of the Hessian at a critical point, exactly.

    Of the loss E‖y − W_H ⋯ W_1 x‖² (times any factor), H ≥ 2, no decay, noise or bias. Let λ_i be
    the eigenvalues of E[yxᵀ] E[xxᵀ]⁺ E[xyᵀ], U its eigenvectors, S a set of r `modes` with λ > 0,
    Q all others. Critical points with these modes are, up to invertible changes of the hidden
    units, W_H = [U_S, U_Q Z_H], W_h = diag(I_r, Z_h), W_1 = [U_Sᵀ E[yxᵀ] E[xxᵀ]⁺; Z_1]. If

    - all Z are zero; or Z_1 and Z_H are, and the rank k of Z_{H−1} ⋯ Z_2 is given as `inner_rank`
      (with H = 2, where this product is the identity of size d_1 − r, k is always d_1 − r); or
    - r is one of the hidden widths: then k = 0, whatever the Z are,

    then with ρ the rank of E[xxᵀ] and Q₊ the modes of Q with λ > 0

    .. math::

        n_+ &= r² + r(ρ − r) + \#\{(q, s) ∈ Q × S: λ_q < λ_s\} + k \, \#Q_+ \\
        n_- &= \#\{(q, s) ∈ Q × S: λ_q > λ_s\} + k \, \#Q_+

    and the rest is zero. Why: after the change of units and whitening x, the Hessian couples the
    entries V_H[q, s] and V_1[s, q'] (q' the input that mode q is fitted by) by the form
    λ_s v² − 2√λ_q v w + w², of determinant λ_s − λ_q; beyond the first r units only
    −2√λ_q V_H[q, :] Z_{H−1} ⋯ Z_2 V_1[:, q'] remains.

    Parameters
    ----------
    eigenvalues : array_like of shape (d_H,)
        λ_i, one for each output, in any order, zeros included. They are compared as they are:
        equal eigenvalues must be equal numbers.
    modes : sequence of int
        The set S, counted from 0.
    widths : sequence of int
        (d_0, …, d_H): inputs, hidden widths, outputs.
    input_rank : int, optional
        Rank ρ of E[xxᵀ], d_0 if not given.
    inner_rank : int, default 0
        Rank of Z_{H−1} ⋯ Z_2; not used for H = 2.

    Returns
    -------
    tuple of int
        (n₋, n₀, n₊); their sum is the number of weights.

    Raises
    ------
    InvalidWeights
        If no critical point has these modes, widths and ranks.

    References
    ----------
    Achour, Malgouyres & Gerchinovitz (2021), *The loss landscape of deep linear neural networks: a
    second-order analysis*, for the form of the critical points. The count is derived here.

    Examples
    --------
    Widths 5-4-4-5: a non-strict saddle, a strict one with the same loss, and the global minimum.

    >>> from linscape.landscape.curvature import structured_inertia
    >>> structured_inertia([5, 4, 3, 2, 1], (0, 1, 2), (5, 4, 4, 5))
    (0, 35, 21)
    >>> structured_inertia([5, 4, 3, 2, 1], (0, 1, 2), (5, 4, 4, 5), inner_rank=1)
    (2, 31, 23)
    >>> structured_inertia([5, 4, 3, 2, 1], (0, 1, 2, 3), (5, 4, 4, 5))
    (0, 32, 24)
    """
    values, rank = np.asarray(eigenvalues, dtype=np.float64), len(modes)
    _check_widths(widths, values)
    width_in = widths[0] if input_rank is None else input_rank
    _check(values, modes, widths, width_in)
    narrowest = min(widths[1:-1])
    k = widths[1] - rank if len(widths) == 3 else inner_rank
    if not 0 <= k <= narrowest - rank:
        raise InvalidWeights(
            f"inner_rank must lie between 0 and {narrowest - rank}, the hidden units beyond the "
            f"{rank} modes of the narrowest layer, got {inner_rank}"
        )
    inside = values[list(modes)]
    outside = np.delete(values, list(modes))
    pairs = outside[:, None] - inside
    bulk = k * int(np.count_nonzero(outside))
    negative = int((pairs > 0).sum()) + bulk
    positive = rank * width_in + int((pairs < 0).sum()) + bulk
    return _filled(negative, positive, widths)


@guarded
def zero_residual_inertia(
    left_ranks: Sequence[int], right_ranks: Sequence[int], widths: Sequence[int]
) -> Triple:
    r"""Return the inertia (0, n₀, n₊) of the Hessian where E[(f − y)xᵀ] = 0, exactly.

    Of the same loss, at any weights that fit the data as well as any linear map can. The Hessian is
    twice JᵀJ, J the derivative of the predictor, and with b_h = rank(W_H ⋯ W_{h+1}), b_0 = 0 and
    t_h = rank(W_h ⋯ W_1 E[xxᵀ])

    .. math:: n_+ = Σ_{h=1}^{H} (b_h − b_{h−1}) t_{h−1}

    for the ranges of the B_h grow with h and those of the T_h shrink: the image of J is a
    staircase of their products.

    Parameters
    ----------
    left_ranks : sequence of int
        (b_1, …, b_H), from the first layer to the last; b_H is the number of outputs.
    right_ranks : sequence of int
        (t_0, …, t_{H−1}); t_0 is the rank of E[xxᵀ].
    widths : sequence of int
        (d_0, …, d_H): inputs, hidden widths, outputs.

    Raises
    ------
    InvalidWeights
        If the numbers of ranks do not fit the widths, or they are not such ranks.

    Examples
    --------
    One hidden unit, one input and output, y = x = uw: J = (w, u).

    >>> from linscape.landscape.curvature import zero_residual_inertia
    >>> zero_residual_inertia((1, 1), (1, 1), (1, 1, 1))
    (0, 1, 1)
    """
    if len(widths) < 2:
        raise InvalidWeights(f"expected two widths or more, got {tuple(widths)}")
    layers = len(widths) - 1
    left, right = (0, *left_ranks), tuple(right_ranks)
    if not (
        len(left_ranks) == len(right) == layers
        and all(0 <= a <= b for a, b in pairwise(left))
        and all(a >= b >= 0 for a, b in pairwise(right))
        and left[-1] == widths[-1]
        and all(b <= d for b, d in zip(left_ranks, widths[1:], strict=True))
        and all(t <= d for t, d in zip(right, widths[:-1], strict=True))
    ):
        raise InvalidWeights(
            f"expected {layers} ranks b_1 ≤ … ≤ b_H = {widths[-1]} and {layers} ranks t_0 ≥ … , "
            f"none above its width in {tuple(widths)}, got {tuple(left_ranks)} and {right}"
        )
    positive = sum((b - a) * t for (a, b), t in zip(pairwise(left), right, strict=True))
    return _filled(0, positive, widths)


def _filled(negative: int, positive: int, widths: Sequence[int]) -> Triple:
    total = sum(a * b for a, b in pairwise(widths))
    return negative, total - negative - positive, positive


def _check_widths(widths: Sequence[int], values: np.ndarray) -> None:
    if len(widths) < 3 or min(widths) < 1 or values.shape != (widths[-1],):
        raise InvalidWeights(
            "expected widths (inputs, hidden…, outputs), all positive, and one eigenvalue for each "
            f"output, got widths {tuple(widths)} and eigenvalues of shape {values.shape}"
        )


def _check(
    values: np.ndarray, modes: Sequence[int], widths: Sequence[int], input_rank: int
) -> None:
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InvalidWeights("the eigenvalues must be finite and not negative")
    if not np.count_nonzero(values) <= input_rank <= widths[0]:
        raise InvalidWeights(
            f"input_rank must lie between the {np.count_nonzero(values)} positive eigenvalues and "
            f"the {widths[0]} inputs, got {input_rank}"
        )
    distinct = len(set(modes)) == len(modes) and all(0 <= mode < len(values) for mode in modes)
    if not distinct or len(modes) > min(widths[1:-1]) or not (values[list(modes)] > 0).all():
        raise InvalidWeights(
            f"modes must be distinct, from 0 to {len(values) - 1}, of positive eigenvalues, and at "
            f"most {min(widths[1:-1])}, the narrowest hidden width; got {tuple(modes)}"
        )
