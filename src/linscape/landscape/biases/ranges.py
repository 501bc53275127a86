"""Arrays of intervals whose every operation rounds outwards, so that no true value escapes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF

Array = NDArray[np.float64]


class Range(NamedTuple):
    """Numbers known to lie in [lower, upper]; an upper end of inf means "any number above".

    Sums, products and quotients of IEEE arithmetic are off by half a unit in the last place at
    most: one step outwards covers them, underflow included.

    Examples
    --------
    >>> x = Range(np.array([1.0]), np.array([2.0]))
    >>> wide = x * x - x  # [1, 4] − [1, 2]: the two x are taken as independent
    >>> bool(wide.lower[0] <= -1.0 and wide.upper[0] >= 3.0)
    True
    """

    lower: Array
    upper: Array

    def __add__(self, other: "Range | Array | float") -> "Range":  # type: ignore[override]
        """Return the range of sums."""
        lower, upper = _ends(other)
        return _outwards(self.lower + lower, self.upper + upper)

    def __sub__(self, other: "Range | Array | float") -> "Range":
        """Return the range of differences."""
        lower, upper = _ends(other)
        return _outwards(self.lower - upper, self.upper - lower)

    def __mul__(self, other: "Range | Array | float") -> "Range":  # type: ignore[override]
        """Return the range of products."""
        lower, upper = _ends(other)
        # fmin and fmax pass over 0·inf: zero times any number is zero
        products = (self.lower * lower, self.lower * upper, self.upper * lower, self.upper * upper)
        return _outwards(np.fmin.reduce(products), np.fmax.reduce(products))

    def inverse(self) -> "Range":
        """Return the range of 1/x for x ≥ 0; ends that rounding put below zero count as zero."""
        below, above = np.maximum(self.lower, 0.0), np.maximum(self.upper, 0.0)
        return _outwards(1 / above, 1 / below)

    def square(self) -> "Range":
        """Return the range of squares."""
        least = np.maximum(np.maximum(self.lower, -self.upper), 0.0)
        most = np.maximum(-self.lower, self.upper)
        low, high = _outwards(least**2, most**2)
        return Range(np.maximum(low, 0.0), high)

    def within(self, lower: Array | float, upper: Array | float) -> "Range":
        """Return the part in [lower, upper]: empty where its lower end exceeds its upper.

        An end that is not a number, where infinities met, is no bound.
        """
        return Range(np.fmax(self.lower, lower), np.fmin(self.upper, upper))

    def misses(self, value: float) -> NDArray[np.bool_]:
        """Say where no number of the range is `value`."""
        result: NDArray[np.bool_] = (self.lower > value) | (self.upper < value)
        return result

    @classmethod
    def exactly(cls, value: Array | float) -> "Range":
        """Return the range that holds one number."""
        exact = np.asarray(value, dtype=np.float64)
        return cls(exact, exact)


def weighted_sum(weights: Array, lower: Array, upper: Array) -> Range:
    """Return Σ_i w_i x_i for exact weights (d,) and 0 ≤ lower ≤ x ≤ upper of shape (n, d)."""
    gains, losses = np.maximum(weights, 0.0), np.maximum(-weights, 0.0)
    rounding = 2 * (len(weights) + 2) * UNIT_ROUNDOFF  # of a sum of terms of one sign
    most, least = 1 + rounding, 1 - rounding
    return _outwards(
        (lower @ gains) * least - (upper @ losses) * most,
        (upper @ gains) * most - (lower @ losses) * least,
    )


def _ends(value: Range | Array | float) -> tuple[Array, Array]:
    if isinstance(value, Range):
        return value.lower, value.upper
    exact = np.asarray(value, dtype=np.float64)
    return exact, exact


def _outwards(lower: Array, upper: Array) -> Range:
    return Range(np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf))
