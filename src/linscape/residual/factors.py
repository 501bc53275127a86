"""Small layers whose product is a given map: Hardt and Ma's construction, shared out better."""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import NoExactSolution
from linscape.residual.norm import ResidualNormBound, residual_norm_bound
from linscape.residual.polar import checked_map, polar
from linscape.residual.shares import Construction, best_shares

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ResidualFactors:
    """Layers with (I + A_l) ⋯ (I + A_1) = R; iterating gives A_1, …, A_l.

    Attributes
    ----------
    factors : (l, d, d) ndarray
        A_1, …, A_l, in the order in which they act; read-only. ``numpy.eye(d) + factors`` are the
        weights of :func:`residual_problem`.
    norm : float
        max_i ‖A_i‖₂, in closed form.
    construction : "equal shares" or "split"
        Whether every layer stretches and rotates, or each does one of the two.
    error : float
        ‖(I + A_l) ⋯ (I + A_1) − R‖₂/‖R‖₂, measured.
    bound : ResidualNormBound
        What is possible and what the theorem promises.
    """

    factors: Array
    norm: float
    construction: Construction
    error: float
    bound: ResidualNormBound

    def __iter__(self) -> Iterator[Array]:
        """Iterate over A_1, …, A_l."""
        return iter(self.factors)

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.factors)

    def __getitem__(self, layer: int) -> Array:
        """Return A_{layer + 1}."""
        return np.asarray(self.factors[layer])

    def to_dict(self) -> dict[str, Any]:
        """Return the factors and the bounds ready for JSON."""
        parts = {key: value for key, value in vars(self).items() if key not in ("factors", "bound")}
        return {"factors": self.factors.tolist(), **parts, "bound": self.bound.to_dict()}


@guarded
def residual_factors(R: ArrayLike, layers: int) -> ResidualFactors:
    r"""Factor R into layers near the identity, (I + A_l) ⋯ (I + A_1) = R.

    Let det R > 0 and l ≥ 3γ, γ = max |log σ(R)|. With the polar form R = KQ, K positive definite
    and Q a rotation, K and Q have real powers, and each layer is

    .. math:: I + A_i = Q^{-B_i} K^{a_i} Q^{B_i + b_i}, \quad Σa_i = Σb_i = 1

    with B_i the sum of the b of the layers after it. Equal shares a_i = b_i = 1/l give every layer
    the norm ‖K^{1/l}Q^{1/l} − I‖₂ ≤ e^{γ/l} − 1 + 2 sin(θ/2l), θ the largest angle of Q. Hardt and
    Ma let l_1 layers stretch and l_2 = l − l_1 rotate, of norm
    max(max |σ^{1/l_1} − 1|, 2 sin(θ/2l_2)). Returned are the equal shares, or the best l_1 if that
    is smaller, as it is for a few maps; so the norm is never above theirs, at any l_1, and below
    (4π + 3γ)/l. It is the least possible one if R is normal with negative eigenvalues of even
    multiplicity only.

    Parameters
    ----------
    R : (d, d) array
        The map.
    layers : int
        Number l ≥ 1 of layers; one layer is R − I.

    Raises
    ------
    NoExactSolution
        If det R ≤ 0 (then some ‖A_i‖ ≥ 1), or R cannot be told from a singular matrix, or
        l < 3γ; the message has the bound from below.
    InvalidData, InvalidNetwork
        As :func:`residual_norm_bound`.

    References
    ----------
    Hardt & Ma (2016), *Identity matters in deep learning*, Theorem 2.1 and its proof. The equal
    shares and their optimality are proven in docs/residual.md.

    Examples
    --------
    A quarter turn in three layers is three turns by 30°, each 2 sin 15° from the identity:

    >>> result = residual_factors([[0.0, -1.0], [1.0, 0.0]], 3)
    >>> (result.factors[0] + [[1.0, 0.0], [0.0, 1.0]]).round(6).tolist()
    [[0.866025, -0.5], [0.5, 0.866025]]
    >>> round(result.norm, 6), round(result.bound.lower, 6)
    (0.517638, 0.517638)
    """
    matrix = checked_map(R)
    bound = residual_norm_bound(matrix, layers)
    if bound.failing:
        raise NoExactSolution(_refusal(bound))
    form = polar(matrix)
    shares = best_shares(form, bound.layers)
    factors = np.ascontiguousarray(shares.layers(form))
    factors.setflags(write=False)
    error = np.linalg.norm(product(factors) - matrix, 2) / np.linalg.norm(matrix, 2)
    return ResidualFactors(factors, shares.norm, shares.construction, float(error), bound)


def product(factors: Array) -> Array:
    """Return (I + A_l) ⋯ (I + A_1)."""
    eye = np.eye(factors.shape[-1])
    return functools.reduce(lambda after, A: after + A @ after, factors, eye)


def _refusal(bound: ResidualNormBound) -> str:
    hypotheses = "; ".join(bound.failing)
    least = f"every factorisation into {bound.layers} layers has some norm of at least"
    if bound.determinant != "positive":
        advice = "no number of layers helps: with all norms below 1 the determinant is positive"
    else:
        advice = f"use at least {math.ceil(3 * bound.log_stretch)} layers"
    return (
        f"residual factors need det R > 0 and layers >= 3γ, and this fails: {hypotheses}; "
        f"{least} {bound.lower:.6g}; {advice}"
    )
