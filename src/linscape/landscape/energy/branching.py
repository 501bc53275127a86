"""Branch and bound on a line: where a sign is undecided, and how large a function gets."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 200


class Curvature(NamedTuple):
    """Bounds, valid on the whole line, on a function's slope and second derivative."""

    slope: float  # |f′| ≤ slope
    lowest: float  # lowest ≤ f″
    highest: float  # f″ ≤ highest


class Boxes(NamedTuple):
    """Disjoint intervals, ascending."""

    left: Array
    right: Array


def enclose(
    value: Array, slope: Array, half_width: Array, curvature: Curvature
) -> tuple[Array, Array]:
    """Return bounds on f over boxes from its value and slope at their midpoints."""
    spread = np.abs(slope) * half_width
    square = half_width**2 / 2
    reach = curvature.slope * half_width
    lower = value - np.minimum(spread - curvature.lowest * square, reach)
    upper = value + np.minimum(spread + curvature.highest * square, reach)
    return lower, upper


def undecided(
    function: Callable[[Array], tuple[Array, Array]],
    rounding: Callable[[Array], Array],
    span: tuple[float, float],
    curvature: Curvature,
    width: float,
) -> Boxes:
    """Return boxes of at most `width` outside which, within `span`, the sign of f is proven.

    Parameters
    ----------
    function : callable
        Maps points to values and slopes of f.
    rounding : callable
        Maps points to a bound on the rounding error of the values.
    span : (float, float)
        The interval to examine.
    curvature : Curvature
        Bounds on f's derivatives.
    width : float
        Boxes this narrow are returned undecided.

    Examples
    --------
    sin has one root in [2, 4], π:

    >>> box = undecided(lambda x: (np.sin(x), np.cos(x)), np.zeros_like, (2, 4),
    ...                 Curvature(1, -1, 1), width=1e-6)
    >>> bool(box.left[0] <= np.pi <= box.right[0]), bool(box.right[-1] - box.left[0] < 3e-6)
    (True, True)
    """
    edges = np.linspace(span[0], span[1], 65)
    left, right = edges[:-1], edges[1:]
    done_left, done_right = [], []
    for _ in range(_ROUNDS):
        middle = (left + right) / 2
        lower, upper = enclose(*function(middle), (right - left) / 2, curvature)
        slack = rounding(middle)
        unknown = (lower - slack <= 0) & (upper + slack >= 0)
        narrow = (right - left <= width) | (middle <= left) | (middle >= right)
        done_left.append(left[unknown & narrow])
        done_right.append(right[unknown & narrow])
        split = unknown & ~narrow
        if not split.any():
            break
        left, right = _divide(left[split], right[split])
    return _merge(np.concatenate(done_left), np.concatenate(done_right))


def supremum(
    bounds: Callable[[Array, Array], tuple[Array, Array, Array]],
    pieces: Boxes,
    tolerance: Callable[[float], float],
    width: float,
) -> tuple[float, float, float]:
    """Enclose the supremum over `pieces` of a function known by bounds.

    Parameters
    ----------
    bounds : callable
        Maps the left and right ends of boxes to a value attained in each, an upper bound, and the
        part of their difference that does not shrink with the box; where that dominates, dividing
        further gains nothing.
    pieces : Boxes
        Where to look.
    tolerance : callable
        Maps the largest value found to the gap that is good enough.
    width : float
        Boxes this narrow are not divided further.

    Returns
    -------
    lower, upper, where : float
        lower ≤ sup ≤ upper, and the middle of the box with the largest value.

    Examples
    --------
    >>> def parabola(left, right):
    ...     middle = (left + right) / 2
    ...     upper = 1 - np.minimum(left**2, right**2) * (left * right > 0)
    ...     return 1 - middle**2, upper, np.zeros_like(middle)
    >>> pieces = Boxes(np.array([-1.0]), np.array([2.0]))
    >>> lower, upper, _ = supremum(parabola, pieces, lambda value: 1e-9, 1e-12)
    >>> bool(lower <= 1 <= upper), bool(upper - lower <= 1e-9)
    (True, True)
    """
    left, right = pieces
    lower, where, settled = -np.inf, float("nan"), -np.inf
    for _ in range(_ROUNDS):
        value, upper, fixed = bounds(left, right)
        best = int(np.argmax(value))
        if value[best] > lower:
            lower, where = float(value[best]), float((left[best] + right[best]) / 2)
        middle = (left + right) / 2
        open_ = (upper > lower + tolerance(lower)) & (right - left > width)
        open_ &= (left < middle) & (middle < right) & (upper - value > 1.05 * fixed)
        settled = max(settled, float(np.max(upper[~open_], initial=-np.inf)))
        if not open_.any():
            return lower, max(lower, settled), where
        remaining = float(np.max(upper[open_]))
        left, right = _divide(left[open_], right[open_])
    return lower, max(lower, settled, remaining), where


def _divide(left: Array, right: Array) -> tuple[Array, Array]:
    """Cut each box into eight: fewer rounds than halving, for the same number of evaluations."""
    fractions = np.linspace(0, 1, 9)
    edges = left[:, None] + fractions * (right - left)[:, None]
    edges[:, -1] = right
    return edges[:, :-1].ravel(), edges[:, 1:].ravel()


def _merge(left: Array, right: Array) -> Boxes:
    """Join boxes that touch."""
    if not len(left):
        return Boxes(left, right)
    order = np.argsort(left)
    left, right = left[order], right[order]
    first = np.append(True, left[1:] > right[:-1])
    last = np.append(first[1:], True)
    return Boxes(left[first], right[last])
