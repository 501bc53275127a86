r"""The two sums of the theory, tabulated once for every architecture and decay.

T(y) = Σ c_i²/(1 + a_i e^y) and S(y) = Σ c_i²/(1 + a_i e^y)² depend on the data alone. Their
logarithms are tabulated with their slopes and interpolated by cubics. The error is proven: log T is
analytic for |Im y| < π with |Im log T| ≤ |Im y| there (each term lies in that cone), log S for
|Im y| < π/2 with twice that, so by Cauchy's estimate for a function of bounded imaginary part their
fourth derivatives are at most 4!·4/π⁴ < 1 and 4!·64/π⁴ < 16, and the cubic through two values and
slopes at distance h errs by at most h⁴/384 times that.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.energy import power_sum, ridge_error
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

STEP = 1 / 128
_MARGIN = 27.0  # e⁻²⁷ < 2e-12: beyond the spectrum both sums are pure powers to that
_CHUNK = 2**18


class Cubics(NamedTuple):
    """A function on the whole line as cubics in u, y = origin + STEP·u, a row each.

    Rows 1, …, n − 1 are the cells of the grid, u in [0, 1]; rows 0 and n are the straight lines
    before the first and after the last point, where u is negative or as large as it needs to be.
    """

    origins: Array
    coefficients: Array

    def rows(self, y: Array) -> NDArray[np.int64]:
        """Return the row that covers each y."""
        return np.searchsorted(self.origins[1:], y, side="right")

    def __call__(self, y: Array) -> tuple[Array, Array]:
        """Return values and slopes at y."""
        row = self.rows(y)
        u = (y - self.origins[row]) / STEP
        value, slope = polynomial(self.coefficients[row].T, u)
        return value, slope / STEP

    def tilted(self, slope: float) -> "Cubics":
        """Return the cubics of the function plus slope·y."""
        coefficients = self.coefficients.copy()
        coefficients[:, 0] += slope * self.origins
        coefficients[:, 1] += slope * STEP
        return Cubics(self.origins, coefficients)


class Sums(NamedTuple):
    """log T and log S of one output's spectrum.

    Attributes
    ----------
    log_t, log_s : Cubics
        The functions.
    error_t, error_s : float
        Bounds on their interpolation errors.
    spectral : ndarray
        For each row, a bound on what the errors of the spectrum do to e^y T there.
    """

    log_t: Cubics
    log_s: Cubics
    error_t: float
    error_s: float
    spectral: Array


def tabulate(spectrum: Spectrum) -> Sums:
    """Tabulate both sums over the range in which they are not pure powers."""
    alive = spectrum.values[spectrum.coefficients != 0]
    first = -float(np.log(alive[-1])) - _MARGIN
    last = -float(np.log(alive[0])) + _MARGIN
    # multiples of a power of two, so that every cell has the same width to the last bit
    grid = STEP * np.arange(np.floor(first / STEP), np.ceil(last / STEP) + 1)
    columns: list[list[Array]] = [[], [], [], [], []]
    for part in np.array_split(grid, max(1, len(grid) * len(spectrum.values) // _CHUNK)):
        log_t, share_t = power_sum(spectrum, part, 1)
        log_s, share_s = power_sum(spectrum, part, 2)
        spectral = ridge_error(spectrum, np.exp(-part))
        for column, values in zip(
            columns, (log_t, -share_t, log_s, -2 * share_s, spectral), strict=True
        ):
            column.append(values)
    log_t, slope_t, log_s, slope_s, spectral = (np.concatenate(column) for column in columns)
    beyond = ridge_error(spectrum, np.zeros(1))
    rounding = UNIT_ROUNDOFF * 1000
    return Sums(
        log_t=_cubics(grid, log_t, slope_t),
        log_s=_cubics(grid, log_s, slope_s),
        error_t=STEP**4 / 384 + rounding + 2e-12,
        error_s=16 * STEP**4 / 384 + rounding + 4e-12,
        spectral=np.append(spectral, beyond),
    )


def polynomial(coefficients: Array, u: Array) -> tuple[Array, Array]:
    """Return values and derivatives of cubics with coefficients (4, k) at u (k,)."""
    c0, c1, c2, c3 = coefficients
    return c0 + u * (c1 + u * (c2 + u * c3)), c1 + u * (2 * c2 + 3 * u * c3)


def _cubics(grid: Array, values: Array, slopes: Array) -> Cubics:
    """Return the cubics through values and slopes, and the lines beyond."""
    slopes = slopes * STEP
    rise = np.diff(values)
    coefficients = np.zeros((len(grid) + 1, 4))
    coefficients[0, :2] = values[0], slopes[0]
    coefficients[1:, 0], coefficients[1:, 1] = values, slopes
    coefficients[1:-1, 2] = 3 * rise - 2 * slopes[:-1] - slopes[1:]
    coefficients[1:-1, 3] = slopes[:-1] + slopes[1:] - 2 * rise
    return Cubics(np.append(grid[0], grid), coefficients)
