"""The plateaus of a recorded loss, and the modes whose critical value each sits at."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.dynamics.trajectory import Coordinate, Trajectory
from linscape.errors import InvalidOption, OutOfRange
from linscape.landscape.unregularised.modes import Modes, data_modes
from linscape.landscape.unregularised.values import CriticalValue, CriticalValues, values_of
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]

SOURCE = (
    "numerical; that descent can rest at these losses only: "
    "Achour, Malgouyres & Gerchinovitz (2021), the critical values"
)
_MOST = 2**12


@dataclass(frozen=True)
class Plateau:
    """A stretch in which the loss of one net rests at a critical value.

    Attributes
    ----------
    net : tuple of int
        Which net, by its index on the batch axes; () for a single one.
    modes : tuple of int or None
        The modes learnt: those of the only candidate, or those that recorded weights show; None
        where neither decides. Of modes with equal values the first ones stand for any.
    value : float
        The critical value nearest to `level`.
    level : float
        The loss where it moved most slowly.
    candidates : tuple of CriticalValue
        The critical value nearest to `level`, and those that are too close to it to be told apart
        by the loss.
    entered, left : int or float
        First and last recorded step or time within the tolerance.
    ended : bool
        Whether the loss was recorded beyond; if not, `left` is where the record ends.
    spread : float
        How flat it is: the range of the loss over the middle half of its time, in units of the gap
        to the nearest rung.
    """

    net: tuple[int, ...]
    modes: tuple[int, ...] | None
    value: float
    level: float
    candidates: tuple[CriticalValue, ...]
    entered: float
    left: float
    ended: bool
    spread: float

    def to_dict(self) -> dict[str, Any]:
        """Return the plateau ready for JSON."""
        return asdict(self) | {
            "net": list(self.net),
            "modes": None if self.modes is None else list(self.modes),
            "candidates": [value.to_dict() for value in self.candidates],
        }


@dataclass(frozen=True)
class Plateaus(Sequence[Plateau]):
    """All plateaus found, net after net, each in the order of time.

    Attributes
    ----------
    found : tuple of Plateau
        The plateaus, which are the elements of this sequence too.
    coordinate : "step" or "time"
        What `entered` and `left` count.
    tolerance : float
        What was asked for.
    equal_modes : tuple of tuple of int
        Modes that 64-bit floats cannot tell apart; of each group only the number learnt is named.
    source : str
        What the result rests on.
    """

    found: tuple[Plateau, ...]
    coordinate: Coordinate
    tolerance: float
    equal_modes: tuple[tuple[int, ...], ...]
    source: str = SOURCE

    def __getitem__(self, index: Any) -> Any:
        """Return a plateau, or several."""
        return self.found[index]

    def __len__(self) -> int:
        """Return the number of plateaus of all nets."""
        return len(self.found)

    def of(self, *net: int) -> tuple[Plateau, ...]:
        """Return the plateaus of one net, by its index on the batch axes."""
        return tuple(plateau for plateau in self.found if plateau.net == net)

    def to_dict(self) -> dict[str, Any]:
        """Return the plateaus ready for JSON."""
        return {
            "plateaus": [plateau.to_dict() for plateau in self.found],
            "coordinate": self.coordinate,
            "tolerance": self.tolerance,
            "equal_modes": [list(group) for group in self.equal_modes],
            "source": self.source,
        }


class _Level(NamedTuple):
    """A critical value with its distance to the nearest other rung of the ladder."""

    value: CriticalValue
    gap: float


class _Visit(NamedTuple):
    """Records `first` to `last` at which a loss rests at a value."""

    first: int
    last: int
    at: _Level


@guarded
def plateaus(
    problem: Problem,
    trajectory: Trajectory,
    *,
    tolerance: float = 0.05,
    values: Sequence[CriticalValue] | None = None,
) -> Plateaus:
    r"""Find where a recorded loss rests at critical values of a net without decay and noise.

    The best critical values of ranks 0, 1, …, r are the rungs of a ladder whose gaps are the modes'
    own values (``critical_values(p).descent``). They measure nearness: the *gap* of any critical
    value v is its distance to the nearest other rung. A loss *visits* v while it is within half the
    gap of v, and is *at* v while within the share `tolerance` of the gap. A **plateau** is the
    longest stretch at v in a visit, if half of the time of the visit or more is in that stretch. A
    loss that falls past v at an even speed spends only the share 2·`tolerance` there.

    Neither a unit of loss or time nor the origin of time matters, and none but `tolerance` is to be
    chosen. Times are those of the record: a plateau has two records at least, and one that falls
    between records is not seen. Where plateaus of several values overlap they are one, that of the
    value nearest to `level`; the others are `candidates` too unless they are further from `level`
    than twice that one, give or take the range of the loss over the middle half of the plateau. If
    several are left and "weights" were recorded, the shares of the modes that the net has learnt
    where the loss is slowest decide, each rounded to 0 or 1.

    Parameters
    ----------
    problem : Problem
        Without weight decay and without noise in the hidden layers.
    trajectory : Trajectory
        Of :func:`descend` or :func:`flow`, with "loss" recorded; any batch axes.
    tolerance : float, default 0.05
        Between 0 and 0.25.
    values : sequence of CriticalValue, optional
        The critical values to look for; all unless given.

    Returns
    -------
    Plateaus
        The plateaus of every net; numerical.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise.
    OutOfRange
        If there are more than 4096 critical values and `values` is not given.
    InvalidOption
        If "loss" was not recorded, or `tolerance` is out of its range.

    Examples
    --------
    y = diag(2, 1)x through three layers, from small weights: modes of value 4 and 1, one by one.

    >>> import linscape as ls
    >>> from linscape.dynamics.descent import descend
    >>> moments = ls.Moments(np.eye(2), np.diag([2.0, 1.0]), np.diag([4.0, 1.0]))
    >>> problem = ls.Problem(moments, ls.Network((2, 2)))
    >>> start = [0.02 * np.eye(2)] * 3
    >>> path = descend(problem, start, step_size=0.01, steps=4000, every=10)
    >>> [(found.modes, round(found.value, 9), found.ended) for found in plateaus(problem, path)]
    [((), 5.0, True), ((0,), 1.0, True), ((0, 1), 0.0, False)]
    """
    if not 0 < tolerance <= 0.25:
        raise InvalidOption(f"tolerance must be above 0 and at most 0.25, got {tolerance!r}")
    if "loss" not in trajectory.values:
        raise InvalidOption('plateaus needs "loss" among the recorded; give record=("loss",)')
    modes = data_modes(problem)
    every = values_of(problem, modes)
    levels = list(_levels(every, _looked_for(every) if values is None else values))
    found = []
    for net in np.ndindex(trajectory.status.shape):
        loss = trajectory["loss"][(slice(None), *net)]
        visits = [
            visit
            for level in levels
            for visit in _visits(trajectory.at, loss, level, tolerance, every.loss_error)
        ]
        found += [
            _plateau(problem, trajectory, loss, net, group, modes, every)
            for group in _overlapping(visits)
        ]
    return Plateaus(tuple(found), trajectory.coordinate, tolerance, _equals(every))


def _looked_for(values: CriticalValues) -> list[CriticalValue]:
    if values.distinct > _MOST:
        raise OutOfRange(
            f"there are {values.distinct} critical values, too many to look for each; give "
            "values=critical_values(problem).descent, those that descent from near zero passes"
        )
    return list(values)


def _equals(values: CriticalValues) -> tuple[tuple[int, ...], ...]:
    return tuple(group for group in values.groups if len(group) > 1)


def _levels(values: CriticalValues, wanted: Sequence[CriticalValue]) -> Iterator[_Level]:
    """Yield each value with its distance to the nearest other rung."""
    ladder = np.array([value.loss for value in values.descent])
    for value in wanted:
        distances = np.abs(ladder - value.loss)
        gap = float(distances.min(initial=np.inf, where=distances > values.loss_error))
        # x and y do not covary, or a linear model: there is no other rung
        yield _Level(value, gap if gap < np.inf else abs(value.loss) or 1.0)


def _visits(
    at: NDArray[Any], loss: Array, level: _Level, tolerance: float, error: float
) -> Iterator[_Visit]:
    """Yield the plateaus at one value."""
    offset = np.abs(loss - level.value.loss)
    inside = offset <= tolerance * level.gap + error
    if np.count_nonzero(inside) < 2:
        return
    for start, end in _runs(offset <= level.gap / 2 + error):
        stretches = [(start + a, start + b) for a, b in _runs(inside[start : end + 1])]
        if not stretches:
            continue
        first, last = max(stretches, key=lambda pair: at[pair[1]] - at[pair[0]])
        if last > first and 2 * (at[last] - at[first]) >= at[end] - at[start]:
            yield _Visit(first, last, level)


def _runs(true: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last index of every run of true entries."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _overlapping(visits: list[_Visit]) -> Iterator[list[_Visit]]:
    """Yield groups of visits that overlap in time, in the order of time."""
    group: list[_Visit] = []
    for visit in sorted(visits, key=lambda one: one.first):
        if group and visit.first > max(one.last for one in group):
            yield group
            group = []
        group.append(visit)
    if group:
        yield group


def _plateau(
    problem: Problem,
    trajectory: Trajectory,
    loss: Array,
    net: tuple[int, ...],
    group: list[_Visit],
    modes: Modes,
    values: CriticalValues,
) -> Plateau:
    """Return the plateau that overlapping visits are."""
    first, last = min(one.first for one in group), max(one.last for one in group)
    falls = np.abs(np.diff(loss[first : last + 1])) / np.diff(trajectory.at[first : last + 1])
    slowest = first + int(np.argmin(falls))
    level = float(loss[slowest])
    group = sorted(group, key=lambda one: abs(one.at.value.loss - level))
    best, value = group[0], group[0].at.value
    spread = float(np.ptp(_middle(trajectory.at, loss, best)))
    farthest = 2 * abs(value.loss - level) + spread + 2 * values.loss_error
    candidates = tuple(one.at.value for one in group if abs(one.at.value.loss - level) <= farthest)
    return Plateau(
        net=net,
        modes=_modes(problem, trajectory, (slowest, *net), candidates, modes, values.groups),
        value=value.loss,
        level=level,
        candidates=candidates,
        entered=trajectory.at[best.first].item(),
        left=trajectory.at[best.last].item(),
        ended=best.last + 1 < len(loss),
        spread=spread / best.at.gap,
    )


def _middle(at: NDArray[Any], loss: Array, visit: _Visit) -> Array:
    """Return the loss over the middle half of a visit's time, interpolated at its ends."""
    start, end = float(at[visit.first]), float(at[visit.last])
    ends = np.array([start + (end - start) / 4, end - (end - start) / 4])
    within = loss[(at > ends[0]) & (at < ends[1])]
    return np.concatenate([within, np.interp(ends, at, loss)])


