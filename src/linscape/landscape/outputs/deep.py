"""The global minimum without noise at any depth, certified by a matrix above a family."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.energy.energy import Energy
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.frame import Frame, FrameProblem, candidate_frames
from linscape.landscape.outputs.majorant import bounded_gain
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import rank_limit
from linscape.problem import Problem
from linscape.spectrum import linear_moments

Array = NDArray[np.float64]

_GAP = 1e-9  # of the gain: an interval this narrow ends the search


class FramedGain(NamedTuple):
    """The largest gain found by a frame, the product that attains it, and a bound on any gain."""

    lower: float
    value: float
    upper: float
    product: Array  # (m, d), in the units of the measure


def framed_gain(problem: Problem, measure: OutputMeasure) -> FramedGain:
    """Return the best gain without noise, between what a frame attains and what none exceeds.

    In the units of the measure; every decay positive.
    """
    energy = Energy.of(problem, measure.spectrum)
    frames = FrameProblem(measure, energy, rank_limit(problem))
    shape = problem.moments.outputs, problem.moments.inputs
    best = FramedGain(0.0, 0.0, math.inf, np.zeros(shape))
    for frame in candidate_frames(frames):
        found = _attained(problem, measure, energy, frames, frame)
        upper = min(best.upper, bounded_gain(measure, energy, frames, frame))
        best = (found if found.value > best.value else best)._replace(upper=upper)
        if best.upper - best.lower <= _GAP * best.value:
            break
    return best._replace(upper=max(best.upper, best.lower))


def deep_minimum(
    problem: Problem, measure: OutputMeasure, found: FramedGain, trivial: bool | None, theorem: str
) -> GlobalMinimum:
    """Return the minimum that :func:`framed_gain` found, as the global minimum."""
    s, t = measure.spectrum.input_exponent, measure.spectrum.output_exponent
    unit = problem.data_factor * math.ldexp(1.0, 2 * t)
    gain = GainBounds(
        unit * found.lower,
        unit * found.value,
        unit * found.upper,
        rounding=unit * (found.upper - found.lower),
        spectral=0.0,
        truncation=0.0 if measure.spectrum.null_is_rounding else math.inf,
    )
    return assembled(
        problem,
        gain,
        predictor=np.ldexp(found.product, t - s),
        is_trivial=trivial,
        null_directions=measure.spectrum.null_directions,
        theorem=theorem,
    )


def _attained(
    problem: Problem, measure: OutputMeasure, energy: Energy, frames: FrameProblem, frame: Frame
) -> FramedGain:
    """Return what the network of a frame gains in the stored moments, its rounding bounded.

    The network is that of the factors U and (p_1, …, p_k) as they are stored: its penalty follows
    from the singular values of the second, for U has norm one to rounding.
    """
    spectrum = measure.spectrum
    A, C, _ = linear_moments(problem)
    A = np.ldexp(A, -2 * spectrum.input_exponent)
    C = np.ldexp(C, -spectrum.input_exponent - spectrum.output_exponent)
    seen = frames.signal @ frame.directions
    rows = (frames.weights(frame.logs) * seen).T @ spectrum.basis.T
    product = frame.directions @ rows
    unit = UNIT_ROUNDOFF * (4 * len(A) + 4 * len(product) + 16)
    sizes = np.abs(frame.directions) @ np.abs(rows)
    signal, quadratic = float(np.sum(product * C.T)), float(np.sum((product @ A) * product))
    error = 2 * unit * float(np.sum(sizes * np.abs(C.T)))
    error += 3 * unit * float(np.sum((sizes @ np.abs(A)) * sizes))
    layers = energy.depth + 1
    singular = np.linalg.svd(rows, compute_uv=False) * (1 + 4 * unit)
    powers = np.exp((energy.log_decay_product + 2 * np.log(singular)) / layers)
    penalty = layers * float(np.sum(powers))
    slack = (4 * unit + 2 * energy.log_error) * penalty
    value = 2 * signal - quadratic - penalty
    return FramedGain(max(value - error - slack, 0.0), max(value, 0.0), math.inf, product)
