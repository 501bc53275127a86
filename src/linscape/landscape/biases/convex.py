r"""Decayed biases with at most one hidden layer: exactly a problem without biases.

With x' = (x, 1), m' = E[x'], ȳ = E[y], and γ_u over the factor of the data term, the best output
bias is β_U = (ȳ − m'·p')/(1 + γ_u), and what is left is the problem without biases of the moments

    τÃ = τE[x'x'ᵀ] − m'm'ᵀ/(1 + γ_u),   c̃ = E[x'y] − ȳm'/(1 + γ_u),   ỹ² = E[y²] − ȳ²/(1 + γ_u).

Without a hidden layer x takes the place of x'. They are formed from the centred moments, as
τÃ = τCov(x') + (τ − 1 + κ)m'm'ᵀ and c̃ = Cov(x', y) + κȳm', κ = γ_u/(1 + γ_u), so nothing cancels.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.biases.result import BiasedMinimum
from linscape.landscape.certificate import Certificate
from linscape.landscape.energy.candidates import largest_gain
from linscape.landscape.energy.energy import Energy, log_decay_unit, ridge_error
from linscape.landscape.energy.thresholds import learning_threshold
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.realisation import solution_weights
from linscape.landscape.solver import undecayed_minimum
from linscape.moments import Moments
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import Spectrum, linear_moments, spectra

Array = NDArray[np.float64]

RIDGE = "ridge regression on (x, 1), its constant decayed (no hidden layer): the normal equations"
THEOREM_5 = (
    "Ziyin, Li & Meng (2022), Theorem 5, corrected: the problem without biases of (x, 1), its "
    "moments shrunk by the output bias"
)


class Reduced(NamedTuple):
    """The equivalent problem without biases, of data factor 1, and how far rounding has moved it.

    Attributes
    ----------
    problem : Problem
        Its first d inputs are x, the last is the constant where there is a hidden layer.
    value_error, signal_error : float
        Bounds on the errors of Ã in the spectral norm, and of c̃.
    """

    problem: Problem
    value_error: float
    signal_error: float


def reduced(problem: Problem, centred: Problem) -> Reduced:
    """Return the equivalent problem without biases, for at most one hidden layer.

    Parameters
    ----------
    problem : Problem
        With decayed biases.
    centred : Problem
        The same with biases free of decay, whose moments are the centred ones.
    """
    network = problem.network
    A, C, yy = linear_moments(centred)
    output_decay = network.weight_decay[-1] / problem.data_factor
    pull, excess = output_decay / (1 + output_decay), math.expm1(network.log_inflation)
    mean, mean_y = (
        np.asarray(problem.moments.mean_x),
        np.atleast_1d(np.asarray(problem.moments.mean_y)),
    )
    if network.depth:
        A, C = np.pad(A, (0, 1)), np.pad(C, ((0, 1), (0, 0)))
        mean = np.append(mean, 1.0)
    share = (excess + pull) / (1 + excess)
    rounding = 32 * (1 + network.log_inflation) * UNIT_ROUNDOFF
    errors = (
        rounding * (_norm(A) + share * _norm(mean) ** 2),
        rounding * (_norm(C) + pull * _norm(mean_y) * _norm(mean)),
    )
    moments = Moments(
        A + share * np.outer(mean, mean),
        C + pull * np.outer(mean, mean_y),
        yy + pull * np.outer(mean_y, mean_y),
    )
    equivalent = Network(
        network.hidden,
        noise=network.noise,
        weight_decay=[decay / problem.data_factor for decay in network.weight_decay],
    )
    return Reduced(Problem(moments, equivalent), *errors)


def _norm(values: Array) -> float:
    """Return the norm of all entries, without overflow."""
    size = float(np.max(np.abs(values), initial=0.0))
    return size * float(np.linalg.norm(values / (size or 1.0)))


def convex_minimum(problem: Problem, centred: Problem) -> BiasedMinimum:
    """Return the global minimum for at most one hidden layer, and any number of outputs without."""
    equivalent = reduced(problem, centred)
    minimum = undecayed_minimum(equivalent.problem)
    predictor = np.atleast_2d(minimum.predictor)
    lower, upper = _moved(equivalent, minimum)
    layers, intercept = _with_output_bias(problem, equivalent.problem.network, predictor)
    factor, flat = problem.data_factor, problem.moments.C.ndim == 1
    predictor = predictor[:, : problem.moments.inputs]
    at_zero = factor * float(np.trace(np.atleast_2d(equivalent.problem.moments.yy)))
    slack = 64 * UNIT_ROUNDOFF * at_zero
    gains = factor * lower, factor * minimum.gain, factor * upper
    least, most = max(at_zero - gains[2] - slack, 0.0), at_zero - gains[0] + slack
    own = minimum.certificate
    return BiasedMinimum(
        problem=problem,
        loss=min(max(at_zero - gains[1], least), most),
        lower=least,
        upper=most,
        gain=gains[1],
        gain_lower=gains[0],
        gain_upper=gains[2],
        is_trivial=is_trivial(equivalent),
        energy=factor * minimum.energy,
        predictor=predictor[0] if flat else predictor,
        intercept=float(intercept[0]) if flat else intercept,
        certificate=Certificate(
            THEOREM_5 if problem.network.depth else RIDGE,
            least,
            most,
            rounding=factor * (own.rounding + (upper - minimum.gain_upper)),
            spectral=factor * own.spectral,
            truncation=factor * own.truncation,
            null_directions=own.null_directions,
        ),
        layers=layers,
    )


def _with_output_bias(
    problem: Problem, network: Network, predictor: Array
) -> tuple[tuple[Array, ...], Array]:
    """Return the weights [W β] of predictors (m, d') and the constant part of their mean output."""
    inputs = problem.moments.inputs
    mean, mean_y = (
        np.asarray(problem.moments.mean_x),
        np.atleast_1d(np.asarray(problem.moments.mean_y)),
    )
    level = predictor[:, :inputs] @ mean + predictor[:, inputs:].sum(axis=1)
    bias = (mean_y - level) / (1 + network.weight_decay[-1])
    *hidden, last = solution_weights(network, predictor[0]) if network.depth else [predictor]
    layers = (*hidden, np.column_stack([last, bias]))
    return layers, bias + predictor[:, inputs:].sum(axis=1)


def _moved(equivalent: Reduced, minimum: GlobalMinimum) -> tuple[float, float]:
    """Return bounds on the gain that hold for the moments before rounding."""
    sizes = np.linalg.norm(np.atleast_2d(minimum.predictor), axis=1)
    inflation = equivalent.problem.network.inflation
    loss = inflation * equivalent.value_error * sizes**2 + 2 * equivalent.signal_error * sizes
    gain = sum(_extra(equivalent, measure) for measure in spectra(equivalent.problem))
    rounding = 8 * UNIT_ROUNDOFF * minimum.gain_upper
    lower = max(minimum.gain_lower - float(np.sum(loss)) - rounding, 0.0)
    return lower, minimum.gain_upper + gain + rounding


def _extra(equivalent: Reduced, measure: Spectrum) -> float:
    """Return what the gain can grow by when the rounding counts as an error of the spectrum."""
    problem, wide = equivalent.problem, _widened(equivalent, measure)
    unit = math.ldexp(1.0, 2 * measure.output_exponent)
    narrow = _only(measure, wide.lowered > 0)
    wide = _only(wide, wide.lowered > 0)
    lost = float(np.linalg.norm(measure.coefficients)) ** 2
    lost = max(lost - float(np.linalg.norm(wide.coefficients)) ** 2, 0.0)
    if problem.network.depth:
        lost /= wide.value_error or 1.0
        if not len(wide.values):
            return unit * lost
        before, after = (largest_gain(Energy.of(problem, part)) for part in (narrow, wide))
        return unit * (max(after.upper - before.upper, 0.0) + lost)
    ridge = math.exp(problem.network.log_decay_product - log_decay_unit(problem, measure))
    at = np.array([ridge])
    return unit * float((ridge_error(wide, at) - ridge_error(narrow, at))[0] + lost / ridge)


def _widened(equivalent: Reduced, measure: Spectrum) -> Spectrum:
    s, t = measure.input_exponent, measure.output_exponent
    return dataclasses.replace(
        measure,
        value_error=measure.value_error + math.ldexp(equivalent.value_error, -2 * s),
        coefficient_error=measure.coefficient_error + math.ldexp(equivalent.signal_error, -s - t),
    )


def _only(measure: Spectrum, kept: NDArray[np.bool_]) -> Spectrum:
    return dataclasses.replace(
        measure, values=measure.values[kept], coefficients=measure.coefficients[kept]
    )


def is_trivial(equivalent: Reduced) -> bool | None:
    """Say whether ‖c̃‖² ≤ γ_uγ_w, or without a hidden layer c̃ = 0; None within rounding."""
    problem = equivalent.problem
    measures = [_widened(equivalent, measure) for measure in spectra(problem)]
    if problem.network.depth == 0:
        if equivalent.signal_error == 0:  # c̃ has no part that is not zero
            return True
        sizes = (
            (float(np.linalg.norm(wide.coefficients)), wide.coefficient_error) for wide in measures
        )
        return False if any(size > error for size, error in sizes) else None
    (wide,) = measures
    energy = Energy.of(problem, wide)
    learns = energy.is_below(learning_threshold(wide, 1, energy.log_inflation))
    return None if learns is None else not learns
