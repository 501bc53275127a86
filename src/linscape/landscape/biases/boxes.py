"""Boxes of ridge parameters: where critical points can be, how boxes are narrowed and divided.

A box holds a range of every z_k. Mostly the range of z_1 fixes all others, so that a search is
one-dimensional; where it does not, the widest range is divided.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.errors import OutOfRange
from linscape.landscape.biases.chain import Chain
from linscape.landscape.biases.ranges import Range
from linscape.landscape.biases.sweep import Limits, Mask, sweep

Array = NDArray[np.float64]
Boxes = list[Range]  # n of them: of z_1, …, of z_D

_SWEEPS = 3
_START = 32
_FEW = 50
_CHUNK = 2**20


def initial_boxes(chain: Chain, energy: float) -> Boxes:
    """Return boxes that hold every critical point whose energies sum to at most E = `energy`.

    The energies grow upwards, e_2 ≤ … ≤ e_{D+1}, and the last is counted twice in the sum. So
    Π_{j>k} e_j ≤ (E/(D + 2 − k))^{D+1−k}, where z_k Π_{j>k} e_j is the product of the decays from
    γ_k to γ_u.
    """
    if not energy > 0:
        raise OutOfRange(
            "the weight decay is too small beside the data to be told from none in 64-bit floats; "
            "raise it, or give 0"
        )
    energy *= 1 + 1e-9
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


def contracted(
    chain: Chain, boxes: Boxes, limits: Limits, least: float
) -> tuple[Boxes, Array, int]:
    """Return the boxes that survive some sweeps, their largest gains, and how many were swept.

    Those whose gain is `least` at most do not survive either.
    """
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
            alive = ~dead & ~(gains <= least)
            swept.append((chosen(ridges, alive), gains[alive]))
        boxes = joined([part for part, _ in swept])
        gain = np.concatenate([part for _, part in swept])
        if not len(gain):
            break
    return boxes, gain, count


def divided(boxes: Boxes, widths: Array) -> Boxes:
    """Cut each box across its largest width (D, n): in eight while they are few, or in two.

    Eight pieces save rounds, each of which costs as much for one box as for fifty.
    """
    widest = np.argmax(widths, axis=0)
    pieces = 8 if len(widest) < _FEW else 2
    return [_cut(box, widest == k, pieces) for k, box in enumerate(boxes)]


def mattering_widths(chain: Chain, boxes: Boxes) -> Array:
    """Return widths (D, n) measured where they matter, up to the scales.

    Those of z_2, …, z_D count less, because they mostly follow from z_1.
    """
    with np.errstate(over="ignore"):
        widths = np.array(
            [
                np.log1p(scale / box.lower) - np.log1p(scale / box.upper)
                for scale, box in zip(_scales(chain, chain.reach), boxes, strict=True)
            ]
        )
    widths[1:] /= chain.depth
    return widths


def chosen(boxes: Boxes, mask: Mask) -> Boxes:
    """Return some of the boxes."""
    return [Range(box.lower[mask], box.upper[mask]) for box in boxes]


def joined(parts: list[Boxes]) -> Boxes:
    """Return all boxes of some lists in one."""
    return [
        Range(*(np.concatenate([box[end] for box in layer]) for end in (0, 1)))
        for layer in zip(*parts, strict=True)
    ]


def middles(boxes: Boxes) -> Array:
    """Return the geometric means of the ends, or four times the lower where there is no upper."""
    points = []
    for box in boxes:
        with np.errstate(over="ignore"):
            inside = np.sqrt(box.lower) * np.sqrt(box.upper)
        points.append(np.where(np.isfinite(box.upper), inside, 4 * box.lower))
    return np.array(points)


def _scales(chain: Chain, energy: float) -> Array:
    """Return, for each z_k, a value beyond which it hardly matters how large it is."""
    force = chain.pull * chain.target
    square = (np.linalg.norm(chain.signals) + force * np.linalg.norm(chain.means)) ** 2 + force**2
    result = np.full(chain.depth, chain.pull + float(np.sum(chain.noise)) + square / energy)
    result[0] += np.max(chain.variances, initial=0.0)
    return result


def _cut(box: Range, across: Mask, pieces: int) -> Range:
    """Cut some ranges geometrically, repeat the others; without an upper end, by powers of 16."""
    steps = np.arange(pieces + 1)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        even = np.exp(np.log(box.lower) + (np.log(box.upper) - np.log(box.lower)) * steps / pieces)
        edges = np.where(np.isfinite(box.upper), even, box.lower * 16.0**steps)
    edges[0], edges[-1] = box.lower, box.upper
    lower = np.where(across, edges[:-1], box.lower)
    upper = np.where(across, edges[1:], box.upper)
    return Range(lower.ravel(), upper.ravel())
