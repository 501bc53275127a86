"""The kind of a critical point of a network with decay or noise, from its gradient and Hessian."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution, OutOfRange
from linscape.landscape.classification import Classification
from linscape.landscape.curvature import curvature
from linscape.landscape.curvature.curvature import Curvature
from linscape.landscape.escape import Escape, best_step, inner, loss_fall
from linscape.landscape.minimise import global_minimum
from linscape.landscape.symmetries import orbit_dimension
from linscape.landscape.unregularised.frame import layer_scales, linear_layers
from linscape.problem import Problem
from linscape.spectrum import linear_moments, spectra

Array = NDArray[np.float64]

SOURCE = "numerical: gradient and extreme eigenvalues of the Hessian in float64"
DENSE = 600  # weights; beyond, the whole spectrum is not computed
_ZERO = 1e-8  # eigenvalues below this, relative to the largest, count as zero
_BAND = 10.0
_SAFETY = 32.0
_LOSS = 1e-13  # rounding of a loss, relative to the terms it is made of


def classified_by_curvature(
    problem: Problem, weights: list[Array], tolerance: float
) -> Classification:
    """Classify weights of any network by what the gradient and the Hessian are in float64."""
    reference = _reference(problem, weights)
    scales = natural_scales(problem, weights, tolerance)
    gradient = relative_gradient(problem, weights, reference, scales)
    result = Classification(
        kind="undecided",
        reason="",
        source=SOURCE,
        gradient_norm=gradient,
        tolerance=tolerance,
        loss=float(problem.loss(weights)),
    )
    if gradient > tolerance:
        reason = f"the relative gradient {gradient:.3g} exceeds the tolerance {tolerance:.3g}"
        return replace(result, kind="not critical", reason=reason)
    found = curvature(problem, weights)
    largest = max(abs(found.smallest.value), abs(found.largest.value))
    zero = (_ZERO + _SAFETY * gradient) * largest
    result = replace(result, inertia=_inertia(problem, weights, zero))
    if found.smallest.value < -_BAND * zero:
        return _strict(problem, weights, result, found, float(np.linalg.norm(scales)))
    return _without_descent(problem, weights, result, found, zero, reference)


def natural_scales(problem: Problem, weights: list[Array], tolerance: float) -> Array:
    """Return the size of each layer, of those close to zero the one at which they would matter."""
    norms = np.array([np.linalg.norm(layer, 2) for layer in linear_layers(problem, weights)])
    predictors = [m.unscaled(m.ridge_predictor(0.0, 0.0)) for m in spectra(problem)]
    return layer_scales(norms, float(np.linalg.norm(np.array(predictors))), tolerance)


def relative_gradient(
    problem: Problem, weights: list[Array], reference: float, scales: Array
) -> float:
    """Return (Σ (s_h‖∂L/∂W_h‖)²)^{½} over the size of the loss, s_h the scale of each layer."""
    if reference == 0:
        return 0.0
    A, _, _ = linear_moments(problem)
    size = math.sqrt(float(np.trace(A)))
    square = 0.0
    for scale, part in zip(scales, problem.gradient(weights), strict=True):
        linear = part if problem.network.bias is False else part[:, :-1]
        square += (scale * float(np.linalg.norm(linear))) ** 2
        size *= scale
        if problem.network.bias is not False:
            square += (size * float(np.linalg.norm(part[:, -1]))) ** 2
    return math.sqrt(square) / reference


def _reference(problem: Problem, weights: list[Array]) -> float:
    """Return the sum of what data, network and decays have in the loss."""
    yy = float(np.trace(linear_moments(problem)[2]))
    explained = sum(
        math.ldexp(float(np.sum(m.coefficients**2 / m.values)), 2 * m.output_exponent)
        for m in spectra(problem)
    )
    energies = float(np.sum(problem.energies(weights)))
    data = float(problem.loss(weights)) - energies
    return problem.data_factor * explained + energies + abs(data - problem.data_factor * yy)


def _strict(
    problem: Problem,
    weights: list[Array],
    result: Classification,
    found: Curvature,
    largest_step: float,
) -> Classification:
    """Return a strict saddle, if the loss falls along the most negative direction found."""
    direction = [np.array(part) for part in found.smallest.direction]
    if inner(problem.gradient(weights), direction) > 0:
        direction = [-part for part in direction]
    value = found.smallest.value
    escape = Escape(
        kind="direction",
        order=2,
        coefficient=value / 2,
        curvature=value,
        direction=direction,
        exponents=(1,) * len(direction),
        step=0.0,
        decrease=0.0,
        problem=problem,
        start=weights,
    )

    def fall(t: float) -> float:
        return loss_fall(problem, weights, escape.weights(t))[0]

    step, _ = best_step(fall, largest_step)
    decrease, error = loss_fall(problem, weights, escape.weights(step))
    reason = f"the Hessian has the curvature {value:.6g} (largest {found.largest.value:.6g})"
    if decrease <= error:
        return replace(result, reason=f"{reason}, but the loss does not fall beyond its rounding")
    escape = replace(escape, step=step, decrease=decrease)
    return replace(result, kind="strict saddle", reason=reason, escape=escape)


def _without_descent(
    problem: Problem,
    weights: list[Array],
    result: Classification,
    found: Curvature,
    zero: float,
    reference: float,
) -> Classification:
    """Return the kind where no curvature is clearly negative."""
    least = found.smallest.value
    if not found.converged:
        return replace(result, reason="Lanczos has not converged")
    upper = _certified_upper(problem)
    slack = reference * (_LOSS + 1e3 * result.gradient_norm**2)
    if upper is not None and result.loss <= upper + slack:
        return replace(
            result,
            kind="global minimum",
            reason=f"the loss is within {slack:.2g} of the certified upper bound {upper:.17g}",
        )
    beside = "" if upper is None else f"; the global minimum is {upper:.10g}"
    if least > _BAND * zero:
        return replace(
            result,
            kind="local minimum",
            reason=f"the Hessian is positive definite, least eigenvalue {least:.3g}{beside}",
        )
    if result.inertia is not None and result.inertia[0] == 0:
        orbit = orbit_dimension(problem, weights)
        if result.inertia[1] == orbit:
            return replace(
                result,
                kind="local minimum",
                reason=f"the Hessian is positive except along the {orbit} directions that only mix "
                f"hidden units{beside}",
            )
    return replace(
        result,
        reason=f"the least eigenvalue {least:.3g} is zero up to {zero:.2g}, and higher orders "
        "decide",
    )


def _certified_upper(problem: Problem) -> float | None:
    try:
        return float(global_minimum(problem).upper)
    except (NoExactSolution, OutOfRange):
        return None


def _inertia(problem: Problem, weights: list[Array], zero: float) -> tuple[int, int, int] | None:
    """Return (n₋, n₀, n₊) of a small net whose eigenvalues separate."""
    if sum(weight.size for weight in weights) > DENSE:
        return None
    values = np.linalg.eigvalsh(problem.hessian(weights))
    if np.any((np.abs(values) > zero) & (np.abs(values) <= _BAND * zero)):
        return None
    negative, positive = int(np.sum(values < -zero)), int(np.sum(values > zero))
    return negative, len(values) - negative - positive, positive
