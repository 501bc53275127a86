"""Balance of neighbouring layers: what gradient flow conserves, what decay and noise do to it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidWeights, OutOfRange
from linscape.problem import Problem

Array = NDArray[np.float64]


@guarded
def imbalances(weights: Sequence[ArrayLike]) -> list[Array]:
    r"""Return Δ_j = W_{j+1}ᵀW_{j+1} − W_jW_jᵀ for every hidden layer j = 1, …, D.

    With biases W_j stands for [W_j β_j], and W_{j+1} for its matrix without the biases β_{j+1}: row
    i of [W_j β_j] is what enters hidden unit i, column i of W_{j+1} what leaves it.

    Parameters
    ----------
    weights : sequence of array_like
        W_1 (d_1, d_0), …, W_D, U, each [W β] with one column more if the net has biases; all may
        carry the same batch axes in front. Biases are recognised by the shapes.

    Returns
    -------
    list of ndarray
        Δ_1, …, Δ_D, of shapes (\*batch, d_j, d_j).

    Raises
    ------
    InvalidWeights
        If the shapes are not those of consecutive layers, or an entry is not finite.
    OutOfRange
        If a square is too large for a 64-bit float.

    Examples
    --------
    >>> imbalances([[[1.0, 2.0]], [[3.0]]])     # 3² − (1² + 2²)
    [array([[4.]])]
    """
    matrices = _consecutive(weights)
    with np.errstate(over="ignore", invalid="ignore"):
        result = [
            outgoing.mT @ outgoing - incoming @ incoming.mT
            for incoming, outgoing in neighbours(matrices)
        ]
    return _in_range(result)


@guarded
def balancedness(weights: Sequence[ArrayLike]) -> float | Array:
    r"""Return max_j ‖Δ_j‖₂, the largest spectral norm of the :func:`imbalances`.

    It is 0 exactly for balanced weights, and for a net without hidden layers. Under gradient flow
    without noise it is conserved without decay, and e^{−4γt} times its start with equal decays γ
    (:func:`imbalance_rates`).

    Parameters
    ----------
    weights : sequence of array_like
        As for :func:`imbalances`.

    Returns
    -------
    float or ndarray
        The number, or an array over the batch axes.

    Raises
    ------
    InvalidWeights, OutOfRange
        As :func:`imbalances`.

    References
    ----------
    Nguegnang, Rauhut & Terstiege (2021), Definition 2.2; Arora, Cohen & Hazan (2018), Theorem 1.

    Examples
    --------
    >>> balancedness([[[1.0, 2.0]], [[3.0]]])
    4.0
    >>> balancedness([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 2.0]]])
    0.0
    """
    deltas = imbalances(weights)
    norms = [np.linalg.norm(delta, ord=2, axis=(-2, -1)) for delta in deltas]
    largest = np.max(norms, axis=0) if norms else np.zeros(np.shape(weights[0])[:-2])
    return float(largest) if np.ndim(largest) == 0 else np.asarray(largest)


@guarded
def imbalance_rates(problem: Problem, weights: Sequence[ArrayLike]) -> list[Array]:
    r"""Return dΔ_j/dt under gradient flow Ẇ = −∇L, from the laws of balance.

    For hidden layer j with decays γ_j before it and γ_{j+1} behind it,

    - Δ̇_j = 0 without noise on layer j and without decay: Δ_j is conserved;
    - Δ̇_j = −4γ Δ_j without noise on layer j and γ_j = γ_{j+1} = γ: Δ_j(t) = e^{−4γt} Δ_j(0);
    - Δ̇_j = −4(γ_{j+1} W_{j+1}ᵀW_{j+1} − γ_j W_jW_jᵀ) without noise on layer j, for any decays;
    - with noise on layer j these hold for the diagonal of Δ_j only.

    Noise on the input or on other layers does not enter. Biases count as in :func:`imbalances`;
    free ones have no decay, so that γ_j then stands at W_jW_jᵀ without β_jβ_jᵀ. The data do not
    enter either. Off the diagonal of a noisy layer there is no such law, and the rate comes from
    the gradient instead.

    Parameters
    ----------
    problem : Problem
        Any problem.
    weights : sequence of array_like
        As :meth:`linscape.Problem.loss` takes them.

    Returns
    -------
    list of ndarray
        Δ̇_1, …, Δ̇_D, of shapes (\*batch, d_j, d_j).

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network.
    OutOfRange
        If a gradient is too large for a 64-bit float.

    References
    ----------
    Arora, Cohen & Hazan (2018), Theorem 1; Du, Hu & Lee (2018), Theorem 2.1; decay and noise are
    derived in docs/descent.md.

    Examples
    --------
    Δ = 3² − 1² = 8 and γ = 0.5: −4 · 0.5 · 8.

    >>> import linscape as ls
    >>> network = ls.Network(hidden=(1,), weight_decay=0.5)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> imbalance_rates(problem, [[[1.0]], [[3.0]]])
    [array([[-16.]])]
    """
    slopes = problem.gradient(weights)
    matrices = [np.asarray(matrix, dtype=np.float64) for matrix in weights]
    with np.errstate(over="ignore", invalid="ignore"):
        return _in_range(_rates(problem, matrices, slopes))


def _rates(problem: Problem, matrices: list[Array], slopes: list[Array]) -> list[Array]:
    decays, noise = problem.network.weight_decay, problem.network.noise
    free = problem.network.bias == "free"
    rates = []
    for j, (incoming, outgoing) in enumerate(neighbours(matrices)):
        decayed = incoming[..., :-1] if free else incoming
        rate = -4 * (decays[j + 1] * outgoing.mT @ outgoing - decays[j] * decayed @ decayed.mT)
        if noise[j] > 0:
            columns = outgoing.shape[-1]
            product = slopes[j] @ incoming.mT - outgoing.mT @ slopes[j + 1][..., :columns]
            rate = np.where(np.eye(columns, dtype=bool), rate, product + product.mT)
        rates.append(rate)
    return rates


def neighbours(matrices: Sequence[Array]) -> list[tuple[Array, Array]]:
    """Return for every hidden layer what enters it, biases included, and what leaves it."""
    return [
        (incoming, outgoing[..., : incoming.shape[-2]]) for incoming, outgoing in pairwise(matrices)
    ]


def _in_range(squares: list[Array]) -> list[Array]:
    if not all(np.isfinite(square).all() for square in squares):
        raise OutOfRange(
            "the squares of these weights are too large for a 64-bit float; rescale the weights"
        )
    return squares


def _consecutive(weights: Sequence[ArrayLike]) -> list[Array]:
    matrices = [np.asarray(matrix) for matrix in weights]
    if not matrices:
        raise InvalidWeights("expected the weight matrices W_1, …, W_D, U, got none")
    for position, matrix in enumerate(matrices):
        if matrix.dtype.kind not in "fiub" or matrix.ndim < 2:
            raise InvalidWeights(
                f"weights[{position}] must be a real matrix, with batch axes in front if any, "
                f"got {matrix.dtype} of shape {matrix.shape}"
            )
        if not np.isfinite(matrix).all():
            raise InvalidWeights(f"weights[{position}] has entries that are NaN or infinite")
    shapes = [matrix.shape for matrix in matrices]
    extra = {after[-1] - before[-2] for before, after in pairwise(shapes)}
    if len({shape[:-2] for shape in shapes}) > 1 or extra not in (set(), {0}, {1}):
        raise InvalidWeights(
            "consecutive weights must have shapes (…, d_j, d_{j−1}), all with one more column if "
            f"there are biases, and the same batch axes in front; got {shapes}"
        )
    return [matrix.astype(np.float64, copy=False) for matrix in matrices]
