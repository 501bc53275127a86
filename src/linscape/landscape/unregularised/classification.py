"""The kind of a critical point of a network without decay or noise, by theory."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.classification import Classification, Kind
from linscape.landscape.escape import Escape
from linscape.landscape.unregularised.frame import Frame, frame, linear_layers, mean_residual
from linscape.landscape.unregularised.inertia import computed_inertia
from linscape.landscape.unregularised.modes import Modes, data_modes
from linscape.landscape.unregularised.position import Position, position
from linscape.landscape.unregularised.tightness import SAFETY, Tightness, tightness
from linscape.landscape.unregularised.ways import way_by_exchange, way_by_loosening, way_by_path
from linscape.problem import Problem

Array = NDArray[np.float64]

SOURCE = "Achour, Malgouyres & Gerchinovitz (2021), Theorem 1, by rank and loss"


def classified(problem: Problem, weights: list[Array], tolerance: float) -> Classification:
    """Classify weights of a network without decay or noise in its hidden layers."""
    modes = data_modes(problem)
    at = frame(problem, linear_layers(problem, weights), tolerance)
    gradient = at.gradient_norm()
    if problem.network.bias == "free":
        gradient = math.hypot(gradient, mean_residual(problem, weights)[1])
    result = Classification(
        kind="undecided",
        reason="",
        source=SOURCE,
        gradient_norm=gradient,
        tolerance=tolerance,
        loss=float(problem.loss(weights)),
    )
    if gradient > tolerance:
        return _not_critical(result, at)
    where = position(at, modes, gradient, tolerance)
    if where.rank is None:
        return replace(
            result,
            reason=f"the rank of the end-to-end map is not clear: a singular value of "
            f"{where.doubtful:.2g}, relative to the target's norm, may be zero or not",
        )
    located = replace(result, rank=where.rank, modes=where.modes, values=where.values)
    decided = _decided(problem, weights, at, modes, where, located)
    return replace(decided, inertia=computed_inertia(problem, at, decided))


def _not_critical(result: Classification, at: Frame) -> Classification:
    rounding = SAFETY * at.rounding / at.size
    if result.gradient_norm <= rounding:
        return replace(
            result,
            reason=f"the layers cancel so much that rounding alone may leave a relative gradient "
            f"of {rounding:.2g}; whether the weights are critical is not clear",
        )
    return replace(
        result,
        kind="not critical",
        reason=f"the relative gradient {result.gradient_norm:.3g} exceeds the tolerance "
        f"{result.tolerance:.3g}",
    )


def _decided(
    problem: Problem,
    weights: list[Array],
    at: Frame,
    modes: Modes,
    where: Position,
    result: Classification,
) -> Classification:
    """Return the kind of a critical point whose rank is known."""
    rank = where.rank or 0
    if where.largest is None:
        return replace(
            result,
            reason=f"a mode left out has the value {where.largest_missing:.17g} and one contained "
            f"{where.least_kept:.17g}, too close for their error {where.error:.2g}: the modes are "
            "or are not the largest",
        )
    if not where.largest:
        escape = way_by_exchange(problem, weights, at, where)
        reason = (
            f"a mode left out, of value {where.largest_missing:.12g}, is larger than one "
            f"contained, of value {where.least_kept:.12g}"
        )
        return _saddle(result, "strict saddle", reason, escape)
    if rank >= modes.learned:
        return replace(
            result,
            kind="global minimum",
            reason=f"it contains the largest {rank} of {modes.rank} modes, and the narrowest layer "
            f"has width {modes.rank_limit}",
        )
    tight = tightness(at, rank, result.gradient_norm, result.tolerance)
    return _second_order(problem, weights, at, tight, replace(result, tightened=tight.tightened))


def _second_order(
    problem: Problem, weights: list[Array], at: Frame, tight: Tightness, result: Classification
) -> Classification:
    """Return the kind of a critical point that contains the largest modes, and not all it could."""
    prefix = f"of its modes it contains the largest {result.rank} only; "
    if tight.tightened is None:
        return replace(
            result,
            reason=prefix
            + f"both blocks of pivot {tight.undecided} exceed that rank, but by no more "
            f"than the tolerance (product {tight.strength:.2g}): strict, or close to non-strict",
        )
    if tight.pivot is not None:
        escape = way_by_loosening(problem, weights, at, tight.pivot, result)
        reason = prefix + f"both blocks of the pivot (i, j) = {tight.pivot} have a larger rank"
        return _saddle(result, "strict saddle", reason, escape)
    escape = way_by_path(problem, weights, at, result)
    reason = prefix + "one block of every pivot has that rank: no two layers help to second order"
    return _saddle(result, "non-strict saddle", reason, escape)


def _saddle(
    result: Classification, kind: Kind, reason: str, escape: Escape | None
) -> Classification:
    if escape is None:
        return replace(
            result,
            reason=f"{reason}, so a {kind}; but the way down that this gives does not show in the "
            "loss, in 64-bit floats",
        )
    return replace(result, kind=kind, reason=reason, escape=escape)
