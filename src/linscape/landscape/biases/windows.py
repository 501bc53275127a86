r"""One hidden layer: the decays at which it learns, in exact arithmetic.

With c = Cov(x, y), κ = γ_u/(α + γ_u) and α the factor of the data term, the trivial state is the
global minimum iff ‖c̃‖² ≤ γ_uγ_1/α², where

    ‖c̃‖² = ‖c‖² + 2κ E[y] c·E[x] + κ² E[y]² (‖E[x]‖² + 1).

Neither noise nor Cov(x) enter. Times α²(α + γ_u)² that is a polynomial of degree four in γ_u, where
γ_1 = ργ_u. Its coefficients have one change of sign or three, and three do occur: biases that
decay more share less of the mean with the output bias. So learning is not an interval of decays in
general, but up to two. All numbers are rational, so that their signs are exact.
"""

import itertools
import struct
import sys
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from linscape.errors import OutOfRange
from linscape.problem import Problem

Polynomial = list[Fraction]  # coefficients of t⁰, t¹, …


class Edge(NamedTuple):
    """A decay where learning begins or ends, between two floats next to each other."""

    lower: float
    upper: float


class Window(NamedTuple):
    """An open interval of decays that learn."""

    begin: Edge
    end: Edge


def is_nontrivial(problem: Problem) -> bool:
    """Say whether ‖c̃‖² > γ_uγ_1/α², exactly, for the problem's own positive decays."""
    first, last = problem.network.weight_decay
    ratio = Fraction(first) / Fraction(last)
    return _value(_polynomial(problem, ratio, Fraction(1)), last) > 0


def learning_windows(problem: Problem, *, scaled: bool) -> list[Window]:
    """Return the common decays, or the factors of the problem's own ones, that learn.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer, decayed biases.
    scaled : bool
        Whether to return factors; the problem's decays must be positive then.

    Raises
    ------
    OutOfRange
        If a window ends beyond the largest 64-bit float.
    """
    ratio = unit = Fraction(1)
    if scaled:
        first, last = map(Fraction, problem.network.weight_decay)
        ratio, unit = first / last, last
    polynomial = _polynomial(problem, ratio, unit)
    while not polynomial[0]:  # t > 0, so a factor of t changes no sign
        del polynomial[0]
    edges = [Edge(*pair) for pair in _crossings(polynomial)]
    if polynomial[0] > 0:
        edges.insert(0, Edge(0.0, 0.0))
    if len(edges) % 2:
        raise OutOfRange(
            "expected weight decays whose critical multiples are 64-bit floats, got "
            f"{problem.network.weight_decay}, which go on learning beyond 1e308 times that; "
            "give larger ones"
        )
    return [Window(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)]


def _polynomial(problem: Problem, ratio: Fraction, unit: Fraction) -> Polynomial:
    """Return α²(α + γ)²(‖c̃‖² − ργ²/α²) in t, where γ_u = γ = t·unit and γ_1 = ργ."""
    moments, factor = problem.moments, Fraction(problem.data_factor)
    signal = [Fraction(float(part)) for part in np.ravel(moments.covariance_xy)]
    mean = [Fraction(float(part)) for part in np.ravel(np.asarray(moments.mean_x))]
    mean_y = Fraction(float(np.reshape(np.asarray(moments.mean_y), ())))
    free = sum(part * part for part in signal) * factor**2
    cross = sum(map(Fraction.__mul__, signal, mean)) * mean_y * factor**2
    constant = (sum(part * part for part in mean) + 1) * mean_y**2 * factor**2
    coefficients = [
        free * factor**2,
        2 * factor * (free + cross),
        free + 2 * cross + constant - ratio * factor**2,
        -2 * factor * ratio,
        -ratio,
    ]
    return [part * unit**power for power, part in enumerate(coefficients)]


def _crossings(polynomial: Polynomial) -> list[tuple[float, float]]:
    """Return, for each t > 0 where a polynomial becomes positive or ceases to be, floats around it.

    Between the crossings of its derivative it is monotone.
    """
    if len(polynomial) < 2:
        return []
    derivative = [power * part for power, part in enumerate(polynomial)][1:]
    ends = [0.0, *itertools.chain(*_crossings(derivative)), sys.float_info.max]
    return [
        _bisected(polynomial, left, right)
        for left, right in itertools.pairwise(ends)
        if _is_positive(polynomial, left) is not _is_positive(polynomial, right)
    ]


def _bisected(polynomial: Polynomial, left: float, right: float) -> tuple[float, float]:
    """Halve the number of floats in between until there is none."""
    before = _is_positive(polynomial, left)
    low, high = _rank(left), _rank(right)
    while high - low > 1:
        middle = (low + high) // 2
        if _is_positive(polynomial, _float(middle)) is before:
            low = middle
        else:
            high = middle
    return _float(low), _float(high)


def _is_positive(polynomial: Polynomial, at: float) -> bool:
    return _value(polynomial, at) > 0


def _value(polynomial: Polynomial, at: float) -> Fraction:
    t, value = Fraction(at), Fraction(0)
    for part in reversed(polynomial):
        value = value * t + part
    return value


def _rank(value: float) -> int:
    """Return how many floats lie between zero and a positive one."""
    rank: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return rank


def _float(rank: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<q", rank))[0]
    return value
