"""Every solution of the theorem's form, and the curve F(K) they are the critical points of."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidOption, NoExactSolution
from linscape.landscape.biases.free import equivalent_with_free_biases
from linscape.landscape.biases.solutions import as_decayed_solutions, biased_solutions
from linscape.landscape.energy.candidates import critical_boxes, polish
from linscape.landscape.energy.energy import Energy
from linscape.landscape.interval import exponential, real_numbers
from linscape.landscape.solution import Kind, Solution
from linscape.landscape.theorems import covering_theorem, require_one_output
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

__all__ = ["Kind", "Solution", "energy_curve", "solutions"]

Array = NDArray[np.float64]
_INDEX: dict[Kind, int | None] = {"minimum": 0, "saddle": 1, "fold": None}


@guarded
def solutions(problem: Problem) -> list[Solution]:
    """Return every solution by energy, zero first.

    With n distinct eigenvalues that carry signal there are at most 2n solutions beside zero, in
    alternation, so up to n nontrivial minima. All are found: branch and bound isolates them.

    With biases that decay they are the trivial state, the states that biases alone make
    (:func:`bias_only_states`) and the rank-one critical points of which every layer lives, as
    :class:`BiasedSolution`. One hidden layer has one at most beside the trivial state. With more,
    that there is no other is proven, by exhaustion in interval arithmetic; that each is one rests
    on equations that hold to rounding beside a Hessian far from singular.

    Raises
    ------
    NoExactSolution
        Unless the problem has one output, one hidden layer at least and positive decays; for biases
        that decay, also where critical points are too close to each other to be told apart.

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
    if problem.network.bias == "decayed":
        equivalent = equivalent_with_free_biases(problem)
        if equivalent is None:
            return [*biased_solutions(problem)]
        return [*as_decayed_solutions(problem, solutions(equivalent))]
    energy = _energy(problem)
    unit = _unit(problem, energy)
    at_zero = _loss_at_zero(problem)
    boxes = critical_boxes(energy)
    learns = energy.depth == 1 and len(boxes.left) > 0
    zero: Kind = "saddle" if learns else "minimum"
    origin = np.zeros(problem.moments.inputs)
    index = problem.network.hidden[0] if learns else 0
    found = [Solution(0.0, at_zero, 0.0, zero, index, origin, problem)]
    for left, right in zip(*boxes, strict=True):
        y = polish(energy, left, right)
        at = np.array([y])
        gain = float(energy.gain(at)[0]) * unit
        level = float(np.exp(energy.log_energy(at))[0]) * unit
        ridge = energy.spectrum.ridge_predictor(exponential(-y), energy.log_inflation)
        predictor = energy.spectrum.unscaled(ridge)
        kind = _kind(energy, left, right)
        found.append(Solution(level, at_zero - gain, gain, kind, _INDEX[kind], predictor, problem))
    return found


@guarded
def energy_curve(problem: Problem, energies: ArrayLike) -> Array:
    """Return F(K) = E[y²] + D·K − cᵀ[τA + P K^{−D}]⁻¹c at the energies K ≥ 0.

    Raises
    ------
    NoExactSolution
        As :func:`solutions`.
    InvalidOption
        If an energy is negative or no finite number.

    Examples
    --------
    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> problem = ls.Problem(moments, ls.Network(hidden=(3,), weight_decay=0.5))
    >>> energy_curve(problem, [0.0, 0.25])
    array([1.  , 0.75])
    """
    energy = _energy(problem)
    levels = real_numbers(energies)
    if not np.all((levels >= 0) & np.isfinite(levels)):
        raise InvalidOption(f"energies must be finite and at least 0, got {energies!r}")
    losses = np.full(levels.shape, _loss_at_zero(problem))
    alive = levels > 0
    if alive.any():
        unit = _unit(problem, energy)
        losses[alive] -= unit * energy.gain(energy.log_decay(levels[alive] / unit))
    return losses


def _energy(problem: Problem) -> Energy:
    covering_theorem(problem)
    require_one_output(problem)
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


def _kind(energy: Energy, left: float, right: float) -> Kind:
    ends = np.array([left, right])
    before, after = energy.slope(ends)[0]
    if before > 0 > after:
        return "minimum"
    if before < 0 < after:
        return "saddle"
    return "fold"
