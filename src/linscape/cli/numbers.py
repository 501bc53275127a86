"""Numbers as a reader wants them."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal


def short(value: float) -> str:
    """Return four digits.

    Examples
    --------
    >>> short(0.33997774), short(1e-9), short(math.inf)
    ('0.34', '1e-09', 'inf')
    """
    return f"{value:.4g}"


def bounds(lower: float, upper: float) -> tuple[str, str]:
    """Return an interval rounded outwards, with as many digits as it takes to show its width.

    Examples
    --------
    >>> bounds(0.48887621199619, 0.48887621199820)
    ('0.488876211996', '0.488876211999')
    >>> bounds(1.0, 1.0)
    ('1', '1')
    """
    low, high = Decimal(lower), Decimal(upper)
    if low == high:
        return f"{lower:.6g}", f"{upper:.6g}"
    for digits in range(3, 20):
        down = Context(digits, ROUND_FLOOR).create_decimal(low)
        up = Context(digits, ROUND_CEILING).create_decimal(high)
        if up - down < 2 * (high - low):
            break
    return f"{down:.{digits}g}", f"{up:.{digits}g}"


def exponential(logarithm: float) -> str:
    """Return e to some power, also where a float overflows or underflows.

    Examples
    --------
    >>> exponential(0.0), exponential(-math.inf), exponential(-2000 * math.log(10))
    ('1', '0', '1e-2000')
    """
    if logarithm == -math.inf:
        return "0"
    if abs(logarithm) < 700:
        return f"{math.exp(logarithm):.6g}"
    power = logarithm / math.log(10)
    digits, whole = f"{10 ** (power % 1):.4g}", math.floor(power)
    return f"{digits}e{whole:+d}" if digits != "10" else f"1e{whole + 1:+d}"


def rounded_down(value: float) -> str:
    """Return a positive number with two digits, never above the number itself.

    Examples
    --------
    >>> rounded_down(0.3399), rounded_down(1.2078e-5)
    ('0.33', '1.2e-05')
    """
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    text = f"{math.floor(value / unit) * unit:.2g}"
    return text if float(text) <= value else f"{value * 0.99:.2g}"
