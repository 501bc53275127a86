"""The global minimum when biases decay with their layers: which theorem, and its answer."""

import dataclasses

from linscape.landscape.biases.convex import convex_minimum
from linscape.landscape.biases.deep import deep_minimum
from linscape.landscape.biases.free import (
    equivalent_with_free_biases,
    is_centred,
    with_free_biases,
)
from linscape.landscape.biases.result import BiasedMinimum
from linscape.landscape.minimum import GlobalMinimum
from linscape.landscape.solver import undecayed_minimum
from linscape.landscape.theorems import covering_theorem, require_one_output
from linscape.problem import Problem
from linscape.spectrum import spectra

NO_DECAY = "; without decay it makes no difference whether biases decay"
_WIDE = 1e-10  # of the loss of the trivial state
THEOREM_6 = (
    "; Ziyin, Li & Meng (2022), Theorem 6: where E[x] = 0 and E[y] = 0, decayed biases vanish"
)


def decayed_bias_minimum(problem: Problem) -> GlobalMinimum:
    r"""Return the global minimum of a network whose biases decay with their layers, exactly.

    For one output, every decay positive, any widths, noise, means and moments:

    - no hidden layer: ridge regression on (x, 1), for any number of outputs;
    - one hidden layer: Theorem 5 of the source, corrected. It is a problem without biases, its
      minimum exact and unique up to the symmetries of the units, and it is the trivial state iff
      ‖c̃‖² ≤ γ_uγ_w, c̃ = E[x'y] − E[y]E[x']/(1 + γ_u), x' = (x, 1);
    - E[x] = 0 and E[y] = 0, any depth: Theorem 6; all biases vanish. With several outputs too, and
      the minimum is what :func:`linscape.global_minimum` gives without biases;
    - any depth and means: the loss comes down to one number a layer
      (:mod:`linscape.landscape.biases.chain`), and branch and bound proves the interval. Where it
      stops before the interval closes, `certificate.theorem` says "numerical", and the interval
      still holds.

    Without any decay the biases are free, and the centred moments decide. The widths enter through
    σ_k²/d_k alone: without noise they do not matter.

    Parameters
    ----------
    problem : Problem
        Its network has ``bias="decayed"``.

    Returns
    -------
    GlobalMinimum
        A :class:`BiasedMinimum`, whose `gain` is counted from the trivial state; for several
        outputs with hidden layers the class that has no biases to count.

    Raises
    ------
    InvalidNetwork
        If the network has no biases, or free ones.
    NoExactSolution
        For several outputs with hidden layers whose means are not zero, or some decays zero and
        others not.
    OutOfRange
        If the answer is too large or too small for a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), *Exact solutions of a deep linear network*, Appendix D.

    Examples
    --------
    x = 0 and y = 2 in every row, one hidden layer, γ = ¼, κ = ⅕: only biases can fit the constant.
    Theorem 5 is then the problem of one input, with Ã = κ, c̃ = 2κ, ỹ² = 4κ. Its loss
    κ(2 − p)² + ½|p| is least at p = ¾.

    >>> import linscape as ls
    >>> moments = ls.Moments.from_arrays([[0.0]], [2.0])
    >>> network = ls.Network(hidden=(3,), weight_decay=0.25, bias="decayed")
    >>> minimum = decayed_bias_minimum(ls.Problem(moments, network))
    >>> round(minimum.loss, 12), round(minimum.gain, 12)   # ⅕·(5/4)² + ½·¾, and ⅘ minus that
    (0.6875, 0.1125)
    >>> round(float(ls.Problem(moments, network).loss(minimum.weights())), 12)
    0.6875
    """
    network = problem.network
    centred, equivalent = with_free_biases(problem), equivalent_with_free_biases(problem)
    if network.depth > 0 and problem.moments.outputs > 1 and equivalent is not None:
        return _of_several_outputs(problem, equivalent)
    if network.depth > 0:
        require_one_output(problem)
    covering_theorem(centred)
    if not any(network.weight_decay):
        return _as_decayed(problem, undecayed_minimum(centred), NO_DECAY)
    if is_centred(problem):
        return _as_decayed(problem, undecayed_minimum(centred), THEOREM_6)
    if network.depth > 1:
        return _by_chain(problem, centred)
    minimum = convex_minimum(problem, centred)
    narrow = minimum.certificate.gap <= _WIDE * (minimum.loss + minimum.gain)
    if network.depth == 0 or narrow:
        return minimum
    # x and the constant differ so much in scale that forming Ã cost digits; a chain forms none
    other = _by_chain(problem, centred)
    return minimum if minimum.certificate.gap <= other.certificate.gap else other


def _of_several_outputs(problem: Problem, equivalent: Problem) -> GlobalMinimum:
    """Return the minimum of the equivalent problem as one of this."""
    minimum = undecayed_minimum(equivalent)
    reason = THEOREM_6 if any(problem.network.weight_decay) else NO_DECAY
    theorem = minimum.certificate.theorem + reason
    certificate = dataclasses.replace(minimum.certificate, theorem=theorem)
    return dataclasses.replace(minimum, problem=problem, certificate=certificate)


def _by_chain(problem: Problem, centred: Problem) -> BiasedMinimum:
    (measure,) = spectra(centred)
    return deep_minimum(problem, measure, undecayed_minimum(centred))


def _as_decayed(problem: Problem, minimum: GlobalMinimum, reason: str) -> BiasedMinimum:
    """Return the minimum with free biases where decay leaves it alone."""
    values = {
        field.name: getattr(minimum, field.name) for field in dataclasses.fields(GlobalMinimum)
    }
    theorem = minimum.certificate.theorem + reason
    certificate = dataclasses.replace(minimum.certificate, theorem=theorem)
    values |= {"problem": problem, "certificate": certificate}
    return BiasedMinimum(**values, layers=tuple(minimum.weights()))
