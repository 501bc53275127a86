"""Ways down from a saddle as weights, each checked by evaluating what it claims."""

import itertools
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.classification import Classification
from linscape.landscape.escape import Escape, best_step, inner, loss_fall, unit
from linscape.landscape.unregularised.descents import Moves, exchange, loosened
from linscape.landscape.unregularised.frame import Frame, hidden_means, linear_layers
from linscape.landscape.unregularised.paths import paths
from linscape.landscape.unregularised.position import Position
from linscape.landscape.unregularised.tightness import SAFETY, levels
from linscape.problem import Problem

Array = NDArray[np.float64]

_AGREEMENT = 0.1  # between the fall and its leading order, somewhere along the way


def way_by_exchange(
    problem: Problem, weights: list[Array], at: Frame, where: Position
) -> Escape | None:
    """Return the direction that exchanges a mode for a larger one."""
    if where.kept_direction is None or where.missing_direction is None:
        return None
    moves = exchange(at, where.kept_direction, where.missing_direction)
    return _direction(problem, weights, at, moves)


def way_by_loosening(
    problem: Problem,
    weights: list[Array],
    at: Frame,
    pivot: tuple[int, int],
    result: Classification,
) -> Escape | None:
    """Return the direction of two layers that are not tight."""
    found = [
        _direction(problem, weights, at, moves)
        for moves in loosened(at, *pivot, _zero(at, result, 1.0))
    ]
    escapes = [escape for escape in found if escape is not None]
    return min(escapes, key=lambda escape: escape.coefficient, default=None)


def way_by_path(
    problem: Problem, weights: list[Array], at: Frame, result: Classification
) -> Escape | None:
    """Return the path along which the fewest layers move together."""
    noise, residual_noise = _zero(at, result, 1.0), _zero(at, result, at.size)
    for moves, gain in paths(at, result.rank or 0, noise, residual_noise):
        for exponents in _exponents(len(moves)):
            amounts = dict(zip(moves, exponents, strict=True))
            escape = _path(problem, weights, at, moves, gain, amounts)
            if escape is not None:
                return escape
    return None


def _exponents(layers: int) -> list[tuple[int, ...]]:
    """Return ways to let the layers of a path move at different powers of t, the simplest first.

    Partial products that cost more than the path gains can become negligible in this way.
    """
    ones = np.ones(layers, dtype=int)
    steps = np.eye(layers, dtype=int)
    raised = [ones + step for step in steps]
    twice = [ones + one + other for one, other in itertools.combinations_with_replacement(steps, 2)]
    return [tuple(map(int, exponents)) for exponents in [ones, *raised, *twice]]


def _path(
    problem: Problem,
    weights: list[Array],
    at: Frame,
    moves: Moves,
    gain: float,
    exponents: dict[int, int],
) -> Escape | None:
    raw = _as_weights(problem, weights, at, moves)
    direction = unit(raw)
    amount = _ratio(direction, raw)
    scale = problem.data_factor * math.prod(at.scales) ** 2
    escape = Escape(
        kind="path",
        order=sum(exponents.values()),
        coefficient=-2 * scale * gain * amount ** len(moves),
        curvature=None,
        direction=direction,
        exponents=tuple(exponents.get(h, 1) for h in range(1, len(weights) + 1)),
        step=0.0,
        decrease=0.0,
        problem=problem,
        start=weights,
    )
    return _checked(escape, at, {h: amount * V for h, V in moves.items()})


def _zero(at: Frame, result: Classification, size: float) -> float:
    return levels(at, result.gradient_norm, result.tolerance, size).zero


