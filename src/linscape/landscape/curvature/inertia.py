"""How many eigenvalues of the Hessian are negative, zero and positive."""

from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape import propagation
from linscape.arguments import guarded
from linscape.errors import InvalidOption, OutOfRange
from linscape.landscape.curvature.curvature import single
from linscape.landscape.curvature.subspace import AllDirections, SeenDirections, seen_directions
from linscape.problem import Problem, Weights
from linscape.scaling import Scale

Array = NDArray[np.float64]

SOURCE = "numerical: eigenvalues of the dense Hessian in float64"
_LARGEST = 10_000  # a dense matrix of this size takes 0.8 GB
_BAND = 1e4  # eigenvalues between `tolerance` and this times it are undecided
_CHUNK = 2**22  # numbers per block of directions


@dataclass(frozen=True)
class Inertia:
    """Numbers of negative, zero and positive eigenvalues of the Hessian.

    Attributes
    ----------
    negative, zero, positive : int
        How many are certainly not zero, by sign, and how many cannot be told from zero.
    undecided : int
        How many lie between: too large for rounding, too small for a weight that is slightly off.
    tolerance : float
        Zero is what is at most this; decided is what is at least 10⁴ times this, relative to the
        size of the Hessian's terms before they cancel.
    source : str
        What the answer rests on.
    """

    negative: int
    zero: int
    positive: int
    undecided: int
    tolerance: float
    source: str = SOURCE

    @property
    def counts(self) -> tuple[int, int, int] | None:
        """Return (n₋, n₀, n₊), or None if some eigenvalue is undecided."""
        return None if self.undecided else (self.negative, self.zero, self.positive)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers ready for JSON."""
        return {**asdict(self), "counts": None if self.counts is None else list(self.counts)}


@guarded
def inertia(problem: Problem, weights: Weights, *, tolerance: float = 1e-12) -> Inertia:
    r"""Return how many eigenvalues of the Hessian at `weights` are negative, zero and positive.

    Any network, any weights. The Hessian is first multiplied from both sides by one number for each
    layer, which leaves the inertia as it is, so that all layers are of like size; eigenvalues are
    then measured against the sum of the absolute terms they are made of. Without noise on hidden
    units the eigenvalues are those of the n directions of :func:`curvature`, and the decays'.

    Zero here means not to be told from zero in float64. At critical points of networks without
    decay or noise :func:`structured_inertia` counts exactly.

    Parameters
    ----------
    problem : Problem
        Moments, network and reduction.
    weights : sequence of array
        W_1, …, W_D, U, without batch axes.
    tolerance : float, default 1e-12
        Relative size up to which an eigenvalue counts as zero. Weights that are a critical point
        only up to an error need one above that error.

    Returns
    -------
    Inertia
        Counts, with the undecided ones set apart.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network, or have batch axes.
    OutOfRange
        If n is above 10 000, or the Hessian's entries are too large for a 64-bit float.
    InvalidOption
        If `tolerance` is not between 1e-15 and 1e-5.

    Examples
    --------
    The loss (1 − uw)² + γ(u² + w²) at zero has the Hessian [[2γ, −2], [−2, 2γ]].

    >>> import linscape as ls
    >>> from linscape.landscape.curvature import inertia
    >>> network = ls.Network(hidden=(1,), weight_decay=0.25)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> inertia(problem, [[[0.0]], [[0.0]]]).counts
    (1, 0, 1)
    """
    if not (isinstance(tolerance, Real) and 1e-15 <= tolerance <= 1e-5):
        raise InvalidOption(f"tolerance must be a number from 1e-15 to 1e-5, got {tolerance!r}")
    matrices = single(problem, weights, "inertia")
    seen = seen_directions(problem, matrices)
    if seen.size > _LARGEST:
        raise OutOfRange(
            f"inertia needs a dense matrix of {seen.size} rows, and takes up to {_LARGEST}; "
            "curvature gives the extreme eigenvalues of networks of any size"
        )
    factors, size = _balanced(_magnitudes(problem, matrices))
    scale = np.repeat(factors, seen.sizes)
    values = np.linalg.eigvalsh(scale[:, None] * _dense(seen) * scale)
    zero, decided = tolerance * size, _BAND * tolerance * size
    nothing = int((np.abs(values) <= zero).sum()) - (seen.size - seen.dimension)
    negative, positive = int((values <= -decided).sum()), int((values >= decided).sum())
    if size == 0:
        negative = positive = 0
    undecided = seen.dimension - negative - nothing - positive
    for count, decay in zip(seen.complements, problem.network.weight_decay, strict=True):
        positive, nothing = positive + count * (decay > 0), nothing + count * (decay == 0)
    return Inertia(negative, nothing, positive, undecided, float(tolerance))


def _dense(seen: AllDirections | SeenDirections) -> Array:
    """Return the operator as a symmetric matrix."""
    rows = max(1, _CHUNK // seen.size)
    identity = np.eye(seen.size)
    blocks = [seen.product(identity[start : start + rows]) for start in range(0, seen.size, rows)]
    matrix = np.concatenate(blocks)
    return (matrix + matrix.T) / 2


def _magnitudes(problem: Problem, matrices: list[Array]) -> Array:
    """Return a bound on the norm of each block of the Hessian, before anything cancels.

    With absolute values everywhere the rows of a block sum to its largest ‖·‖_∞; the root of that
    times the one of the transposed block bounds ‖·‖₂.
    """
    scale = Scale(problem.moments, problem.network)
    exponents = scale.exponents(matrices)
    masks, A, C, _ = scale.data
    sums = np.zeros((len(matrices), len(matrices)))
    with np.errstate(over="ignore", invalid="ignore"):
        layers = [np.abs(W) for W in scale.layers(matrices, exponents)]
        hessian = propagation.hessian(layers, masks, np.abs(A), -np.abs(C))
        for k, decay in enumerate(problem.network.weight_decay):
            ones = [np.full(W.shape, float(j == k)) for j, W in enumerate(matrices)]
            raw = hessian(scale.layers(ones, exponents, constant=0.0))
            images = scale.pull_back(raw, exponents)
            sums[:, k] = [problem.data_factor * image.max() for image in images]
            sums[k, k] += 2 * decay
    if not np.isfinite(sums).all():
        raise OutOfRange(
            "the terms of the Hessian at these weights are too large for a 64-bit float; rescale "
            "data or weights"
        )
    return np.sqrt(sums) * np.sqrt(sums.T)


def _balanced(norms: Array) -> tuple[Array, float]:
    """Return factors for the layers that make all rows of blocks of like size, and that size."""
    factors = np.ones(len(norms))
    for _ in range(50):
        largest = (factors[:, None] * norms * factors).max(axis=1)
        factors = factors / np.sqrt(np.where(largest > 0, largest, 1.0))
    return factors, float((factors[:, None] * norms * factors).sum(axis=1).max())
