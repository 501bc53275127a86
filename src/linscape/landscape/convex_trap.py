"""The trap for other losses than the square, and for ReLU. Proofs are in docs/trap.md."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidData, InvalidNetwork
from linscape.landscape.interval import real_numbers
from linscape.landscape.trap import Constants, log
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]


@guarded
def convex_trap_radius(bound: float, *, weight_decay: float | Sequence[float], depth: int) -> float:
    r"""Return R such that max_k ‖W_k‖_F < R flows to zero, for any convex loss.

    For L = E ℓ(f(x), y) + Σ_k γ_k‖W_k‖_F², ℓ(·, y) convex and differentiable, f a linear net of D
    hidden layers without biases, with or without noise of mean one:

    .. math:: R = (2γ/‖B‖₂)^{1/(D−1)}, \quad B = E[∇ℓ(0, y) xᵀ], \quad γ = \min_k γ_k

    for D ≥ 2, and the ball Σ‖W_k‖² < (D + 1)R² flows to zero too. For D = 1 zero is the global
    minimum iff ‖B‖₂ ≤ 2√(γ_uγ_w); R is infinite if that holds strictly (every start flows to zero)
    and 0 otherwise. B = 0 gives infinity, a layer without decay 0, as in :func:`trap_radius`.

    Parameters
    ----------
    bound : float
        ‖B‖₂, of :func:`cross_entropy_moment` or :func:`square_loss_moment`, or of your own loss.
    weight_decay : float or sequence of float
        γ, of all layers or of each of the D + 1, in γ‖W‖² (no ½).
    depth : int
        Number D of hidden layers.

    Raises
    ------
    InvalidData
        If the bound is negative or not finite.
    InvalidNetwork
        If a decay is negative or not finite, or their number is not D + 1.

    References
    ----------
    Proven in docs/trap.md.

    Examples
    --------
    >>> convex_trap_radius(2.0, weight_decay=0.25, depth=2)
    0.25
    >>> convex_trap_radius(2.0, weight_decay=(0.5, 8.0), depth=1)      # 2 < 2√4
    inf
    """
    if not isinstance(bound, int | float | np.number) or not 0 <= bound < math.inf:
        raise InvalidData(f"the bound must be a finite number of at least 0, got {bound!r}")
    decays = _chain(depth, weight_decay=weight_decay).weight_decay
    return Constants(depth, decays, log(bound) - math.log(2), math.inf).radius("layers")


@guarded
def relu_trap_radius(
    bound: float,
    *,
    weight_decay: float | Sequence[float],
    depth: int,
    noise: float | Sequence[float] = 0.0,
) -> float:
    r"""Return R such that max_k ‖W_k‖_F < R flows to zero, for ReLU nets and any convex loss.

    :func:`convex_trap_radius` with E[‖∇ℓ(0, y)‖‖x‖]·Π_k √(1 + σ_k²) in place of ‖B‖₂. It holds for
    every activation with φ(tz) = tφ(z) for t ≥ 0 and |φ(z)| ≤ |z| (ReLU, LeakyReLU), without
    biases. For D = 1 an infinite radius still means that everything flows to zero, but 0 no longer
    means that zero is a saddle: the bound is only sufficient.

    Parameters
    ----------
    bound : float
        E[‖∇ℓ(0, y)‖‖x‖], or √(a_max E‖∇ℓ(0, y)‖²), a_max the largest eigenvalue of E[xxᵀ]; either
        will do, and so will the smaller. For the square loss ∇ℓ(0, y) = −2y.
    weight_decay, depth
        As in :func:`convex_trap_radius`.
    noise : float or sequence of float, default 0
        Variance σ_k² of the mean-one noise on each hidden layer.

    Raises
    ------
    InvalidData, InvalidNetwork
        As :func:`convex_trap_radius`, and for noise that is negative or of the wrong length.

    References
    ----------
    Proven in docs/trap.md.

    Examples
    --------
    >>> relu_trap_radius(1.0, weight_decay=0.25, depth=2, noise=1.0)      # .5/(√2·√2)
    0.25
    """
    variances = _chain(depth, noise=noise).noise
    inflation = math.sqrt(math.prod(1 + variance for variance in variances))
    return convex_trap_radius(bound * inflation, weight_decay=weight_decay, depth=depth)


def _chain(depth: int, **options: Any) -> Network:
    """Return a network of single units, for its checks."""
    if isinstance(depth, bool) or not isinstance(depth, int | np.integer) or depth < 0:
        raise InvalidNetwork(f"depth must be a whole number of at least 0, got {depth!r}")
    return Network((1,) * int(depth), **options)


@guarded
def cross_entropy_moment(
    class_means: ArrayLike, frequencies: ArrayLike, *, output_bias: bool = False
) -> Array:
    """Return B = E[∇ℓ(0, y) xᵀ] of softmax cross-entropy, (classes, d), from the class means.

    ∇ℓ(0, y) = softmax(0) − e_y, so row c is E[x]/m − π_c E[x | c]. With a free bias at the output
    ∇ℓ is taken at the best constant prediction, softmax = π, and row c is π_c(E[x] − E[x | c]);
    the statement of :func:`convex_trap_radius` about D = 1 and the global minimum then holds for
    that constant in place of zero, those about the flow do not.

    Parameters
    ----------
    class_means : (m, d) array
        E[x | c], one row a class.
    frequencies : (m,) array
        π_c > 0, summing to one.
    output_bias : bool, default False
        Whether the output has a bias that does not decay.

    Raises
    ------
    InvalidData
        If the shapes do not fit, or the frequencies are not positive with sum one.

    Examples
    --------
    Two classes of equal frequency at ±1: B = ∓½, with norm 1/√2.

    >>> B = cross_entropy_moment([[1.0], [-1.0]], [0.5, 0.5])
    >>> B.tolist()
    [[-0.5], [0.5]]
    """
    means = real_numbers(class_means)
    rates = real_numbers(frequencies)
    if means.ndim != 2 or rates.shape != means.shape[:1] or not np.isfinite(means).all():
        raise InvalidData(
            "expected finite class_means (m, d) and frequencies (m,), got shapes "
            f"{means.shape} and {rates.shape}"
        )
    if not (rates > 0).all() or abs(rates.sum() - 1) > 1e-9:
        raise InvalidData(f"frequencies must be positive with sum one, got {rates.tolist()}")
    constant = rates if output_bias else np.full(len(rates), 1 / len(rates))
    moment: Array = np.outer(constant, rates @ means) - rates[:, None] * means
    return moment


@guarded
def square_loss_moment(problem: Problem) -> Array:
    """Return B = E[∇ℓ(0, y) xᵀ] = −2αCᵀ of the problem's own loss α‖f − y‖², (m, d).

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [3.0], 9.0)
    >>> square_loss_moment(ls.Problem(moments, ls.Network(hidden=(1,)))).tolist()
    [[-6.0]]
    """
    moment: Array = -2 * problem.data_factor * linear_moments(problem)[1].T
    return moment
