"""A number known by two bounds."""

from typing import NamedTuple


class Interval(NamedTuple):
    """A number known to lie in [lower, upper]."""

    lower: float
    upper: float
