"""A number known by two bounds, and numbers that may be infinite."""

import math
from typing import Any, NamedTuple


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


def json_value(value: Any) -> Any:
    """Return a value for strict JSON: tuples as lists, infinity as the string "inf"."""
    if isinstance(value, dict):
        return {key: json_value(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [json_value(part) for part in value]
    return "inf" if value == math.inf else value
