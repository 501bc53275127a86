"""One mode of a balanced net of N layers: the time it needs to a strength, and back."""

import math
import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma, hyp2f1, poch

from linscape.arguments import guarded
from linscape.dynamics.times import checked_times
from linscape.errors import InvalidOption, OutOfRange

Array = NDArray[np.float64]

_TERMS = np.arange(60)  # of powers of at most ½
_NEAREST = 40.0  # 1 − z = e^{−40} is below the rounding of 1
_SMALLEST = 700.0  # e^{−700} is about the smallest float


@guarded
def mode_time(
    strength: float, *, start: float, signal: float, curvature: float, layers: int
) -> float:
    r"""Return the time at which a mode that starts at `start` reaches `strength`.

    The mode obeys u̇ = 2N |u|^{2−2/N} (s − a u): the strength u of one singular direction of the
    product of N balanced layers under gradient flow of E‖f − y‖², with s = uᵀE[yxᵀ]v its signal
    and a = vᵀE[xxᵀ]v its curvature (multiply both by α for another reduction).
    With z = (a u/s)^{1/N}, for N ≥ 3 and s > 0,

    .. math:: t = \frac{1}{2s} (a/s)^{1−2/N} [H(z) − H(z_0)],  H(z) = ∫\frac{dx}{x^{N−1}(1 − x^N)}
              = \frac{z^{2−N}}{2−N} \, {}_2F_1(1, \tfrac2N − 1; \tfrac2N; z^N)    (z < 1),

    and likewise with z^{−N} for z > 1; for N = 2 the mode is logistic,
    t = log[u(s − a u_0)/(u_0(s − a u))]/4s, and for N = 1 exponential.

    Parameters
    ----------
    strength : float
        Where the mode is to arrive, between `start` and its limit.
    start : float
        Where it is at time 0. From 0 it never moves if N ≥ 2.
    signal, curvature : float
        s, and a ≥ 0; a = 0 only with s = 0, or with N = 2 and s u_0 ≤ 0.
    layers : int
        N ≥ 1, the number of weight matrices.

    Returns
    -------
    float
        The time; infinity at the limit.

    Raises
    ------
    InvalidOption
        If the mode never comes to `strength`, or a number is out of its range.

    References
    ----------
    Saxe, McClelland & Ganguli (2014), *Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks* (N = 2, and N → ∞); the other N are elementary.

    Examples
    --------
    Two layers, s = a = 1: logistic with rate 4, from 1/10 to 9/10.

    >>> time = mode_time(0.9, start=0.1, signal=1.0, curvature=1.0, layers=2)
    >>> math.isclose(time, math.log(81) / 4)
    True
    """
    _check(start, signal, curvature, layers)
    if strength == start:
        return 0.0
    limit = _limit(start, signal, curvature, layers)
    if not min(start, limit) <= strength <= max(start, limit):
        raise InvalidOption(f"a mode from {start!r} moves towards {limit:g}, never to {strength!r}")
    if strength == limit:
        return math.inf
    sign = math.copysign(1.0, start)
    if layers == 1:
        return _exponential_time(strength, start, signal, curvature)
    u, u_0, s = sign * strength, sign * start, sign * signal
    if s == 0:
        power = 2 - 2 / layers
        return float(((u / u_0) ** -power - 1) * u_0**-power / (2 * layers * curvature * power))
    if layers == 2:
        return (_log(u / u_0) - _log((s - curvature * u) / (s - curvature * u_0))) / (4 * s)
    log_z, log_start = (_log(curvature * x / abs(s)) / layers for x in (u, u_0))
    ticks = _ticks(np.array(log_z), log_start, math.copysign(1.0, s), layers)
    return float(ticks * u_0 ** (2 / layers - 1) / (2 * abs(s)))


@guarded
def mode_strength(
    times: ArrayLike, *, start: float, signal: float, curvature: float, layers: int
) -> Array:
    r"""Return the strength of a mode at `times`, the inverse of :func:`mode_time`.

    Closed for N ≤ 2 and for s = 0, else by bisection of the closed t(u) in a coordinate that
    resolves both the start and the approach to the limit.

    Parameters
    ----------
    times : array_like, shape (k,)
        Times t ≥ 0, ascending.
    start, signal, curvature, layers
        As for :func:`mode_time`.

    Returns
    -------
    ndarray, shape (k,)
        u at these times.

    Raises
    ------
    InvalidOption
        If a number is out of its range.
    OutOfRange
        If a ratio of the numbers is too large or too small for a 64-bit float.

    Examples
    --------
    Without signal, N = 2 and a = 1: u = 1/(1/u_0 + 4t).

    >>> mode_strength([0.0, 1.0], start=1.0, signal=0.0, curvature=1.0, layers=2)
    array([1. , 0.2])
    """
    t = checked_times(times)
    _check(start, signal, curvature, layers)
    if layers == 1:
        faded = -2 * curvature * t
        return np.asarray(start * np.exp(faded) + signal * 2 * t * _growth(faded))
    if start == 0:
        return np.zeros_like(t)
    sign = math.copysign(1.0, start)
    u_0, s = sign * start, sign * signal
    if layers == 2:
        return sign * _logistic(t, u_0, s, curvature)
    if s == 0:
        power = 2 - 2 / layers
        decline = 1 + 2 * layers * curvature * power * t * u_0**power
        return np.asarray(sign * u_0 * decline ** (-1 / power))
    ticks = 2 * abs(s) * t * u_0 ** (1 - 2 / layers)
    log_start = _log(curvature * u_0 / abs(s)) / layers
    log_z = _inverse(ticks, log_start, math.copysign(1.0, s), layers)
    strength: Array = u_0 * np.exp(layers * (log_z - log_start))
    low, high = sorted((u_0, sign * _limit(start, signal, curvature, layers)))
    return sign * np.clip(strength, low, high)


