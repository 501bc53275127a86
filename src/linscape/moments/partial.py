"""What is known of some of the rows, and of several such together."""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from linscape.moments.centred import Centred, merged


class Partial(NamedTuple):
    """Sums of some of the rows.

    Parameters
    ----------
    rows : int
        Their number.
    centred : Centred or None
        Their statistics; None if no row has positive weight.
    """

    rows: int
    centred: Centred | None


def joined(parts: Sequence[Partial]) -> Partial:
    """Return the sums of the rows of all parts."""
    weighty = [part.centred for part in parts if part.centred is not None]
    return Partial(sum(part.rows for part in parts), reduce(merged, weighty) if weighty else None)
