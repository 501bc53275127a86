"""Every solution of the theorem's form, and the curve F(K) they are the critical points of."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.errors import NoExactSolution
from linscape.landscape.candidates import critical_boxes, polish
from linscape.landscape.energy import Energy
from linscape.landscape.theorems import covering_theorem
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

Array = NDArray[np.float64]
Kind = Literal["minimum", "saddle", "fold"]


@dataclass(frozen=True)
class Solution:
    """A critical point of F, and with it of the loss.

    Attributes
    ----------
    energy : float
        K = γ‖W‖² of every layer; 0 for the trivial solution.
    loss : float
        F(K), the loss there, in the units of the problem.
    gain : float
        Loss at zero minus `loss`, without cancellation.
    kind : "minimum", "saddle" or "fold"
        Minima of F are local minima of the loss, maxima of F are saddles; at a fold the two meet,
        or cannot be told apart in 64-bit floats.
    """

    energy: float
    loss: float
    gain: float
    kind: Kind

    def to_dict(self) -> dict[str, Any]:
        """Return the solution ready for JSON."""
        return asdict(self)


def solutions(problem: Problem) -> list[Solution]:
    """Return every solution by energy, zero first.

    With n distinct eigenvalues that carry signal there are at most 2n solutions beside zero, in
    alternation, so up to n nontrivial minima. All are found: branch and bound isolates them.

    Raises
    ------
    NoExactSolution
        Unless the problem has one output, one hidden layer at least and positive decays.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorem 2; their number is not in the paper.

    Examples
    --------
    A = c = 1 and two layers of decay 0.3: the saddle stands between zero and the minimum.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> for solution in ls.solutions(ls.Problem(moments, ls.Network((2, 2), weight_decay=0.3))):
    ...     print(solution.kind, f"{solution.energy:.4f} {solution.loss:.4f}")
    minimum 0.0000 1.0000
    saddle 0.0287 1.0278
    minimum 0.2261 0.7978
    """
    energy = _energy(problem)
    unit = _unit(problem, energy)
    at_zero = _loss_at_zero(problem)
    found = [Solution(0.0, at_zero, 0.0, _kind_of_zero(energy))]
    for left, right in zip(*critical_boxes(energy), strict=True):
        y = np.array([polish(energy, left, right)])
        gain = float(energy.gain(y)[0]) * unit
        level = float(np.exp(energy.log_energy(y))[0]) * unit
        found.append(Solution(level, at_zero - gain, gain, _kind(energy, left, right)))
    return found


def energy_curve(problem: Problem, energies: ArrayLike) -> Array:
    """Return F(K) = E[y²] + D·K − cᵀ[τA + P K^{−D}]⁻¹c at the energies K ≥ 0.

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> problem = ls.Problem(moments, ls.Network(hidden=(3,), weight_decay=0.5))
    >>> energy_curve(problem, [0.0, 0.25])
    array([1.  , 0.75])
    """
    energy = _energy(problem)
    levels = np.asarray(energies, dtype=np.float64)
    losses = np.full(levels.shape, _loss_at_zero(problem))
    alive = levels > 0
    if alive.any():
        unit = _unit(problem, energy)
        losses[alive] -= unit * energy.gain(energy.log_decay(levels[alive] / unit))
    return losses


def _energy(problem: Problem) -> Energy:
    covering_theorem(problem)
    network = problem.network
    if network.depth == 0 or not any(network.weight_decay):
        raise NoExactSolution(
            "the loss is a function of one energy only with a hidden layer and weight decay; "
            "without, global_minimum(problem) gives the one solution"
        )
    (measure,) = spectra(problem)
    return Energy.of(problem, measure)


def _unit(problem: Problem, energy: Energy) -> float:
    return math.ldexp(problem.data_factor, 2 * energy.spectrum.output_exponent)


def _loss_at_zero(problem: Problem) -> float:
    return problem.data_factor * float(np.trace(linear_moments(problem)[2]))


def _kind_of_zero(energy: Energy) -> Kind:
    """Return "saddle" where one hidden layer learns; deeper nets have a minimum at zero."""
    if energy.depth > 1:
        return "minimum"
    return "saddle" if len(critical_boxes(energy).left) else "minimum"


def _kind(energy: Energy, left: float, right: float) -> Kind:
    ends = np.array([left, right])
    before, after = energy.slope(ends)[0]
    if before > 0 > after:
        return "minimum"
    if before < 0 < after:
        return "saddle"
    return "fold"
