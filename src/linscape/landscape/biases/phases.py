"""The phase, and the critical weight decay, of a network whose biases decay."""

import math
from dataclasses import dataclass

import numpy as np

from linscape.errors import NoExactSolution
from linscape.landscape.biases.convex import is_trivial, reduced
from linscape.landscape.biases.enumeration import Place, enumerated, sees_inputs
from linscape.landscape.biases.free import with_free_biases
from linscape.landscape.biases.search import TOLERANCE
from linscape.landscape.biases.setting import spectral_error
from linscape.landscape.biases.states import trivial_state
from linscape.landscape.biases.windows import Window, is_nontrivial, learning_windows
from linscape.landscape.solver import undecayed_minimum
from linscape.landscape.theorems import covering_theorem, require_one_output
from linscape.landscape.transition import CriticalWeightDecay, Phase
from linscape.problem import Problem
from linscape.spectrum import spectra

Pairs = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class BiasedCriticalWeightDecay(CriticalWeightDecay):
    """The weight decays at which a network learns whose biases decay, with one hidden layer.

    As :class:`linscape.CriticalWeightDecay`, but the decays that learn need not be an interval:
    `learning` is the largest of them, for one decay common to all layers, and below it there can be
    a gap in which the trivial state is the global minimum.

    Attributes
    ----------
    windows : tuple of (float, float)
        The open intervals of common decays that learn, one or two.
    factor_windows : tuple of (float, float)
        The same for a factor of the problem's own decays.
    """

    windows: Pairs
    factor_windows: Pairs


def biased_phase(problem: Problem) -> Phase:
    """Return the phase of a problem with decayed biases and one output.

    Raises
    ------
    NoExactSolution
        For several outputs, some decays zero and others not, or critical points too close to each
        other to be told apart.
    """
    centred = with_free_biases(problem)
    covering_theorem(centred)
    require_one_output(problem)
    if problem.network.depth > 1:
        return _deep_phase(problem, centred)
    if problem.network.depth:
        trivial: bool | None = not is_nontrivial(problem)
        learns = not trivial and sees_inputs(problem)
    else:
        trivial = is_trivial(reduced(problem, centred))
        learns = trivial is False
    if trivial is None:
        return Phase("undecided", True, None)
    return Phase("learning" if learns else "collapsed", False, trivial)


def _deep_phase(problem: Problem, centred: Problem) -> Phase:
    """Compare the best critical point that uses the inputs with the best of those that do not."""
    (measure,) = spectra(centred)
    found, places = enumerated(problem, measure)
    alive = [place for place in places if place.uses_inputs]
    others = [place for place in places if not place.uses_inputs]
    zero_is_minimum = trivial_state(problem).is_minimum
    unit = problem.data_factor * 4.0**found.exponent
    free_gain = undecayed_minimum(centred).gain_upper / unit
    best = max((place.gain for place in alive), default=0.0)
    error = 4 * TOLERANCE * found.chain.reach + spectral_error(found, free_gain, min(best, 0.0))
    name = _name(alive, _rivals(others, zero_is_minimum), error)
    if name != "learning" and not measure.null_is_rounding:
        name = "undecided"
    return Phase(name, name == "undecided", zero_is_minimum)


def _rivals(others: list[Place], zero_is_minimum: bool | None) -> list[tuple[float, bool]]:
    """Return the gains of the states that are constant, and whether they can be minima."""
    zero = (0.0, zero_is_minimum is not False)
    return [zero, *((place.gain, place.morse_index in (0, None)) for place in others)]


def _name(alive: list[Place], rivals: list[tuple[float, bool]], error: float) -> str:
    """Name the phase: a global minimum exists, and whatever is no minimum is none."""
    best = max((place.gain for place in alive), default=-math.inf)
    if all(gain < best - error or not (minimum or gain > best + error) for gain, minimum in rivals):
        return "learning"
    if best >= max(gain for gain, _ in rivals) - error:
        return "undecided"
    indices = {place.morse_index for place in alive}
    if 0 in indices:
        return "metastable"
    return "undecided" if None in indices else "collapsed"


def biased_critical_weight_decay(problem: Problem) -> BiasedCriticalWeightDecay:
    """Return the decays at which a network with decayed biases and at most one hidden layer learns.

    Raises
    ------
    NoExactSolution
        For several outputs, or more hidden layers.
    """
    require_one_output(problem)
    if problem.network.depth > 1:
        raise NoExactSolution(
            "with decayed biases, two hidden layers or more and means that are not zero, no "
            "threshold is known: larger decays also keep the output bias from its work, so that "
            "learning need not end at one decay; ask phase(problem) at the decays of interest"
        )
    if problem.network.depth == 0:
        return _without_hidden_layer(problem)
    if not sees_inputs(problem):
        return _thresholds([], [], None)
    common = learning_windows(problem, scaled=False)
    if all(problem.network.weight_decay):
        factors = learning_windows(problem, scaled=True)
        return _thresholds(common, factors, 2 if common else None)
    return _thresholds(common, None, 2 if common else None)


def _without_hidden_layer(problem: Problem) -> BiasedCriticalWeightDecay:
    """No decay is too large, unless there is nothing to fit."""
    moments = problem.moments
    signal = np.any(moments.covariance_xy) or (np.any(moments.mean_x) and np.any(moments.mean_y))
    end = math.inf if signal else 0.0
    windows: Pairs = ((0.0, math.inf),) if signal else ()
    return BiasedCriticalWeightDecay(
        end, end, end, end, (end, end), (end, end), None, windows, windows
    )


def _thresholds(
    common: list[Window], factors: list[Window] | None, order: int | None
) -> BiasedCriticalWeightDecay:
    """Build the result; without a product of the decays every factor learns, if any decay does."""
    edge = tuple(common[-1].end) if common else (0.0, 0.0)
    factor_windows: Pairs = ((0.0, math.inf),) if common else ()
    if factors is not None:
        factor_windows = _pairs(factors)
    factor = factor_windows[-1][1] if factor_windows else 0.0
    return BiasedCriticalWeightDecay(
        learning=edge[1],
        existence=edge[1],
        learning_factor=factor,
        existence_factor=factor,
        learning_interval=(edge[0], edge[1]),
        existence_interval=(edge[0], edge[1]),
        order=order,
        windows=_pairs(common),
        factor_windows=factor_windows,
    )


def _pairs(windows: list[Window]) -> Pairs:
    return tuple((window.begin.upper, window.end.upper) for window in windows)
