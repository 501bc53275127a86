"""Lu and Kawaguchi's two problems, the deep network and reduced-rank regression, side by side."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.landscape.minimise import global_minimum
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.unregularised.modes import require_unregularised
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]

SOURCE = "Lu & Kawaguchi (2017): the deep problem and the rank-constrained one have one minimum"
_EVALUATION = 64 * np.finfo(np.float64).eps  # rounding, per layer and input, of a loss evaluated


@dataclass(frozen=True, eq=False)
class ReducedRank:
    """The minima of both problems, found apart from each other.

    Attributes
    ----------
    deep_loss : float
        The loss of the network at the weights of its global minimum, evaluated layer by layer.
    regression_loss : float
        c·E‖y − Rx‖² at `regression`.
    regression : (m, d) ndarray
        R of least c·E‖y − Rx‖² among the matrices of rank at most `rank_limit`.
    rank_limit : int
        The least width of the network, input and output included.
    lower, upper : float
        The interval in which the minimum of both is proven to lie.
    tolerance : float
        What rounding may do to either loss when it is evaluated.
    minimum : GlobalMinimum
        The network's global minimum.
    """

    deep_loss: float
    regression_loss: float
    regression: Array
    rank_limit: int
    lower: float
    upper: float
    tolerance: float
    minimum: GlobalMinimum = field(repr=False)
    source: str = SOURCE

    @property
    def difference(self) -> float:
        """Return `deep_loss` − `regression_loss`."""
        return self.deep_loss - self.regression_loss

    @property
    def agree(self) -> bool:
        """Say whether both losses lie in the interval, up to the rounding of evaluating them."""
        low, high = self.lower - self.tolerance, self.upper + self.tolerance
        return all(low <= loss <= high for loss in (self.deep_loss, self.regression_loss))

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison ready for JSON."""
        return {
            "deep_loss": self.deep_loss,
            "regression_loss": self.regression_loss,
            "regression": self.regression.tolist(),
            "rank_limit": self.rank_limit,
            "lower": self.lower,
            "upper": self.upper,
            "tolerance": self.tolerance,
            "difference": self.difference,
            "agree": self.agree,
            "source": self.source,
        }


@guarded
def reduced_rank(problem: Problem) -> ReducedRank:
    r"""Solve the deep problem and the rank-constrained one, and say whether their minima agree.

    .. math:: \min_{W_1, …, W_N} c\,E‖y − W_N ⋯ W_1 x‖² = \min_{rank R ≤ \min_k d_k} c\,E‖y − Rx‖²

    The left side is the loss of the network at weights of its global minimum, whose modes come from
    the eigenvectors of E[xxᵀ] and a singular value decomposition; it is evaluated by propagating
    moments through the layers. The right side comes from the normal equations in standardised
    inputs, projected on the top eigenvectors of what they explain; it is evaluated from R alone.

    Parameters
    ----------
    problem : Problem
        Without weight decay and without noise in the hidden layers.

    Returns
    -------
    ReducedRank
        Both losses, R, the proven interval and whether they agree.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise.

    References
    ----------
    Lu & Kawaguchi (2017), *Depth creates no bad local minima*; Izenman (1975) for the regression.

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments(np.eye(2), np.diag([3.0, 1.0]), np.diag([9.0, 1.0]))
    >>> found = reduced_rank(ls.Problem(moments, ls.Network(hidden=(4, 1))))
    >>> round(found.deep_loss, 12), round(found.regression_loss, 12), found.agree
    (1.0, 1.0, True)
    """
    require_unregularised(problem)
    minimum = global_minimum(problem)
    limit = min(problem.moments.inputs, *problem.network.hidden, problem.moments.outputs)
    regression = _regression(problem, limit)
    return ReducedRank(
        deep_loss=float(problem.loss(minimum.weights())),
        regression_loss=_loss(problem, regression),
        regression=regression,
        rank_limit=limit,
        lower=minimum.lower,
        upper=minimum.upper,
        tolerance=_tolerance(problem, regression),
        minimum=minimum,
    )


def _regression(problem: Problem, limit: int) -> Array:
    """Solve the normal equations, and keep what the best `limit` directions of y explain."""
    A, C, _ = linear_moments(problem)
    deviations = np.sqrt(np.diagonal(A))
    scale = np.where(deviations > 0, deviations, 1.0)
    correlation, cross = A / scale / scale[:, None], C / scale[:, None]
    least_squares, *_ = np.linalg.lstsq(correlation, cross, rcond=None)
    explained = cross.T @ least_squares
    _, directions = np.linalg.eigh((explained + explained.T) / 2)
    best = directions[:, ::-1][:, :limit]
    regression: Array = best @ (best.T @ (least_squares / scale[:, None]).T)
    return regression


def _loss(problem: Problem, regression: Array) -> float:
    A, C, yy = linear_moments(problem)
    square = np.sum((regression @ A) * regression) - 2 * np.sum(regression * C.T) + np.trace(yy)
    return problem.data_factor * float(square)


def _tolerance(problem: Problem, regression: Array) -> float:
    """Bound, roughly, the rounding of a loss that is evaluated layer by layer, means included."""
    moments, layers = problem.moments, problem.network.depth + 1
    R, A, C = (np.abs(matrix) for matrix in (regression, moments.A, moments.C))
    C = np.reshape(C, (moments.inputs, -1))
    yy = np.trace(np.reshape(moments.yy, (moments.outputs, -1)))
    size = float(np.sum((R @ A) * R) + 2 * np.sum(R * C.T) + yy)
    return _EVALUATION * layers * moments.inputs * problem.data_factor * size
