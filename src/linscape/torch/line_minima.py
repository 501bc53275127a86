"""Minima of a curve that is a function of one number."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 60  # of golden section, each of which takes the interval to 0.618 of its length
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class LineMinimum:
    """A minimum of a curve: at `b`, with loss `loss`; exact, or numerical on the sampled curve."""

    b: float
    loss: float
    basis: Literal["exact", "numerical"]

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes, ready for JSON."""
        return dict(vars(self))


def refined_minima(
    curve: Callable[[float], float], points: Array, values: Array
) -> tuple[LineMinimum, ...]:
    """Return the local minima seen on the points, each refined by golden section."""
    inner = (values[1:-1] < values[:-2]) & (values[1:-1] <= values[2:])
    found = []
    for k in np.flatnonzero(inner):
        left, right = float(points[k]), float(points[k + 2])
        place = _golden(curve, left, right)
        loss = curve(place)
        if values[k + 1] < loss:
            place, loss = float(points[k + 1]), float(values[k + 1])
        found.append(LineMinimum(place, loss, "numerical"))
    return tuple(found)


def _golden(curve: Callable[[float], float], left: float, right: float) -> float:
    one, other = right - _GOLDEN * (right - left), left + _GOLDEN * (right - left)
    at_one, at_other = curve(one), curve(other)
    for _ in range(_STEPS):
        if at_one < at_other:
            right, other, at_other = other, one, at_one
            one = right - _GOLDEN * (right - left)
            at_one = curve(one)
        else:
            left, one, at_one = one, other, at_other
            other = left + _GOLDEN * (right - left)
            at_other = curve(other)
    return (left + right) / 2
