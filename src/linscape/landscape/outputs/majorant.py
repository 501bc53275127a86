r"""A bound on the gain of several outputs by one matrix above a family.

By (3) of docs/outputs.md the gain over zero is at most the largest Σ_j [u_jᵀQ(K_j)u_j − D·K_j] over
orthonormal u_1, …, u_r and energies K_j, r the least width and

    Q(K) = Cᵀ(τA + P K^{−D} I)⁻¹ C.

So it is at most the sum of the r largest eigenvalues of any Z ⪰ 0 with Z ⪰ Q(K) − D·K·I for every
K > 0. If a frame (U, K) is the best, a Z with the same sum must satisfy Zu_j = (Q(K_j) − D·K_j)u_j:
that Z is taken, and what it lacks of the family is enclosed over all K, and added.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.branching import Boxes, supremum
from linscape.landscape.energy.energy import Energy
from linscape.landscape.outputs.frame import Frame, FrameProblem
from linscape.landscape.outputs.measure import OutputMeasure

Array = NDArray[np.float64]

_ROUNDS = 30
_CHUNK = 256
_LACK = 1e-11  # of the gain: what may be missing without growing the matrix further
_BEND = 1 / (6 * math.sqrt(3))  # the largest |second derivative| of y ↦ 1/(1 + e^{−y})


class _Family:
    """Q(K) − D·K·I in y = log(τK^D/P), against a matrix Z."""

    def __init__(self, measure: OutputMeasure, energy: Energy, majorant: Array) -> None:
        self.measure, self.energy, self.majorant = measure, energy, majorant
        self.shrink = math.exp(-energy.log_inflation)
        self.limit = float(measure.largest_ridge_gain(np.zeros(1))[0]) * self.shrink

    def lacking(self, y: Array) -> Array:
        """Return Q(K) − D·K·I − Z at each y: (k, m, m)."""
        weights = self.shrink / (self.measure.spectrum.values + np.exp(-y)[:, None])
        signal = self.measure.coefficients
        lacking: Array = (signal.T * weights[:, None, :]) @ signal - self.majorant
        diagonal = np.arange(len(self.majorant))
        lacking[:, diagonal, diagonal] -= self.cost(y)[:, None]
        return lacking

    def cost(self, y: Array) -> Array:
        """Return D·K."""
        return np.asarray(self.energy.depth * np.exp(self.energy.log_energy(y)))

    def lack(self, y: Array) -> Array:
        """Return the largest eigenvalue of what Z lacks at each y."""
        pieces = np.array_split(y, -(-len(y) // _CHUNK))
        return np.concatenate([np.linalg.eigvalsh(self.lacking(piece))[:, -1] for piece in pieces])

    def bend(self, left: Array, right: Array) -> Array:
        """Return a b for each box such that the lack has no second derivative below −b there.

        Of y ↦ uᵀQu it is at least −limit·max_i s″(y + log a_i), s(z) = 1/(1 + e^{−z}), where
        |s″(z)| ≤ min(1/(6√3), e^{−|z|}); of −D·K it is −K/D.
        """
        values = self.measure.spectrum.values
        beyond = np.maximum(left + math.log(values[0]), -right - math.log(values[-1]))
        steepest = np.minimum(_BEND, np.exp(-np.maximum(beyond, 0.0)))
        bend: Array = self.limit * steepest + self.cost(right) / self.energy.depth**2
        return bend

    def span(self) -> tuple[float, float]:
        """Return a range of y outside which no member has a positive eigenvalue."""
        # Q(K) ≤ e^y‖C‖₂²/τ and Q(K) ≤ limit, both against D·K = D(P/τ)^{1/D} e^{y/D}
        depth, energy = self.energy.depth, self.energy
        unit = math.log(depth) + float(energy.log_energy(0.0))
        norm = 2 * math.log(float(np.linalg.norm(self.measure.coefficients, 2)))
        high = depth * (math.log(self.limit) - unit)
        # with one hidden layer small K never pays less than large ones of the same ratio
        slope = 1 - 1 / depth
        low = (unit - norm + energy.log_inflation) / slope if slope else high - 80
        return low - 0.1, high + 0.1


def bounded_gain(
    measure: OutputMeasure, energy: Energy, problem: FrameProblem, frame: Frame
) -> float:
    """Return an upper bound on the gain over zero, in the units of the measure.

    Parameters
    ----------
    measure, energy : OutputMeasure, Energy
        The problem, with or without noise.
    problem, frame : FrameProblem, Frame
        A frame of large gain, from which Z is made.
    """
    family = _Family(measure, energy, majorant_of(problem, frame))
    low, high = family.span()
    if low >= high:
        return 0.0
    scale = max(float(problem.gains(frame).sum()), UNIT_ROUNDOFF * family.limit)
    rank = min(problem.rank, len(family.majorant))
    best = math.inf
    for _ in range(_ROUNDS):
        missing, where = _enclosed_lack(family, low, high, _LACK * scale)
        values = np.linalg.eigvalsh(family.majorant)[::-1]
        total = float(np.sum(np.maximum(values + missing, 0.0)[:rank]))
        if total >= best * (1 - 1e-3 * _LACK):
            break
        best = total
        if missing <= 2 * _LACK * scale:
            break
        _grow(family, where)
    size = family.limit + float(family.cost(np.array(high)))
    rounding = (64 * len(values) * UNIT_ROUNDOFF + 2 * energy.log_error) * size
    return best + rank * _error(measure, energy, high) + rounding


def majorant_of(problem: FrameProblem, frame: Frame) -> Array:
    """Return the Z ⪰ 0 with Zu_j = (Q(K_j) − D·K_j)u_j, filled up where the rank is used up."""
    outputs, count = frame.directions.shape
    inside = problem.images(frame) - frame.directions * problem.costs(frame.logs)
    cross = frame.directions.T @ inside
    outside = inside - frame.directions @ cross
    majorant = frame.directions @ ((cross + cross.T) / 2) @ frame.directions.T
    majorant = majorant + outside @ frame.directions.T + frame.directions @ outside.T
    if 0 < count == problem.rank < outputs:
        free = np.eye(outputs) - frame.directions @ frame.directions.T
        majorant = majorant + float(np.linalg.eigvalsh(cross)[0]) * free
    return _positive(majorant)


def _positive(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    positive = vectors * np.sqrt(np.maximum(values, 0.0))
    result: Array = positive @ positive.T
    return result


def _grow(family: _Family, y: float) -> None:
    """Add to Z the positive part of what it lacks at y."""
    family.majorant = family.majorant + _positive(family.lacking(np.array([y]))[0])


def _enclosed_lack(
    family: _Family, low: float, high: float, tolerance: float
) -> tuple[float, float]:
    """Return an upper bound on what Z lacks anywhere, at least 0, and where it lacks most.

    The lack plus the parabola of :meth:`_Family.bend` is convex, so it lies below its chord.
    """
    known: dict[float, float] = {}

    def lack(y: Array) -> Array:
        new = np.array([at for at in np.unique(y) if at not in known])
        if len(new):
            known.update(zip(new.tolist(), family.lack(new).tolist(), strict=True))
        return np.array([known[at] for at in y.tolist()])

    def bounds(left: Array, right: Array) -> tuple[Array, Array, Array]:
        value = np.maximum(lack(left), lack(right))
        bulge = family.bend(left, right) * (right - left) ** 2 / 8
        return value, value + bulge, np.zeros_like(value)

    edges = np.linspace(low, high, 65)
    pieces = Boxes(edges[:-1], edges[1:])
    _, upper, _ = supremum(bounds, pieces, lambda value: max(tolerance, -value), 1e-9)
    return max(upper, 0.0), max(known, key=lambda at: known[at])


def _error(measure: OutputMeasure, energy: Energy, high: float) -> float:
    """Bound what the errors of the spectrum can add to any Q(K)."""
    ridge = np.array([math.exp(-high)])
    return float(measure.ridge_error(ridge)[0]) * math.exp(-energy.log_inflation)
