"""What a point of a chain is in the problem: its predictor, its weights, the gain it attains."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.biases.setting import Setting, check_range
from linscape.landscape.energy.attained import attained_gain
from linscape.problem import Problem

Array = NDArray[np.float64]


class Point(NamedTuple):
    """Ridge parameters of the layers above `dead` dead ones; None for the trivial state."""

    ridges: Array | None
    dead: int = 0


class BestFit(NamedTuple):
    """p (d,) and c_1, …, c_D with y in the units of the setting."""

    predictor: Array
    offsets: Array


def best_fit(problem: Problem, found: Setting, point: Point) -> BestFit:
    """Return the best p and c for the ridge parameters of a point."""
    predictor = np.zeros(problem.moments.inputs)
    if point.ridges is None:
        return BestFit(predictor, np.zeros(problem.network.depth))
    chain = found.chain.above(point.dead) if point.dead else found.chain
    state = chain.state(point.ridges[:, None])
    offsets = found.sign * np.append(np.zeros(point.dead), state.offsets[:, 0])
    if not point.dead:
        predictor = found.sign * (found.basis @ state.predictor[0])
    check_range(predictor, offsets)
    return BestFit(predictor, offsets)


def attained(
    problem: Problem, found: Setting, point: Point, values: BestFit
) -> tuple[float, float]:
    """Return the gain that a solution attains on the moments themselves, and its rounding error.

    Any p, c and V bound the largest gain from below: nothing depends on how they were found.
    """
    if point.ridges is None:
        return 0.0, 0.0
    chain, measure, (predictor, offsets) = found.chain, found.measure, values
    shift = measure.input_exponent - measure.output_exponent + found.exponent
    shifted = np.ldexp(predictor, shift)
    fitted = attained_gain(problem.network, measure, -math.inf, 0.0, shifted)
    units = 2 * (measure.output_exponent - found.exponent)
    fit, error = (math.ldexp(part, units) for part in fitted)
    products = predictor * np.asarray(problem.moments.mean_x)
    levels = found.sign * (math.fsum(products) + np.cumsum(offsets))
    sizes = float(np.sum(np.abs(products))) + float(np.sum(np.abs(offsets)))
    target = chain.pull * levels[-1] * (2 * chain.target - levels[-1])
    costs = _costs(found, point, values, levels)
    slope = np.sum(chain.noise * np.abs(levels)) + chain.pull * abs(chain.target - levels[-1])
    moved = 2 * (4 + chain.depth) * UNIT_ROUNDOFF * sizes * float(slope)
    terms = (64 + 8 * chain.depth + len(predictor)) * UNIT_ROUNDOFF
    total = fit + target - costs
    return float(total), float(error + moved + terms * (costs + abs(target) + abs(fit)))


def layers(problem: Problem, found: Setting, point: Point, values: BestFit) -> tuple[Array, ...]:
    """Return [W_1 β_1], …, [U β_U]: units of one size, ‖U‖²⋯‖W_{k+1}‖² = V_k = γ_k/(αz_k)."""
    network, moments = problem.network, problem.moments
    predictor, offsets = (np.ldexp(part, found.exponent) for part in values)
    weights = [np.zeros(shape) for shape in problem.shapes]
    level = math.fsum(predictor * np.asarray(moments.mean_x)) + math.fsum(offsets)
    mean_y = float(np.reshape(np.asarray(moments.mean_y), ()))
    weights[-1][0, -1] = (mean_y - level) / (1 + found.chain.output_decay)
    if point.ridges is None:
        return tuple(weights)
    decays = np.array(network.weight_decay[point.dead : -1]) / problem.data_factor
    norms = np.append(np.ones(point.dead), np.sqrt(decays / point.ridges))  # √V_k
    for k in range(point.dead, network.depth):
        unit = norms[k] * math.sqrt(network.hidden[k])
        if k > point.dead:
            weights[k][:, :-1] = norms[k - 1] / unit / math.sqrt(network.hidden[k - 1])
        elif k == 0:
            weights[k][:, :-1] = predictor / unit
        weights[k][:, -1] = offsets[k] / unit
    weights[-1][0, :-1] = norms[-1] / math.sqrt(network.hidden[-1])
    check_range(*weights)
    return tuple(weights)


def _costs(found: Setting, point: Point, values: BestFit, levels: Array) -> float:
    """Return everything in the loss that is not the fit of p or of the constant."""
    assert point.ridges is not None
    chain, ridges = found.chain, point.ridges
    norms = chain.decays[point.dead :] / ridges
    return math.fsum(
        [
            *(chain.noise * levels**2),
            float(ridges[0] * np.sum(values.predictor**2)),
            *(ridges * values.offsets[point.dead :] ** 2),
            chain.output_decay * norms[-1],
            *(ridges[1:] * norms[:-1]),
        ]
    )
