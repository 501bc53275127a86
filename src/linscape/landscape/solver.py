"""The global minimum, with the interval in which it is proven to lie."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.enclosure import UNIT_ROUNDOFF
from linscape.errors import OutOfRange
from linscape.landscape.assembly import GainBounds, assembled
from linscape.landscape.energy.attained import attained_gain
from linscape.landscape.energy.candidates import Gain, largest_gain
from linscape.landscape.energy.energy import Energy, ridge_error, ridge_gain
from linscape.landscape.energy.thresholds import learning_threshold
from linscape.landscape.interval import from_logarithm
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.dispatch import output_minimum
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.theorems import covering_theorem, has_decayed_outputs, learns_by_rank
from linscape.landscape.unregularised.modes import modes_of
from linscape.landscape.unregularised.reduced_rank import reduced_rank_minimum
from linscape.moments import Moments
from linscape.network import Network
from linscape.problem import Problem
from linscape.spectrum import Spectrum, spectra

Array = NDArray[np.float64]


_SHARP = 2.0**-42  # a gain known to this needs no second evaluation


class _Part(NamedTuple):
    """The solution for one output, in the units of its spectrum."""

    spectrum: Spectrum
    gain: Gain
    ridge: float  # μ in p = (A + μ)⁻¹c/τ; infinite at zero
    predictor: Array
    is_trivial: bool | None


def undecayed_minimum(problem: Problem) -> GlobalMinimum:
    """Return the :func:`linscape.global_minimum` of a problem without biases that decay.

    Raises
    ------
    NoExactSolution, OutOfRange
        As that does; biases that decay are refused here.
    """
    source = _source(problem)
    return _minimum(problem, spectra(problem), source)


@guarded
def global_minima(moments: Moments, networks: Iterable[Network]) -> list[GlobalMinimum]:
    """Return the :func:`linscape.global_minimum` of each network on the same data.

    Networks that agree in their biases and in the noise on their inputs share one
    eigendecomposition: nothing else of a network enters the spectrum.

    Parameters
    ----------
    moments : Moments
        The data.
    networks : iterable of Network
        Any number of them.

    Returns
    -------
    list of GlobalMinimum
        In the order of `networks`.

    Raises
    ------
    NoExactSolution, OutOfRange
        As that, before anything is solved if it can be known before; biases that decay are
        refused.

    Examples
    --------
    A = c = E[y²] = 1 and one hidden layer: p = 1 − γ, and zero for γ ≥ 1.

    >>> import linscape as ls
    >>> networks = [ls.Network(hidden=(3,), weight_decay=decay) for decay in (0.25, 0.5, 2.0)]
    >>> minima = global_minima(ls.Moments([[1.0]], [1.0], 1.0), networks)
    >>> [round(float(minimum.predictor[0]), 12) for minimum in minima]
    [0.75, 0.5, 0.0]
    """
    problems = [Problem(moments, network) for network in networks]
    sources = [_source(problem) for problem in problems]
    known: dict[tuple[bool, float], list[Spectrum]] = {}
    minima = []
    for problem, source in zip(problems, sources, strict=True):
        key = (problem.network.bias == "free", problem.network.input_noise)
        if key not in known:
            known[key] = spectra(problem)
        minima.append(_minimum(problem, known[key], source))
    return minima


def _source(problem: Problem) -> str | None:
    """Return the theorem that covers a problem, None for several outputs: it turns out there."""
    return None if has_decayed_outputs(problem) else covering_theorem(problem)


def _minimum(problem: Problem, measures: Sequence[Spectrum], source: str | None) -> GlobalMinimum:
    if source is None:
        return output_minimum(problem, OutputMeasure.from_spectra(measures))
    if learns_by_rank(problem):
        return reduced_rank_minimum(problem, modes_of(problem, measures), source)
    parts = [_solve(problem, measure) for measure in measures]
    decisions = [part.is_trivial for part in parts]
    return assembled(
        problem,
        _total(problem, parts),
        predictor=np.array([part.spectrum.unscaled(part.predictor) for part in parts]),
        is_trivial=None if None in decisions else all(decisions),
        null_directions=max(part.spectrum.null_directions for part in parts),
        theorem=source,
    )


def _solve(problem: Problem, measure: Spectrum) -> _Part:
    network = problem.network
    if network.depth == 0 or not any(network.weight_decay):
        return _linear(problem, measure)
    energy = Energy.of(problem, measure)
    gain = largest_gain(energy)
    trivial = _is_trivial(energy, gain)
    if trivial:
        gain = Gain.zero()
    if gain.log_ridge == -math.inf:
        return _Part(measure, gain, math.inf, np.zeros(problem.moments.inputs), trivial)
    ridge = from_logarithm(-gain.log_ridge, "the ridge parameter of the minimum")
    log_decay = energy.log_decay_product, energy.log_error
    return _attained(problem, measure, gain, ridge, log_decay, trivial)


def _is_trivial(energy: Energy, gain: Gain) -> bool | None:
    """Say whether zero is the minimum, that is P ≥ P*; None if undecided.

    A gain proven positive, or proven absent, decides; near the transition log P* is enclosed by
    itself, which is sharper.
    """
    if gain.lower > 0:
        return False
    if gain.upper == 0 and energy.spectrum.null_is_rounding:
        return True
    learns = energy.is_below(
        learning_threshold(energy.spectrum, energy.depth, energy.log_inflation)
    )
    return None if learns is None else not learns


def _linear(problem: Problem, measure: Spectrum) -> _Part:
    """Solve ridge regression, or least squares under noise: the ridge parameter is known."""
    network = problem.network
    log_decay, ridge = (-math.inf, 0.0), 0.0
    if network.depth == 0 and network.weight_decay[0]:
        # not the exponential of its logarithm, which would lose as many digits as that has
        decay = network.weight_decay[0] / problem.data_factor
        with np.errstate(over="ignore"):
            ridge = float(np.ldexp(decay, -2 * measure.input_exponent))
        if not np.finfo(np.float64).tiny <= ridge < math.inf:
            raise OutOfRange(
                "the decay is too large or too small beside the inputs for a 64-bit float; "
                "rescale the data or the decay"
            )
        log_decay = math.log(ridge), 4 * UNIT_ROUNDOFF * (1 + abs(math.log(ridge)))
    inflation = network.inflation
    at = np.array([ridge])
    value = float(ridge_gain(measure, at)[0]) / inflation
    spectral = float(ridge_error(measure, at)[0]) / inflation
    rounding = (64 + math.log2(1 + len(measure.values))) * UNIT_ROUNDOFF * value
    lower = max(value - spectral - rounding, 0.0)
    gain = Gain(lower, value, value + spectral + rounding, -math.inf, rounding, spectral)
    return _attained(problem, measure, gain, ridge, log_decay, not np.any(measure.coefficients))


def _attained(
    problem: Problem,
    measure: Spectrum,
    gain: Gain,
    ridge: float,
    log_decay: tuple[float, float],
    is_trivial: bool | None,
) -> _Part:
    """Add the predictor p = (A + μ)⁻¹c/τ, and the gain it attains where that is sharper."""
    network = problem.network
    predictor = measure.ridge_predictor(ridge, network.log_inflation)
    if gain.rounding + gain.spectral > _SHARP * gain.value:
        value, error = attained_gain(network, measure, *log_decay, predictor)
        if error < gain.rounding + gain.spectral:
            gain = gain._replace(value=max(value, 0.0))
        gain = gain._replace(lower=max(gain.lower, value - error))
    return _Part(measure, gain, ridge, predictor, is_trivial)


def _total(problem: Problem, parts: Sequence[_Part]) -> GainBounds:
    """Add up the outputs, in the units of the problem."""
    lower, value, upper, rounding, spectral = (
        math.fsum(_in_units(problem, part, getattr(part.gain, name)) for part in parts)
        for name in ("lower", "value", "upper", "rounding", "spectral")
    )
    truncation = math.fsum(_in_units(problem, part, _truncation(problem, part)) for part in parts)
    if not all(part.spectrum.null_is_rounding for part in parts):
        truncation = math.inf  # a direction with signal was lost: it may hold all
    several = 1 + 8 * len(parts) * UNIT_ROUNDOFF
    return GainBounds(lower / several, value, upper * several, rounding, spectral, truncation)


def _truncation(problem: Problem, part: _Part) -> float:
    """Return what the directions left out could gain if their variance were rounding."""
    measure = part.spectrum
    if math.isinf(part.ridge) or not measure.null_signal:
        return 0.0
    variance = max(measure.value_error, 2 * UNIT_ROUNDOFF)
    return measure.null_signal**2 / (variance + part.ridge) / problem.network.inflation


def _in_units(problem: Problem, part: _Part, gain: float) -> float:
    with np.errstate(over="ignore"):
        value = float(np.ldexp(problem.data_factor * gain, 2 * part.spectrum.output_exponent))
    if math.isinf(value):
        raise OutOfRange("the gain does not fit a 64-bit float; rescale y")
    return value
