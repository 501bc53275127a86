"""Two layers on whitened inputs, from any λ-balanced start: a matrix Riccati equation, solved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.balance import imbalances
from linscape.dynamics.closed_forms.graded import graded_basis
from linscape.dynamics.closed_forms.setting import TOLERANCE, setting, single_net
from linscape.dynamics.times import checked_times
from linscape.errors import NoExactSolution
from linscape.problem import Problem

Array = NDArray[np.float64]

SOURCE = (
    "Riccati solution: Fukumizu (1998); Braun, Dominé, Fitzgerald & Saxe (2022); "
    "Dominé et al. (2024)"
)


@dataclass(frozen=True, eq=False)
class TwoLayerFlow:
    """Gradient flow of a net of two layers in closed form.

    Attributes
    ----------
    times : ndarray, shape (k,)
        When.
    product : ndarray, shape (k, m, d)
        U W.
    input_gram : ndarray, shape (k, d, d)
        WᵀW.
    output_gram : ndarray, shape (k, m, m)
        U Uᵀ.
    loss : ndarray, shape (k,)
        L, decay included.
    weights : list of ndarray
        W (k, d_1, d) and U (k, m, d_1) up to one rotation of the hidden units at each time, which
        none of the other values depends on.
    imbalance : float
        λ in UᵀU − WWᵀ = λI at the start.
    source : str
        The theorem.
    """

    times: Array
    product: Array
    input_gram: Array
    output_gram: Array
    loss: Array
    weights: list[Array]
    imbalance: float
    source: str = SOURCE

    def to_dict(self) -> dict[str, Any]:
        """Return the flow as lists, ready for JSON."""
        arrays = ("times", "product", "input_gram", "output_gram", "loss")
        return {name: getattr(self, name).tolist() for name in arrays} | {
            "imbalance": self.imbalance,
            "source": self.source,
        }


@guarded
def two_layer_flow(
    problem: Problem, weights: Sequence[ArrayLike], times: ArrayLike
) -> TwoLayerFlow:
    r"""Return gradient flow Ẇ = −∇L of one hidden layer on whitened inputs, in closed form.

    Let E[xxᵀ] = s²I (noise on the inputs included) and UᵀU − WWᵀ = λI at the start. In the time
    τ = 2αs²t, α the factor of the data term, Q = [Wᵀ; U] obeys Q̇ = FQ − ½QQᵀQ with

    .. math:: F = [[−λ/2·I − κI, Σᵀ], [Σ, λ/2·I − κI]],  Σ = E[yxᵀ]/s²,  κ = γ/(αs²),

    whose solution is

    .. math:: QQᵀ(τ) = e^{Fτ}Q_0 [I + ∫_0^τ Q_0ᵀe^{2Fr}Q_0 dr]^{−1} Q_0ᵀe^{Fτ}.

    The sizes d, d_1, m are arbitrary, and Σ may have any rank. A common weight decay γ is covered
    for λ = 0 only (it makes λ fall in time). Q_0 is any start of that kind, small or large, aligned
    or not. No power e^{Fτ} is formed, so any time is allowed: the bracket's range is found by
    a row-graded QR.

    Parameters
    ----------
    problem : Problem
        One hidden layer; no hidden noise, no biases.
    weights : sequence of array_like
        W (d_1, d) and U (m, d_1).
    times : array_like
        Times t ≥ 0, ascending.

    Returns
    -------
    TwoLayerFlow
        Products, Gram matrices and losses.

    Raises
    ------
    NoExactSolution
        If a hypothesis fails; the message names it and by how much it fails (beyond 1e-12
        relative).
    InvalidWeights
        If the weights do not fit, or have batch axes.
    ValueError
        If the times are not finite, not negative and ascending.

    References
    ----------
    Fukumizu (1998), *Effect of batch learning in multilayer neural networks*; Braun, Dominé,
    Fitzgerald & Saxe (2022), *Exact learning dynamics of deep linear networks with prior
    knowledge* (λ = 0); Dominé et al. (2024), *From lazy to rich: exact learning dynamics in deep
    linear networks* (λ ≠ 0).

    Examples
    --------
    One unit, w = u, A = c = 1: p = uw obeys ṗ = 4p(1 − p), the logistic curve.

    >>> import math
    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(1,)))
    >>> flow = two_layer_flow(problem, [[[0.1]], [[0.1]]], [0.0, 1.0])
    >>> flow.product.ravel().round(12), round(1 / (1 + 99 * math.exp(-4)), 12)
    (array([0.01      , 0.35546099]), 0.355460987137)
    """
    at = checked_times(times)
    if problem.network.depth != 1:
        raise NoExactSolution(
            "the Riccati solution is for one hidden layer, this network has "
            f"{problem.network.depth}; aligned_flow covers balanced aligned starts of any depth"
        )
    A, B, decay = setting(problem, "the flow of two layers")
    variance = _whitened(A)
    W, U = single_net(problem, weights)
    imbalance = _imbalance(W, U, decay)
    alpha = problem.data_factor
    rates, modes = _spectrum(B / variance, imbalance)
    start = modes.T @ np.vstack([W.T, U])
    hidden = len(W)
    if hidden > len(start):  # the rotation that empties the hidden units too many
        start = np.linalg.qr(start.T)[1].T
    taus = 2 * alpha * variance * at
    factors = np.stack([modes @ _factor(start, rates - decay / alpha / variance, x) for x in taus])
    inputs, spare = W.shape[1], hidden - start.shape[1]
    factors = np.pad(factors, ((0, 0), (0, 0), (0, spare)))
    first, last = factors[:, :inputs].mT, factors[:, inputs:]
    return TwoLayerFlow(
        times=at,
        product=last @ first,
        input_gram=first.mT @ first,
        output_gram=last @ last.mT,
        loss=np.asarray(problem.loss([first, last])),
        weights=[first, last],
        imbalance=imbalance,
    )


def _factor(start: Array, rates: Array, tau: float) -> Array:
    """Return Q(τ), up to a rotation from the right, in the coordinates where F is diagonal.

    With g = ∫_0^τ e^{2Λr}dr and [O_a; O_b] an orthonormal basis of the range of [I; √g Q_0],
    Q(τ)Q(τ)ᵀ = e^{Λτ}g^{−½} O_b O_bᵀ g^{−½}e^{Λτ}.
    """
    if tau == 0:
        return start
    columns = start.shape[1]
    exponents = 2 * rates * tau
    logarithm = np.log(tau) + np.maximum(exponents, 0) + np.log(_decline(np.abs(exponents)))
    basis = graded_basis(
        np.vstack([np.eye(columns), start]),
        np.concatenate([np.zeros(columns), logarithm / 2]),
    )
    factor: Array = np.exp(rates * tau - logarithm / 2)[:, None] * basis[columns:]
    return factor


def _decline(x: Array) -> Array:
    """Return (1 − e^{−x})/x, 1 at x = 0."""
    safe = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, -np.expm1(-safe) / safe)


def _spectrum(target: Array, imbalance: float) -> tuple[Array, Array]:
    """Return the eigenvalues of F without decay, and its eigenvectors as columns."""
    outputs, inputs = target.shape
    left, values, right = np.linalg.svd(target)
    rates = np.concatenate([np.full(inputs, -imbalance / 2), np.full(outputs, imbalance / 2)])
    modes = np.zeros((inputs + outputs,) * 2)
    modes[:inputs, :inputs], modes[inputs:, inputs:] = right.T, left
    for i, value in enumerate(values):
        j = inputs + i
        angle = np.arctan2(value, -imbalance / 2) / 2
        pair = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        modes[:, [i, j]] = modes[:, [i, j]] @ pair
        rates[[i, j]] = np.hypot(value, imbalance / 2) * np.array([1.0, -1.0])
    return rates, modes


def _whitened(A: Array) -> float:
    variance = float(np.mean(np.diagonal(A)))
    deviation = float(np.abs(A - variance * np.eye(len(A))).max())
    if not deviation <= TOLERANCE * variance or variance == 0:
        raise NoExactSolution(
            "the flow of two layers has a closed form for whitened inputs, E[xxᵀ] = s²I; here "
            f"E[xxᵀ] differs from {variance:.6g}·I by {deviation:.3g}; whiten the inputs, or "
            "integrate it with flow"
        )
    return variance


def _imbalance(W: Array, U: Array, decay: float) -> float:
    """Return λ of a λ-balanced start."""
    (delta,) = imbalances([W, U])
    size = np.linalg.norm(W) ** 2 + np.linalg.norm(U) ** 2
    value = float(np.trace(delta)) / len(delta)
    deviation = float(np.linalg.norm(delta - value * np.eye(len(delta)), ord=2))
    if deviation > TOLERANCE * size:
        raise NoExactSolution(
            "the flow of two layers has a closed form from λ-balanced starts, UᵀU − WWᵀ = λI; "
            f"this one misses λ = {value:.6g} by {deviation:.3g} (spectral norm); start from "
            "balanced_weights, or integrate it with flow"
        )
    if abs(value) <= TOLERANCE * size:
        return 0.0
    if decay > 0:
        raise NoExactSolution(
            "with weight decay the flow of two layers has a closed form from balanced starts "
            f"only, UᵀU = WWᵀ; this one has λ = {value:.6g}; integrate it with flow"
        )
    return value
