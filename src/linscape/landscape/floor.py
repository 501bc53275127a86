"""Lower bounds on the global minimum where no theorem gives it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.energy import ridge_error, ridge_gain
from linscape.landscape.factors import balanced_factors
from linscape.landscape.outputs.deep import framed_gain
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.realisation import with_free_biases
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

Array = NDArray[np.float64]

LEAST_SQUARES = "least squares over all linear predictors, which no network is better than"
FRAMED = "a matrix above the family of one-output gains (noise in the hidden layers only adds)"


class Floor(NamedTuple):
    """A proven lower bound, the theorem behind it, and networks worth starting from."""

    lower: float
    source: str
    starts: list[list[Array]]


def proven_floor(problem: Problem) -> Floor:
    """Return the best lower bound on the loss that holds for a problem."""
    if problem.network.bias == "decayed" or not all(problem.network.weight_decay):
        return Floor(_least_squares(problem), LEAST_SQUARES, [])
    measure = OutputMeasure.of(problem)
    found = framed_gain(problem, measure)
    at_zero = problem.data_factor * float(np.trace(linear_moments(problem)[2]))
    unit = problem.data_factor * math.ldexp(1.0, 2 * measure.spectrum.output_exponent)
    lower = at_zero - unit * found.upper * (1 + 8 * UNIT_ROUNDOFF) - 4 * UNIT_ROUNDOFF * at_zero
    if not measure.spectrum.null_is_rounding:
        lower = 0.0
    exponent = measure.spectrum.output_exponent - measure.spectrum.input_exponent
    start = _network(problem, np.ldexp(found.product, exponent))
    return Floor(max(lower, 0.0), FRAMED, [start])


def _network(problem: Problem, product: Array) -> list[Array]:
    network = problem.network
    deviations = np.sqrt(np.diagonal(linear_moments(problem)[0]))
    weights = balanced_factors(
        product, network.hidden, weight_decay=network.weight_decay, column_scale=deviations
    )
    return weights if network.bias is False else with_free_biases(problem, weights)


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