def _logistic(t: Array, u_0: float, s: float, a: float) -> Array:
    """Return u of u̇ = 4u(s − a u) for u_0 > 0, from either sign of s."""
    x = 4 * s * t
    rise = 4 * a * u_0 * t * _growth(-np.abs(x))  # a u_0 (1 − e^{−|x|})/|s|
    if s >= 0:
        return np.asarray(u_0 / (np.exp(-x) + rise))
    return np.asarray(u_0 * np.exp(x) / (1 + rise))


def _growth(x: Array) -> Array:
    """Return (e^x − 1)/x, 1 at x = 0."""
    safe = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.expm1(safe) / safe)


def _log(ratio: float) -> float:
    """Return its logarithm; it is positive but for what has left the range."""
    if not sys.float_info.min <= ratio < math.inf:
        raise OutOfRange(
            f"a ratio of strengths leaves the range of 64-bit floats, got {ratio!r}; rescale "
            "start, signal and curvature"
        )
    return math.log(ratio)


def _exponential_time(strength: float, start: float, signal: float, curvature: float) -> float:
    left = (signal - curvature * strength) / (signal - curvature * start)
    return -_log(left) / (2 * curvature)


def _limit(start: float, signal: float, curvature: float, layers: int) -> float:
    """Return where the mode goes."""
    if (curvature == 0 and signal == 0) or (start == 0 and layers > 1):
        return start
    return signal / curvature if layers == 1 or start * signal > 0 else 0.0


def _ticks(log_z: Array, log_start: float, sign: float, layers: int) -> Array:
    """Return z_0^{N−2} |∫_{z_0}^z dx/(x^{N−1}(1 − sign·x^N))|, the time in units of the start."""

    def inner(x: Array | float) -> Array:
        power = np.exp((2 - layers) * (np.asarray(x) - log_start)) / (2 - layers)
        return power * _hypergeometric((2 - layers) / layers, layers * np.asarray(x), sign)

    def outer(x: Array | float) -> Array:
        power = np.exp((layers - 2) * log_start + (2 - 2 * layers) * np.asarray(x))
        series = _hypergeometric((2 * layers - 2) / layers, -layers * np.asarray(x), sign)
        return sign * power / (2 * layers - 2) * series

    if sign > 0:
        part = inner if log_start < 0 else outer
        return np.asarray(part(log_z) - part(log_start))
    # the two series differ by a constant, so each spans its own side of 1
    below, above = np.minimum(log_z, 0), np.maximum(log_z, 0)
    first, last = min(log_start, 0.0), max(log_start, 0.0)
    inside = np.where(below < first, inner(first) - inner(below), 0)
    return np.where(above < last, outer(last) - outer(above), 0) + inside


def _hypergeometric(b: float, log_x: Array, sign: float) -> Array:
    """Return ₂F₁(1, b; b + 1; sign·x) for x < 1, or for any x > 0 if the sign is −1."""
    if sign < 0:
        return np.asarray(hyp2f1(1.0, b, b + 1, -np.exp(log_x)))
    x, gap = np.exp(log_x), -np.expm1(log_x)
    # scipy's hyp2f1 has the wrong sign close to 1; there, the expansion about x = 1
    near = np.maximum(gap, 5e-324)[..., None]
    weights = b * poch(b, _TERMS) / poch(1, _TERMS)
    logs = digamma(_TERMS + 1) - digamma(b + _TERMS) - np.log(near)
    expansion = (weights * logs * near**_TERMS).sum(axis=-1)
    return np.asarray(np.where(gap < 0.5, expansion, hyp2f1(1.0, b, b + 1, np.minimum(x, 0.5))))


def _inverse(ticks: Array, log_start: float, sign: float, layers: int) -> Array:
    """Return log z at which :func:`_ticks` has these values, by bisection."""
    if log_start == 0 and sign > 0:
        return np.zeros_like(ticks)
    distance = math.log(-math.expm1(-abs(log_start))) if sign > 0 else 0.0  # of z_0 to 1
    if sign < 0:
        first, last = log_start, log_start - _SMALLEST
    elif log_start < 0:
        first, last = log_start - distance, _NEAREST  # of logit z
    else:
        first, last = log_start + distance, -_NEAREST  # of log(z − 1)

    def log_z(y: Array) -> Array:
        if sign < 0:
            return y
        return -np.logaddexp(0, -y) if log_start < 0 else np.logaddexp(0, y)

    early, late = np.full_like(ticks, first), np.full_like(ticks, last)
    with np.errstate(over="ignore"):
        for _ in range(64):
            middle = (early + late) / 2
            before = _ticks(log_z(middle), log_start, sign, layers) < ticks
            early, late = np.where(before, middle, early), np.where(before, late, middle)
    return np.where(ticks == 0, log_start, log_z((early + late) / 2))


def _check(start: float, signal: float, curvature: float, layers: int) -> None:
    if not all(map(math.isfinite, (start, signal, curvature))):
        raise InvalidOption(
            f"start, signal and curvature must be finite, got {start!r}, {signal!r}, {curvature!r}"
        )
    shrinks = layers == 2 and start * signal <= 0  # bounded without curvature
    if curvature < 0 or (curvature == 0 and signal != 0 and not shrinks):
        raise InvalidOption(
            "curvature must be positive, or zero together with the signal, "
            f"got curvature={curvature!r}, signal={signal!r}"
        )
    if isinstance(layers, bool) or int(layers) != layers or layers < 1:
        raise InvalidOption(f"layers must be a whole number of at least 1, got {layers!r}")
