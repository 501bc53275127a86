"""Several outputs under noise: the best network known, a bound on any, and where they meet."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.energy.energy import Energy
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.equalised import copied_units, equalised_factors
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import is_isotropic, rank_limit
from linscape.landscape.outputs.newton import Factors
from linscape.landscape.outputs.noisy_certificate import certified_gain
from linscape.landscape.outputs.noisy_isotropic import noisy_isotropic_minimum
from linscape.landscape.outputs.noisy_layer import best_units
from linscape.landscape.outputs.noisy_newton import NoisyLayer, Point
from linscape.landscape.outputs.single_mode import (
    SingleMode,
    best_single_mode,
    single_mode_bound,
)
from linscape.landscape.outputs.tilted import tilted_gain
from linscape.problem import Problem

Array = NDArray[np.float64]

_SMALL = 1e-6  # singular values this small beside the largest are none

SHRUNK = "equalised units (one hidden layer with noise, inputs of one variance)"
BOTTLENECK = "the best network of rank one, all that the narrowest layer lets through"
SINGLE_LAYER = "a network of rank one, certified by the dual of the convex problem below noise"
SINGLE_DEEP = "a network of rank one, certified by a linear bound on the noise"


class NoisyGain(NamedTuple):
    """What noise leaves to gain, in the units of the problem."""

    lower: float  # proven of the network of rank one
    value: float
    upper: float  # proven of all networks
    product: Array  # (m, d), of the network of rank one
    starts: tuple[list[Array], ...]  # weights without biases from which a search may descend


def noisy_bracket(
    problem: Problem,
    measure: OutputMeasure,
    trivial: bool | None,
    suffix: str = "",
    found: NoisyGain | None = None,
) -> GlobalMinimum:
    """Return the best network of rank one, with the interval that holds the global minimum.

    Exact are one hidden layer with A = s²I, at any rank, and layers of which one has a single unit;
    else whatever the interval shows: it closes wherever the best network has rank one and is
    certified to be the best of all. `found` is the problem's :func:`noisy_gain`, if it is known.
    """
    if problem.network.depth == 1 and is_isotropic(measure):
        return noisy_isotropic_minimum(problem, measure, trivial, SHRUNK + suffix)
    found = noisy_gain(problem, measure) if found is None else found
    return assembled(
        problem,
        GainBounds(
            found.lower,
            found.value,
            found.upper,
            rounding=found.upper - found.lower,
            spectral=0.0,
            truncation=0.0 if measure.spectrum.null_is_rounding else math.inf,
        ),
        predictor=found.product,
        is_trivial=trivial,
        null_directions=measure.spectrum.null_directions,
        theorem=_theorem(problem) + suffix,
    )


def noisy_gain(problem: Problem, measure: OutputMeasure) -> NoisyGain:
    """Return the best network of rank one, a bound on the gain of any, and starts for a search."""
    energy = Energy.of(problem, measure.spectrum)
    unit = problem.data_factor * math.ldexp(1.0, 2 * measure.spectrum.output_exponent)
    single = best_single_mode(problem, measure)
    if problem.network.depth == 1:
        upper, starts = _one_layer(problem, measure, energy, single)
    else:
        upper, starts = _by_tilting(problem, measure, energy, single)
    if np.any(single.product):
        starts = [*starts, equalised_factors(single.product, problem)]
        if rank_limit(problem) == 1:
            upper = min(upper, single_mode_bound(measure, energy))
    upper = max(unit * upper, single.lower)
    return NoisyGain(single.lower, single.value, upper, single.product, tuple(starts))


def _theorem(problem: Problem) -> str:
    if rank_limit(problem) == 1:
        return BOTTLENECK
    return SINGLE_LAYER if problem.network.depth == 1 else SINGLE_DEEP


def _by_tilting(
    problem: Problem, measure: OutputMeasure, energy: Energy, single: SingleMode
) -> tuple[float, list[list[Array]]]:
    """Return the bound by a function below the noise, and the network it suggests."""
    rank = rank_limit(problem)
    upper = rank * single_mode_bound(measure, energy)
    if rank == 1 or not np.any(single.product):
        return upper, []
    exponent = measure.spectrum.output_exponent - measure.spectrum.input_exponent
    unit = problem.data_factor * math.ldexp(1.0, 2 * measure.spectrum.output_exponent)
    product = np.ldexp(single.product, -exponent) @ measure.spectrum.basis
    tilted = tilted_gain(measure, energy, rank, product, single.lower / unit)
    several = np.ldexp(tilted.product @ measure.spectrum.basis.T, exponent)
    return min(upper, tilted.upper), [equalised_factors(several, problem)]


def _one_layer(
    problem: Problem, measure: OutputMeasure, energy: Energy, single: SingleMode
) -> tuple[float, list[list[Array]]]:
    """Return the bound of the convex problem, and the networks its solution suggests.

    Where the layer has fewer units than that solution modes, tilting sees it and may do better.
    """
    (width,), (variance,) = problem.network.hidden, problem.network.noise
    penalty = 2 * math.exp(energy.log_decay_product / 2)
    spread = max(variance / width, 1e-300)  # a noise below that no float sees
    layer = NoisyLayer(measure.spectrum.values, measure.coefficients.T, spread, penalty)
    if 2 * float(np.linalg.norm(layer.target, 2)) <= penalty * (1 + 1e-12):
        # at the edge: zero is the best to rounding, and any small T serves
        least = float(np.linalg.norm(layer.target)) * 1e-12
        return certified_gain(measure, energy, layer, np.zeros_like(layer.target), least), []
    starts: list[list[Array]] = []
    units = best_units(layer)
    product, noise = units.left @ units.right, Point(layer, units).noise
    upper = certified_gain(measure, energy, layer, product, noise)
    exponent = measure.spectrum.output_exponent - measure.spectrum.input_exponent
    outer, sizes, inner = np.linalg.svd(product, full_matrices=False)
    if 1 < width < int(np.sum(sizes > _SMALL * sizes[0])):
        tilted, starts = _by_tilting(problem, measure, energy, single)
        upper = min(upper, tilted)
    short = (outer[:, :width] * sizes[:width]) @ inner[:width] @ measure.spectrum.basis.T
    starts.append(equalised_factors(np.ldexp(short, exponent), problem))
    copied = copied_units(units, layer.values, width)
    if copied is not None:
        starts.append(_weights(problem, measure, copied))
    return upper, starts


def _weights(problem: Problem, measure: OutputMeasure, units: Factors) -> list[Array]:
    """Return W and U of units in the eigenbasis with ‖u_j‖ = ‖w_j‖, their energies equal."""
    first, last = problem.network.weight_decay
    exponent = measure.spectrum.output_exponent - measure.spectrum.input_exponent
    balance, half = math.sqrt(math.sqrt(last) / math.sqrt(first)), 2.0 ** (exponent % 2 / 2)
    return [
        np.ldexp(units.right @ measure.spectrum.basis.T * (half * balance), exponent // 2),
        np.ldexp(units.left * (half / balance), exponent // 2),
    ]