def _direction(problem: Problem, weights: list[Array], at: Frame, moves: Moves) -> Escape | None:
    """Return the combination of two layers' moves of most negative curvature, if it is negative."""
    layers = sorted(moves)
    raw = [_as_weights(problem, weights, at, {layer: moves[layer]}) for layer in layers]
    units = [unit(part) for part in raw]
    images = [problem.hessian_product(weights, part) for part in units]
    form = np.array([[inner(one, image) for image in images] for one in units])
    amounts = _most_negative(form)
    if amounts is None:
        return None
    direction = [
        sum(amount * part[k] for amount, part in zip(amounts, units, strict=True))
        for k in range(len(weights))
    ]
    amounts = amounts / math.sqrt(inner(direction, direction))  # free biases are in both moves
    direction = unit(direction)
    if inner(problem.gradient(weights), direction) > 0:
        direction, amounts = [-part for part in direction], -amounts
    curvature = inner(direction, problem.hessian_product(weights, direction))
    if not curvature < 0:
        return None
    scaled = {
        layer: amount * _ratio(one, whole) * moves[layer]
        for layer, amount, one, whole in zip(layers, amounts, units, raw, strict=True)
    }
    escape = Escape(
        kind="direction",
        order=2,
        coefficient=curvature / 2,
        curvature=curvature,
        direction=direction,
        exponents=(1,) * len(direction),
        step=0.0,
        decrease=0.0,
        problem=problem,
        start=weights,
    )
    clear = curvature < -SAFETY * at.rounding * float(np.max(np.abs(form)))
    return _checked(escape, at, scaled) or (escape if clear else None)


def _checked(escape: Escape, at: Frame, moves: Moves) -> Escape | None:
    """Return the escape with a step at which the loss is lower, None if there is none.

    The fall is evaluated as c(2⟨E, ΔP⟩ − ‖ΔP‖²), which keeps its digits, and the loss itself must
    agree with it. It must also be as large as `order` and `coefficient` say.
    """
    scale = escape.problem.data_factor * math.prod(at.scales) ** 2
    before, residual = at.product, at.residual

    def fall(t: float) -> float:
        layers = [
            layer + t ** escape.exponents[h - 1] * moves[h] if h in moves else layer
            for h, layer in enumerate(at.layers, start=1)
        ]
        change = replace(at, layers=tuple(layers)).product - before
        return scale * float(2 * np.vdot(residual, change) - np.vdot(change, change))

    def confirmed(t: float) -> float:
        """Return the fall where it is what order and coefficient say."""
        lost, predicted = fall(t), -escape.coefficient * t**escape.order
        return lost if abs(lost - predicted) <= _AGREEMENT * predicted else -math.inf

    largest = 1 / max(float(np.linalg.norm(move)) for move in moves.values())
    step, decrease = best_step(confirmed, largest)
    from_losses, error = loss_fall(escape.problem, escape.start, escape.weights(step))
    visible = decrease > 8 * scale * at.rounding * at.size
    if not visible or abs(from_losses - decrease) > error + decrease / 1000:
        return None
    return replace(escape, step=step, decrease=decrease)


def _as_weights(problem: Problem, weights: list[Array], at: Frame, moves: Moves) -> list[Array]:
    """Return moves of the factors as a direction of the weights; free biases keep E[f]."""
    direction = [np.zeros_like(weight) for weight in weights]
    linear = linear_layers(problem, direction)
    for layer, move in moves.items():
        linear[layer - 1][...] = at.weight_direction(layer, move)
    if problem.network.bias is False:
        return direction
    means, mean = hidden_means(problem, weights), np.zeros(problem.moments.inputs)
    for weight, move, before in zip(linear_layers(problem, weights), linear, means, strict=False):
        mean = weight @ mean + move @ before
    direction[-1][:, -1] = -mean
    return direction


def _ratio(one: list[Array], whole: list[Array]) -> float:
    """Return the factor that makes `one` of `whole`, its multiple."""
    return inner(one, one) / inner(one, whole)


def _most_negative(form: Array) -> Array | None:
    """Return the unit vector of least value of a 2 × 2 form, None if that is not negative."""
    (p, q), (_, s) = form
    determinant = p * s - q * q
    if determinant >= 0 and p + s >= 0:
        return None
    largest = (p + s) / 2 + math.hypot((p - s) / 2, q)
    least = determinant / largest
    vector = (
        np.array([q, least - p]) if abs(least - p) > abs(least - s) else np.array([least - s, q])
    )
    return np.asarray(vector / np.linalg.norm(vector))
