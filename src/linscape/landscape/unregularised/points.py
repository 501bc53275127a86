"""Weights of critical points, built from the modes they learn."""

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidOption, NoExactSolution
from linscape.landscape.factors import orthonormal_frame
from linscape.landscape.realisation import with_free_biases
from linscape.landscape.unregularised.leading import existing_kinds, is_leading
from linscape.landscape.unregularised.modes import Modes, data_modes
from linscape.landscape.unregularised.subsets import groups_of_equals
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]
Asked = Literal["strict", "non-strict"]
_ASKED: dict[Any, Asked] = {"strict saddle": "strict", "non-strict saddle": "non-strict"}

_LEAST, _MOST = 0.5, 2.0  # singular values of the random changes of basis


@guarded
def critical_point(
    problem: Problem,
    *,
    modes: Iterable[int],
    kind: Asked | None = None,
    rng: np.random.Generator | int,
) -> list[Array]:
    r"""Return random weights of a critical point that learns exactly the given modes.

    With S the modes, Q the others, r = |S|, N layers and D_h random invertible matrices,

    .. math::
        W_N = [U_S,\ U_Q Z_N] D_{N−1}^{−1}, \quad W_h = D_h\,diag(I_r, Z_h)\,D_{h−1}^{−1}, \quad
        W_1 = D_1 [U_S^T R;\ Z_1]

    is critical if two of the Z_h vanish (one at a global minimum, none where a hidden layer has
    width r). Those are drawn at random; the others are dense. Modes other than {0, …, r − 1} are
    strict saddles always. {0, …, r − 1} with fewer modes than a global minimum is a strict saddle
    if just two Z_h vanish, a non-strict one if three do.

    Parameters
    ----------
    problem : Problem
        Without weight decay and without noise in the hidden layers, of any depth and widths.
    modes : iterable of int
        Which modes, from 0 in the order of :func:`critical_values`; `()` for none. Where values are
        equal, the directions are one basis of their common subspace.
    kind : "strict", "non-strict" or None, default None
        The kind of saddle ("strict saddle" and "non-strict saddle" will do too); None is a global
        minimum or a strict saddle, whichever the modes are.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.

    Returns
    -------
    list of ndarray
        W_1, …, W_D, U as :meth:`linscape.Problem.loss` takes them. The gradient vanishes up to
        rounding. Every layer has about the same norm.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise, or no critical point has these modes or is of this kind.
    InvalidOption
        If `kind` is neither of the three.

    References
    ----------
    Achour, Malgouyres & Gerchinovitz (2021), *The loss landscape of deep linear neural networks: a
    second-order analysis*, Theorem 1 and the parameterisation of critical points; theirs are
    distinct eigenvalues and full ranks, which are not needed here.

    Examples
    --------
    x of covariance I, y = diag(3, 1)x: learning the second mode alone leaves the loss 9.

    >>> import linscape as ls
    >>> moments = ls.Moments(np.eye(2), np.diag([3.0, 1.0]), np.diag([9.0, 1.0]))
    >>> problem = ls.Problem(moments, ls.Network(hidden=(2, 2)))
    >>> weights = critical_point(problem, modes=(1,), rng=0)
    >>> round(problem.loss(weights), 12), problem.predictor(weights).round(12) + 0.0
    (9.0, array([[0., 0.],
           [0., 1.]]))
    >>> bool(max(abs(part).max() for part in problem.gradient(weights)) < 1e-12)
    True
    """
    kind = _ASKED.get(kind, kind)
    if kind is not None and kind not in get_args(Asked):
        raise InvalidOption(f"kind must be 'strict', 'non-strict' or None, got {kind!r}")
    data = data_modes(problem)
    chosen = _checked(problem, data, modes)
    groups = groups_of_equals(data.values[: data.rank].tolist(), data.value_error)
    layers = problem.network.depth + 1
    exists = existing_kinds(chosen, groups, learned=data.learned, layers=layers)
    if kind is not None and f"{kind} saddle" not in exists:
        raise NoExactSolution(_why_not(chosen, kind, exists, leading=is_leading(chosen, groups)))
    generator = np.random.default_rng(rng)
    if problem.network.depth == 0:
        weights = [data.product(chosen)]
    else:
        vanishing = _vanishing(problem, len(chosen), kind, is_minimum="global minimum" in exists)
        weights = _weights(problem, data, chosen, vanishing, generator)
    return weights if problem.network.bias is False else with_free_biases(problem, weights)


