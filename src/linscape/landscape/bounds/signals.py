"""How strong the signal ‖E[xy]‖² must be, and how that grows with depth: (20)."""

import math

from linscape.arguments import guarded
from linscape.landscape.bounds.bound import SOURCE, Bound, Kind
from linscape.landscape.bounds.decays import EXISTENCE
from linscape.landscape.bounds.extremes import (
    COVERED,
    POSITIVE,
    SMALLEST,
    Extremes,
    has_equal_layers,
)
from linscape.landscape.bounds.isotropic import existence_share
from linscape.landscape.interval import from_logarithm
from linscape.problem import Problem

_MISPRINT = (
    "the leading term is 4 a_max γ ρ^{D−1}, ρ = 1 + σ²/d_0, not 4 d_0² a_max γ ρ^D, and falls with "
    "the width; and a signal below it proves nothing, for (15) is only sufficient"
)


@guarded
def signal_sufficient(problem: Problem) -> Bound:
    r"""Return the signal ‖E[xy]‖² from which a solution other than zero exists: (20).

    .. math:: ‖E[xy]‖² ≥ \left[P \left(\frac{(D+1)τa_{\max}}{D−1}\right)^{D−1}\right]^{1/D}
        \left(\frac{2D}{D+1}\right)^2

    which is (15) solved for the signal, at every depth; P for D = 1, where the inequality is
    strict. Sufficient; necessary only where E[xxᵀ] = s²I. With equal layers and ρ = 1 + σ²/d_0 it
    is 4 a_max γ ρ^{D−1}(1 + O(1/D)). The print has 4 d_0² a_max γ ρ^D + O(1), and concludes that
    weaker signals cannot be learned; :func:`signal_necessary` says which cannot.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least, positive decays. Its own ‖E[xy]‖ does not enter.

    Returns
    -------
    Bound
        On ‖E[xy]‖², E[xxᵀ] and the network kept. `as_printed` is 4 d_0² a_max γ ρ^D.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, no hidden layer, or a decay of zero.
    OutOfRange
        If the signal does not fit a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), (20).

    Examples
    --------
    A = 1, D = 2, γ = 3, no noise: [3³·3]^{1/2}(4/3)² = 16, where 4·2²·3 = 48 is printed.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> network = ls.Network((2, 2), weight_decay=3.0)
    >>> bound = bounds.signal_sufficient(ls.Problem(ls.Moments([[1.0]], [4.0], 16.0), network))
    >>> round(bound.value, 12), round(bound.as_printed, 12)
    (16.0, 48.0)
    """
    found = Extremes.with_decay(problem, "(20)")
    return _signal(found, "sufficient", "(20)", _printed(problem, found), _MISPRINT)


@guarded
def signal_necessary(problem: Problem) -> Bound:
    r"""Return the signal ‖E[xy]‖² below which zero is the only solution: (20) with a_min.

    The formula of :func:`signal_sufficient` with a_min for a_max: (14) solved for the signal.
    Necessary for a nontrivial solution. The paper draws this conclusion from (20), where it does
    not follow.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least, positive decays. Its own ‖E[xy]‖ does not enter.

    Returns
    -------
    Bound
        On ‖E[xy]‖², E[xxᵀ] and the network kept.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, no hidden layer, or a decay of zero.
    OutOfRange
        If the signal does not fit a 64-bit float.

    Examples
    --------
    For D = 2 both grow as the root of the eigenvalue: here √100 apart.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> moments = ls.Moments([[100.0, 0.0], [0.0, 1.0]], [0.0, 1.0], 1.0)
    >>> problem = ls.Problem(moments, ls.Network((4, 4), noise=1.0, weight_decay=0.1))
    >>> necessary, sufficient = bounds.signal_necessary, bounds.signal_sufficient
    >>> round(sufficient(problem).value / necessary(problem).value, 9)
    10.0
    """
    found = Extremes.with_decay(problem, "(20) with a_min")
    return _signal(found, "necessary", "(20) with a_min, not in the paper", None, "")


def _signal(
    found: Extremes, kind: Kind, equation: str, as_printed: float | None, misprint: str
) -> Bound:
    necessary = kind == "necessary"
    eigenvalue = found.log_smallest if necessary else found.log_largest
    level = (found.log_decay_product - existence_share(found, eigenvalue)) / found.depth
    relation = ">" if found.depth == 1 else ">="
    return Bound(
        value=from_logarithm(level - 2 * found.log_factor, f"the signal of {equation}"),
        condition=f"‖E[xy]‖² {relation} value",
        kind=kind,
        claim=EXISTENCE,
        equation=f"{SOURCE}, {equation}",
        assumptions=(*COVERED, POSITIVE, SMALLEST) if necessary else (*COVERED, POSITIVE),
        as_printed=as_printed,
        misprint=misprint,
    )


def _printed(problem: Problem, found: Extremes) -> float | None:
    """Return 4 d_0² a_max γ ρ^D, its O(1) left out; ρ^D = τ for equal layers."""
    network = problem.network
    if not has_equal_layers(network):
        return None
    parts = math.log(4 * network.hidden[0] ** 2) + math.log(network.weight_decay[0])
    level = parts + found.log_largest + found.log_inflation - 2 * found.log_factor
    return from_logarithm(level, "the printed signal of (20)")
