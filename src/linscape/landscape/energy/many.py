"""The largest gains of many problems of one depth at once, from tabulated sums."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.energy.sums import STEP, Cubics, Sums, polynomial

Array = NDArray[np.float64]

_NEWTON = 3
_BISECTIONS = 40
# |(log S)‴| ≤ 3!·32/π³, so a maximum and a minimum of log H inside one cell differ by at most
# this, and the gain, whose slope is K(e^h − 1), by that times the cell
_RIPPLE = 6.2 * STEP**3 / 12


class Gains(NamedTuple):
    """The largest gain of each problem, in the units of the spectrum.

    `gain` is attained at `energy` up to `gap`, which also bounds how much larger the true maximum
    over all energies can be; where no minimum exists beside zero, it is −inf.
    """

    gain: Array
    gap: Array
    energy: Array
    minima: NDArray[np.int16]


class _Run(NamedTuple):
    """A stretch of y on which log H falls: every root on it is a minimum of F.

    It consists of `rows` of the cubics, whose first and last may turn inside at `left` and `right`;
    `edges` are the values of log H at the ends of the rows, falling from top to bottom.
    """

    left: float
    right: float
    rows: NDArray[np.int64]
    edges: Array


def largest_gains(sums: Sums, depth: int, log_inflation: Array, log_product: Array) -> Gains:
    """Return the largest gains for arrays of log τ and log P.

    Each falling stretch of log H holds at most one root of H = ℓ; the gain is largest at one of
    these roots or at zero.
    """
    levels = (log_product + (depth - 1) * log_inflation) / depth
    heights = sums.log_s.tilted(1 - 1 / depth)
    best = Gains(
        np.full(levels.shape, -np.inf),
        np.zeros(levels.shape),
        np.zeros(levels.shape),
        np.zeros(levels.shape, np.int16),
    )
    for run in _runs(heights):
        here = np.flatnonzero((levels < run.edges[0]) & (levels > run.edges[-1]))
        if not len(here):
            continue
        row, u, miss = _roots(heights, run, levels[here], sums.error_s)
        point = levels[here], log_inflation[here], log_product[here]
        found = _gain(sums, depth, row, u, miss, point)
        best.minima[here] += 1
        better = found[0] > best.gain[here]
        for column, values in zip(best[:3], found, strict=True):
            column[here[better]] = values[better]
    return best


def _runs(heights: Cubics) -> list[_Run]:
    """Return the falling stretches; the line after the last point always falls."""
    values = heights.coefficients[1:, 0]
    falls = np.append(np.diff(values) < 0, True)
    starts = np.flatnonzero(falls & ~np.append(False, falls[:-1]))
    return [_run(heights, int(start), falls) for start in starts]


def _run(heights: Cubics, start: int, falls: NDArray[np.bool_]) -> _Run:
    """Return the falling stretch that begins at or just before a grid point."""
    rises = np.flatnonzero(~falls[start:])
    left, top = _turn(heights, start)
    first = max(int(heights.rows(np.array([left]))[0]), 1)
    if len(rises):
        right, bottom = _turn(heights, start + int(rises[0]))
        last = int(heights.rows(np.array([right]))[0])
    else:
        right, bottom, last = np.inf, -np.inf, len(falls)
    rows = np.arange(first, last + 1)
    edges = np.append(heights.coefficients[rows, 0], bottom)
    edges[0] = top
    return _Run(left, right, rows, edges)


def _turn(heights: Cubics, index: int) -> tuple[float, float]:
    """Return where log H turns near a grid point, and its value there."""
    grid = heights.origins[1:]
    if index == 0:  # one hidden layer: log H falls from its limit at −∞
        return float(grid[0]), float(heights.coefficients[1, 0])
    left, right = grid[index - 1], grid[min(index + 1, len(grid) - 1)]
    rising = heights(np.array([left]))[1][0] > 0
    for _ in range(60):
        middle = (left + right) / 2
        same = (heights(np.array([middle]))[1][0] > 0) == rising
        left, right = (middle, right) if same else (left, middle)
    y = (left + right) / 2
    return float(y), float(heights(np.array([y]))[0][0])


def _roots(
    heights: Cubics, run: _Run, levels: Array, accuracy: float
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return rows and u of the roots of H = ℓ on a run, and how far log H misses log ℓ there."""
    position = np.clip(np.searchsorted(-run.edges, -levels) - 1, 0, len(run.rows) - 1)
    row = run.rows[position]
    coefficients = heights.coefficients[row].T
    origins = heights.origins[row]
    lowest = np.maximum((run.left - origins) / STEP, 0.0)
    last = row == len(heights.origins) - 1
    highest = np.where(last, np.inf, np.minimum((run.right - origins) / STEP, 1.0))
    above, below = run.edges[position], run.edges[position + 1]
    with np.errstate(invalid="ignore"):
        share = np.where(last, 0.0, (above - levels) / (above - below))
        u = np.where(last, 0.0, lowest + share * (highest - lowest))
    for _ in range(_NEWTON):
        value, slope = polynomial(coefficients, u)
        u = np.clip(u - (value - levels) / np.minimum(slope, -1e-12), lowest, highest)
    miss = np.abs(polynomial(coefficients, u)[0] - levels)
    slow = np.flatnonzero(miss > accuracy)
    if len(slow):
        u[slow] = _bisect(coefficients[:, slow], lowest[slow], highest[slow], levels[slow])
        miss[slow] = np.abs(polynomial(coefficients[:, slow], u[slow])[0] - levels[slow])
    return row, u, miss


def _bisect(coefficients: Array, left: Array, right: Array, levels: Array) -> Array:
    right = np.where(np.isfinite(right), right, left + 1e6)
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        above = polynomial(coefficients, middle)[0] > levels
        left, right = np.where(above, middle, left), np.where(above, right, middle)
    result: Array = (left + right) / 2
    return result


def _gain(
    sums: Sums,
    depth: int,
    row: NDArray[np.int64],
    u: Array,
    miss: Array,
    point: tuple[Array, Array, Array],
) -> tuple[Array, Array, Array]:
    """Return gain, gap and energy at the roots."""
    levels, log_inflation, log_product = point
    y = sums.log_t.origins[row] + STEP * u
    log_t = polynomial(sums.log_t.coefficients[row].T, u)[0]
    energy = np.exp((y + log_product - log_inflation) / depth)
    data = np.exp(y + log_t - log_inflation)
    rise = (1 - 1 / depth) * y + log_t - levels - np.log(depth)
    near = depth * energy * np.expm1(np.minimum(rise, 1.0))
    gain = np.where(rise <= 1, near, data - depth * energy)
    spectral = sums.spectral[row] * np.exp(-log_inflation)
    ripple = _RIPPLE if depth > 1 else 0.0
    beside = energy * STEP * (miss + 2 * sums.error_s + ripple)
    gap = 2 * (data + depth * energy) * sums.error_t + beside + spectral
    return gain, gap, energy
