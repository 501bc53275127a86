"""Which kinds of critical points a set of modes has."""

from collections.abc import Sequence
from typing import Literal

Kind = Literal["global minimum", "strict saddle", "non-strict saddle"]


def is_leading(modes: Sequence[int], groups: Sequence[Sequence[int]]) -> bool:
    """Say whether modes explain as much as any set of their number, as {0, …, r − 1} does.

    Examples
    --------
    >>> groups = ((0,), (1, 2), (3,))
    >>> is_leading((0, 2), groups), is_leading((1, 2), groups)
    (True, False)
    """
    chosen, first = set(modes), set(range(len(modes)))
    return all(len(chosen & {*group}) == len(first & {*group}) for group in groups)


def existing_kinds(
    modes: Sequence[int], groups: Sequence[Sequence[int]], *, learned: int, layers: int
) -> tuple[Kind, ...]:
    """Return the kinds that critical points of these modes can be.

    Parameters
    ----------
    modes : sequence of int
        S.
    groups : sequence of sequence of int
        Modes whose values cannot be told apart.
    learned : int
        Number of modes of a global minimum.
    layers : int
        Number of weight matrices.

    References
    ----------
    Achour, Malgouyres & Gerchinovitz (2021), Theorem 1.
    """
    if not is_leading(modes, groups):
        return ("strict saddle",)
    if len(modes) == learned:
        return ("global minimum",)
    return ("strict saddle",) if layers == 2 else ("strict saddle", "non-strict saddle")
