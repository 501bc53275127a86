"""The global minimum of one hidden layer without noise, for any number of outputs."""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.interval import from_logarithm
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.duality import gain_bounds
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.nuclear import NuclearProblem, nuclear_minimum
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]


def one_layer_minimum(
    problem: Problem,
    measure: OutputMeasure,
    trivial: bool | None,
    theorem: str,
    before: GlobalMinimum | None = None,
) -> GlobalMinimum:
    """Return the global minimum of E‖Mx − y‖² + 2√(γ_uγ_w)‖M‖_*, that of one hidden layer.

    The interval is that of the duality gap at the M found. M needs as many units as its
    rank: the width is that of x or y at least.

    Parameters
    ----------
    problem, measure : Problem, OutputMeasure
        One hidden layer without noise, no narrower than x or y, decays positive.
    trivial : bool or None
        Whether zero is the minimum; not True.
    theorem : str
        The words of the certificate.
    before : GlobalMinimum, optional
        Of a nearby problem, from which the search starts.
    """
    penalty = _penalty(problem, measure)
    exponent = measure.spectrum.output_exponent - measure.spectrum.input_exponent
    start = None
    if before is not None and np.any(before.predictor):
        start = np.ldexp(before.predictor, -exponent) @ measure.spectrum.basis
    rotated = nuclear_minimum(
        NuclearProblem(measure.spectrum.values, measure.coefficients.T, penalty), start
    )
    product = rotated @ measure.spectrum.basis.T
    return assembled(
        problem,
        _gain(problem, measure, penalty, product),
        predictor=np.ldexp(product, exponent),
        is_trivial=trivial,
        null_directions=measure.spectrum.null_directions,
        theorem=theorem,
    )


def _penalty(problem: Problem, measure: OutputMeasure) -> float:
    """Return 2√(γ_uγ_w) in the units of the measure."""
    exponent = measure.spectrum.input_exponent + measure.spectrum.output_exponent
    logarithm = math.log(2 / problem.data_factor) - exponent * math.log(2)
    return from_logarithm(
        logarithm + problem.network.log_decay_product / 2, "the penalty on the product"
    )


def _gain(problem: Problem, measure: OutputMeasure, penalty: float, product: Array) -> GainBounds:
    """Return the proven gain in the units of the problem."""
    A, C, yy = linear_moments(problem)
    s, t = measure.spectrum.input_exponent, measure.spectrum.output_exponent
    total = math.ldexp(float(np.trace(yy)), -2 * t)
    gain = gain_bounds(np.ldexp(A, -2 * s), np.ldexp(C, -s - t), total, penalty, product)
    unit = problem.data_factor * math.ldexp(1.0, 2 * t)
    return GainBounds(*(unit * part for part in gain))
