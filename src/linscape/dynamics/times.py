"""The times at which a flow is asked for."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.errors import InvalidOption


def checked_times(times: ArrayLike) -> NDArray[np.float64]:
    """Return `times` as an array, if they are finite, not negative and ascending.

    Raises
    ------
    InvalidOption
        If they are not, or there are none.
    """
    at = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if at.ndim != 1 or not len(at):
        raise InvalidOption(f"times must be one or more numbers in a row, got shape {at.shape}")
    if not np.isfinite(at).all() or at[0] < 0 or np.any(np.diff(at) < 0):
        raise InvalidOption(f"times must be finite, at least 0 and ascending, got {times!r}")
    return at
