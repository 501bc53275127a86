"""Balanced nets of any depth in the singular directions of the data: modes, one by one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.balance import balancedness
from linscape.dynamics.closed_forms.modes import mode_strength
from linscape.dynamics.closed_forms.setting import TOLERANCE, Setting, setting, single_net
from linscape.dynamics.times import checked_times
from linscape.errors import NoExactSolution
from linscape.problem import Problem

Array = NDArray[np.float64]

ALIGNED = 1e-11  # vectors of sizes 1e-6 apart carry that much more rounding
SOURCE = "Decoupled modes: Fukumizu (1998); Saxe, McClelland & Ganguli (2014)"


@dataclass(frozen=True, eq=False)
class AlignedFlow:
    """Gradient flow of a balanced, aligned net in closed form.

    Attributes
    ----------
    times : ndarray, shape (k,)
        When.
    strengths : ndarray, shape (k, r)
        u_i ≥ 0, the singular values of the product.
    signals, curvatures : ndarray, shape (r,)
        s_i = l_iᵀE[yxᵀ]r_i, negative where the start points the wrong way, and
        a_i = r_iᵀE[xxᵀ]r_i.
    left : ndarray, shape (m, r)
        l_i, as columns.
    right : ndarray, shape (d, r)
        r_i, as columns.
    product : ndarray, shape (k, m, d)
        Σ_i u_i l_i r_iᵀ.
    loss : ndarray, shape (k,)
        L, decay included.
    source : str
        Where the formula comes from.
    """

    times: Array
    strengths: Array
    signals: Array
    curvatures: Array
    left: Array
    right: Array
    product: Array
    loss: Array
    source: str = SOURCE

    def to_dict(self) -> dict[str, Any]:
        """Return the flow as lists, ready for JSON."""
        names = ("times", "strengths", "signals", "curvatures", "left", "right", "product", "loss")
        return {name: getattr(self, name).tolist() for name in names} | {"source": self.source}


@guarded
def aligned_flow(problem: Problem, weights: Sequence[ArrayLike], times: ArrayLike) -> AlignedFlow:
    r"""Return gradient flow Ẇ = −∇L from a balanced, aligned start of any depth, in closed form.

    Balanced means W_{j+1}ᵀW_{j+1} = W_jW_jᵀ for every j. Aligned means that the product is
    Σ_i u_i l_i r_iᵀ with orthonormal l_i and orthonormal r_i for which

    .. math:: E[xxᵀ] r_i = a_i r_i,  E[yxᵀ] r_i = s_i l_i,  E[xyᵀ] l_i = s_i r_i.

    The modes then never mix, and each obeys u̇ = 2αN |u|^{2−2/N}(s − a u), solved by
    :func:`mode_strength`; N is the number of weight matrices, α the factor of the data term. What
    the start lacks stays away, so that nothing is asked of A and C outside its modes. Singular
    values of W_1 below 1e-12 of the largest count as zero. A weight decay γ common to both layers
    is covered for N = 2, where it lowers s by γ/α.

    Parameters
    ----------
    problem : Problem
        At least one hidden layer; no hidden noise, no biases.
    weights : sequence of array_like
        W_1, …, W_D, U of one net; the widths are arbitrary.
    times : array_like
        Times t ≥ 0, ascending.

    Returns
    -------
    AlignedFlow
        Strengths, products and losses.

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
    Fukumizu (1998), *Effect of batch learning in multilayer neural networks*; Saxe, McClelland &
    Ganguli (2014), *Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks*.

    Examples
    --------
    Three layers of one unit and A = c = 1: the time from u = 1/8 back to u.

    >>> import linscape as ls
    >>> from linscape.dynamics.closed_forms import mode_time
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(1, 1)))
    >>> flow = aligned_flow(problem, [[[0.5]]] * 3, [0.0, 0.7])
    >>> u = float(flow.strengths[1, 0])
    >>> round(mode_time(u, start=0.125, signal=1.0, curvature=1.0, layers=3), 12)
    0.7
    """
    at = checked_times(times)
    given = setting(problem, "the flow of aligned modes")
    matrices = single_net(problem, weights)
    layers, alpha = len(matrices), problem.data_factor
    if layers == 1:
        raise NoExactSolution(
            "the flow of aligned modes needs a hidden layer; without one the flow is linear, and "
            "mode_strength with layers=1 solves it in the eigenbasis of E[xxᵀ]"
        )
    if given.decay > 0 and layers > 2:
        raise NoExactSolution(
            "aligned modes have a closed form with weight decay for one hidden layer only, this "
            f"network has {layers - 1}; integrate it with flow"
        )
    sizes, left, right = _basis(matrices)
    sizes, left, right = _common(sizes, left, right, given)
    signals, curvatures = _along(given, left, right)
    strengths = np.empty((len(at), len(sizes)))
    for i, (w, s, a) in enumerate(zip(sizes, signals, curvatures, strict=True)):
        strengths[:, i] = mode_strength(
            at,
            start=float(w) ** layers,
            signal=float(alpha * s - given.decay),
            curvature=float(alpha * a),
            layers=layers,
        )
    yy = float(np.trace(np.reshape(problem.moments.yy, (problem.moments.outputs,) * 2)))
    data = (strengths * (curvatures * strengths - 2 * signals)).sum(axis=1) + yy
    energy = layers * (strengths ** (2 / layers)).sum(axis=1)
    return AlignedFlow(
        times=at,
        strengths=strengths,
        signals=signals,
        curvatures=curvatures,
        left=left,
        right=right,
        product=np.einsum("ki,mi,di->kmd", strengths, left, right),
        loss=alpha * data + given.decay * energy,
    )


def _basis(matrices: list[Array]) -> tuple[Array, Array, Array]:
    """Return the singular values every layer shares, and the singular vectors of the product."""
    unit = max(float(np.abs(matrix).max(initial=0.0)) for matrix in matrices) or 1.0
    scaled = [matrix / unit for matrix in matrices]  # squares of small weights would be zero
    largest = max(float(np.linalg.norm(matrix)) for matrix in scaled)
    deviation = float(balancedness(scaled))
    if deviation > TOLERANCE * largest**2:
        raise NoExactSolution(
            "modes decouple from balanced starts, W_{j+1}ᵀW_{j+1} = W_jW_jᵀ; this one misses it by "
            f"{deviation * unit**2:.3g} (spectral norm); start from balanced_weights, or integrate "
            "with flow"
        )
    first, *later = matrices
    hidden, sizes, right = np.linalg.svd(first, full_matrices=False)
    kept = sizes > TOLERANCE * sizes.max(initial=0.0)
    images = hidden[:, kept]
    for matrix in later:
        images = matrix @ images / sizes[kept]
    # larger modes leave rounding in the images of smaller ones, which this takes away
    left, triangle = np.linalg.qr(images)
    return sizes[kept], left * np.sign(np.diagonal(triangle)), right[kept].T


def _common(sizes: Array, left: Array, right: Array, given: Setting) -> tuple[Array, Array, Array]:
    """Turn modes of equal size into those of the data, and refuse a start that is not aligned."""
    turned = left.copy(), right.copy()
    A, B = (matrix / (np.linalg.norm(matrix, ord=2) or 1.0) for matrix in (given.A, given.B))
    for group in _groups(sizes):
        L, R = left[:, group], right[:, group]
        signal, curvature = L.T @ B @ R, R.T @ A @ R
        spread = np.diag(sizes[group] / sizes[group][0])
        # generic factors: matrices that commute have the eigenvectors of their sum
        _, E = np.linalg.eigh(spread + (signal + signal.T) / math.sqrt(7) + curvature / math.e)
        turned[0][:, group], turned[1][:, group] = L @ E, R @ E
        sizes[group] = np.einsum("ij,i,ij->j", E, sizes[group], E)
    left, right = turned
    deviations = {
        "E[xxᵀ]": A @ right - right * _diagonal(right, A, right),
        "E[yxᵀ]": B @ right - left * _diagonal(left, B, right),
        "E[xyᵀ]": B.T @ left - right * _diagonal(left, B, right),
    }
    for name, deviation in deviations.items():
        size = float(np.abs(deviation).max(initial=0.0))
        if size > ALIGNED:
            raise NoExactSolution(
                "modes decouple where the product has the singular vectors of the data; here "
                f"{name} mixes the modes of the start, {size:.3g} of its norm off the diagonal; "
                "integrate it with flow"
            )
    return sizes, left, right


def _along(given: Setting, left: Array, right: Array) -> tuple[Array, Array]:
    """Return signals and curvatures, both zero where the inputs have no variance."""
    curvatures = _diagonal(right, given.A, right)
    signals = _diagonal(left, given.B, right)
    present = curvatures > len(given.A) * np.finfo(float).eps * np.linalg.norm(given.A, ord=2)
    return np.where(present, signals, 0.0), np.where(present, curvatures, 0.0)


def _groups(sizes: Array) -> list[NDArray[np.intp]]:
    """Return the indices of descending sizes, in groups too close to tell their vectors apart."""
    gaps = np.flatnonzero(sizes[1:] < sizes[:-1] * (1 - 1e-6)) + 1
    return [group for group in np.split(np.arange(len(sizes)), gaps) if len(group)]


def _diagonal(left: Array, matrix: Array, right: Array) -> Array:
    diagonal: Array = np.einsum("mi,md,di->i", left, matrix, right)
    return diagonal
