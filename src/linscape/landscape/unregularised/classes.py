"""The critical points of a network without decay or noise, by the modes they learn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.errors import OutOfRange
from linscape.landscape.curvature.structured import structured_inertia
from linscape.landscape.unregularised.leading import Kind, existing_kinds
from linscape.landscape.unregularised.modes import Modes, data_modes
from linscape.landscape.unregularised.points import Asked, critical_point
from linscape.landscape.unregularised.values import SOURCE, critical_values, values_of
from linscape.problem import Problem

Array = NDArray[np.float64]
Inertia = tuple[int, int, int]

_MOST = 2**16


@dataclass(frozen=True, eq=False)
class ModeClass:
    """The critical points that learn the same modes; of equal modes, as many of them.

    Attributes
    ----------
    modes : tuple of int
        S, from 0. Of modes with equal values the first ones stand for any.
    loss : float
        c(E‖y‖² − Σ λ_i), in the units of the problem.
    gain : float
        Loss at zero minus `loss`, without cancellation.
    kinds : tuple of str
        The kinds that its points can be: a global minimum; strict saddles, whose Hessian has a
        negative eigenvalue; or both strict and non-strict saddles.
    inertia : tuple of int or None
        (n₋, n₀, n₊), the numbers of negative, zero and positive eigenvalues of the Hessian at the
        points with all Z_h = 0 (:func:`critical_point`), the most degenerate of the class; None if
        a mode learnt and one not learnt cannot be told apart in 64-bit floats.
    problem : Problem
        What they are critical points of.
    """

    modes: tuple[int, ...]
    loss: float
    gain: float
    kinds: tuple[Kind, ...]
    inertia: Inertia | None
    problem: Problem = field(repr=False)

    @property
    def rank(self) -> int:
        """Return the number of modes, the rank of what the network computes on the data."""
        return len(self.modes)

    @property
    def source(self) -> str:
        """Return what the class rests on."""
        return SOURCE + "; their Theorem 1 for the kinds"

    def weights(
        self, rng: np.random.Generator | int | None = None, *, kind: Asked | None = None
    ) -> list[Array]:
        """Return weights of one point of the class, as :func:`critical_point` draws them.

        Parameters
        ----------
        rng : numpy.random.Generator or int, optional
            Source of randomness; by default the same point every time.
        kind : "strict", "non-strict" or None, default None
            As there.
        """
        return critical_point(
            self.problem, modes=self.modes, kind=kind, rng=0 if rng is None else rng
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the class ready for JSON."""
        return {
            "modes": list(self.modes),
            "rank": self.rank,
            "loss": self.loss,
            "gain": self.gain,
            "kinds": list(self.kinds),
            "inertia": None if self.inertia is None else list(self.inertia),
            "source": self.source,
        }


def mode_classes(problem: Problem) -> Iterator[ModeClass]:
    """Yield the classes of critical points lazily, lowest loss first.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise.

    Examples
    --------
    x of covariance I, y = diag(3, 1)x and two hidden layers of two units.

    >>> import linscape as ls
    >>> moments = ls.Moments(np.eye(2), np.diag([3.0, 1.0]), np.diag([9.0, 1.0]))
    >>> for found in mode_classes(ls.Problem(moments, ls.Network(hidden=(2, 2)))):
    ...     print(found.modes, round(found.loss, 9), *found.kinds, found.inertia)
    (0, 1) 0.0 global minimum (0, 8, 4)
    (0,) 1.0 strict saddle non-strict saddle (0, 9, 3)
    (1,) 9.0 strict saddle (1, 9, 2)
    () 10.0 strict saddle non-strict saddle (0, 12, 0)
    """
    data = data_modes(problem)
    values = values_of(problem, data)
    layers = problem.network.depth + 1
    for value in values:
        chosen = value.modes
        yield ModeClass(
            modes=chosen,
            loss=value.loss,
            gain=data.gain(chosen),
            kinds=existing_kinds(chosen, values.groups, learned=data.learned, layers=layers),
            inertia=degenerate_inertia(problem, data, chosen, values.groups),
            problem=problem,
        )


def unregularised_critical_points(problem: Problem) -> list[ModeClass]:
    """Return every class of critical points of a network without decay or noise, by loss.

    Any depth, widths, number of outputs and data; :func:`mode_classes` yields them one by one.

    Raises
    ------
    NoExactSolution
        If the network has decay or noise.
    OutOfRange
        If there are more than 65,536 classes.

    References
    ----------
    Achour, Malgouyres & Gerchinovitz (2021), Theorem 1.

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> found = unregularised_critical_points(ls.Problem(moments, ls.Network(hidden=(3,))))
    >>> [(one.modes, *one.kinds, one.inertia) for one in found]
    [((0,), 'global minimum', (0, 5, 1)), ((), 'strict saddle', (3, 0, 3))]
    """
    distinct = critical_values(problem).distinct
    if distinct > _MOST:
        raise OutOfRange(
            f"there are {distinct} classes of critical points, at most {_MOST} fit a list; "
            "critical_values(problem).table(limit) gives the lowest"
        )
    return list(mode_classes(problem))


def degenerate_inertia(
    problem: Problem, data: Modes, chosen: Sequence[int], groups: Sequence[Sequence[int]]
) -> Inertia | None:
    """Return (n₋, n₀, n₊) of the Hessian where the modes are learnt and all Z_h vanish.

    None if a mode learnt and one not learnt cannot be told apart. Biases free of decay add one
    positive direction for each output, since E[f] can be a coordinate, and zeros.
    """
    hidden, outputs = problem.network.hidden, len(data.values)
    if any(0 < len({*group} & {*chosen}) < len(group) for group in groups):
        return None
    if hidden:
        values = np.where(np.arange(outputs) < data.rank, data.values, 0.0)
        widths = (problem.moments.inputs, *hidden, outputs)
        negative, _, positive = structured_inertia(
            values, chosen, widths, input_rank=data.data_rank
        )
    else:
        negative, positive = 0, outputs * data.data_rank
    if problem.network.bias == "free":
        positive += outputs
    size = sum(rows * columns for rows, columns in problem.shapes)
    return negative, size - negative - positive, positive
