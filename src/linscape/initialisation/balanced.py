"""Weights whose neighbouring layers are balanced, or miss it by a given amount."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidOption, OutOfRange
from linscape.initialisation.schemes import (
    batch_axes,
    orthogonal,
    widths_of,
    with_zero_biases,
)
from linscape.problem import Problem

Array = NDArray[np.float64]


@guarded
def balanced_weights(
    problem: Problem,
    *,
    product: ArrayLike | None = None,
    scale: float = 1.0,
    imbalance: float = 0.0,
    balancedness: float = 0.0,
    rng: np.random.Generator | int,
    batch: int | tuple[int, ...] | None = None,
) -> list[Array]:
    r"""Draw weights whose neighbouring layers are balanced, exactly or by a given amount.

    With the singular value decomposition LSRᵀ of the product and random matrices O_j (d_j, r) of
    orthonormal columns, W_j = O_j S^{1/N} O_{j−1}ᵀ (O_0 = R, O_N = L; N = D + 1) is balanced:
    Δ_j = W_{j+1}ᵀW_{j+1} − W_jW_jᵀ = 0 for every j, up to rounding. From there

    - `imbalance` λ ≠ 0 changes the singular values of the two layers of a net with one hidden
      layer so that Δ_1 = λI. This needs d_1 ≤ m for λ > 0, d_1 ≤ d for λ < 0;
    - `balancedness` δ > 0 multiplies W_j by e^{xS_j} from the left and W_{j+1} by e^{−xS_j} from
      the right, S_j random symmetric, with the x for which max_j ‖Δ_j‖₂ = δ.

    Both keep the product. Biases are zero.

    Parameters
    ----------
    problem : Problem
        Gives the shapes.
    product : array_like, shape (m, d), optional
        U W_D ⋯ W_1, of rank at most the smallest width; singular values that are rounding errors
        of the largest count as zero. By default its entries are independent standard normal, and
        it is cut to that rank.
    scale : float, default 1
        Factor ≥ 0 on the product.
    imbalance : float, default 0
        λ.
    balancedness : float, default 0
        δ ≥ 0.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    batch : int or tuple of int, optional
        Batch axes put in front of every matrix, for that many independent draws.

    Returns
    -------
    list of ndarray
        W_1, …, W_D, U as :meth:`linscape.Problem.loss` takes them.

    Raises
    ------
    InvalidOption
        If a number is out of its range, the product has the wrong shape or too large a rank, or
        the widths do not allow what is asked.

    References
    ----------
    Arora, Cohen, Golowich & Hu (2019), Procedure 1 (balanced, S^{1/N}); Dominé et al. (2024)
    (λ-balanced).

    Examples
    --------
    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(3,)))
    >>> W, U = balanced_weights(problem, product=[[4.0]], rng=0)
    >>> (U @ W).round(12), (W.T @ W).round(12), (U @ U.T).round(12)
    (array([[4.]]), array([[4.]]), array([[4.]]))
    """
    generator, axes = np.random.default_rng(rng), batch_axes(batch)
    widths = widths_of(problem)
    _check_balance(widths, scale, imbalance, balancedness)
    left, values, right = _decomposition(product, scale, widths, axes, generator)
    if imbalance != 0:
        weights = _lambda_balanced(left, values, right, widths[1], imbalance, generator)
    else:
        rank = min(widths)
        bases = [right.mT[..., :rank]]
        bases += [orthogonal((*axes, width, rank), generator) for width in widths[1:-1]]
        bases.append(left[..., :rank])
        root = values[..., None, :rank] ** (1 / (len(widths) - 1))
        weights = [(after * root) @ before.mT for before, after in pairwise(bases)]
    if balancedness > 0:
        weights = _unbalanced(weights, balancedness, generator)
    return with_zero_biases(problem, weights)


def _decomposition(
    product: ArrayLike | None,
    scale: float,
    widths: list[int],
    axes: tuple[int, ...],
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """Return the full singular value decomposition of the product, cut to the smallest width."""
    shape = (widths[-1], widths[0])
    if product is None:
        matrix = rng.standard_normal((*axes, *shape))
    else:
        given = np.asarray(product, dtype=np.float64)
        if given.shape not in {shape, shape[shape[0] == 1 :]} or not np.isfinite(given).all():
            raise InvalidOption(
                f"product must be a matrix of shape {shape} with finite entries, got shape "
                f"{given.shape}"
            )
        matrix = np.broadcast_to(given.reshape(shape), (*axes, *shape))
    left, values, right = np.linalg.svd(scale * matrix)
    excess = values[..., min(widths) :].max(initial=0.0)
    if product is not None and excess > 1e-12 * values.max(initial=0.0):
        raise InvalidOption(
            f"a product of rank above {min(widths)} does not pass through layers of widths "
            f"{widths}; cut its singular values, or widen the network"
        )
    values[..., min(widths) :] = 0.0
    # an N-th root would make small values of the rounding of zeros
    rounding = max(shape) * np.finfo(np.float64).eps * values.max(axis=-1, keepdims=True)
    values[values <= rounding] = 0.0
    return left, values, right


def _lambda_balanced(
    left: Array, values: Array, right: Array, width: int, imbalance: float, rng: np.random.Generator
) -> list[Array]:
    """Return W, U of this product with UᵀU − WWᵀ = λI, the hidden units turned at random."""
    rotation = orthogonal((*values.shape[:-1], width, width), rng)
    padded = np.zeros((*values.shape[:-1], width))
    kept = min(width, values.shape[-1])
    padded[..., :kept] = values[..., :kept]
    larger = (abs(imbalance) + np.hypot(imbalance, 2 * padded)) / 2
    smaller = padded**2 / larger
    first, last = (smaller, larger) if imbalance > 0 else (larger, smaller)

    def part(basis: Array, squares: Array) -> Array:
        rank = min(width, basis.shape[-1])
        columns = basis[..., :rank] * np.sqrt(squares[..., None, :rank])
        return columns @ rotation[..., :rank].mT

    return [part(right.mT, first).mT, part(left, last)]


def _unbalanced(weights: list[Array], delta: float, rng: np.random.Generator) -> list[Array]:
    """Return weights of the same product with max_j ‖Δ_j‖₂ = δ."""
    axes = weights[0].shape[:-2]
    draws = []
    for W in weights[:-1]:
        square = rng.standard_normal((*axes, W.shape[-2], W.shape[-2]))
        draws.append(square + square.mT)
    result = [W.copy() for W in weights]
    for index in np.ndindex(axes):
        found = _unbalanced_net(
            [W[index] for W in weights], [np.linalg.eigh(S[index]) for S in draws], delta
        )
        for W, part in zip(result, found, strict=True):
            W[index] = part
    return result


def _unbalanced_net(weights: list[Array], generators: list[Any], delta: float) -> list[Array]:
    from scipy.optimize import brentq

    if any(not W.any() for W in weights):
        raise InvalidOption(
            "a product of zero leaves no balancedness to give; give another product"
        )

    def moved(x: float) -> list[Array]:
        result = list(weights)
        for j, (values, vectors) in enumerate(generators):
            factors = np.exp(x * values / np.abs(values).max())
            result[j] = (vectors * factors) @ (vectors.T @ result[j])
            result[j + 1] = (result[j + 1] @ vectors / factors) @ vectors.T
        return result

    def excess(x: float) -> float:
        pairs = pairwise(moved(x))
        return max(float(np.linalg.norm(V.T @ V - W @ W.T, ord=2)) for W, V in pairs) / delta - 1

    upper = 1.0
    while excess(upper) < 0:
        upper *= 2
    try:
        root = float(brentq(excess, 0.0, upper, xtol=1e-300, rtol=1e-15))
    except (RuntimeError, ValueError):  # the excess is all rounding
        raise OutOfRange(
            f"a balancedness of {delta!r} is below the rounding error of these weights; give a "
            "larger one, or 0"
        ) from None
    return moved(root)


def _check_balance(widths: list[int], scale: float, imbalance: float, balancedness: float) -> None:
    for name, value in (("scale", scale), ("balancedness", balancedness)):
        if not 0 <= value < math.inf:
            raise InvalidOption(f"{name} must be a finite number of at least 0, got {value!r}")
    if not math.isfinite(imbalance):
        raise InvalidOption(f"imbalance must be a finite number, got {imbalance!r}")
    if balancedness > 0 and (imbalance != 0 or len(widths) == 2):
        raise InvalidOption(
            "balancedness is for networks with a hidden layer, and for imbalance 0; got "
            f"balancedness={balancedness!r}, imbalance={imbalance!r} and {len(widths) - 2} hidden"
        )
    if imbalance != 0:
        if len(widths) != 3:
            raise InvalidOption(
                "imbalance is for one hidden layer, UᵀU − WWᵀ = λI; this network has "
                f"{len(widths) - 2}; give balancedness instead"
            )
        room, side = (widths[2], "outputs") if imbalance > 0 else (widths[0], "inputs")
        if widths[1] > room:
            raise InvalidOption(
                f"imbalance {imbalance:g} needs at least as many {side} as hidden units, got "
                f"{room} and {widths[1]}"
            )
