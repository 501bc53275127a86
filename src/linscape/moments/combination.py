"""Moments of more rows and of fewer rows."""

from linscape.errors import InvalidMoments
from linscape.moments.centred import merged, removed
from linscape.moments.state import State


def added(one: State, two: State) -> State:
    """State of the rows of both.

    Raises
    ------
    InvalidMoments
        If the two differ in shape, names, targets or units, or a weight is unknown, or only one
        has means.
    """
    _check_compatible(one, two)
    rows = None if one.n is None or two.n is None else one.n + two.n
    if one.raw is None or two.raw is None or one.mean is not None:
        return one.with_rows(merged(one.centred, two.centred), rows)
    assert one.weight is not None
    assert two.weight is not None
    weight = one.weight + two.weight
    raw = one.weight / weight * one.raw + two.weight / weight * two.raw
    return one._replace(raw=raw, weight=weight, n=rows)


def subtracted(whole: State, part: State) -> State:
    """State of the rows of `whole` that are not in `part`.

    Raises
    ------
    InvalidMoments
        If the two could not be added, have no means, or `part` is not less than `whole`.
    """
    _check_compatible(whole, part)
    rows = None if whole.n is None or part.n is None else whole.n - part.n
    if rows is not None and rows < 1:
        raise InvalidMoments(
            f"expected to subtract fewer rows than are there, got {part.n} to be taken from "
            f"{whole.n}; subtract a part of the rows that were added"
        )
    return whole.with_rows(removed(whole.centred, part.centred), rows)


def _check_compatible(one: State, two: State) -> None:
    """Refuse moments of different columns or units."""
    for what, mine, theirs in (
        ("inputs", one.inputs, two.inputs),
        ("outputs", one.columns - one.inputs, two.columns - two.inputs),
        ("C with shape", _cross_shape(one), _cross_shape(two)),
        ("names", one.names, two.names),
        ("targets", one.targets, two.targets),
        ("means known", one.mean is not None, two.mean is not None),
    ):
        if mine != theirs:
            raise InvalidMoments(
                f"expected moments of the same columns, got {what} {mine} and {theirs}; "
                "combine moments of the same inputs and outputs"
            )
    if not one.transform.equals(two.transform):
        raise InvalidMoments(
            "expected moments in the same units, got different shifts or scales; "
            "combine them first, then center or standardize"
        )
    if one.weight is None or two.weight is None:
        raise InvalidMoments(
            "expected moments with a known number of rows, got n=None; pass n to Moments"
        )


def _cross_shape(state: State) -> tuple[int, ...]:
    """Shape of C."""
    return (state.inputs,) if state.single else (state.inputs, state.columns - state.inputs)
