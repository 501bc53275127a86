"""The critical values of a network without decay or noise, from the lowest."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.errors import OutOfRange
from linscape.landscape.unregularised.modes import Modes, data_modes
from linscape.landscape.unregularised.subsets import (
    best_first,
    count_classes,
    count_subsets,
    groups_of_equals,
)
from linscape.problem import Problem

Array = NDArray[np.float64]

SOURCE = "Achour, Malgouyres & Gerchinovitz (2021): the critical values"
_MOST = 2**20


@dataclass(frozen=True)
class CriticalValue:
    """The loss that the critical points of one set of modes share.

    Attributes
    ----------
    modes : tuple of int
        The modes learnt, from 0. Of modes with equal values the first ones stand for any.
    loss : float
        c(E‖y‖² − Σ λ_i), in the units of the problem.
    """

    modes: tuple[int, ...]
    loss: float

    @property
    def rank(self) -> int:
        """Return the number of modes, the rank of what the network computes on the data."""
        return len(self.modes)

    def to_dict(self) -> dict[str, Any]:
        """Return the value ready for JSON."""
        return {"modes": list(self.modes), "rank": self.rank, "loss": self.loss}


@dataclass(frozen=True, eq=False)
class CriticalValues:
    """All critical values of a loss; iterating yields :class:`CriticalValue`, lowest loss first.

    Attributes
    ----------
    mode_values : tuple of float
        λ_0 ≥ λ_1 ≥ …, what each mode that the data have adds to the gain, in units of the loss.
    groups : tuple of tuple of int
        The modes by runs that 64-bit floats cannot tell apart. Of a run only the number learnt
        makes a difference: any subspace of that dimension in the span of its directions will do.
    rank_limit : int
        The largest number of modes that the network can learn.
    count : int
        Number of sets of modes, exactly, equal modes counted apart: Σ_r binomial(modes, r).
    distinct : int
        Number of critical values yielded, sets that differ by equal modes being one. Two of these
        may still have the same loss by chance, as λ_0 = λ_1 + λ_2.
    loss_error : float
        Proven bound on the error of each loss, for the stored moments; values nearer than twice
        this are not told apart.
    source : str
        What the values rest on.
    """

    mode_values: tuple[float, ...]
    groups: tuple[tuple[int, ...], ...]
    rank_limit: int
    count: int
    distinct: int
    loss_error: float
    _modes: Modes = field(repr=False)
    _is_linear: bool = field(repr=False)
    source: str = SOURCE

    def __iter__(self) -> Iterator[CriticalValue]:
        """Yield the values lazily: the first few of 2^40 cost no more than of 20."""
        if self._is_linear:
            yield self.descent[-1]
            return
        for modes in best_first(self._modes.values.tolist(), self.groups, self.rank_limit):
            yield self._value(modes)

    @property
    def losses(self) -> Array:
        """Return the losses, ascending.

        Raises
        ------
        OutOfRange
            If there are more than 2^20; iterate, or ask :meth:`table` for the lowest.
        """
        if self.distinct > _MOST:
            raise OutOfRange(
                f"there are {self.distinct} critical values, at most {_MOST} fit an array; "
                "iterate over them, or ask table(limit) for the lowest"
            )
        return np.array([value.loss for value in self])

    @property
    def descent(self) -> tuple[CriticalValue, ...]:
        """Return the best values of ranks 0, 1, …: those that descent from near zero passes.

        From small initial weights the modes are learnt one by one, for white inputs the largest λ
        first, with a plateau at each of these losses; the last is the global minimum. That descent
        does so is an observation, proven for some starts only; the theorem is that it rests at
        critical values. For other inputs the order is by signal, and other values may be passed.

        References
        ----------
        Saxe, McClelland & Ganguli (2014); Arora, Cohen, Hu & Luo (2019).
        """
        first = self.rank_limit if self._is_linear else 0
        return tuple(self._value(tuple(range(rank))) for rank in range(first, self.rank_limit + 1))

    def table(self, limit: int) -> list[CriticalValue]:
        """Return the `limit` lowest values, or all if there are fewer."""
        return list(itertools.islice(self, limit))

    def to_dict(self, limit: int = 1000) -> dict[str, Any]:
        """Return the numbers and the `limit` lowest values, ready for JSON."""
        return {
            "mode_values": list(self.mode_values),
            "groups": [list(group) for group in self.groups],
            "rank_limit": self.rank_limit,
            "count": self.count,
            "distinct": self.distinct,
            "loss_error": self.loss_error,
            "values": [value.to_dict() for value in self.table(limit)],
            "descent": [value.to_dict() for value in self.descent],
            "source": self.source,
        }

    def __repr__(self) -> str:
        """Return the number of values and their range, without listing them."""
        best, worst = self.descent[-1].loss, self.descent[0].loss
        return (
            f"CriticalValues: {self.distinct} from {best:.10g} to {worst:.10g}, "
            f"ranks up to {self.rank_limit}"
        )

    def _value(self, modes: tuple[int, ...]) -> CriticalValue:
        return CriticalValue(modes, self._modes.loss(modes))


@guarded
def critical_values(problem: Problem) -> CriticalValues:
    r"""Return every critical value of the loss of a network without decay or noise.

    With λ the positive eigenvalues of Σ = E[yxᵀ] E[xxᵀ]⁺ E[xyᵀ], descending, and r_max the least
    width, input and output included, the critical values of a network with a hidden layer are

    .. math:: c\,(E‖y‖² − Σ_{i ∈ S} λ_i), \qquad |S| ≤ r_{max}

    one for every such set S of modes, attained where the network computes U_S U_Sᵀ E[yxᵀ] E[xxᵀ]⁺.
    Any widths, depth, number of outputs and data; without a hidden layer least squares alone is
    critical. Modes that explain nothing (λ = 0 up to the rounding of moments formed in float64)
    change nothing and are left out.

    Parameters
    ----------
    problem : Problem
        Without weight decay and without noise in the hidden layers; biases free of decay centre it.

    Returns
    -------
    CriticalValues
        Their number, and the values themselves one by one from the lowest.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise.

    References
    ----------
    Baldi & Hornik (1989), one hidden layer; Achour, Malgouyres & Gerchinovitz (2021), *The loss
    landscape of deep linear neural networks: a second-order analysis*.

    Examples
    --------
    x of covariance I and y = diag(3, 1)x through one hidden unit: λ = 9, 1, and one mode fits.

    >>> import linscape as ls
    >>> moments = ls.Moments(np.eye(2), np.diag([3.0, 1.0]), np.diag([9.0, 1.0]))
    >>> values = critical_values(ls.Problem(moments, ls.Network(hidden=(1,))))
    >>> [(value.modes, round(value.loss, 12)) for value in values]
    [((0,), 1.0), ((1,), 9.0), ((), 10.0)]
    >>> values.count, [value.modes for value in values.descent]
    (3, [(), (0,)])
    """
    return values_of(problem, data_modes(problem))


def values_of(problem: Problem, modes: Modes) -> CriticalValues:
    """Return the critical values of a problem whose modes are known."""
    factor = modes.data_factor
    values = modes.values[: modes.rank].tolist()
    groups = groups_of_equals(values, modes.value_error)
    linear = problem.network.depth == 0
    sizes = [len(group) for group in groups]
    return CriticalValues(
        mode_values=tuple(factor * value for value in values),
        groups=groups,
        rank_limit=modes.learned,
        count=1 if linear else count_subsets(modes.rank, modes.learned),
        distinct=1 if linear else count_classes(sizes, modes.learned),
        loss_error=factor * (modes.value_error + 4 * np.finfo(np.float64).eps * modes.total),
        _modes=modes,
        _is_linear=linear,
    )
