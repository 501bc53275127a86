"""Which theorem covers several outputs under weight decay, and the minimum it gives."""

from linscape.errors import NoExactSolution
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.outputs.deep import deep_minimum, framed_gain
from linscape.landscape.outputs.isotropic import isotropic_minimum
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import is_isotropic
from linscape.landscape.outputs.noisy import noisy_bracket
from linscape.landscape.outputs.one_layer import one_layer_minimum
from linscape.landscape.outputs.transition import is_trivial
from linscape.landscape.outputs.zero import zero_minimum
from linscape.problem import Problem

_MET = 1e-8  # of the gain: the width up to which an interval counts as exact
_ROUNDING = 1e-12  # of the loss: what rounding may leave where the gain is small beside it

NUCLEAR = "nuclear-norm regression (one hidden layer, no noise): its duality gap"
ISOTROPIC = "separation over the singular values of E[xyᵀ] (inputs of one variance, no noise)"
FRAMED = (
    "orthonormal output directions (no noise), certified by a matrix above all one-output gains"
)
TRANSITION = "the learning transition of several outputs: zero is the global minimum"


def output_minimum(
    problem: Problem, measure: OutputMeasure, before: GlobalMinimum | None = None
) -> GlobalMinimum:
    """Return the global minimum of several outputs with hidden layers, all decays positive.

    As :func:`output_bracket`, where its interval is no wider than rounding and duality leave.

    Raises
    ------
    NoExactSolution
        If no theorem covers it, or the interval is wider.
    """
    minimum = output_bracket(problem, measure, before)
    gap = minimum.gain_upper - minimum.gain_lower
    allowed = max(_MET * minimum.gain_upper, _ROUNDING * minimum.upper)
    if gap > allowed and minimum.is_trivial is False:
        raise NoExactSolution(
            f"the best network found gains {minimum.gain_lower / minimum.gain_upper:.9f} of what "
            "is proven to be the most: that is no exact solution; search_minimum gives both ends"
        )
    return minimum


def output_bracket(
    problem: Problem, measure: OutputMeasure, before: GlobalMinimum | None = None
) -> GlobalMinimum:
    """Return the best network of several outputs, with the interval that holds the minimum.

    Parameters
    ----------
    problem : Problem
        Without biases, or with biases free of decay.
    measure : OutputMeasure
        Its data.
    before : GlobalMinimum, optional
        Of a nearby problem, from which a search may start.

    Raises
    ------
    NoExactSolution
        If no theorem covers it.
    """
    network = problem.network
    suffix = "; biases free of decay reduce it to the centred moments" * (network.bias == "free")
    trivial = is_trivial(problem, measure)
    if trivial:
        return zero_minimum(problem, measure, TRANSITION + suffix)
    if any(network.noise):
        return noisy_bracket(problem, measure, trivial, suffix)
    narrow = min(network.hidden) < min(problem.moments.inputs, problem.moments.outputs)
    if is_isotropic(measure) and (network.depth > 1 or narrow):
        return isotropic_minimum(problem, measure, trivial, ISOTROPIC + suffix)
    if network.depth == 1 and not narrow:
        return one_layer_minimum(problem, measure, trivial, NUCLEAR + suffix, before)
    found = framed_gain(problem, measure)
    return deep_minimum(problem, measure, found, trivial, FRAMED + suffix)
