"""Which modes a critical point contains, and whether they are the largest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.unregularised.frame import Frame
from linscape.landscape.unregularised.modes import Modes
from linscape.landscape.unregularised.tightness import BAND, levels

Array = NDArray[np.float64]

_EQUAL = 8 * UNIT_ROUNDOFF  # what repeated values usually differ by, relative to the largest
_WHOLE = 0.01  # how far the share of a mode may be from 0 or 1


@dataclass(frozen=True, eq=False)
class Position:
    """The rank of the end-to-end map at a critical point, and its modes.

    Attributes
    ----------
    rank : int or None
        None where a singular value is neither clearly zero nor clearly not.
    doubtful : float
        That singular value, relative to the target.
    modes : tuple of int or None
        None where ambiguous.
    values : tuple of float
        λ of the modes contained.
    largest_missing, least_kept : float or None
        The values on either side of the question whether the modes are the largest.
    error : float
        Of both, with what the gradient leaves open.
    largest : bool or None
        Whether the modes are the r largest; None where it is not clear.
    kept_direction, missing_direction : ndarray or None
        u_s and u_q of these two.
    """

    rank: int | None
    doubtful: float = 0.0
    modes: tuple[int, ...] | None = None
    values: tuple[float, ...] = ()
    largest_missing: float | None = None
    least_kept: float | None = None
    error: float = 0.0
    largest: bool | None = None
    kept_direction: Array | None = None
    missing_direction: Array | None = None


def position(frame: Frame, modes: Modes, gradient_norm: float, tolerance: float) -> Position:
    """Locate a critical point among the modes of the data."""
    zero = levels(frame, gradient_norm, tolerance, frame.size).zero
    left, singular, _ = np.linalg.svd(frame.product)
    rank = int(np.sum(singular > BAND * zero))
    unclear = singular[rank:][singular[rank:] > zero]
    if len(unclear):
        norm = float(np.linalg.norm(frame.target))
        return Position(rank=None, doubtful=float(unclear[0]) / norm if norm else 0.0)
    inside, outside = left[:, :rank], left[:, rank:]
    unit = float(np.prod(frame.scales)) ** 2
    kept, kept_vectors = _compressed(frame, inside)
    missing, missing_vectors = _compressed(frame, outside)
    target = float(np.linalg.norm(frame.target)) ** 2 * unit
    turned = (zero / singular[rank - 1]) ** 2 if rank else 0.0  # second order: values on subspaces
    error = modes.value_error + 4 * (frame.rounding + turned) * target
    least = float(kept[-1]) * unit if rank else None
    most = float(missing[0]) * unit if len(missing) else None
    return Position(
        rank=rank,
        modes=_contained(inside, modes, error),
        values=tuple(float(value) * unit for value in kept),
        largest_missing=most,
        least_kept=least,
        error=error,
        largest=_is_largest(modes, rank, most, least, error),
        kept_direction=kept_vectors[:, -1] if rank else None,
        missing_direction=missing_vectors[:, 0] if len(missing) else None,
    )


def _compressed(frame: Frame, basis: Array) -> tuple[Array, Array]:
    """Return eigenvalues, descending, and eigenvectors of TTᵀ on a subspace."""
    rows = basis.T @ frame.target
    values, vectors = np.linalg.eigh(rows @ rows.T)
    return values[::-1], (basis @ vectors)[:, ::-1]


def _is_largest(
    modes: Modes, rank: int, most: float | None, least: float | None, error: float
) -> bool | None:
    if most is None or least is None:
        return True
    gap = most - least
    if gap > BAND * error:
        return False
    if gap < -BAND * error or _repeated(modes, rank):
        return True
    return None


def _repeated(modes: Modes, rank: int) -> bool:
    """Return whether the values on either side of `rank` agree as only repeated ones do."""
    values = modes.values
    return bool(values[rank - 1] - values[rank] <= _EQUAL * values[0])


def _contained(inside: Array, modes: Modes, error: float) -> tuple[int, ...] | None:
    """Return the modes that span a subspace, None if it splits modes of one value."""
    shares = np.sum((modes.directions.T @ inside) ** 2, axis=1)
    breaks = np.flatnonzero(-np.diff(modes.values) > BAND * error) + 1
    found: list[int] = []
    for cluster in np.split(np.arange(len(shares)), breaks):
        share = float(np.sum(shares[cluster]))
        if share > len(cluster) - _WHOLE:
            found.extend(int(mode) for mode in cluster)
        elif share > _WHOLE:
            return None
    return tuple(found)
