"""Every solution of a network whose biases decay, with its weights."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.landscape.biases.attained import attained, best_fit, layers
from linscape.landscape.biases.enumeration import Place, enumerated
from linscape.landscape.biases.free import with_free_biases
from linscape.landscape.biases.minimum import decayed_bias_minimum
from linscape.landscape.biases.result import with_signs
from linscape.landscape.biases.setting import Setting
from linscape.landscape.biases.states import loss_of_trivial_state, trivial_state
from linscape.landscape.biases.windows import is_nontrivial
from linscape.landscape.solution import Kind, Solution
from linscape.landscape.theorems import covering_theorem, require_one_output
from linscape.problem import Problem
from linscape.spectrum import spectra

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BiasedSolution(Solution):
    """A critical point of the loss of a network whose biases decay with their layers.

    As :class:`linscape.Solution`, but `energy` is γ_u‖U‖², the output bias not counted, `gain` is
    counted from the trivial state, and E[f(x) | x] = p·x + `intercept`.

    Attributes
    ----------
    intercept : float
        What the mean output adds to p·x.
    layers : tuple of ndarray
        Weights [W β] of the solution.
    """

    intercept: float
    layers: tuple[Array, ...] = field(repr=False)

    def weights(self, rng: np.random.Generator | int | None = None) -> list[Array]:
        """Return weights [W β] that realise the solution, as :meth:`GlobalMinimum.weights` does."""
        return with_signs(self.layers, rng)

    def to_dict(self) -> dict[str, Any]:
        """Return the solution ready for JSON, without its weights."""
        return super().to_dict() | {"intercept": self.intercept}


def biased_solutions(problem: Problem) -> list[BiasedSolution]:
    """Return every solution by energy, the trivial state first.

    Raises
    ------
    NoExactSolution
        Unless the problem has one output, one hidden layer at least and positive decays; or if
        there are critical points too close to each other to be told apart.
    """
    centred = with_free_biases(problem)
    covering_theorem(centred)
    require_one_output(problem)
    if problem.network.depth == 0:
        raise NoExactSolution(
            "solutions are listed of networks with a hidden layer; without, "
            "global_minimum(problem) gives the one solution"
        )
    if problem.network.depth == 1:
        return [_trivial(problem), *_convex(problem)]
    (measure,) = spectra(centred)
    found, places = enumerated(problem, measure)
    others = [_solution(problem, found, place) for place in places]
    return [_trivial(problem), *sorted(others, key=lambda solution: solution.energy)]


def as_decayed_solutions(
    problem: Problem, solutions: Sequence[Solution]
) -> Iterator[BiasedSolution]:
    """Return solutions of the same problem with free biases where decay changes none of them."""
    for solution in solutions:
        yield BiasedSolution(
            energy=solution.energy,
            loss=solution.loss,
            gain=solution.gain,
            kind=solution.kind,
            index=solution.index,
            predictor=solution.predictor,
            problem=problem,
            intercept=0.0,
            layers=tuple(solution.weights()),
        )


def _trivial(problem: Problem) -> BiasedSolution:
    state = trivial_state(problem)
    return BiasedSolution(
        energy=0.0,
        loss=state.loss,
        gain=0.0,
        kind=_kind(state.index),
        index=state.index,
        predictor=np.zeros(problem.moments.inputs),
        problem=problem,
        intercept=state.output,
        layers=state.layers,
    )


def _convex(problem: Problem) -> Iterator[BiasedSolution]:
    """Yield the one solution beside the trivial state, where it exists: the reduced loss is convex.

    Theorem 5 of the source, corrected.
    """
    if not is_nontrivial(problem):
        return
    minimum = decayed_bias_minimum(problem)
    yield BiasedSolution(
        energy=minimum.energy,
        loss=minimum.loss,
        gain=minimum.gain,
        kind="minimum",
        index=0,
        predictor=minimum.predictor,
        problem=problem,
        intercept=float(minimum.intercept),
        layers=tuple(minimum.weights()),
    )


def _solution(problem: Problem, found: Setting, place: Place) -> BiasedSolution:
    values = best_fit(problem, found, place.point)
    weights = layers(problem, found, place.point, values)
    unit = problem.data_factor * 4.0**found.exponent
    gain = unit * attained(problem, found, place.point, values)[0]
    offset = math.ldexp(math.fsum(values.offsets), found.exponent)
    return BiasedSolution(
        energy=problem.network.weight_decay[-1] * float(np.sum(weights[-1][:, :-1] ** 2)),
        loss=loss_of_trivial_state(problem) - gain,
        gain=gain,
        kind=_kind(place.morse_index),
        index=place.morse_index,
        predictor=np.ldexp(values.predictor, found.exponent),
        problem=problem,
        intercept=offset + float(weights[-1][0, -1]),
        layers=weights,
    )


def _kind(index: int | None) -> Kind:
    if index is None:
        return "fold"
    return "saddle" if index else "minimum"
