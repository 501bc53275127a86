"""Layers whose product is a given matrix, none carrying more than its share."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidNetwork
from linscape.landscape.interval import from_logarithm
from linscape.scaling import largest_exponent

Array = NDArray[np.float64]

_ROUNDING = 4 * np.finfo(np.float64).eps  # of a product, per row or column, beside its norm


def balanced_factors(
    product: Array,
    hidden: Sequence[int],
    *,
    weight_decay: Sequence[float] | None = None,
    column_scale: Array | None = None,
    rng: np.random.Generator | None = None,
) -> list[Array]:
    r"""Return W_1, …, W_D, U with U W_D ⋯ W_1 = product, of least Σ_k γ_k‖W_k‖_F².

    With N = D + 1 layers and singular values s_j of the product, every layer has singular values
    s_j^{1/N}√(γ̄/γ_k), γ̄ the geometric mean of the decays: all carry the energy γ̄ Σ_j s_j^{2/N}.
    Without decays all γ are one and the layers are balanced, W_{k+1}ᵀW_{k+1} = W_kW_kᵀ.

    Parameters
    ----------
    product : (m, d) ndarray
        Of rank no larger than the least width.
    hidden : sequence of int
        d_1, …, d_D; may be empty.
    weight_decay : sequence of float, optional
        Positive γ_1, …, γ_{D+1}; ones by default.
    column_scale : (d,) ndarray, optional
        Standard deviations of the inputs, ones by default: singular values of the product times
        these that are no more than rounding are taken as zero.
    rng : numpy.random.Generator, optional
        Draws the orthonormal frames by which the hidden units see the modes, uniformly; by default
        hidden unit j carries mode j alone.

    Raises
    ------
    InvalidNetwork
        If the rank of the product exceeds the least width, or a decay is not positive.

    References
    ----------
    Arora, Cohen & Hazan (2018), *On the optimization of deep networks*, for the word balanced.

    Examples
    --------
    >>> W, U = balanced_factors(np.diag([9.0, 4.0]), (3,))
    >>> np.abs(W).round(12), np.abs(U).round(12)
    (array([[3., 0.],
           [0., 2.],
           [0., 0.]]), array([[3., 0., 0.],
           [0., 2., 0.]]))
    """
    product = np.asarray(product, dtype=np.float64)
    layers = len(hidden) + 1
    scales = _scales(weight_decay, layers)
    if layers == 1:
        return [product.copy()]
    top = int(largest_exponent(product))
    left, singular, first = _decomposed(np.ldexp(product, -top), column_scale)
    rank = len(singular)
    if rank > min(hidden):
        raise InvalidNetwork(
            f"a product of rank {rank} needs hidden widths of at least that, got {list(hidden)}"
        )
    roots = singular ** (1 / layers)
    frames = [orthonormal_frame(width, rank, rng) for width in hidden]
    factors = [frames[0] * (roots / singular if rank else roots) @ first]
    for before, after in itertools.pairwise(frames):
        factors.append((after * roots) @ before.T)
    factors.append((left * roots) @ frames[-1].T)
    unit = math.ldexp(2.0 ** (top % layers / layers), top // layers)
    return [scale * unit * factor for scale, factor in zip(scales, factors, strict=True)]


def _decomposed(product: Array, column_scale: Array | None) -> tuple[Array, Array, Array]:
    """Return U, s and UᵀM, M = USVᵀ of the numerical rank.

    Columns of M may differ in scale as the inputs do, and no singular value decomposition of M
    itself keeps the small ones. Its range is found where the inputs have been scaled to one, and
    UᵀM, taken from M, keeps every column.
    """
    scale = np.ones(product.shape[1]) if column_scale is None else np.asarray(column_scale)
    scaled = product * scale
    left, sizes, _ = np.linalg.svd(scaled, full_matrices=False)
    threshold = max(product.shape) * _ROUNDING * np.max(sizes, initial=0.0)
    basis = left[:, sizes > threshold]
    rotation, singular, _ = np.linalg.svd(basis.T @ product, full_matrices=False)
    left = basis @ rotation
    return left, singular, left.T @ product


def orthonormal_frame(width: int, rank: int, rng: np.random.Generator | None) -> Array:
    """Return a (width, rank) matrix of orthonormal columns, uniformly random if there is an rng."""
    if rng is None:
        return np.eye(width, rank)
    Q, R = np.linalg.qr(rng.standard_normal((width, rank)))
    # the signs that LAPACK leaves in R would make the distribution non-uniform
    frame: Array = Q * np.where(np.diagonal(R) < 0, -1.0, 1.0)
    return frame


def _scales(weight_decay: Sequence[float] | None, layers: int) -> list[float]:
    """Return √(γ̄/γ_k), whose product is one."""
    if weight_decay is None:
        return [1.0] * layers
    if len(weight_decay) != layers or not all(decay > 0 for decay in weight_decay):
        raise InvalidNetwork(
            f"weight_decay needs {layers} positive values, got {list(weight_decay)}; "
            "leave it out for layers of equal norm"
        )
    logs = [math.log(decay) for decay in weight_decay]
    mean = math.fsum(logs) / layers
    return [from_logarithm((mean - log) / 2, "the scale of a layer") for log in logs]
