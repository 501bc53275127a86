"""Lower bounds on the global minimum where no theorem gives it, and where to search for it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.energy import ridge_error, ridge_gain
from linscape.landscape.outputs.dispatch import output_bracket
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import is_isotropic
from linscape.landscape.outputs.noisy import noisy_bracket, noisy_gain
from linscape.landscape.outputs.transition import is_trivial
from linscape.landscape.realisation import with_free_biases
from linscape.landscape.theorems import has_decayed_outputs
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

Array = NDArray[np.float64]

LEAST_SQUARES = "least squares over all linear predictors, which no network is better than"


class Floor(NamedTuple):
    """A proven lower bound, the theorem behind it, and networks worth starting from."""

    lower: float
    source: str
    starts: list[list[Array]]


def proven_floor(problem: Problem) -> Floor:
    """Return the best lower bound on the loss that holds for a problem."""
    if not has_decayed_outputs(problem):
        return Floor(_least_squares(problem), LEAST_SQUARES, [])
    measure, network = OutputMeasure.of(problem), problem.network
    solved = network.depth == 1 and is_isotropic(measure)
    if solved or not any(network.noise) or is_trivial(problem, measure):
        bracket = output_bracket(problem, measure)
        return Floor(bracket.lower, bracket.source, [bracket.weights()])
    found = noisy_gain(problem, measure)
    bracket = noisy_bracket(problem, measure, None, found=found)
    starts = [
        start if network.bias is False else with_free_biases(problem, start)
        for start in found.starts
    ]
    return Floor(bracket.lower, bracket.source, [bracket.weights(), *starts])


def _least_squares(problem: Problem) -> float:
    """Return the loss of least squares, with an intercept if there are biases, rounded down."""
    network = Network((), bias="free" if problem.network.bias else False)
    linear = Problem(problem.moments, network, reduction=problem.reduction)
    total = float(np.trace(linear_moments(linear)[2]))
    zero, explained = np.zeros(1), 0.0
    for measure in spectra(linear):
        if not measure.null_is_rounding:
            return 0.0
        most = float((ridge_gain(measure, zero) + ridge_error(measure, zero))[0])
        explained += math.ldexp(most, 2 * measure.output_exponent)
    rounding = 64 * len(linear.moments.A) * UNIT_ROUNDOFF
    return problem.data_factor * max(total - explained * (1 + rounding) - rounding * total, 0.0)
