"""How long descent stays at a saddle."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.dynamics.course import Every
from linscape.dynamics.descent import descend
from linscape.errors import InvalidOption, NoExactSolution
from linscape.landscape.classify import classify
from linscape.landscape.unregularised.values import CriticalValues, critical_values
from linscape.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EscapeTimes:
    """How many steps descent needed to leave a saddle; numerical.

    Attributes
    ----------
    steps : ndarray, shape of the batch axes
        The first recorded step by which the loss had fallen by `share` of `gap`; infinite for nets
        that had not by step `last`.
    kind : str
        What :func:`linscape.classify` calls the critical point.
    level : float
        The loss at the critical point.
    gap : float
        How far the next lower rung of ``critical_values(p).descent`` is below it.
    share : float
        What was asked for.
    last : int
        Steps that were taken.
    resolution : int
        The longest way between two recorded steps: a time may be too long by less than that.
    """

    steps: Array
    kind: str
    level: float
    gap: float
    share: float
    last: int
    resolution: int

    @property
    def escaped(self) -> int:
        """Return the number of nets that escaped."""
        return int(np.isfinite(self.steps).sum())

    def quantile(self, probability: float) -> float:
        """Return an order statistic of `steps`, without interpolation."""
        return float(np.quantile(self.steps, probability, method="inverted_cdf"))

    @property
    def median(self) -> float:
        """Median of `steps` (the lower one of two)."""
        return self.quantile(0.5)

    def median_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return an interval for the median over all perturbations, from order statistics.

        Its confidence is at least the given one, whatever the distribution. An end is 0 or infinity
        where there are too few nets for it.
        """
        from scipy.stats import binom

        if not 0 < confidence < 1:
            raise InvalidOption(f"confidence must lie between 0 and 1, got {confidence!r}")
        ordered = np.sort(self.steps, axis=None)
        rank = int(binom.ppf((1 - confidence) / 2, len(ordered), 0.5))
        if rank < 1:
            return 0.0, math.inf
        return float(ordered[rank - 1]), float(ordered[len(ordered) - rank])

    def to_dict(self) -> dict[str, Any]:
        """Return the times ready for JSON, infinities as the string "inf"."""
        low, high = map(_plain, self.median_interval())
        return {
            "steps": _nested(self.steps.tolist()),
            "median": _plain(self.median),
            "median_interval": [low, high],
            "escaped": self.escaped,
            "kind": self.kind,
            "level": self.level,
            "gap": self.gap,
            "share": self.share,
            "last": self.last,
            "resolution": self.resolution,
        }


@guarded
def escape_times(
    problem: Problem,
    weights: Sequence[ArrayLike],
    perturbation: Sequence[ArrayLike],
    *,
    step_size: float,
    steps: int,
    share: float = 0.5,
    momentum: float = 0.0,
    every: Every = None,
    progress: bool = False,
) -> EscapeTimes:
    r"""Run descent from perturbations of a saddle, and count the steps until the loss has fallen.

    A net has escaped once its loss is below that of the saddle by `share` of the gap to the next
    lower rung of the ladder ``critical_values(p).descent``. From a strict saddle the distance grows
    exponentially, at a rate that the curvature sets; from a non-strict one with k layers that must
    move together like (t* − t)^{−1/(k−2)}, so that the time is of order (perturbation)^{2−k}.

    Parameters
    ----------
    problem : Problem
        Without weight decay and without noise in the hidden layers.
    weights : sequence of array_like
        A critical point, as of :func:`linscape.critical_point`; no batch axes.
    perturbation : sequence of array_like
        What is added to it; batch axes in front for many, as
        ``random_weights(p, scheme="normal", gain=0.01, rng=0, batch=1000)`` draws them.
    step_size, steps, momentum, progress
        As for :func:`descend`.
    share : float, default 0.5
        Share of the gap, between 0 and 1.
    every : int or sequence of int, optional
        Steps at which the loss is looked at, as for :func:`descend`; about 1000 unless given.

    Returns
    -------
    EscapeTimes
        Numerical.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise, if the weights are no critical point, or if no critical
        value is lower.
    InvalidWeights
        If weights or perturbation do not fit the network.
    InvalidOption
        If an option lies outside its range.

    Examples
    --------
    One unit, A = c = 1, started at w = u = 1/100: p = uw is logistic with rate 4, the loss
    (1 − p)² has fallen by half at p = 0.293, after log(.293/.707) + log(9999) in units of 4t.

    >>> import linscape as ls
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network(hidden=(1,)))
    >>> zero, start = [[[0.0]], [[0.0]]], [[[0.01]], [[0.01]]]
    >>> found = escape_times(problem, zero, start, step_size=0.001, steps=5000, every=1)
    >>> found.kind, abs(found.median - 250 * math.log(9999 * 0.2929 / 0.7071)) < 10
    ('strict saddle', True)
    """
    if not 0 < share < 1:
        raise InvalidOption(f"share must lie between 0 and 1, got {share!r}")
    values = critical_values(problem)
    kind = classify(problem, [np.asarray(matrix) for matrix in weights]).kind
    if kind == "not critical":
        raise NoExactSolution(
            "escape_times starts from a critical point, and these weights are none; "
            "critical_point(p, modes=…) returns one"
        )
    level = float(problem.loss(problem.unflatten(problem.flatten(weights))))
    gap = level - _next_lower(values, level)
    start = problem.unflatten(problem.flatten(weights) + problem.flatten(perturbation))
    run = descend(
        problem,
        start,
        step_size=step_size,
        steps=steps,
        momentum=momentum,
        every=max(1, steps // 1000) if every is None else every,
        progress=progress,
    )
    below = run["loss"] <= level - share * gap
    first = np.where(below.any(axis=0), run.at[below.argmax(axis=0)], np.inf)
    return EscapeTimes(
        steps=np.asarray(first, dtype=np.float64),
        kind=kind,
        level=level,
        gap=gap,
        share=share,
        last=steps,
        resolution=int(np.diff(run.at).max(initial=0)),
    )


def _next_lower(values: CriticalValues, level: float) -> float:
    """Return the highest rung of the ladder below a level."""
    near = values.loss_error + 1e-9 * max(sum(values.mode_values), abs(level))
    lower = [value.loss for value in values.descent if value.loss < level - near]
    if not lower:
        raise NoExactSolution(
            f"no critical value is below {level:.10g}, the loss of these weights: they are a "
            "global minimum, and descent stays"
        )
    return max(lower)


def _nested(value: Any) -> Any:
    return [_nested(part) for part in value] if isinstance(value, list) else _plain(value)


def _plain(value: float) -> float | str:
    return "inf" if math.isinf(value) else value
