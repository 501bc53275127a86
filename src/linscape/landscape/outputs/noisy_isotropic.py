r"""One hidden layer with noise and inputs of one variance: the exact minimum at every width.

With A = s²I, ν = σ²/d_1 and h = √(γ_uγ_w) the loss of equalised networks separates but for one
number, Σ t_j (t_j the singular values of M):

    min over t ≥ 0, at most d_1 of them positive,  of  Σ_j [s²t_j² − 2(σ_j − h)t_j] + νs²(Σ_j t_j)²,

so that t_j = (σ_j − h − νs²Σ_i t_i)₊/s² for the largest σ_j.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linscape.enclosure import UNIT_ROUNDOFF
from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.energy.energy import Energy
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import rank_limit, singular_modes
from linscape.problem import Problem

Array = NDArray[np.float64]


def noisy_isotropic_minimum(
    problem: Problem, measure: OutputMeasure, trivial: bool | None, theorem: str
) -> GlobalMinimum:
    """Return the global minimum of one hidden layer with noise where A = s²I.

    The gain falls with s² and h and grows with every σ_j: its interval is its values at the ends
    of theirs.
    """
    modes = singular_modes(measure)[: rank_limit(problem)]
    energy = Energy.of(problem, measure.spectrum)
    signals = np.array([mode.signal for mode in modes])
    product = np.zeros((problem.moments.outputs, problem.moments.inputs))
    first = modes[0].spectrum
    square = float(first.values[0])
    (spread,) = (
        variance / width
        for variance, width in zip(problem.network.noise, problem.network.hidden, strict=True)
    )
    half = math.exp(energy.log_decay_product / 2)
    error = first.coefficient_error
    sizes, value = shrunk(signals, half, square, spread)
    for mode, size in zip(modes, sizes, strict=True):
        product += np.outer(mode.outer, first.unscaled(size * (mode.spectrum.basis[:, 0])))
    low, high = square - first.value_error, square + first.value_error
    relative = energy.log_error + UNIT_ROUNDOFF * (64 + 8 * len(modes))
    below = shrunk(
        signals - error, half * (1 + relative), high * (1 + relative), spread * (1 + relative)
    )[1]
    above = shrunk(
        signals + error, half * (1 - relative), low * (1 - relative), spread * (1 - relative)
    )[1]
    unit = problem.data_factor * math.ldexp(1.0, 2 * measure.spectrum.output_exponent)
    ends = (below * (1 - relative), value, above * (1 + relative))
    lower, middle, upper = (unit * end for end in ends)
    return assembled(
        problem,
        GainBounds(
            lower,
            middle,
            upper,
            rounding=upper - lower,
            spectral=0.0,
            truncation=0.0 if measure.spectrum.null_is_rounding else math.inf,
        ),
        predictor=product,
        is_trivial=trivial,
        null_directions=measure.spectrum.null_directions,
        theorem=theorem,
    )


def shrunk(signals: Array, half: float, square: float, spread: float) -> tuple[Array, float]:
    """Return the best t_j for descending σ_j, and the gain s²(Σ t_j² + ν(Σ t_j)²).

    Examples
    --------
    σ = (3, 1), h = ½, s = ν = 1: t = (3 − ½)/(1 + 1) for one mode, and 1 − ½ < νt for the other.

    >>> shrunk(np.array([3.0, 1.0]), 0.5, 1.0, 1.0)
    (array([1.25, 0.  ]), 3.125)
    """
    excess = np.maximum(signals - half, 0.0)
    sums = np.cumsum(excess)
    counts = np.arange(1, len(signals) + 1)
    raised = spread * sums / (1 + spread * counts)  # νs²Σt if so many modes are learned
    learned = int(np.sum(excess > raised))
    shift = float(raised[learned - 1]) if learned else 0.0
    sizes = np.maximum(excess - shift, 0.0) / square
    sizes[learned:] = 0.0
    gain = square * (float(np.sum(sizes**2)) + spread * float(np.sum(sizes)) ** 2)
    return sizes, gain
