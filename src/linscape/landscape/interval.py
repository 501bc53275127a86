"""A number known by two bounds, and numbers that may be infinite."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.errors import OutOfRange


class Interval(NamedTuple):
    """A number known to lie in [lower, upper]."""

    lower: float
    upper: float


def exponential(logarithm: float) -> float:
    """Return e^logarithm, infinite where it is too large for a float."""
    try:
        return math.exp(logarithm)
    except OverflowError:
        return math.inf


def from_logarithm(logarithm: float, name: str) -> float:
    """Return e^logarithm: 0 and infinity from infinite logarithms only.

    Raises
    ------
    OutOfRange
        If the number is too large or too small for a 64-bit float.
    """
    if math.isinf(logarithm):
        return 0.0 if logarithm < 0 else math.inf
    if not -744 < logarithm < 709:
        raise OutOfRange(
            f"{name} is exp({logarithm:.6g}), outside the range of a 64-bit float; "
            "rescale the data or the decays"
        )
    return math.exp(logarithm)


def real_numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as an array, and one NaN for what is no numbers at all."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array(np.nan)


def json_value(value: Any) -> Any:
    """Return a value for strict JSON: tuples as lists, infinity as the string "inf"."""
    if isinstance(value, dict):
        return {key: json_value(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [json_value(part) for part in value]
    return "inf" if value == math.inf else value
