"""The data as the theory of several outputs sees them: one spectrum, a vector for each output."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.problem import Problem
from linscape.spectrum import Spectrum, spectra

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OutputMeasure:
    """Eigenvalues a_i of E[xxᵀ] with the rows of E[xyᵀ] in its eigenbasis.

    In units of powers of two, as :class:`linscape.spectrum.Spectrum` has them; all outputs share
    one unit.

    Attributes
    ----------
    spectrum : Spectrum
        Of the output that is largest, in the common unit: what does not depend on the output.
    coefficients : (r, m) ndarray
        C in the eigenbasis.
    coefficient_error : float
        Bound on its error in the Frobenius norm.
    """

    spectrum: Spectrum
    coefficients: Array
    coefficient_error: float

    @classmethod
    def of(cls, problem: Problem) -> "OutputMeasure":
        """Return the measure of a problem with any number of outputs."""
        return cls.from_spectra(spectra(problem))

    @classmethod
    def from_spectra(cls, measures: Sequence[Spectrum]) -> "OutputMeasure":
        """Return the measure of outputs that share one eigendecomposition."""
        exponent = max(measure.output_exponent for measure in measures)
        shifts = [measure.output_exponent - exponent for measure in measures]
        columns = [
            np.ldexp(measure.coefficients, shift)
            for measure, shift in zip(measures, shifts, strict=True)
        ]
        errors = [
            math.ldexp(measure.coefficient_error, shift)
            for measure, shift in zip(measures, shifts, strict=True)
        ]
        common = replace(
            measures[shifts.index(0)],
            null_is_rounding=all(measure.null_is_rounding for measure in measures),
        )
        return cls(common, np.stack(columns, axis=1), math.hypot(*errors))

    def along(self, direction: Array) -> Spectrum:
        """Return the spectrum of the one output u·y, for a unit vector u."""
        rounding = 4 * len(direction) * UNIT_ROUNDOFF * float(np.linalg.norm(self.coefficients))
        return replace(
            self.spectrum,
            coefficients=self.coefficients @ direction,
            coefficient_error=self.coefficient_error + rounding,
        )

    def largest(self, y: Array) -> tuple[Array, Array]:
        """Return log λ_max of Cᵀ(I + e^y A)⁻¹C at each y, and its unit eigenvectors (k, m)."""
        small, large = np.exp(-np.maximum(y, 0.0)), np.exp(np.minimum(y, 0.0))
        weights = 1 / (small[:, None] + large[:, None] * self.spectrum.values)
        values, vectors = self._top(weights)
        with np.errstate(divide="ignore"):
            return np.log(values) - np.maximum(y, 0.0), vectors

    def largest_ridge_gain(self, ridge: Array) -> Array:
        """Return λ_max of Cᵀ(A + μ)⁻¹C for each ridge parameter μ ≥ 0."""
        return self._top(1 / (self.spectrum.values + ridge[:, None]))[0]

    def ridge_error(self, ridge: Array) -> Array:
        """Bound how much the errors of the spectrum move Cᵀ(A + μ)⁻¹C, in the spectral norm.

        As :func:`linscape.landscape.energy.energy.ridge_error`, with Frobenius norms for the
        vectors.
        """
        a, error = self.spectrum.values, self.coefficient_error
        if not len(a):  # inputs that are zero
            return np.zeros_like(ridge)
        exact, lowered = a + ridge[:, None], self.spectrum.lowered + ridge[:, None]
        squares = (self.coefficients**2).sum(axis=1)
        from_values = (squares / exact * ((a - self.spectrum.lowered) / lowered)).sum(axis=1)
        predictor = np.sqrt((squares / lowered**2).sum(axis=1))
        result: Array = from_values + 2 * error * predictor + error**2 / lowered[:, 0]
        return result

    def _top(self, weights: Array) -> tuple[Array, Array]:
        """Return λ_max of Σ_i w_i c_i c_iᵀ and its eigenvector, for each row of weights."""
        values, vectors = [], []
        for row in weights:
            scaled = np.sqrt(row)[:, None] * self.coefficients
            _, singular, right = np.linalg.svd(scaled, full_matrices=False)
            values.append(singular[0] ** 2)
            vectors.append(right[0])
        return np.array(values), np.array(vectors)
