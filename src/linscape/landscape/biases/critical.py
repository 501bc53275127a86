"""Every critical point of a chain with all V_k > 0, by exhaustion of boxes.

At a critical point q + e_{D+1} = s, where the data term of a chain is q − 2s + const, q the part
that is quadratic in p and c; and s² ≤ q·r, r = `Chain.reach`. So e_{D+1} ≤ √(qr) − q ≤ r/4, no
other energy is larger, and what the biases cost and the misfit of the mean output are r at most.
Outside the boxes that are left nothing is critical: that is proven. In them the points are found by
Newton's method; that each of them exists is known by the rounding left in its equations, beside a
Hessian that is far from singular.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.landscape.biases.boxes import (
    Boxes,
    chosen,
    contracted,
    divided,
    initial_boxes,
    joined,
    mattering_widths,
    middles,
)
from linscape.landscape.biases.chain import Chain
from linscape.landscape.biases.sweep import Limits

Array = NDArray[np.float64]

_WIDTH = 1e-7  # of log z, where a box is left to Newton's method
_NEAR = 1e-4  # of log z: points next to each other that may be one
_FLAT = 1e-5  # of the curvature, below which two points cannot be told from one
_EFFORT = 1_500_000  # sweeps of a box, times layers
_MOST = 20_000  # boxes that hold a point or are too near one
_ROUNDS = 400
_LITTLE = 1e-3  # weight of a width in log z beside one measured where it matters
_FAR = 1e-3  # the same for a range without an upper end
_STEP = 1e-4


class CriticalPoint(NamedTuple):
    """A critical point of a chain.

    Attributes
    ----------
    ridges : (D,) ndarray
        z_1, …, z_D.
    gain : float
        Loss of the trivial state minus its loss.
    morse_index : int or None
        Number of directions in (log V_1, …, log V_D) in which the loss falls; None at a fold, where
        two points meet, or cannot be told from one or none in 64-bit floats.
    """

    ridges: Array
    gain: float
    morse_index: int | None


def critical_points(chain: Chain) -> list[CriticalPoint]:
    """Return every critical point of a chain with all V_k > 0, the largest gain first.

    Raises
    ------
    NoExactSolution
        If there are too many boxes to exhaust.
    """
    if chain.reach == 0:
        return []
    if chain.depth == 1 and not (np.any(chain.signals) or np.any(chain.means)):
        return _of_one_bias(chain)
    found: list[CriticalPoint] = []
    for box in middles(_exhausted(chain)).T:
        if any(_distance(box, other.ridges) < _NEAR / 2 for other in found):
            continue
        point = _point(chain, box)
        if not any(_distance(point.ridges, other.ridges) < _NEAR for other in found):
            found.append(point)
    return sorted(found, key=lambda point: -point.gain)


def _of_one_bias(chain: Chain) -> list[CriticalPoint]:
    """Return the point where θ = √(γ_uγ_D) and (κ + ρ)s = κȳ − θ, if κȳ > θ: z = θ/s."""
    current = math.sqrt(chain.output_decay) * math.sqrt(chain.decays[0])
    rest = chain.pull * chain.target - current
    if rest <= 0:
        return []
    stiffness = chain.pull + float(chain.noise[0])
    ridges = np.array([current * stiffness / rest])
    return [CriticalPoint(ridges, rest**2 / stiffness, 0)]


def _exhausted(chain: Chain) -> Boxes:
    """Return narrow boxes outside which no point is critical."""
    energy = (chain.depth + 1) * chain.reach / 4 * (1 + 1e-9)
    limits = Limits(energy, chain.reach * (1 + 1e-9))
    boxes, examined = initial_boxes(chain, energy), 0
    narrow = [chosen(boxes, np.zeros(len(boxes[0].lower), dtype=bool))]
    for _ in range(_ROUNDS):
        boxes, gain, count = contracted(chain, boxes, limits, -np.inf)
        examined += count
        if not len(gain):
            return joined(narrow)
        boxes = chosen(boxes, np.all([np.isfinite(box.lower) for box in boxes], axis=0))
        widths = np.array([np.log(box.upper) - np.log(box.lower) for box in boxes])
        wide = widths.max(axis=0) > _WIDTH
        narrow.append(chosen(boxes, ~wide))
        if examined * chain.depth > _EFFORT or sum(len(part[0].lower) for part in narrow) > _MOST:
            break
        boxes = chosen(boxes, wide)
        extra = np.where(np.isinf(widths), _FAR, _LITTLE * widths)[:, wide]
        boxes = divided(boxes, mattering_widths(chain, boxes) + extra)
    raise NoExactSolution(
        f"the critical points of these {chain.depth} layers with decayed biases are too close to "
        f"each other to be told apart: {examined} boxes were examined; global_minimum gives the "
        "least of them, with a proven interval"
    )


def _point(chain: Chain, box: Array) -> CriticalPoint:
    """Return the critical point in a narrow box, or a fold at its middle."""
    ridges = chain.nearest_critical(box)
    solved = np.max(np.abs(chain.mismatch(np.log(ridges)))) <= 1e-9
    if not solved or _distance(ridges, box) > _NEAR:
        return CriticalPoint(box, _gain(chain, box), None)
    return CriticalPoint(ridges, _gain(chain, ridges), _index(chain, ridges))


def _gain(chain: Chain, ridges: Array) -> float:
    return float(chain.state(ridges[:, None]).gain[0])


def _index(chain: Chain, ridges: Array) -> int | None:
    """Count the negative eigenvalues of the Hessian by log V, each in units of its energy."""
    at = np.log(chain.decays / ridges)[:, None]
    steps = _STEP * np.eye(chain.depth)
    hessian = (chain.slope(at + steps) - chain.slope(at - steps)) / (2 * _STEP)
    above = np.append(ridges[1:], chain.output_decay)
    roots = np.sqrt(chain.decays * above / ridges)  # √e_{k+1}
    scaled = (hessian + hessian.T) / (2 * np.outer(roots, roots))
    eigenvalues = np.linalg.eigvalsh(scaled)
    if np.min(np.abs(eigenvalues)) <= _FLAT * np.max(np.abs(eigenvalues)):
        return None
    return int(np.count_nonzero(eigenvalues < 0))


def _distance(one: Array, other: Array) -> float:
    return float(np.max(np.abs(np.log(one) - np.log(other))))
