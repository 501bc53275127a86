r"""The one-dimensional function that the loss of a one-output network comes down to.

With the energy K that every layer carries at a critical point,

    F(K) = E[y²] + D·K − cᵀ[τA + P K^{−D} I]^{−1} c,        min L = min over K ≥ 0 of F(K).

Everything below is in y = log(τ K^D / P), the logarithm of the inverse ridge parameter
λ/τ = P K^{−D}/τ. The architecture then moves no function but only a level: with

    S(y) = Σ c_i²/(1 + a_i e^y)²,      log H(y) = (1 − 1/D) y + log S(y),

F falls where h = log H − log ℓ is positive, ℓ = (P τ^{D−1})^{1/D}, and rises where it is negative.
The slope of h lies in (−(1 + 1/D), 1 − 1/D) and its second derivative in [−½, 1], for any data.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.interval import Interval
from linscape.problem import Problem
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Energy:
    """F, its slope, and what rounding and the errors of the spectrum can do to them.

    Attributes
    ----------
    spectrum : Spectrum
        The data; everything here is in its units.
    depth : int
        D ≥ 1.
    log_inflation, log_decay_product : float
        log τ and log P, both finite.
    log_error : float
        Bound on the rounding error of each of the two.
    """

    spectrum: Spectrum
    depth: int
    log_inflation: float
    log_decay_product: float
    log_error: float

    @classmethod
    def of(cls, problem: Problem, spectrum: Spectrum) -> "Energy":
        """Return F for one output of a problem whose decays are all positive."""
        network = problem.network
        shift = log_decay_unit(problem, spectrum)
        sizes = sum(abs(math.log(decay)) for decay in network.weight_decay) + abs(shift)
        return cls(
            spectrum=spectrum,
            depth=network.depth,
            log_inflation=network.log_inflation,
            log_decay_product=network.log_decay_product - shift,
            log_error=UNIT_ROUNDOFF * (2 * sizes + 4 * network.depth + 4)
            + 1.1 * spectrum.norm_error,
        )

    def is_below(self, level: Interval) -> bool | None:
        """Say whether P lies below a threshold known by its logarithm, None if undecided."""
        error = self.log_error + (
            2 * UNIT_ROUNDOFF * abs(level.upper) if math.isfinite(level.upper) else 0.0
        )
        if self.log_decay_product + error < level.lower:
            return True
        if self.log_decay_product - error >= level.upper and self.spectrum.null_is_rounding:
            return False
        return None

    @property
    def log_level(self) -> float:
        """Return log ℓ = (log P + (D − 1) log τ)/D."""
        return (self.log_decay_product + (self.depth - 1) * self.log_inflation) / self.depth

    def log_energy(self, y: Array | float) -> Array:
        """Return log K = (y + log P − log τ)/D."""
        return np.asarray((y + self.log_decay_product - self.log_inflation) / self.depth)

    def log_decay(self, energy: Array | float) -> Array:
        """Return y of an energy K; −∞ of zero."""
        with np.errstate(divide="ignore"):
            log_energy = np.log(energy)
        return np.asarray(self.depth * log_energy - self.log_decay_product + self.log_inflation)

    def slope(self, y: Array) -> tuple[Array, Array]:
        """Return h and dh/dy."""
        log_sum, share = power_sum(self.spectrum, y, 2)
        growth = 1 - 1 / self.depth
        return growth * y + log_sum - self.log_level, growth - 2 * share

    def rise(self, y: Array) -> Array:
        """Return log(G/ℓ) − log D, positive exactly where F lies below F(0).

        F(0) − F = K (G/ℓ − D) with log G = (1 − 1/D) y + log Σ c_i²/(1 + a_i e^y).
        """
        log_sum, _ = power_sum(self.spectrum, y, 1)
        growth = 1 - 1 / self.depth
        result: Array = growth * y + log_sum - self.log_level - math.log(self.depth)
        return result

    def gain(self, y: Array) -> Array:
        """Return F(0) − F in whichever of its two forms does not cancel.

        D·K·expm1(rise) near the level of zero, cᵀ(A + e^{−y})⁻¹c/τ − D·K well below it.
        """
        rise, data, energy = self._gain_terms(y)
        near = rise <= 1
        result: Array = np.where(near, energy * np.expm1(np.minimum(rise, 1)), data - energy)
        return result

    def rounding(self, y: Array) -> Array:
        """Return a bound on the rounding errors of h, of its level and of :meth:`rise`."""
        terms = 96 + 8 * np.abs(y) + 8 * abs(self.log_level) + math.log2(1 + len(self.values))
        result: Array = UNIT_ROUNDOFF * terms + self.log_error
        return result

    def gain_rounding(self, y: Array) -> Array:
        """Return a bound on the rounding error of :meth:`gain`, errors of log P and τ included."""
        rise, data, energy = self._gain_terms(y)
        of_energy = energy * (2 * self.rounding(y) + 2 * self.log_error)
        summation = UNIT_ROUNDOFF * (96 + math.log2(1 + len(self.values))) + 2 * self.log_error
        result: Array = 4 * of_energy + np.where(rise <= 1, 0.0, data) * summation
        return result

    def _gain_terms(self, y: Array) -> tuple[Array, Array, Array]:
        """Return the rise, cᵀ(A + e^{−y})⁻¹c/τ and D·K."""
        with np.errstate(over="ignore", under="ignore"):
            energy = self.depth * np.exp(self.log_energy(y))
            data = ridge_gain(self.spectrum, np.exp(-y)) * math.exp(-self.log_inflation)
        return self.rise(y), data, energy

    @property
    def values(self) -> Array:
        """Return the eigenvalues a_i."""
        return self.spectrum.values


def log_decay_unit(problem: Problem, spectrum: Spectrum) -> float:
    """Return the logarithm of the decay product that is 1 in the units of the spectrum.

    Dividing L by the factor of its data term and by 2^{2t}, and measuring x in units 2^s, divides
    the product of the D + 1 decays by factor^{D+1} · 2^{2tD + 2s}.
    """
    depth = problem.network.depth
    exponent = 2 * spectrum.output_exponent * depth + 2 * spectrum.input_exponent
    return (depth + 1) * math.log(problem.data_factor) + exponent * math.log(2)


def power_sum(spectrum: Spectrum, y: Array, power: int) -> tuple[Array, Array]:
    """Return log Σ c_i²/(1 + a_i e^y)^power, and the mean of a_i e^y/(1 + a_i e^y) in that sum."""
    with np.errstate(under="ignore", divide="ignore"):
        small = np.exp(-np.maximum(y, 0.0))  # 1/(1 + a e^y) = small/(small + a·large)
        large = np.exp(np.minimum(y, 0.0))
        size = float(np.max(np.abs(spectrum.coefficients), initial=0.0))
        parts = (spectrum.coefficients / (size or 1.0)) ** 2
        grown = large[:, None] * spectrum.values
        fraction = 1 / (small[:, None] + grown)
        terms = parts * fraction**power
        total = terms.sum(axis=1)
        share = (terms * grown * fraction).sum(axis=1) / np.where(total > 0, total, 1.0)
        logarithm = np.log(total) - power * np.maximum(y, 0.0) + 2 * np.log(size)
    return logarithm, share


def mean_value(spectrum: Spectrum, y: Array) -> Array:
    """Return the mean of a_i over the terms of Σ c_i²/(1 + a_i e^y)², which falls with y."""
    small = np.exp(-np.maximum(y, 0.0))[:, None]
    grown = np.exp(np.minimum(y, 0.0))[:, None] * spectrum.values
    size = np.max(np.abs(spectrum.coefficients))
    terms = (spectrum.coefficients / size / (small + grown)) ** 2
    mean: Array = (terms * spectrum.values).sum(axis=1) / terms.sum(axis=1)
    return mean


def square_sum_slope(spectrum: Spectrum, y: Array) -> tuple[Array, Array]:
    """Return the first two derivatives of log Σ c_i²/(1 + a_i e^y)².

    With q_i = a_i e^y/(1 + a_i e^y) and means over the terms of the sum they are −2E[q] and
    −2E[q(1 − q)] + 4Var(q).
    """
    grown = np.exp(np.minimum(y, 0.0))[:, None] * spectrum.values
    share = grown / (np.exp(-np.maximum(y, 0.0))[:, None] + grown)
    size = np.max(np.abs(spectrum.coefficients))
    fraction = np.where(y[:, None] > 0, share / spectrum.values, 1 - share)
    terms = (spectrum.coefficients / size * fraction) ** 2
    terms /= terms.sum(axis=1)[:, None]
    mean, square = (terms * share).sum(axis=1), (terms * share**2).sum(axis=1)
    return -2 * mean, -2 * (mean - square) + 4 * (square - mean**2)


def ridge_gain(spectrum: Spectrum, ridge: Array) -> Array:
    """Return Σ c_i²/(a_i + μ) for each ridge parameter μ ≥ 0."""
    result: Array = (spectrum.coefficients**2 / (spectrum.values + ridge[:, None])).sum(axis=1)
    return result


def ridge_error(spectrum: Spectrum, ridge: Array) -> Array:
    """Bound how much the errors of the spectrum can add to, or take from, :func:`ridge_gain`.

    With ‖E‖₂ ≤ e and ‖δ‖ ≤ e_c, A ≥ O diag(a − e) Oᵀ and, for M = diag(a − e) + μ,
    (c + δ)ᵀM^{−1}(c + δ) ≤ cᵀM^{−1}c + 2e_c‖M^{−1}c‖ + e_c²/(a_min − e + μ); every a_i > 2e.
    The bound grows as μ falls.
    """
    a, c = spectrum.values, spectrum.coefficients
    if not len(a):
        return np.zeros(len(ridge))
    exact = a + ridge[:, None]
    lowered = spectrum.lowered + ridge[:, None]
    from_values = (c**2 / exact * ((a - spectrum.lowered) / lowered)).sum(axis=1)
    predictor = np.sqrt(((c / lowered) ** 2).sum(axis=1))
    error = spectrum.coefficient_error
    result: Array = from_values + 2 * error * predictor + error**2 / lowered[:, 0]
    return result
