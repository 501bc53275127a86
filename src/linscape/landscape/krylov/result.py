"""What quadrature says of a minimum, as a `GlobalMinimum`."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.certificate import Certificate
from linscape.landscape.interval import from_logarithm
from linscape.landscape.minimum import GlobalMinimum
from linscape.problem import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KrylovCertificate(Certificate):
    """lower ≤ min L ≤ upper by Gauss quadrature, in the units of the loss.

    Not proven beyond rounding: `rounding` and `spectral` rest on an estimate of what rounding does
    to Lanczos. `truncation` is the distance between the two quadrature rules, which more steps
    make smaller; `null_directions` is 0, since none are looked for.

    Attributes
    ----------
    steps : int
        Products with E[xxᵀ].
    residual : float
        ‖c − (τA + λ)p‖/‖c‖ of the predictor p, c = E[xy] and λ = P K^{−D}: for that λ, p is off by
        at most residual·‖c‖/λ.
    """

    steps: int
    residual: float


def krylov_result(
    problem: Problem,
    *,
    predictor: Array,
    is_trivial: bool | None,
    at_zero: float,
    gain: tuple[float, float, float],
    rounding: float,
    spectral: float,
    truncation: float,
    theorem: str,
    steps: int,
    residual: float,
) -> GlobalMinimum:
    """Return the minimum whose gain over `at_zero` has the given lower bound, value, upper bound.

    The predictor is (d,); everything is in the units of the problem.
    """
    gain_lower, value, gain_upper = gain
    slack = 8 * UNIT_ROUNDOFF * at_zero
    lower = max(at_zero - gain_upper - slack, 0.0)
    upper = max(at_zero - gain_lower + slack, lower)
    return GlobalMinimum(
        problem=problem,
        loss=min(max(at_zero - value, lower), upper),
        lower=lower,
        upper=upper,
        gain=value,
        gain_lower=gain_lower,
        gain_upper=gain_upper,
        is_trivial=is_trivial,
        energy=_energy(problem, predictor),
        predictor=predictor if problem.moments.C.ndim == 1 else predictor[None],
        intercept=_intercept(problem, predictor),
        certificate=KrylovCertificate(
            theorem=theorem,
            lower=lower,
            upper=upper,
            rounding=rounding,
            spectral=spectral,
            truncation=truncation,
            null_directions=0,
            steps=steps,
            residual=residual,
        ),
    )


def krylov_zero(problem: Problem, at_zero: float, theorem: str) -> GlobalMinimum:
    """Return the minimum where E[xy] = 0: zero, without a step."""
    return krylov_result(
        problem,
        predictor=np.zeros(problem.moments.inputs),
        is_trivial=True,
        at_zero=at_zero,
        gain=(0.0, 0.0, 0.0),
        rounding=0.0,
        spectral=0.0,
        truncation=0.0,
        theorem=theorem,
        steps=0,
        residual=0.0,
    )


def _energy(problem: Problem, predictor: Array) -> float:
    """Return K = (P‖p‖²)^{1/(D+1)}, the energy γ‖W‖² of each layer."""
    size = float(np.max(np.abs(predictor)))
    if size == 0 or not all(problem.network.weight_decay):
        return 0.0
    log_norm = math.log(size) + math.log(float(np.linalg.norm(predictor / size)))
    log_size = problem.network.log_decay_product + 2 * log_norm
    return from_logarithm(log_size / (problem.network.depth + 1), "the energy")


def _intercept(problem: Problem, predictor: Array) -> float | Array:
    """Return E[y] − p·E[x] for biases free of decay, else zero."""
    moments = problem.moments
    intercept = np.zeros(moments.outputs)
    if problem.network.bias == "free":
        intercept = np.reshape(np.asarray(moments.mean_y), -1) - predictor @ np.asarray(
            moments.mean_x
        )
    return float(intercept[0]) if moments.C.ndim == 1 else intercept
