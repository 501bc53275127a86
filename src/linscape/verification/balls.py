"""Ball arithmetic (Arb, through python-flint): exact numbers in, directed roundings out.

A ball is a midpoint with a radius, and every operation returns one that holds the exact result.
Comparisons are true only if they are proven: ``x <= y`` and ``x > y`` can both be false.
"""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

from linscape.errors import MissingDependency

try:
    from flint import arb, arb_mat, arb_poly, ctx, fmpz, fmpz_mat, fmpz_poly
except ImportError as error:
    raise MissingDependency(
        "verifying a certificate needs python-flint, which is not installed; "
        'pip install "linscape[certify]"'
    ) from error

__all__ = [
    "arb",
    "arb_mat",
    "arb_poly",
    "ctx",
    "decimal",
    "float_above",
    "float_below",
    "fmpz",
    "fmpz_mat",
    "fmpz_poly",
]

_DIGITS = 40
_BITS = 160  # of the end of a ball: more than its digits need


def float_below(ball: arb) -> float:
    """Return the largest float64 that is at most all of a ball.

    Examples
    --------
    >>> float_below(arb(1) / 3) < Fraction(1, 3) < float_above(arb(1) / 3)
    True
    >>> float_below(arb(0.5)), float_above(arb(0.5))
    (0.5, 0.5)
    """
    end = _fraction(ball.lower())
    nearest = _float(end)
    return nearest if nearest <= end else math.nextafter(nearest, -math.inf)


def float_above(ball: arb) -> float:
    """Return the smallest float64 that is at least all of a ball."""
    return 0.0 - float_below(-ball)


def decimal(ball: arb, *, below: bool) -> str:
    """Return a decimal number of 40 digits that is at most (or at least) all of a ball.

    Examples
    --------
    >>> with ctx.workprec(200):
    ...     decimal(arb(2) / 3, below=True)
    '0.6666666666666666666666666666666666666666'
    >>> decimal(arb(0.5), below=False)
    '0.5'
    """
    with ctx.workprec(_BITS):
        end = _fraction(ball.lower() if below else ball.upper())
    context = Context(prec=_DIGITS, rounding=ROUND_FLOOR if below else ROUND_CEILING)
    return str(context.divide(Decimal(end.numerator), Decimal(end.denominator)))


def _fraction(end: arb) -> Fraction:
    mantissa, exponent = (int(part) for part in end.man_exp())
    return mantissa * Fraction(2) ** exponent


def _float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
