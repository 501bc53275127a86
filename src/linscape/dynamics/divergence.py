"""The step size at which gradient descent really diverges, by trying."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.descent import descend
from linscape.dynamics.sharpness import sharpness
from linscape.errors import InvalidOption
from linscape.problem import Problem

Array = NDArray[np.float64]

_TRIES = 64  # factors up or down after which a net is taken never to diverge, or always
_SLOWER = 4  # factor on the step of the run that looks for the minimum


@dataclass(frozen=True, eq=False)
class DivergenceStepSize:
    """Step sizes at which runs of gradient descent diverged; numerical.

    All arrays have the batch axes of the weights, and are floats without any.

    Attributes
    ----------
    doubled : float or ndarray
        The first step of the grid start · factor^k that diverges while the one before does not;
        infinite if none does.
    lower, upper : float or ndarray
        A step that does not diverge and one that does, nearer to each other than `tolerance`.
    limit_at_start : float or ndarray
        2/λ_max of the Hessian at the given weights; infinite if no curvature is positive.
    limit_at_minimum : float or ndarray
        2/λ_max where a run with a quarter of `lower` and four times the steps ends: the step above
        which that minimum repels descent.
    steps : int
        Steps of a run.
    method : str
        What was run.
    """

    doubled: float | Array
    lower: float | Array
    upper: float | Array
    limit_at_start: float | Array
    limit_at_minimum: float | Array
    steps: int
    method: str

    def to_dict(self) -> dict[str, Any]:
        """Return the result ready for JSON, infinities as the string "inf"."""
        return {name: _json(np.asarray(value).tolist()) for name, value in vars(self).items()}


@guarded
def divergence_step_size(
    problem: Problem,
    weights: Sequence[ArrayLike],
    *,
    start: float | None = None,
    factor: float = 2.0,
    steps: int = 1000,
    tolerance: float = 0.01,
) -> DivergenceStepSize:
    r"""Find by trying the step size at which gradient descent from given weights diverges.

    Each run takes `steps` steps of :func:`descend` and has diverged in its sense: the loss exceeds
    10⁸ times the larger of its values at the start and at zero. A run that jumps about for ever
    without that, as happens just below, has not. From `start` the step is multiplied by `factor`
    until a run diverges, or divided until none does; the last pair is then bisected. Whether a run
    diverges need not be monotone in the step: this is one of the steps at which it changes.

    Parameters
    ----------
    problem : Problem
        The objective: any network.
    weights : sequence of array_like
        Where descent starts; batch axes in front for several nets.
    start : float, optional
        First step tried; 1/λ_max at the weights unless given, or 1/(2α tr A) where no curvature is
        positive.
    factor : float, default 2
        Above 1.
    steps : int, default 1000
        Steps of a run.
    tolerance : float, default 0.01
        Relative distance of `lower` and `upper`.

    Returns
    -------
    DivergenceStepSize
        The steps found, and 2/λ_max beside them.

    Raises
    ------
    InvalidWeights
        If the weights do not fit the network.
    InvalidOption
        If an option lies outside its range.

    Examples
    --------
    L = (u − 1)² diverges for η > 1, which is 2/λ_max.

    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=()))
    >>> found = divergence_step_size(problem, [[[0.0]]], start=0.3, steps=10_000)
    >>> found.doubled, found.limit_at_minimum
    (1.2, 1.0)
    >>> 0.99 < found.lower <= 1 < found.upper < 1.02
    True
    """
    _check(start, factor, tolerance)
    matrices = problem.unflatten(problem.flatten(weights))
    batch = matrices[0].shape[:-2]
    flat = [matrix.reshape(-1, *matrix.shape[-2:]) for matrix in matrices]
    limit = _limit(problem, flat)

    def diverges(nets: NDArray[Any], sizes: Array) -> NDArray[np.bool_]:
        some = [matrix[nets] for matrix in flat]
        run = descend(problem, some, step_size=sizes, steps=steps, record=(), every=steps)
        result: NDArray[np.bool_] = run.status == "diverged"
        return result

    first = np.full(len(limit), start) if start is not None else _first(problem, limit)
    lower, upper = _grid(diverges, first, factor)
    doubled = upper.copy()
    _bisect(diverges, lower, upper, tolerance)
    slow = np.where(lower > 0, lower, first) / _SLOWER
    end = descend(problem, flat, step_size=slow, steps=_SLOWER * steps, record=())

    def shaped(values: Array) -> float | Array:
        return values.reshape(batch) if batch else float(values[0])

    return DivergenceStepSize(
        doubled=shaped(doubled),
        lower=shaped(lower),
        upper=shaped(upper),
        limit_at_start=shaped(limit),
        limit_at_minimum=shaped(_limit(problem, end.weights)),
        steps=steps,
        method=(
            f"gradient descent, {steps} steps a run, steps by factors of {factor:g}, bisection to "
            f"{tolerance:g} relative"
        ),
    )


def _limit(problem: Problem, weights: Sequence[Array]) -> Array:
    """Return 2/λ_max of each net."""
    largest = np.asarray(sharpness(problem, weights))
    return np.asarray(np.divide(2, largest, out=np.full_like(largest, np.inf), where=largest > 0))


def _first(problem: Problem, limit: Array) -> Array:
    data = 2 * problem.data_factor * float(np.trace(problem.moments.A))
    return np.where(np.isfinite(limit), limit / 2, 1 / data if data > 0 else 1.0)


def _grid(diverges: Any, first: Array, factor: float) -> tuple[Array, Array]:
    """Return neighbours of the grid first · factor^k, of which only the larger diverges."""
    everyone = np.arange(len(first))
    failed = diverges(everyone, first)
    lower, upper = np.where(failed, 0.0, first), np.where(failed, first, np.inf)
    for _ in range(_TRIES):
        todo = everyone[(lower == 0) | np.isinf(upper)]
        if not len(todo):
            break
        down = lower[todo] == 0
        size = np.where(down, upper[todo] / factor, lower[todo] * factor)
        bad = diverges(todo, size)
        lower[todo[~bad]], upper[todo[bad]] = size[~bad], size[bad]
    return lower, upper


def _bisect(diverges: Any, lower: Array, upper: Array, tolerance: float) -> None:
    """Bring `lower` and `upper` together, in place, where both are known."""
    everyone = np.arange(len(lower))
    while True:
        open_ends = (lower > 0) & np.isfinite(upper) & (upper > lower * (1 + tolerance))
        todo = everyone[open_ends]
        if not len(todo):
            return
        middle = np.sqrt(lower[todo] * upper[todo])
        bad = diverges(todo, middle)
        lower[todo[~bad]], upper[todo[bad]] = middle[~bad], middle[bad]


def _check(start: float | None, factor: float, tolerance: float) -> None:
    if start is not None and not 0 < start < math.inf:
        raise InvalidOption(f"start must be a positive finite number, got {start!r}")
    if not 1 < factor < math.inf:
        raise InvalidOption(f"factor must be a finite number above 1, got {factor!r}")
    if not 0 < tolerance < 1:
        raise InvalidOption(f"tolerance must lie between 0 and 1, got {tolerance!r}")


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(part) for part in value]
    return "inf" if value == math.inf else value
