"""The data as the theory of one output sees them: the measure (a_i, c_i²) and its error."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF, EigenBounds, eigen_bounds
from linscape.errors import InvalidMoments, OutOfRange
from linscape.grading import graded_bounds, is_badly_scaled
from linscape.problem import Problem

Array = NDArray[np.float64]

_SHARP = 2.0**-40  # relative errors below this make no gap wider
_FORMATION = 64 * 2 * UNIT_ROUNDOFF  # rounding, per input, that moments formed in float64 may carry


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues a_i > 0 of E[xxᵀ] with the components c_i of E[xy], in units of powers of two.

    With x = 2^s x' and y = 2^t y', E[x'x'ᵀ] and E[x'y'] are of norm one; `values`, `coefficients`,
    `second_moment_y` (which may then be infinite) and the errors are theirs. Directions whose
    variance cannot be told from zero (a_i ≤ 2‖E‖₂) are left out: E[xy] lies in the range of
    E[xxᵀ], so what the stored moments have of it there is rounding.

    Attributes
    ----------
    values, coefficients : ndarray
        a_i, ascending, and c_i, of the directions kept.
    basis : (d, r) ndarray
        Their eigenvectors.
    second_moment_y : float
        E[y'²].
    value_error, coefficient_error : float
        Proven bounds on the error of E[x'x'ᵀ] in the spectral norm, and of the vector c.
    relative_error, norm_error : float
        For badly scaled inputs: bounds on the error of pᵀE[x'x'ᵀ]p relative to it, and on that of
        ‖p‖²; else 0.
    null_directions : int
        Number of directions left out.
    null_signal : float
        Norm of the part of c they carry.
    null_is_rounding : bool
        Whether that part is no more than rounding. If it is more, a direction with signal was lost
        (columns both badly scaled and collinear), and nothing proven from above excludes it.
    input_exponent, output_exponent : int
        s and t.
    second_moment_x, cross_moment : ndarray
        E[x'x'ᵀ] and E[x'y'].
    """

    values: Array
    coefficients: Array
    basis: Array
    second_moment_y: float
    value_error: float
    coefficient_error: float
    relative_error: float
    norm_error: float
    null_directions: int
    null_signal: float
    null_is_rounding: bool
    input_exponent: int
    output_exponent: int
    second_moment_x: Array
    cross_moment: Array

    @property
    def lowered(self) -> Array:
        """Return lower bounds, positive, on the eigenvalues: A is at least this in their basis."""
        return np.asarray(self.values * (1 - self.relative_error) - self.value_error)

    def ridge_predictor(self, ridge: float, log_inflation: float) -> Array:
        """Return (A + μ)⁻¹c/τ, in the units of the spectrum."""
        components = self.coefficients / (self.values + ridge)
        predictor: Array = self.basis @ components * math.exp(-log_inflation)
        return predictor

    def unscaled(self, predictor: Array) -> Array:
        """Return a predictor in the units of the problem.

        Raises
        ------
        OutOfRange
            If it does not fit a 64-bit float.
        """
        with np.errstate(over="ignore"):
            result: Array = np.ldexp(predictor, self.output_exponent - self.input_exponent)
        if not np.isfinite(result).all() or (np.any(predictor) and not np.any(result)):
            raise OutOfRange("the predictor does not fit a 64-bit float; rescale x or y")
        return result


