"""Random weights as the usual initialisation schemes draw them."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidOption
from linscape.problem import Problem

Array = NDArray[np.float64]
Scheme = Literal["kaiming", "xavier", "lecun", "orthogonal", "normal", "pytorch"]

_VARIANCE: dict[str, Callable[[int, int], float]] = {
    "kaiming": lambda fan_in, fan_out: 2 / fan_in,
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
    "normal": lambda fan_in, fan_out: 1.0,
}


@guarded
def random_weights(
    problem: Problem,
    *,
    scheme: Scheme = "kaiming",
    gain: float = 1.0,
    rng: np.random.Generator | int,
    batch: int | tuple[int, ...] | None = None,
) -> list[Array]:
    r"""Draw weights of the problem's network by an initialisation scheme; biases are zero.

    With n_in columns (biases not counted) and n_out rows, and g the `gain`, the entries of each
    matrix are independent and normal with mean zero and

    =============  ========================  ===============================
    scheme         variance of an entry      from
    =============  ========================  ===============================
    "kaiming"      2 g²/n_in                 He et al. (2015), for ReLU
    "xavier"       2 g²/(n_in + n_out)       Glorot & Bengio (2010)
    "lecun"        g²/n_in                   LeCun et al. (1998)
    "normal"       g²                        a fixed standard deviation
    =============  ========================  ===============================

    "orthogonal" (Saxe et al., 2014) draws g times a matrix whose rows are orthonormal, or whose
    columns are if it is tall, uniformly among those: each entry has variance g²/max(n_in, n_out).
    "pytorch" draws the entries uniformly from ±g/√n_in, PyTorch's default for linear layers
    (variance g²/(3 n_in), that of "lecun" at gain 1/√3); its biases, uniform too there, are zero.

    Parameters
    ----------
    problem : Problem
        Gives the shapes.
    scheme : str, default "kaiming"
        One of the above.
    gain : float, default 1
        Factor g ≥ 0 on every matrix.
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
        If the scheme is not known, or the gain is not a finite number of at least 0.

    Examples
    --------
    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(2,)))
    >>> W, U = random_weights(problem, scheme="orthogonal", gain=3.0, rng=0)
    >>> (W.T @ W).round(12), (U @ U.T).round(12)
    (array([[9.]]), array([[9.]]))
    """
    if scheme not in get_args(Scheme):
        choices = ", ".join(map(repr, get_args(Scheme)))
        raise InvalidOption(f"scheme must be one of {choices}, got {scheme!r}")
    if not isinstance(gain, int | float | np.number) or not 0 <= gain < math.inf:
        raise InvalidOption(f"gain must be a finite number of at least 0, got {gain!r}")
    generator, axes = np.random.default_rng(rng), batch_axes(batch)
    widths = widths_of(problem)
    weights = [
        gain * _draw(scheme, (*axes, after, before), generator)
        for before, after in pairwise(widths)
    ]
    return with_zero_biases(problem, weights)


def batch_axes(batch: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the batch axes as a tuple."""
    if isinstance(batch, int | np.integer):
        batch = (int(batch),)
    axes = () if batch is None else tuple(batch)
    if not all(isinstance(axis, int | np.integer) and axis >= 0 for axis in axes):
        raise InvalidOption(f"batch must be whole numbers of at least 0, got {batch!r}")
    return axes


def widths_of(problem: Problem) -> list[int]:
    """Return d, d_1, …, d_D, m."""
    return [problem.moments.inputs, *problem.network.hidden, problem.moments.outputs]


def with_zero_biases(problem: Problem, weights: list[Array]) -> list[Array]:
    """Return each W as [W 0] if the problem has biases."""
    if problem.network.bias is False:
        return weights
    return [np.concatenate([W, np.zeros((*W.shape[:-1], 1))], axis=-1) for W in weights]


def _draw(scheme: Scheme, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if scheme == "orthogonal":
        return orthogonal(shape, rng)
    fan_out, fan_in = shape[-2:]
    if scheme == "pytorch":
        return rng.uniform(-1, 1, shape) / math.sqrt(fan_in)
    return math.sqrt(_VARIANCE[scheme](fan_in, fan_out)) * rng.standard_normal(shape)


def orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw matrices with orthonormal rows or, if they are tall, columns, uniformly."""
    *axes, rows, columns = shape
    Q, R = np.linalg.qr(rng.standard_normal((*axes, max(rows, columns), min(rows, columns))))
    # the signs that LAPACK leaves in R would make the distribution non-uniform
    Q = Q * np.where(np.diagonal(R, axis1=-2, axis2=-1) < 0, -1.0, 1.0)[..., None, :]
    return Q if rows >= columns else Q.mT
