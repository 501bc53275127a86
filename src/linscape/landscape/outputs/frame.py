r"""The best orthonormal output directions of a network without noise, each with its energy.

    gain = max over orthonormal u_1, …, u_k and K_j of  Σ_j [u_jᵀQ(K_j)u_j − D·K_j],
    Q(K) = Cᵀ(A + P K^{−D} I)⁻¹C,

and M = Σ_j u_jp_jᵀ with p_j = (A + PK_j^{−D})⁻¹Cu_j. At a maximum p_i·p_j = 0 wherever K_i ≠ K_j,
so that M has the singular values ‖p_j‖ and attains the gain: see docs/outputs.md, section 4.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.energy.energy import Energy
from linscape.landscape.outputs.measure import OutputMeasure

Array = NDArray[np.float64]

_POINTS = 257
_SWEEPS = 500
_LOOSE = 5  # sweeps while modes still come and go
_SEARCHES = 3  # sweeps after which energies are searched for anew, not only polished
_SETTLED = 1e-12
_NEARLY = 0.05  # of its cost: what a mode may lack at a point of the grid and still pay near it
_STALE = 20  # sweeps without a gain, where turns are only rounding
_WIDE = 40.0  # y this far beyond every log 1/a_i: ridge parameters below rounding


class Frame(NamedTuple):
    """Directions u_j as columns (m, k), and y_j = log(K_j^D/P) (k,)."""

    directions: Array
    logs: Array


class FrameProblem:
    """The gain of a frame, and its parts."""

    def __init__(self, measure: OutputMeasure, energy: Energy, rank: int) -> None:
        self.values, self.signal = measure.spectrum.values, measure.coefficients
        self.energy, self.rank = energy, rank
        ends = -np.log(self.values)
        # below the level a mode costs more than all it could gain
        high = float(ends.max()) + _WIDE
        self.grid = np.linspace(float(ends.min()) - _WIDE, high, _POINTS)

    def costs(self, logs: Array) -> Array:
        """Return D·K."""
        with np.errstate(over="ignore"):
            return np.asarray(self.energy.depth * np.exp(self.energy.log_energy(logs)))

    def weights(self, logs: Array) -> Array:
        """Return 1/(a_i + P K^{−D}), one column for each mode."""
        small, large = np.exp(-np.maximum(logs, 0)), np.exp(np.minimum(logs, 0))
        weights: Array = large / (self.values[:, None] * large + small)
        return weights

    def images(self, frame: Frame) -> Array:
        """Return the columns Q(K_j)u_j."""
        seen = self.signal @ frame.directions
        images: Array = self.signal.T @ (self.weights(frame.logs) * seen)
        return images

    def gains(self, frame: Frame) -> Array:
        """Return u_jᵀQ(K_j)u_j − D·K_j of each mode."""
        seen = self.signal @ frame.directions
        gains: Array = (self.weights(frame.logs) * seen**2).sum(axis=0) - self.costs(frame.logs)
        return gains

    def product(self, frame: Frame) -> Array:
        """Return M in the eigenbasis, (m, r)."""
        seen = self.signal @ frame.directions
        product: Array = frame.directions @ (self.weights(frame.logs) * seen).T
        return product

    def best_logs(self, directions: Array) -> Array:
        """Return the y of the largest gain of each direction, to rounding."""
        squares = (self.signal @ directions) ** 2
        costs = self.costs(self.grid)
        table = squares.T @ self.weights(self.grid) - costs
        # at the low end the gain goes to zero from below; a peak between two points of the grid
        # may pay though neither does, so one that nearly pays is preferred
        table = np.where(table > -_NEARLY * costs, table + _NEARLY * costs, table)
        return self.polished(directions, self.grid[np.argmax(table, axis=1)])

    def polished(self, directions: Array, logs: Array) -> Array:
        """Move each y to the critical point of its mode nearby, by Newton's method."""
        squares = (self.signal @ directions) ** 2
        growth, level = 1 - 1 / self.energy.depth, self.energy.log_level
        reach = self.grid[1] - self.grid[0]
        for _ in range(30):
            share = self.values[:, None] * self.weights(logs)
            terms = squares * (1 - share) ** 2
            total = terms.sum(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                value = growth * logs + np.log(total) - level
                slope = growth - 2 * (terms * share).sum(axis=0) / total
                step = np.where(slope < 0, -value / slope, 0.0)
            step = np.clip(np.nan_to_num(step), -reach, reach)
            logs = logs + step
            if np.all(np.abs(step) <= 4e-16 * np.abs(logs)):
                break
        return logs


def candidate_frames(problem: FrameProblem) -> Iterator[Frame]:
    """Yield frames of large gain: shrunk from the modes of least squares, then grown from nothing.

    Numerical: whether one is the best of all, :mod:`linscape.landscape.outputs.majorant` decides.
    """
    outputs = problem.signal.shape[1]
    for start in (_least_squares(problem), Frame(np.zeros((outputs, 0)), np.zeros(0))):
        yield _kept(problem, _ascended(problem, _grown(problem, start), _SWEEPS))


def _least_squares(problem: FrameProblem) -> Frame:
    """Return the modes of least squares, the strongest first."""
    whitened = problem.signal / np.sqrt(problem.values)[:, None]
    _, _, rows = np.linalg.svd(whitened, full_matrices=False)
    directions = rows[: problem.rank].T
    return Frame(directions, problem.best_logs(directions))


def _grown(problem: FrameProblem, frame: Frame) -> Frame:
    """Leave out modes that cost more than they gain, add one that pays, and repeat."""
    for _ in range(2 * problem.rank + 2):
        frame = _kept(problem, _ascended(problem, frame, _LOOSE))
        if frame.directions.shape[1] == problem.rank:
            break
        new = _addition(problem, frame)
        if new is None:
            break
        frame = Frame(
            np.column_stack([frame.directions, new.directions]), np.append(frame.logs, new.logs)
        )
    return frame


def _kept(problem: FrameProblem, frame: Frame) -> Frame:
    paying = problem.gains(frame) > 0
    return Frame(frame.directions[:, paying], frame.logs[paying])


def _addition(problem: FrameProblem, frame: Frame) -> Frame | None:
    """Return the one more mode, orthogonal to the frame, of largest gain, if one pays."""
    outputs, count = problem.signal.shape[1], frame.directions.shape[1]
    rest = np.linalg.qr(np.column_stack([frame.directions, np.eye(outputs)]))[0][:, count:]
    seen = problem.signal @ rest
    weights, costs = problem.weights(problem.grid), problem.costs(problem.grid)
    most = weights.T @ (seen**2).sum(axis=1)
    best, vector, log = -np.inf, np.eye(seen.shape[1])[0], problem.grid[0]
    for k in np.flatnonzero(2 * most > costs):  # elsewhere no direction comes near to paying
        values, vectors = np.linalg.eigh((seen.T * weights[:, k]) @ seen)
        if values[-1] - costs[k] > best:
            best, vector, log = values[-1] - costs[k], vectors[:, -1], problem.grid[k]
    logs = np.array([log])
    for _ in range(_LOOSE):
        logs = problem.polished((rest @ vector)[:, None], logs)
        vector = np.linalg.eigh((seen.T * problem.weights(logs)[:, 0]) @ seen)[1][:, -1]
    new = Frame((rest @ vector)[:, None], logs)
    return new if problem.gains(new)[0] > 0 else None


def _ascended(problem: FrameProblem, frame: Frame, sweeps: int) -> Frame:
    """Climb towards a local maximum: every pair of directions turned to its best angle, in sweeps.

    Directions outside the frame take part as modes of no energy. After each sweep every energy goes
    to its own optimum.
    """
    outputs, count = frame.directions.shape
    if not count:
        return frame
    basis = np.linalg.qr(np.column_stack([frame.directions, np.eye(outputs)]))[0]
    basis[:, :count] = frame.directions
    logs = problem.best_logs(frame.directions)
    best, stale = -np.inf, 0
    for sweep in range(sweeps):
        weights = np.zeros((len(problem.values), outputs))
        weights[:, :count] = problem.weights(logs)
        seen = problem.signal @ basis
        rounds = _rounds(outputs, count)
        turned = max((_turn(basis, seen, weights, *pairs) for pairs in rounds), default=0.0)
        basis = _orthonormal(basis)
        frame = _with_energies(problem, basis[:, :count], logs, search=sweep < _SEARCHES)
        moved = float(np.max(np.abs(frame.logs - logs) / (1 + np.abs(logs))))
        logs = frame.logs
        gain = float(problem.gains(frame).sum())
        stale = 0 if gain > best * (1 + 4e-16) else stale + 1
        best = max(best, gain)
        if sweep > _SEARCHES and (max(turned, moved) <= _SETTLED or stale > _STALE):
            break
    return frame


def _with_energies(problem: FrameProblem, directions: Array, logs: Array, *, search: bool) -> Frame:
    """Return the frame with its energies searched for anew, or only moved to their optimum."""
    if search:
        return Frame(directions, problem.best_logs(directions))
    return Frame(directions, problem.polished(directions, logs))


def _orthonormal(basis: Array) -> Array:
    """Take the rounding of many turns out of a basis, its columns on the side they were."""
    columns, triangle = np.linalg.qr(basis)
    return np.asarray(columns * np.sign(np.diagonal(triangle)))


def _rounds(outputs: int, count: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return all pairs with a mode of the frame among them, in rounds of disjoint pairs."""
    players = list(range(outputs + outputs % 2))
    rounds = []
    for _ in range(len(players) - 1):
        half = len(players) // 2
        pairs = zip(players[:half], reversed(players[half:]), strict=True)
        kept = [sorted(pair) for pair in pairs if max(pair) < outputs and min(pair) < count]
        if kept:
            first, second = np.array(kept).T
            rounds.append((first, second))
        players = [players[0], players[-1], *players[1:-1]]
    return rounds


def _turn(
    basis: Array,
    seen: Array,
    weights: Array,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
) -> float:
    """Turn disjoint pairs of directions to their best angles, in place; return the largest.

    With Δ = Q_i − Q_j, u_iᵀQ_iu_i + u_jᵀQ_ju_j is largest at tan 2θ = 2Δ_ij/(Δ_ii − Δ_jj).
    """
    x, y = seen[:, first], seen[:, second]
    difference = weights[:, first] - weights[:, second]
    across = 2 * (difference * x * y).sum(axis=0)
    along = (difference * (x**2 - y**2)).sum(axis=0)
    angle = np.arctan2(across, along) / 2
    angle[(across == 0) & (along == 0)] = 0.0
    cosine, sine = np.cos(angle), np.sin(angle)
    for matrix in (basis, seen):
        left, right = matrix[:, first], matrix[:, second]
        matrix[:, first], matrix[:, second] = (
            cosine * left + sine * right,
            cosine * right - sine * left,
        )
    return float(np.max(np.abs(angle)))
