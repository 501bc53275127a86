"""Tightened critical points: those at which no two layers can lower the loss to second order."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from linscape.landscape.unregularised.frame import Frame, pivots

SAFETY = 32.0  # errors of blocks over those of the gradient and of rounding
BAND = 10.0  # how far beyond its error a number must be to count


@dataclass(frozen=True)
class Tightness:
    """Whether a critical point of rank r is tightened.

    Attributes
    ----------
    tightened : bool or None
        None where a block is too near rank r to tell.
    pivot : (int, int) or None
        A pivot (i, j), layers counted from 1, both of whose blocks have rank above r.
    undecided : (int, int) or None
        A pivot that could not be decided.
    strength : float
        Product of what both blocks of `pivot` (or of `undecided`) have beyond rank r, in the units
        of :class:`~linscape.landscape.unregularised.frame.Frame`.
    """

    tightened: bool | None
    pivot: tuple[int, int] | None
    undecided: tuple[int, int] | None
    strength: float


class Levels(NamedTuple):
    """Up to `zero` a number counts as zero, above `clear` as not; between, nothing is decided."""

    zero: float
    clear: float


def levels(frame: Frame, gradient_norm: float, tolerance: float, size: float) -> Levels:
    """Return the levels for blocks of the given size.

    A block may owe to rounding, and to a gradient that is not zero, a multiple of these. Weights a
    distance δ from a critical point may have a gradient of only δ², so that blocks between
    tolerance² and the tolerance may be there by accident.
    """
    owed = max(gradient_norm * size, frame.rounding * max(size, 1.0))
    zero = SAFETY * max(owed, tolerance**2 * size)
    return Levels(zero, BAND * max(zero, tolerance * size))


def tightness(frame: Frame, rank: int, gradient_norm: float, tolerance: float) -> Tightness:
    """Decide, pivot by pivot, whether a critical point is tightened.

    The block through the data, B_{j−1:1} E[xyᵀ] B_{N:i+1}, has rank r exactly where the same block
    through the residual, B_{j−1:1} Eᵀ B_{N:i+1}, is zero; the other, B_{i−1:j+1}, where its
    singular value r + 1 is.
    """
    middle = levels(frame, gradient_norm, tolerance, 1.0)
    data = levels(frame, gradient_norm, tolerance, frame.size)
    excesses = {pivot: _excess(frame, rank, *pivot) for pivot in pivots(len(frame.layers))}
    loose, unclear = {}, {}
    for pivot, (through_data, between) in excesses.items():
        strength = through_data * between
        if through_data > data.clear and between > middle.clear:
            loose[pivot] = strength
        elif through_data > data.zero and between > middle.zero:
            unclear[pivot] = strength
    if loose:
        best = max(loose, key=loose.__getitem__)
        return Tightness(False, best, None, loose[best])
    if unclear:
        best = max(unclear, key=unclear.__getitem__)
        return Tightness(None, None, best, unclear[best])
    return Tightness(True, None, None, 0.0)


def _excess(frame: Frame, rank: int, i: int, j: int) -> tuple[float, float]:
    """Return how far the two blocks of a pivot are from rank r."""
    through = residual_block(frame, i, j)
    values = np.linalg.svd(frame.between(i, j), compute_uv=False)
    beyond = float(values[rank]) if rank < len(values) else 0.0
    return float(np.linalg.norm(through, 2)) if through.size else 0.0, beyond


def residual_block(frame: Frame, i: int, j: int) -> np.ndarray:
    """Return B_{j−1:1} Eᵀ B_{N:i+1}."""
    block: np.ndarray = frame.lower(j - 1) @ frame.residual.T @ frame.upper(i)
    return block
