"""The global minimum bracketed: a theorem's lower bound and the best network found."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork, NoExactSolution
from linscape.landscape.floor import Floor, proven_floor
from linscape.landscape.minimise import global_minimum
from linscape.landscape.theorems import has_decayed_outputs
from linscape.problem import Problem

Array = NDArray[np.float64]

_SCALES = (0.5, 1.0, 2.0)  # of entries √(2/n_in), in turn


@dataclass(frozen=True, eq=False)
class SearchedMinimum:
    """An interval that holds the global minimum, and a network at its upper end.

    Attributes
    ----------
    loss : float
        The least loss found, that of `weights`.
    lower, upper : float
        lower ≤ min L ≤ upper; `lower` by the theorem in `source`, `upper` is `loss`.
    ends : tuple of float
        The loss at the end of each start, ascending.
    source : str
        What `lower` rests on. That `upper` is the minimum is numerical.
    """

    loss: float
    lower: float
    upper: float
    ends: tuple[float, ...]
    source: str
    problem: Problem = field(repr=False)
    _weights: tuple[Array, ...] = field(repr=False)

    @property
    def gap(self) -> float:
        """Return upper − lower."""
        return self.upper - self.lower

    @property
    def predictor(self) -> Array:
        """Return M of E[f(x) | x] = Mx + intercept at the network found."""
        return self.problem.predictor(self.weights())

    def weights(self) -> list[Array]:
        """Return the weights found."""
        return [matrix.copy() for matrix in self._weights]

    def to_dict(self) -> dict[str, Any]:
        """Return the result ready for JSON."""
        return {
            "loss": self.loss,
            "lower": self.lower,
            "upper": self.upper,
            "ends": list(self.ends),
            "source": self.source,
            "numerical": True,
        }


@guarded
def search_minimum(
    problem: Problem, *, starts: int = 8, rng: np.random.Generator | int = 0
) -> SearchedMinimum:
    """Bracket the global minimum of any problem: from below by theorem, from above by search.

    Descent (L-BFGS on the exact loss and gradient) runs from the network that the theory suggests,
    where it suggests one, and from random weights of several scales. From below stands the best of
    the bounds that hold for the problem; `source` names it. Where a theorem covers the problem both
    ends are its own.

    Parameters
    ----------
    problem : Problem
        Any.
    starts : int, default 8
        Number of random starts, at least 0.
    rng : numpy.random.Generator or int, default 0
        Draws them.

    Returns
    -------
    SearchedMinimum
        The interval, the network at its upper end, and where every start ended.

    Raises
    ------
    InvalidNetwork
        If `starts` is no whole number of at least 0.
    OutOfRange
        If losses do not fit a 64-bit float.

    Examples
    --------
    Two outputs, one hidden layer with noise: the interval holds the minimum.

    >>> import linscape as ls
    >>> moments = ls.Moments([[2, 0], [0, 1]], [[2, 0], [0, 1]], [[2, 0], [0, 1]])
    >>> problem = ls.Problem(moments, ls.Network((4,), noise=0.5, weight_decay=0.1))
    >>> found = search_minimum(problem)
    >>> found.lower <= found.upper < 3.0
    True
    """
    if isinstance(starts, bool) or not isinstance(starts, int | np.integer) or starts < 0:
        raise InvalidNetwork(f"starts must be a whole number of at least 0, got {starts!r}")
    floor = _floor(problem)
    generator = np.random.default_rng(rng)
    points = [*floor.starts, *(_random(problem, k, generator) for k in range(starts))]
    points = points or [[np.zeros(shape) for shape in problem.shapes]]
    found = [_descended(problem, point) for point in points]
    found += [(float(problem.loss(point)), point) for point in floor.starts]
    found.sort(key=lambda pair: pair[0])
    loss, weights = found[0]
    return SearchedMinimum(
        loss=loss,
        lower=min(floor.lower, loss),
        upper=loss,
        ends=tuple(end for end, _ in found),
        source=floor.source,
        problem=problem,
        _weights=tuple(weights),
    )


def _floor(problem: Problem) -> Floor:
    if has_decayed_outputs(problem):
        return proven_floor(problem)
    try:
        minimum = global_minimum(problem)
    except NoExactSolution:
        return proven_floor(problem)
    return Floor(minimum.lower, minimum.source, [minimum.weights()])


def _random(problem: Problem, turn: int, rng: np.random.Generator) -> list[Array]:
    """Return Gaussian weights whose scale makes the outputs as large as y, times one of three."""
    moments = problem.moments
    size_x = math.sqrt(float(np.max(np.diagonal(moments.A))))
    size_y = math.sqrt(float(np.max(np.diagonal(np.atleast_2d(moments.yy)))))
    layers = len(problem.shapes)
    unit = (size_y / size_x) ** (1 / layers) if size_x and size_y else 1.0
    scale = _SCALES[turn % len(_SCALES)] * unit
    return [
        scale * math.sqrt(2 / shape[1]) * rng.standard_normal(shape) for shape in problem.shapes
    ]


def _descended(problem: Problem, start: list[Array]) -> tuple[float, list[Array]]:
    """Return where L-BFGS ends from a start, in units of the data."""
    unit = _unit(problem)

    def function(vector: Array) -> tuple[float, Array]:
        weights = problem.unflatten(vector)
        gradient = problem.flatten(problem.gradient(weights))
        return float(problem.loss(weights)) / unit, gradient / unit

    done = minimize(
        function,
        problem.flatten(start),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 8000, "ftol": 1e-15, "gtol": 1e-12},
    )
    weights = problem.unflatten(done.x)
    return float(problem.loss(weights)), weights


def _unit(problem: Problem) -> float:
    total = problem.data_factor * float(np.trace(np.atleast_2d(problem.moments.yy)))
    return total or 1.0
