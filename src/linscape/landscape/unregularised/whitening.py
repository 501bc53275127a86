"""E[yxᵀ]E[xxᵀ]^{−½}: its singular values squared are what each mode of the data explains."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF, gram_residual
from linscape.spectrum import Spectrum

Array = NDArray[np.float64]

_FORMATION = 64 * 2 * UNIT_ROUNDOFF  # rounding, per input, that moments formed in float64 may carry
_SAFETY = 1 + 2.0**-20  # covers the rounding of the bounds themselves
_FORMED = 16 * UNIT_ROUNDOFF  # relative rounding of the squares of the entries c_i/√a_i


class Whitened(NamedTuple):
    """T = E[yxᵀ]E[xxᵀ]^{−½} on the eigenvectors of E[xxᵀ], in units of 2^exponent.

    Attributes
    ----------
    matrix : (m, k) ndarray
        T; k is the rank of E[xxᵀ].
    exponent : int
        The power of two that leaves ‖T‖_F at most one.
    spectral : float
        Proven bound on the sum of the changes of the eigenvalues of TTᵀ that the errors of the
        spectrum cause.
    truncation : float
        What the directions left out could add to that sum if their variance were as large as the
        rounding it cannot be told from; infinite if a direction with signal was lost.
    noise : float
        What the rounding of moments formed in float64 may leave in a singular value of T.
    """

    matrix: Array
    exponent: int
    spectral: float
    truncation: float
    noise: float


class Decomposed(NamedTuple):
    """The singular value decomposition of T, and what is proven of it."""

    left: Array
    singular: Array
    rounding: float  # bound on the sum of the errors of the squares


def whitened(measures: Sequence[Spectrum]) -> Whitened:
    """Whiten E[yxᵀ]; the measures are those of one problem, one for each output."""
    first = measures[0]
    roots, lowered = np.sqrt(first.values), first.lowered
    shifts = np.array([measure.output_exponent for measure in measures])
    rows = np.array([measure.coefficients for measure in measures]) / roots
    exponent = _common_exponent(rows, shifts)
    units = np.ldexp(1.0, shifts - exponent)
    matrix = rows * units[:, None]
    error = _norm(np.array([measure.coefficient_error for measure in measures]) * units)
    return Whitened(
        matrix=matrix,
        exponent=exponent,
        spectral=_spectral(matrix, first.values, lowered, error),
        truncation=math.fsum(
            unit**2 * _truncation(measure) for unit, measure in zip(units, measures, strict=True)
        ),
        noise=_noise(measures, units, error),
    )


def decomposed(whitening: Whitened) -> Decomposed:
    """Take T apart, and bound the error of the squares of its singular values afterwards.

    The smaller of TTᵀ and TᵀT is compared with what the computed vectors make of it, in products
    that round nothing.
    """
    T = whitening.matrix
    outputs, directions = T.shape
    left, singular, right = np.linalg.svd(T, full_matrices=outputs > directions)
    basis, rows = (left, T) if outputs <= directions else (right.T, T.T)
    gram = rows @ rows.T
    gram = (gram + gram.T) / 2
    _, formed = gram_residual(rows, gram)
    _, residual = gram_residual(basis * singular, gram)
    _, skew = gram_residual(basis.T)
    total = float(np.sum(singular**2))
    rounding = len(singular) * (formed + residual) + (4 * skew + _FORMED) * total
    return Decomposed(left, singular, rounding)


def _common_exponent(rows: Array, shifts: NDArray[np.int64]) -> int:
    """Return a k with ‖T‖_F ≤ 2^k, as small as can be."""
    if not np.any(rows):
        return int(np.max(shifts))
    tops = np.frexp(np.max(np.abs(rows), axis=1))[1] + shifts
    top = int(np.max(tops[np.any(rows, axis=1)]))
    return top + math.frexp(_norm(np.ldexp(rows, (shifts - top)[:, None])))[1]


def _spectral(T: Array, a: Array, lowered: Array, error: float) -> float:
    """Bound Σ|λ_i(TTᵀ) − λ_i| for E[xxᵀ] ≥ diag(lowered) and an error of E[yxᵀ].

    The first changes TTᵀ by at most T diag(a/lowered − 1)Tᵀ, of which this is the trace, the
    second by 2Re(CM^{−1}δᵀ) + δM^{−1}δᵀ, M = diag(lowered), of which it bounds the trace norm.
    """
    if not len(a):
        return 0.0
    from_values = float(np.sum(T**2 * ((a - lowered) / lowered)))
    predictor = _norm(T * (np.sqrt(a) / lowered))
    return _SAFETY * (from_values + 2 * error * predictor + error**2 / float(np.min(lowered)))


def _truncation(measure: Spectrum) -> float:
    if not measure.null_is_rounding:
        return math.inf
    variance = max(measure.value_error, 2 * UNIT_ROUNDOFF)
    return measure.null_signal**2 / variance


def _noise(measures: Sequence[Spectrum], units: Array, error: float) -> float:
    """Return what rounding of E[yxᵀ], entry by entry, and of its components is once whitened."""
    first = measures[0]
    if not len(first.values):
        return 0.0
    lowered = first.lowered
    deviations = np.sqrt(np.diagonal(first.second_moment_x))
    entries = _FORMATION * len(deviations) * (deviations @ np.abs(first.basis))
    second_moments = np.minimum([measure.second_moment_y for measure in measures], 1e300)
    size = _norm(np.sqrt(second_moments) * units)
    return size * _norm(entries / np.sqrt(lowered)) + error / math.sqrt(float(np.min(lowered)))


def _norm(values: Array) -> float:
    return float(np.linalg.norm(values))
