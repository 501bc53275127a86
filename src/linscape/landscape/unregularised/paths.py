"""Paths down from non-strict saddles of an undecayed network: layers that must move together.

A path moves layers i_1 < … < i_k by t·a_i b_iᵀ. The full product of these moves changes P by t^k
times a matrix of rank one along the residual E; the partial ones, in which some layers stay where
they are, must not cost more than that gains.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.unregularised.descents import Moves, null_space
from linscape.landscape.unregularised.frame import Frame, pivots
from linscape.landscape.unregularised.tightness import residual_block

Array = NDArray[np.float64]
Pivot = tuple[int, int]
Link = tuple[float, Array, Array]
Spaces = dict[int, Array]


def paths(
    frame: Frame, rank: int, noise: float, residual_noise: float
) -> Iterator[tuple[Moves, float]]:
    """Yield paths, those first whose partial products vanish, with ⟨E, the change⟩/t^k.

    They vanish where B_{N:i+1}a_i = 0 below the top of the path and b_iᵀB_{i−1:1} = 0 above its
    bottom: a partial product without the top or the bottom is zero by that, one with both is a
    multiple of the full one, and zero on a shortest path. Where no such vectors connect, a_i and
    b_i need only stay out of the way of the modes contained; whether partial products then cost
    too much is left to evaluating the loss.
    """
    ends = _ends(frame, residual_noise)
    below, above = _idle(frame, noise)
    yield from _within(frame, below, above, noise, ends)
    wide_below, wide_above = _beside_modes(frame, rank)
    for one, other in ((below, wide_above), (wide_below, above), (wide_below, wide_above)):
        yield from _within(frame, one, other, noise, ends)


def _within(
    frame: Frame, below: Spaces, above: Spaces, noise: float, ends: dict[Pivot, Link]
) -> Iterator[tuple[Moves, float]]:
    links = _links(frame, below, above, noise)
    for path, gain in _chains(links, ends, len(frame.layers)):
        yield _moves(path, links, ends), gain


def _idle(frame: Frame, noise: float) -> tuple[Spaces, Spaces]:
    """Return, for each hidden layer, what the layers above do not see and those below not reach."""
    hidden = range(1, len(frame.layers))
    return (
        {h: null_space(frame.upper(h), noise) for h in hidden},
        {h: null_space(frame.lower(h).T, noise) for h in hidden},
    )


def _beside_modes(frame: Frame, rank: int) -> tuple[Spaces, Spaces]:
    """Return the same for the parts of the layers above and below that carry the modes."""
    left, _, right = np.linalg.svd(frame.product)
    outputs, inputs = left[:, :rank].T, right[:rank].T
    hidden = range(1, len(frame.layers))
    return (
        {h: np.linalg.svd(outputs @ frame.upper(h))[2][rank:].T for h in hidden},
        {h: np.linalg.svd((frame.lower(h) @ inputs).T)[2][rank:].T for h in hidden},
    )


def _links(frame: Frame, below: Spaces, above: Spaces, noise: float) -> dict[Pivot, Link]:
    """Return, for pairs of layers, the largest bᵀB_{i−1:j+1}e with unit e, b in their spaces."""
    found = {}
    for i, j in pivots(len(frame.layers)):
        one, other = above[i - 1], below[j]
        if not (one.shape[1] and other.shape[1]):
            continue
        left, values, right = np.linalg.svd(one.T @ frame.between(i, j) @ other)
        if values[0] > noise:
            found[i, j] = float(values[0]), one @ left[:, 0], other @ right[0]
    return found


def _ends(frame: Frame, noise: float) -> dict[Pivot, Link]:
    """Return, for the top i and bottom j of a path, what it can gain and the vectors it needs."""
    found = {}
    for i, j in pivots(len(frame.layers)):
        left, values, right = np.linalg.svd(residual_block(frame, i, j), full_matrices=False)
        if len(values) and values[0] > noise:
            found[i, j] = float(values[0]), right[0], left[:, 0]
    return found


def _chains(
    links: dict[Pivot, Link], ends: dict[Pivot, Link], count: int
) -> Iterator[tuple[list[int], float]]:
    """Yield, for each number of layers, the path of largest gain."""
    reached = {(j, j): ([j], 1.0) for j in range(1, count + 1)}
    while reached:
        longer: dict[Pivot, tuple[list[int], float]] = {}
        for (bottom, top), (path, gain) in reached.items():
            for i in range(top + 1, count + 1):
                strength = gain * links[i, top][0] if (i, top) in links else 0.0
                if strength > longer.get((bottom, i), ([], 0.0))[1]:
                    longer[bottom, i] = [*path, i], strength
        reached = longer
        complete = [
            (path, gain * ends[top, bottom][0])
            for (bottom, top), (path, gain) in reached.items()
            if (top, bottom) in ends
        ]
        if complete:
            yield max(complete, key=lambda found: found[1])


def _moves(path: list[int], links: dict[Pivot, Link], ends: dict[Pivot, Link]) -> Moves:
    _, top, bottom = ends[path[-1], path[0]]
    incoming, outgoing = {path[-1]: top}, {path[0]: bottom}
    for j, i in itertools.pairwise(path):
        _, outgoing[i], incoming[j] = links[i, j]
    return {layer: np.outer(incoming[layer], outgoing[layer]) for layer in path}