def _modes(
    problem: Problem,
    trajectory: Trajectory,
    record: tuple[int, ...],
    candidates: tuple[CriticalValue, ...],
    modes: Modes,
    equals: Sequence[Sequence[int]],
) -> tuple[int, ...] | None:
    """Return the modes learnt: of the one candidate, or of the one that the weights show."""
    if len(candidates) == 1:
        return candidates[0].modes
    if "weights" not in trajectory.values:
        return None
    weights = problem.unflatten(np.asarray(trajectory["weights"][record]))
    learnt = _shares(problem, weights, modes)
    counts = [round(float(learnt[list(group)].sum())) for group in equals]
    for value in candidates:
        if [sum(mode in group for mode in value.modes) for group in equals] == counts:
            return value.modes
    return None


def _shares(problem: Problem, weights: list[Array], modes: Modes) -> Array:
    """Return u_iᵀ M E[xyᵀ] u_i / λ_i: 1 where the net has learnt mode i, 0 where nothing of it."""
    C = linear_moments(problem)[1]
    M = np.reshape(problem.predictor(weights), (len(modes.values), -1))
    directions = modes.directions[:, : modes.rank]
    shares: Array = np.einsum("mi,md,dn,ni->i", directions, M, C, directions)
    return shares / modes.values[: modes.rank]
