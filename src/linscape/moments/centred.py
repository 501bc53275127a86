"""Total weight, mean and centred second moments: what is stored, and how two of them merge."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.errors import InvalidMoments, OutOfRange
from linscape.moments.validation import (
    ROUNDING,
    Matrix,
    Vector,
    unit_exponents,
    unit_scaled,
    without,
)

SMALLEST = np.finfo(np.float64).tiny
# Rounding of sums over many rows, far below any part of the data worth subtracting.
SUBTRACTION_ROUNDING = 1e-10


class Centred(NamedTuple):
    """Statistics of the joint rows (x, y): inputs first, then outputs.

    Parameters
    ----------
    weight : float
        Total weight, Σw.
    mean : ndarray, shape (p,)
        Σw·row / Σw.
    covariance : ndarray, shape (p, p)
        Σw·(row - mean)(row - mean)ᵀ / Σw.
    """

    weight: float
    mean: Vector
    covariance: Matrix


def merged(one: Centred, two: Centred) -> Centred:
    """Statistics of the rows of `one` and `two` together, by Chan's formula."""
    weight = one.weight + two.weight
    first, second = one.weight / weight, two.weight / weight
    difference = two.mean - one.mean
    covariance = first * one.covariance + second * two.covariance
    covariance += np.outer(first * difference, second * difference)
    return Centred(weight, one.mean + second * difference, _symmetric(covariance))


def removed(whole: Centred, part: Centred) -> Centred:
    """Statistics of the rows of `whole` that are not in `part`: Chan's formula backwards.

    Raises
    ------
    InvalidMoments
        If `part` weighs as much as `whole`, or its spread is more than `whole` holds.
    """
    weight = whole.weight - part.weight
    if not weight > 0:
        raise InvalidMoments(
            f"expected to subtract less than is there: weight {part.weight:g} was to be taken "
            f"from {whole.weight:g}; subtract a part of the rows that were added"
        )
    mean = whole.mean + part.weight / weight * (whole.mean - part.mean)
    difference = part.mean - mean
    total = whole.weight / weight * whole.covariance
    covariance = total - part.weight / weight * part.covariance
    covariance -= np.outer(difference, part.weight / whole.weight * difference)
    _check_remainder(covariance, total.diagonal())
    without(covariance, covariance.diagonal() <= ROUNDING * total.diagonal())
    return Centred(weight, mean, _symmetric(covariance))


def _check_remainder(covariance: Matrix, reference: Vector) -> None:
    """Refuse a remainder with an eigenvalue below zero by more than rounding."""
    scaled = unit_scaled(covariance, unit_exponents(reference))
    scaled[np.diag_indices_from(scaled)] += SUBTRACTION_ROUNDING * len(scaled)
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        raise InvalidMoments(
            "expected to subtract rows that are there: the remainder would have a negative "
            "variance; subtract moments of a part of the same rows"
        ) from None


def _symmetric(matrix: Matrix) -> Matrix:
    """Return the matrix with its two triangles made equal, where rounding left them unequal."""
    return np.where(matrix == matrix.T, matrix, 0.5 * matrix + 0.5 * matrix.T)


def check_range(centred: Centred, label: Callable[[int], str]) -> None:
    """Refuse columns whose second moments a 64-bit float cannot hold with all its digits.

    Raises
    ------
    OutOfRange
        If a variance or second moment overflows, or falls below the smallest normal number
        without being zero.
    """
    with np.errstate(all="ignore"):
        variance = centred.covariance.diagonal()
        second = variance + centred.mean**2
    lost = (variance != 0) & ~(variance >= SMALLEST)
    lost |= ~np.isfinite(second) | ((centred.mean != 0) & ~(second >= SMALLEST))
    if lost.any():
        refuse_range(np.flatnonzero(lost), label)


def refuse_range(columns: NDArray[np.intp], label: Callable[[int], str]) -> None:
    """Raise the error for columns too large or too small to square."""
    named = ", ".join(label(int(column)) for column in columns[:20])
    raise OutOfRange(
        "expected columns whose squares lie between 1e-307 and 1e307: "
        f"the second moments of {named} do not; divide these columns by a constant first"
    )
