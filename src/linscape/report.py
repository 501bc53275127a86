"""Everything there is to say about one problem, computed once."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.landscape import (
    CriticalWeightDecay,
    GlobalMinimum,
    Phase,
    Solution,
    critical_weight_decay,
    energy_curve,
    global_minimum,
    phase,
    solutions,
)
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]

_POINTS = 1001


@dataclass(frozen=True, eq=False)
class Report:
    """What the landscape of a problem looks like.

    Attributes
    ----------
    problem : Problem
        What is reported on.
    minimum : GlobalMinimum
        The global minimum.
    phase : Phase
        Collapsed, metastable or learning.
    critical : CriticalWeightDecay
        The weight decays at which that changes.
    solutions : tuple of Solution
        Every solution, zero first; empty without a hidden layer or without decay, and for several
        outputs.
    loss_at_zero : float
        The loss where all weights are zero.
    ridge : GlobalMinimum
        The same objective with no hidden layer and the decay `mean_decay`.
    mean_decay : float
        Geometric mean of the decays of all layers: the decay itself where they are equal.
    r_squared : float or None
        1 − E‖y − Mx‖²/tr Var(y), for the predictor alone, on the data of the problem; None where
        the targets do not vary, or the means are not known.
    """

    problem: Problem = field(repr=False)
    minimum: GlobalMinimum
    phase: Phase
    critical: CriticalWeightDecay
    solutions: tuple[Solution, ...]
    loss_at_zero: float
    ridge: GlobalMinimum
    mean_decay: float
    r_squared: float | None

    @property
    def zero_is_trap(self) -> bool:
        """Whether zero is a local minimum and not the global one."""
        return self.phase.name == "learning" and bool(self.phase.zero_is_minimum)

    @property
    def has_energy_curve(self) -> bool:
        """Whether the loss is one of one energy: one output, a hidden layer and weight decay."""
        return bool(self.solutions)


def report(problem: Problem) -> Report:
    """Return everything there is to say about a problem without biases.

    Raises
    ------
    NoExactSolution
        If no theorem covers the problem.

    Examples
    --------
    >>> import linscape as ls
    >>> network = ls.Network(hidden=(4, 4), weight_decay=0.3)
    >>> found = report(ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network))
    >>> found.phase.name, found.zero_is_trap, len(found.solutions), found.loss_at_zero
    ('learning', True, 3, 1.0)
    """
    if problem.network.bias:
        raise NoExactSolution(
            "a report is of a network without biases; centre the data, which is the same as biases "
            "free of decay, and give bias=False"
        )
    minimum = global_minimum(problem)
    decay = _mean_decay(problem.network)
    linear = Network((), weight_decay=decay, input_noise=problem.network.input_noise)
    curved = problem.network.depth > 0 and decay > 0 and problem.moments.outputs == 1
    return Report(
        problem=problem,
        minimum=minimum,
        phase=phase(problem),
        critical=critical_weight_decay(problem),
        solutions=tuple(solutions(problem)) if curved else (),
        loss_at_zero=problem.data_factor * float(np.trace(linear_moments(problem)[2])),
        ridge=global_minimum(Problem(problem.moments, linear, reduction=problem.reduction)),
        mean_decay=decay,
        r_squared=_r_squared(minimum),
    )


def curve(found: Report) -> tuple[Array, Array]:
    """Return energies and the losses F(K) there, over the range that shows every solution.

    Raises
    ------
    NoExactSolution
        If the problem has several outputs, no hidden layer or no weight decay: there is no such
        curve then.

    Examples
    --------
    >>> import linscape as ls
    >>> network = ls.Network(hidden=(4, 4), weight_decay=0.3)
    >>> found = report(ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network))
    >>> energies, losses = curve(found)
    >>> bool(energies[0] < found.solutions[1].energy < found.solutions[2].energy < energies[-1])
    True
    """
    energies = np.geomspace(*_energy_range(found), _POINTS)
    return energies, energy_curve(found.problem, energies)


def _energy_range(found: Report) -> tuple[float, float]:
    """Return a range around the solutions; without any, one that shows the rise D·K from zero."""
    levels = [solution.energy for solution in found.solutions if solution.energy > 0]
    depth = found.problem.network.depth
    if levels:
        before = 1000 if depth == 1 else 20  # one layer falls from zero at once: show where from
        return max(min(levels) / before, float(np.finfo(float).tiny)), max(levels) * 6
    scale = (found.loss_at_zero or 1.0) / max(depth, 1)
    return 1e-3 * scale, scale


def _mean_decay(network: Network) -> float:
    first = network.weight_decay[0]
    if all(decay == first for decay in network.weight_decay):
        return first
    return math.exp(network.log_decay_product / (network.depth + 1))


def _r_squared(minimum: GlobalMinimum) -> float | None:
    moments = minimum.problem.moments
    if moments.mean_y is None:
        return None
    variance = float(np.trace(np.atleast_2d(moments.covariance_y)))
    if variance == 0:
        return None
    M = np.atleast_2d(minimum.predictor)
    C = np.reshape(moments.C, (-1, len(M)))
    explained = 2 * float(np.sum(M * C.T)) - float(np.sum((M @ moments.A) * M))
    error = float(np.trace(np.atleast_2d(moments.yy))) - explained
    return 1 - error / variance
