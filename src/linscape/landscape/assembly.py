"""From a largest gain, with the interval it is proven to lie in, to the global minimum."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.certificate import Certificate
from linscape.landscape.interval import from_logarithm
from linscape.landscape.minimum import GlobalMinimum
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]


class GainBounds(NamedTuple):
    """The largest gain over zero, in the units of the problem, and the parts of its interval.

    `upper` leaves out `truncation`: what directions of x taken to have no variance could add.
    """

    lower: float
    value: float
    upper: float
    rounding: float
    spectral: float
    truncation: float


def assembled(
    problem: Problem,
    gain: GainBounds,
    *,
    predictor: Array,
    is_trivial: bool | None,
    null_directions: int,
    theorem: str,
) -> GlobalMinimum:
    """Return the minimum whose predictor, (m, d), attains the largest gain."""
    at_zero = problem.data_factor * float(np.trace(linear_moments(problem)[2]))
    truncation = min(gain.truncation, max(at_zero - gain.lower, 0.0))
    gain_upper = (gain.upper + truncation) * (1 + 4 * UNIT_ROUNDOFF)
    slack = 4 * UNIT_ROUNDOFF * at_zero
    lower = max(at_zero - gain_upper - slack, 0.0)
    upper = max(at_zero - gain.lower + slack, lower)  # data that are fitted exactly leave rounding
    return GlobalMinimum(
        problem=problem,
        loss=min(max(at_zero - gain.value, lower), upper),
        lower=lower,
        upper=upper,
        gain=gain.value,
        gain_lower=gain.lower,
        gain_upper=gain_upper,
        is_trivial=is_trivial,
        energy=_energy(problem, predictor),
        predictor=_flat(problem, predictor),
        intercept=_intercept(problem, predictor),
        certificate=Certificate(
            theorem=theorem,
            lower=lower,
            upper=upper,
            rounding=gain.rounding,
            spectral=gain.spectral,
            truncation=truncation,
            null_directions=null_directions,
        ),
    )


def _energy(problem: Problem, predictor: Array) -> float:
    """Return K = P^{1/(D+1)} Σ s_j(M)^{2/(D+1)}, the energy γ‖W‖² of each layer."""
    size = float(np.max(np.abs(predictor)))
    if size == 0 or not all(problem.network.weight_decay):
        return 0.0
    layers = problem.network.depth + 1
    sizes = np.linalg.svd(predictor / size, compute_uv=False)
    # a product of factors has singular values that are only rounding
    kept = sizes[sizes > 1e-12 * sizes[0]] if layers > 1 else sizes
    total = math.fsum(kept ** (2 / layers))
    log_size = problem.network.log_decay_product + 2 * math.log(size)
    return from_logarithm(log_size / layers + math.log(total), "the energy")


def _flat(problem: Problem, predictor: Array) -> Array:
    return predictor[0] if problem.moments.C.ndim == 1 else predictor


def _intercept(problem: Problem, predictor: Array) -> float | Array:
    """Return E[y] − p·E[x] for biases free of decay, else zero."""
    moments = problem.moments
    if problem.network.bias == "free":
        mean_y = np.reshape(np.asarray(moments.mean_y), -1)
        intercept = mean_y - predictor @ np.asarray(moments.mean_x)
    else:
        intercept = np.zeros(len(predictor))
    return float(intercept[0]) if moments.C.ndim == 1 else intercept
