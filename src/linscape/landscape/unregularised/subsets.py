"""Sets of modes in order of what they explain, one after another, however many there are."""

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence

Counts = tuple[int, ...]


def groups_of_equals(values: Sequence[float], error: float) -> tuple[tuple[int, ...], ...]:
    """Return runs of modes, values descending, that an error of each value cannot tell apart.

    Examples
    --------
    >>> groups_of_equals([5.0, 3.0, 3.0, 1.0], 1e-12)
    ((0,), (1, 2), (3,))
    """
    runs: list[list[int]] = []
    for i, value in enumerate(values):
        if runs and values[i - 1] - value <= 2 * error:
            runs[-1].append(i)
        else:
            runs.append([i])
    return tuple(map(tuple, runs))


def count_classes(sizes: Sequence[int], most: int) -> int:
    """Return how many ways there are to take at most `most` modes, those of a group being alike.

    Examples
    --------
    >>> count_classes([1, 1, 1, 1, 1], 4), count_classes([5], 4)
    (31, 5)
    """
    ways = [1] + [0] * most
    for size in sizes:
        ways = [sum(ways[max(0, taken - size) : taken + 1]) for taken in range(most + 1)]
    return sum(ways)


def count_subsets(modes: int, most: int) -> int:
    """Return how many sets of at most `most` modes there are.

    Examples
    --------
    >>> count_subsets(5, 4)
    31
    """
    return sum(math.comb(modes, taken) for taken in range(most + 1))


def best_first(
    values: Sequence[float], groups: Sequence[Sequence[int]], most: int
) -> Iterator[tuple[int, ...]]:
    """Yield sets of at most `most` modes, the sum of their values descending.

    Of modes in one group the first ones stand for any. A set is a row of groups, ascending. Each
    follows from one other only, by moving the first member that is not where it is in the best set
    of its size one group back; so each is met once, after what explains more.

    Examples
    --------
    >>> list(best_first([5.0, 3.0, 3.0], ((0,), (1, 2)), 2))
    [(0, 1), (1, 2), (0,), (1,), ()]
    """
    homes = [group for group, members in enumerate(groups) for _ in members]
    heap: list[tuple[float, int, tuple[int, ...]]] = []

    def push(row: tuple[int, ...]) -> None:
        modes = _modes(row, groups)
        heapq.heappush(heap, (-math.fsum(values[mode] for mode in modes), -len(row), row))

    for taken in range(min(most, len(homes)) + 1):
        push(tuple(homes[:taken]))
    while heap:
        _, _, row = heapq.heappop(heap)
        yield _modes(row, groups)
        for successor in _successors(row, homes, groups):
            push(successor)


def _modes(row: Sequence[int], groups: Sequence[Sequence[int]]) -> tuple[int, ...]:
    return tuple(
        mode
        for group, members in itertools.groupby(row)
        for mode in groups[group][: len(list(members))]
    )


def _successors(
    row: tuple[int, ...], homes: Sequence[int], groups: Sequence[Sequence[int]]
) -> Iterator[tuple[int, ...]]:
    """Yield the rows that moving one member a group on makes, if that member is the first moved."""
    for place, group in enumerate(row):
        follows = group + 1
        ends_run = place + 1 == len(row) or row[place + 1] > group
        if ends_run and follows < len(groups) and row.count(follows) < len(groups[follows]):
            yield (*row[:place], follows, *row[place + 1 :])
        if group != homes[place]:
            return