def spectra(problem: Problem) -> list[Spectrum]:
    """Diagonalise E[xxᵀ], noise on the inputs included, and return the measure of each output.

    For biases free of decay the moments are the centred ones.

    Raises
    ------
    InvalidMoments
        If the moments are not those of any data: E[xy] with a part in a direction in which x does
        not vary.
    """
    A, C, yy = linear_moments(problem)
    s = -(-_norm_exponent(A) // 2)
    A = np.ldexp(A, -2 * s)
    bounds = _decomposed(A, noisy=problem.network.input_noise > 0)
    variances = np.diagonal(yy)
    return [_measure(A, bounds, c, variance, s) for c, variance in zip(C.T, variances, strict=True)]


def _decomposed(A: Array, *, noisy: bool) -> EigenBounds:
    """Diagonalise A by the method that resolves its small eigenvalues best."""
    diagonal_error = 4 * UNIT_ROUNDOFF if noisy else 0.0  # adding the noise rounds the diagonal
    plain = eigen_bounds(A)
    error = plain.value_error + diagonal_error * float(np.max(np.diagonal(A)))
    plain = replace(plain, value_error=error)
    if not is_badly_scaled(A):
        return plain
    graded = graded_bounds(A, diagonal_error=diagonal_error)
    if graded is None:
        return plain
    resolved = plain.values[0] > 2 * plain.value_error
    return plain if resolved and graded.relative_error > _SHARP else graded


def _measure(
    A: Array, bounds: EigenBounds, c: Array, variance: float, input_exponent: int
) -> Spectrum:
    s = input_exponent
    t = _norm_exponent(c) - s if np.any(c) else -(-math.frexp(variance)[1] // 2)
    with np.errstate(over="ignore"):
        yy = float(np.ldexp(variance, -2 * t))
    c = np.ldexp(c, -s - t)
    coefficients, coefficient_error = bounds.components(c)
    first = int(np.searchsorted(bounds.values, 2 * bounds.value_error, side="right"))
    null = coefficients[:first]
    _check_null(bounds.values[:first], null, yy, bounds.value_error, len(c))
    # a part of c is rounding if the entries it is made of may have as much
    entries = np.sqrt(np.diagonal(A)) * min(math.sqrt(yy), 1e150)
    noise = _FORMATION * len(c) * (entries @ np.abs(bounds.basis[:, :first]))
    return Spectrum(
        values=bounds.values[first:],
        coefficients=coefficients[first:],
        basis=bounds.basis[:, first:],
        second_moment_y=yy,
        value_error=bounds.value_error,
        coefficient_error=coefficient_error,
        relative_error=bounds.relative_error,
        norm_error=bounds.norm_error,
        null_directions=len(null),
        null_signal=float(np.linalg.norm(null)),
        null_is_rounding=bool(np.all(np.abs(null) <= noise)),
        input_exponent=s,
        output_exponent=t,
        second_moment_x=A,
        cross_moment=c,
    )


def linear_moments(problem: Problem) -> tuple[Array, Array, Array]:
    """Return E[xxᵀ] (d, d), E[xyᵀ] (d, m), E[yyᵀ] (m, m) of the inputs as the noise leaves them.

    For biases free of decay they are the centred ones.
    """
    moments, network = problem.moments, problem.network
    if network.bias == "free":
        A, C, yy = moments.covariance_x, moments.covariance_xy, moments.covariance_y
    else:
        A, C, yy = moments.A, moments.C, moments.yy
    if network.input_noise:
        A = A + np.diag(network.input_noise * np.diagonal(moments.A))
    outputs = moments.outputs
    return np.asarray(A), np.reshape(C, (-1, outputs)), np.reshape(yy, (outputs, outputs))


def _norm_exponent(values: Array) -> int:
    """Return a k with ‖values‖ ≤ 2^k, as small as can be where nothing over- or underflows."""
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(values))
    if 1e-140 < norm < 1e140:
        return math.frexp(norm)[1]
    top = int(np.frexp(np.max(np.abs(values), initial=0.0))[1])
    return top + math.frexp(float(np.linalg.norm(np.ldexp(values, -top))))[1]


def _check_null(values: Array, null: Array, yy: float, error: float, inputs: int) -> None:
    slack = error + _FORMATION * inputs
    excess = null**2 - (values + slack) * (yy * (1 + slack))
    if np.any(excess > 0):
        raise InvalidMoments(
            "E[xy] must lie in the range of E[xxᵀ], but it has a part of norm "
            f"{np.linalg.norm(null):.2g} (relative) in directions without variance: no data have "
            "such moments; check that A, C and yy come from the same rows"
        )
