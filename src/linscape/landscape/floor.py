"""Lower bounds on the global minimum where no theorem gives it, and where to search for it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.energy.energy import ridge_error, ridge_gain
from linscape.landscape.outputs.dispatch import output_bracket
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import is_isotropic, rank_limit
from linscape.landscape.outputs.noisy import noisy_bracket, noisy_gain
from linscape.landscape.outputs.noisy_isotropic import shrunk
from linscape.landscape.outputs.transition import is_trivial
from linscape.landscape.realisation import with_free_biases
from linscape.landscape.theorems import has_decayed_outputs
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

Array = NDArray[np.float64]

LEAST_SQUARES = "least squares over all linear predictors, which no network is better than"

NOISE_ALONE = "least squares under the nuclear norm that noise makes, decay left out"


class Floor(NamedTuple):
    """A proven lower bound, the theorem behind it, and networks worth starting from."""

    lower: float
    source: str
    starts: list[list[Array]]


def proven_floor(problem: Problem) -> Floor:
    """Return the best lower bound on the loss that holds for a problem."""
    if not has_decayed_outputs(problem):
        return _without_decay(problem)
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


def _without_decay(problem: Problem) -> Floor:
    """Bound the loss by what noise alone leaves of least squares.

    Decay only adds, so E‖Mx − y‖² + (τ − 1)‖MA^½‖_*², the rank of M at most the least width, bounds
    every loss. With b_j the singular values of A^−½C it is least at t_j = (b_j − (τ − 1)Σ t)₊.
    """
    network = problem.network
    if network.bias == "decayed" or not any(network.noise):
        return Floor(_least_squares(problem), LEAST_SQUARES, [])
    measure = OutputMeasure.of(problem)
    if not measure.spectrum.null_is_rounding:
        return Floor(0.0, LEAST_SQUARES, [])
    whitened = measure.coefficients / np.sqrt(measure.spectrum.values)[:, None]
    signals = np.linalg.svd(whitened, compute_uv=False)[: rank_limit(problem)]
    excess = math.expm1(network.log_inflation)
    gain = shrunk(np.asarray(signals, dtype=np.float64), 0.0, 1.0, excess)[1]
    # the gain grows with each b_j², at most as fast
    gain += len(signals) * float(measure.ridge_error(np.zeros(1))[0])
    total = float(np.trace(linear_moments(problem)[2]))
    gain = math.ldexp(gain, 2 * measure.spectrum.output_exponent)
    rounding = 64 * sum(whitened.shape) * UNIT_ROUNDOFF * total
    return Floor(problem.data_factor * max(total - gain - rounding, 0.0), NOISE_ALONE, [])


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
