"""The largest gain of a chain with biases, by branch and bound over its ridge parameters.

Sweeps narrow boxes. One dies when its ranges miss each other, when its gain cannot reach the best
one known, or when a part of the loss would exceed what that gain leaves. Ranges round outwards, so
what is found is proven.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.biases.boxes import (
    chosen,
    contracted,
    divided,
    initial_boxes,
    mattering_widths,
    middles,
)
from linscape.landscape.biases.chain import Chain
from linscape.landscape.biases.sweep import Limits

Array = NDArray[np.float64]

TOLERANCE = 1e-12  # of the largest gain that could be: where the search stops
_EFFORT = 6_000_000  # sweeps of a box, times layers; beyond, the search gives up and says so
_ROUNDS = 400


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
    boxes, upper, examined = initial_boxes(chain, chain.reach - best), best, 0
    for _ in range(_ROUNDS):
        boxes, gain, count = contracted(chain, boxes, _limits(chain, free_gain, best), best)
        examined += count
        if not len(gain):
            return Found(best, max(upper, best), _polished(chain, ridges), examined, True)
        best, ridges = _better(chain, middles(boxes), best, ridges)
        settled = gain <= best + tolerance
        upper = max(upper, float(np.max(gain[settled], initial=-np.inf)))
        boxes = chosen(boxes, ~settled)
        gain = gain[~settled]
        if examined * chain.depth > _EFFORT:
            break
        boxes = divided(boxes, mattering_widths(chain, boxes))
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
