"""The largest gain of a chain with biases, by branch and bound over its ridge parameters.

A box holds a range of every z_k; sweeps narrow it. It dies when the ranges miss each other, when
its gain cannot reach the best one known, or when a part of the loss would exceed what that gain
leaves. Mostly the range of z_1 fixes all others, so the search is one-dimensional; where it does
not, the widest range is divided. Ranges round outwards, so what is found is proven.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.biases.chain import Chain
from linscape.landscape.biases.ranges import Range
from linscape.landscape.biases.sweep import Limits, Mask, sweep

Array = NDArray[np.float64]

TOLERANCE = 1e-12  # of the largest gain that could be: where the search stops
_EFFORT = 6_000_000  # sweeps of a box, times layers; beyond, the search gives up and says so
_ROUNDS = 400
_SWEEPS = 3
_START = 32
_FEW = 50
_CHUNK = 2**20


class Found(NamedTuple):
    """The largest gain of a chain.

    `lower` is attained (up to rounding) at `ridges`, unless these are None and nothing above the
    value searched for was found; every critical point has a gain of at most `upper`. `boxes` is the
    number of boxes examined, and `closed` says that `upper` and `lower` met.
    """

    lower: float
    upper: float
    ridges: Array | None
    boxes: int
    closed: bool


def largest_gain(chain: Chain, free_gain: float, least: float, start: Array | None) -> Found:
    """Return the largest gain above `least` over all critical points with every V_k > 0.

    Parameters
    ----------
    chain : Chain
        The problem.
    free_gain : float
        Proven upper bound on the gain of the same network with biases free of decay.
    least : float
        Only gains above this are looked for.
    start : (D,) ndarray, optional
        Ridge parameters of a good point.
    """
    best, ridges = least, None
    if chain.reach <= max(least, 0.0):
        return Found(least, least, None, 0, True)
    if start is not None:
        start = chain.polished(start)
        best, ridges = _better(chain, start[:, None], best, None)
    tolerance = TOLERANCE * chain.reach
    boxes, upper, examined = _initial(chain, best), best, 0
    for _ in range(_ROUNDS):
        boxes, gain, count = _contract(chain, boxes, _limits(chain, free_gain, best), best)
        examined += count
        if not len(gain):
            return Found(best, max(upper, best), _polished(chain, ridges), examined, True)
        best, ridges = _better(chain, _middles(boxes), best, ridges)
        settled = gain <= best + tolerance
        upper = max(upper, float(np.max(gain[settled], initial=-np.inf)))
        boxes = [_only(box, ~settled) for box in boxes]
        gain = gain[~settled]
        if examined * chain.depth > _EFFORT:
            break
        boxes = _divided(chain, boxes)
    upper = max(upper, best, float(np.max(gain, initial=-np.inf)))
    return Found(best, upper, _polished(chain, ridges), examined, not len(gain))


def _limits(chain: Chain, free_gain: float, best: float) -> Limits:
    """Bound what critical points better than `best` have.

    Their loss is that of the best fit plus terms that are not negative, of which the energies are
    some; and it is at least that of free biases plus what the biases and the constant cost.
    """
    rounding = 1e-12 * (chain.reach + abs(best))
    return Limits(chain.reach - best + rounding, free_gain + chain.bias_reach - best + rounding)


def _better(
    chain: Chain, points: Array, best: float, ridges: Array | None
) -> tuple[float, Array | None]:
    with np.errstate(all="ignore"):
        gains = np.nan_to_num(chain.state(points).gain, nan=-np.inf)
    index = int(np.argmax(gains))
    if gains[index] > best:
        return float(gains[index]), points[:, index]
    return best, ridges


def _polished(chain: Chain, ridges: Array | None) -> Array | None:
    return None if ridges is None else chain.polished(ridges)


def _initial(chain: Chain, best: float) -> list[Range]:
    """Return boxes that hold every critical point better than `best`.

    The energies grow upwards, e_2 ≤ … ≤ e_{D+1}, and with the last counted twice they sum to at
    most E = reach − best. So Π_{j>k} e_j ≤ (E/(D + 2 − k))^{D+1−k}, where z_k Π_{j>k} e_j is the
    product of the decays from γ_k to γ_u.
    """
    energy = (chain.reach - best) * (1 + 1e-9)
    logs = np.log(np.append(chain.decays, chain.output_decay))
    lowest = []
    for k in range(chain.depth):
        layers = chain.depth - k
        logarithm = math.fsum(logs[k:]) - layers * math.log(energy / (layers + 1))
        lowest.append(math.exp(min(max(logarithm - 1e-9, -700.0), 700.0)))
    highest = 1e3 * max(lowest[0], *_scales(chain, energy))
    edges = np.append(np.geomspace(lowest[0], highest, _START + 1), np.inf)
    first = Range(edges[:-1], edges[1:])
    count = len(first.lower)
    return [first, *(Range(np.full(count, low), np.full(count, np.inf)) for low in lowest[1:])]


def _scales(chain: Chain, energy: float) -> Array:
    """Return, for each z_k, a value beyond which it hardly matters how large it is."""
    force = chain.pull * chain.target
    square = (np.linalg.norm(chain.signals) + force * np.linalg.norm(chain.means)) ** 2 + force**2
    scales = np.full(chain.depth, chain.pull + float(np.sum(chain.noise)) + square / energy)
    scales[0] += np.max(chain.variances, initial=0.0)
    return scales


def _middles(boxes: list[Range]) -> Array:
    """Return the geometric means of the ends, or four times the lower where there is no upper."""
    points = []
    for box in boxes:
        with np.errstate(over="ignore"):
            inside = np.sqrt(box.lower) * np.sqrt(box.upper)
        points.append(np.where(np.isfinite(box.upper), inside, 4 * box.lower))
    return np.array(points)


def _divided(chain: Chain, boxes: list[Range]) -> list[Range]:
    """Cut each box, mostly across z_1: in eight while they are few, which saves rounds, or in two.

    A width is measured where it matters, up to the scales; those of z_2, …, z_D count less, because
    they mostly follow from z_1.
    """
    scales = _scales(chain, chain.reach)
    with np.errstate(over="ignore"):
        widths = np.array(
            [
                np.log1p(scale / box.lower) - np.log1p(scale / box.upper)
                for scale, box in zip(scales, boxes, strict=True)
            ]
        )
    widths[1:] /= chain.depth
    widest = np.argmax(widths, axis=0)
    pieces = 8 if len(widest) < _FEW else 2
    return [_cut(box, widest == k, pieces) for k, box in enumerate(boxes)]


def _cut(box: Range, chosen: Mask, pieces: int) -> Range:
    """Cut chosen ranges geometrically, repeat the others; without an upper end, by powers of 16."""
    steps = np.arange(pieces + 1)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        even = np.exp(np.log(box.lower) + (np.log(box.upper) - np.log(box.lower)) * steps / pieces)
        edges = np.where(np.isfinite(box.upper), even, box.lower * 16.0**steps)
    edges[0], edges[-1] = box.lower, box.upper
    lower = np.where(chosen, edges[:-1], box.lower)
    upper = np.where(chosen, edges[1:], box.upper)
    return Range(lower.ravel(), upper.ravel())


def _only(box: Range, chosen: Mask) -> Range:
    return Range(box.lower[chosen], box.upper[chosen])


def _contract(
    chain: Chain, boxes: list[Range], limits: Limits, best: float
) -> tuple[list[Range], Array, int]:
    """Return the boxes that survive some sweeps, their largest gains, and how many were swept."""
    gain, count = np.zeros(0), 0
    for _ in range(_SWEEPS):
        size = len(boxes[0].lower)
        count += size
        pieces = np.array_split(np.arange(size), 1 + size * (1 + len(chain.means)) // _CHUNK)
        swept = []
        for piece in pieces:
            part = [Range(box.lower[piece], box.upper[piece]) for box in boxes]
            with np.errstate(all="ignore"):
                ridges, gains, dead = sweep(chain, part, limits)
            alive = ~dead & ~(gains <= best)
            swept.append(([_only(ridge, alive) for ridge in ridges], gains[alive]))
        boxes = [
            Range(*(np.concatenate([part[0][k][end] for part in swept]) for end in (0, 1)))
            for k in range(chain.depth)
        ]
        gain = np.concatenate([part[1] for part in swept])
        if not len(gain):
            break
    return boxes, gain, count
