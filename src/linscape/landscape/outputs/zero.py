"""Zero, where it is proven to be the global minimum of several outputs."""

import numpy as np

from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.problem import Problem


def zero_minimum(problem: Problem, measure: OutputMeasure, theorem: str) -> GlobalMinimum:
    """Return the zero network as the global minimum."""
    return assembled(
        problem,
        GainBounds(0.0, 0.0, 0.0, rounding=0.0, spectral=0.0, truncation=0.0),
        predictor=np.zeros((problem.moments.outputs, problem.moments.inputs)),
        is_trivial=True,
        null_directions=measure.spectrum.null_directions,
        theorem=theorem,
    )
