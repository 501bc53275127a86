"""The global minimum for inputs of one variance, without noise: mode by mode, at any depth."""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.energy.candidates import Gain, largest_gain
from linscape.landscape.energy.energy import Energy
from linscape.landscape.interval import from_logarithm
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import rank_limit, singular_modes
from linscape.problem import Problem

Array = NDArray[np.float64]


def isotropic_minimum(
    problem: Problem, measure: OutputMeasure, trivial: bool | None, theorem: str
) -> GlobalMinimum:
    """Return the global minimum where A = s²I, summed over the singular directions of C.

    Where the widths are short the largest singular values are kept: the gain grows with σ_j.
    """
    modes = singular_modes(measure)[: rank_limit(problem)]
    gains = [largest_gain(Energy.of(problem, mode.spectrum)) for mode in modes]
    predictor = np.zeros((problem.moments.outputs, problem.moments.inputs))
    for mode, gain in zip(modes, gains, strict=True):
        if gain.log_ridge > -math.inf:
            ridge = from_logarithm(-gain.log_ridge, "the ridge parameter of a mode")
            along = mode.spectrum.unscaled(mode.spectrum.ridge_predictor(ridge, 0.0))
            predictor += np.outer(mode.outer, along)
    return assembled(
        problem,
        _total(problem, measure, gains),
        predictor=predictor,
        is_trivial=trivial,
        null_directions=measure.spectrum.null_directions,
        theorem=theorem,
    )


def _total(problem: Problem, measure: OutputMeasure, gains: list[Gain]) -> GainBounds:
    """Add up the modes, in the units of the problem."""
    unit = problem.data_factor * math.ldexp(1.0, 2 * measure.spectrum.output_exponent)
    several = 1 + 8 * (len(gains) + 1) * UNIT_ROUNDOFF
    lower, value, upper, rounding, spectral = (
        unit * math.fsum(getattr(gain, name) for gain in gains)
        for name in ("lower", "value", "upper", "rounding", "spectral")
    )
    lost = 0.0 if measure.spectrum.null_is_rounding else math.inf
    return GainBounds(lower / several, value, upper * several, rounding, spectral, lost)