def _checked(problem: Problem, data: Modes, modes: Iterable[int]) -> tuple[int, ...]:
    try:
        chosen = sorted(operator.index(mode) for mode in modes)
    except TypeError as error:
        raise NoExactSolution(
            f"modes must be whole numbers from 0 such as (0, 2), got {modes!r}"
        ) from error
    if len({*chosen}) < len(chosen) or (chosen and chosen[0] < 0):
        raise NoExactSolution(f"modes must be distinct and at least 0, got {chosen}")
    if chosen and chosen[-1] >= data.rank:
        raise NoExactSolution(
            f"no critical point learns mode {chosen[-1]}: these data have {data.rank} modes that "
            "explain anything, numbered from 0; leave it out"
        )
    if len(chosen) > data.rank_limit:
        raise NoExactSolution(
            f"no critical point learns {len(chosen)} modes: the least width of the network, input "
            f"and output included, is {data.rank_limit}"
        )
    if problem.network.depth == 0 and len(chosen) < data.rank:
        raise NoExactSolution(
            "without a hidden layer least squares, which learns all modes, is the only critical "
            f"point; got modes {chosen}: add a hidden layer"
        )
    return tuple(chosen)


def _why_not(chosen: tuple[int, ...], kind: str, exists: tuple[str, ...], *, leading: bool) -> str:
    lead = f"no critical point of modes {chosen} is a {kind} saddle: "
    if "global minimum" in exists:
        return lead + "these are the modes of the global minimum; take fewer, or others"
    if leading:
        return lead + (
            "with one hidden layer the way through the layers and the way around them, through the "
            "data, never both have the rank of the modes alone, so every saddle has a direction "
            "of negative curvature; add a hidden layer, or ask for kind='strict'"
        )
    return lead + (
        f"they explain less than the first {len(chosen)} modes do, and exchanging one for a "
        "better one is a direction of negative curvature; ask for kind='strict'"
    )


def _vanishing(problem: Problem, rank: int, kind: str | None, *, is_minimum: bool) -> int:
    """Return how many of the Z_h have to vanish."""
    if kind == "non-strict":
        return 3
    if rank in (*problem.network.hidden, problem.moments.outputs):
        return 0
    return 1 if is_minimum else 2


def _weights(
    problem: Problem,
    data: Modes,
    chosen: Sequence[int],
    vanishing: int,
    rng: np.random.Generator,
) -> list[Array]:
    """Draw the D_h and Z_h; every layer has the norm of the product to the power 1/N."""
    hidden, rank = problem.network.hidden, len(chosen)
    layers = len(hidden) + 1
    others = [mode for mode in range(problem.moments.outputs) if mode not in set(chosen)]
    learnt = data.directions[:, list(chosen)]
    rows = learnt.T @ data.regression
    reach = _reach(problem, data)
    size = float(np.linalg.norm(rows)) or float(np.linalg.norm(reach)) or 1.0
    widths = [width - rank for width in hidden]
    blocks = [_dense(widths[0], len(reach), rng) * reach]
    blocks += [_dense(after, before, rng) for before, after in itertools.pairwise(widths)]
    blocks.append(_dense(len(others), widths[-1], rng))
    for layer in rng.choice(layers, vanishing, replace=False):
        blocks[layer] *= 0
    bases = [_basis(width, rng) for width in hidden]
    weights = [bases[0][0] @ np.vstack([rows, blocks[0]]) / size]
    for ((_, inverse), (basis, _)), block in zip(
        itertools.pairwise(bases), blocks[1:-1], strict=True
    ):
        weights.append(basis[:, :rank] @ inverse[:rank] + basis[:, rank:] @ block @ inverse[rank:])
    last = np.hstack([learnt, data.directions[:, others] @ blocks[-1]])
    weights.append(last @ bases[-1][1])
    share = size ** (1 / layers)
    return [share * matrix for matrix in weights]


def _reach(problem: Problem, data: Modes) -> Array:
    """Return, for each input, the weight that would make it as large as y; 0 if it is constant."""
    deviations = np.sqrt(np.diagonal(linear_moments(problem)[0]))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        reach: Array = np.where(deviations > 0, math.sqrt(data.total) / deviations, 0.0)
    return reach


def _dense(rows: int, columns: int, rng: np.random.Generator) -> Array:
    return rng.standard_normal((rows, columns)) / math.sqrt(max(columns, 1))


def _basis(width: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return a random invertible matrix and its inverse, of condition 4 at most."""
    left, right = (orthonormal_frame(width, width, rng) for _ in range(2))
    sizes = rng.uniform(_LEAST, _MOST, width)
    return left * sizes @ right.T, right / sizes @ left.T
