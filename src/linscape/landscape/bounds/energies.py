"""How large a solution is: (8), (16) and (104), as energies K = γ‖W‖² of each layer."""

import math

from linscape.arguments import guarded
from linscape.enclosure import UNIT_ROUNDOFF
from linscape.errors import NoExactSolution
from linscape.landscape.bounds.bound import SOURCE, Bound
from linscape.landscape.bounds.extremes import (
    COVERED,
    POSITIVE,
    SMALLEST,
    Extremes,
    has_equal_layers,
)
from linscape.landscape.interval import from_logarithm
from linscape.problem import Problem

_SOLUTION = "a solution other than zero has this energy"
_ISOTROPY = 1e-10


@guarded
def two_layer_energy(problem: Problem) -> tuple[Bound, Bound]:
    r"""Return the least and the largest energy of the nontrivial solution, for D = 1: (8).

    .. math:: \frac{\sqrt P(‖E[xy]‖ − \sqrt P)}{τ a_{\max}} ≤ K ≤
        \frac{\sqrt P(‖E[xy]‖ − \sqrt P)}{τ a_{\min}}, \quad P = γ_u γ_w

    Both are necessary. Neither is positive where there is no such solution, ‖E[xy]‖² ≤ P. In the
    paper's letters b_*² = K/(γ_u d_1). The print is right.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer, positive decays.

    Returns
    -------
    (Bound, Bound)
        Lower and upper, in the units of the reduction.

    Raises
    ------
    NoExactSolution
        For another depth, several outputs, biases that decay, or a decay of zero.
    OutOfRange
        If an energy does not fit a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), (8).

    Examples
    --------
    A = diag(2, 1), c = (1, 0), γ = ½: ½·(1 − ½) = ¼, divided by 2 and by 1.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> moments = ls.Moments([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.0], 1.0)
    >>> problem = ls.Problem(moments, ls.Network((3,), weight_decay=0.5))
    >>> [round(bound.value, 12) for bound in bounds.two_layer_energy(problem)]
    [0.125, 0.25]
    """
    found = _two_layers(problem, "(8)")
    # near ‖E[xy]‖ = √P the difference cancels: the signal is moved by its rounding, outwards
    slack = 4 * UNIT_ROUNDOFF * (8 + abs(found.log_decay_product) + abs(found.log_signal))
    slack = 0.0 if math.isinf(slack) else slack
    lower = _isotropic_energy(found, found.log_largest, found.log_signal - slack)
    upper = _isotropic_energy(found, found.log_smallest, found.log_signal + slack)
    return _lower(lower, "(8)"), _upper(upper, "(8)")


@guarded
def isotropic_energy(problem: Problem) -> Bound:
    r"""Return the energy of the nontrivial solution for D = 1 and E[xxᵀ] = s²I: (104), (105).

    .. math:: K = \sqrt P(‖E[xy]‖ − \sqrt P)/(τ s²), \quad P = γ_u γ_w

    Exact where it is positive, else zero is the only solution. In the paper's letters
    b_*² = K/(γ_u d_1), and each row of W is v = ± √(K/(γ_w d_1)) E[xy]/‖E[xy]‖. Data of full rank
    take this form by x → s A^{−1/2} x (the print has the root over A^{−1}x).

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer, positive decays; the nonzero eigenvalues of E[xxᵀ] equal to a
        relative 1e-10. By (8) the energy is then right to that.

    Returns
    -------
    Bound
        In the units of the reduction.

    Raises
    ------
    NoExactSolution
        If the eigenvalues differ; for another depth, several outputs, biases that decay, or a decay
        of zero.
    OutOfRange
        If the energy does not fit a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), Appendix C, (104) and (105).

    Examples
    --------
    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((3,), weight_decay=0.5))
    >>> round(bounds.isotropic_energy(problem).value, 12)
    0.25
    """
    found = _two_layers(problem, "(104)")
    if found.spread > _ISOTROPY:
        raise NoExactSolution(
            f"(104) needs equal eigenvalues of E[xxᵀ], and these differ by a factor of "
            f"{1 + found.spread:.10g}; two_layer_energy(problem) gives a range, "
            "global_minimum(problem) the solution"
        )
    middle = (found.log_smallest + found.log_largest) / 2
    return Bound(
        value=_isotropic_energy(found, middle, found.log_signal),
        condition="energy = value > 0",
        kind="both",
        claim=_SOLUTION,
        equation=f"{SOURCE}, (104)",
        assumptions=(*COVERED, POSITIVE, "one hidden layer", "E[xxᵀ] = s²I on its range"),
        misprint="whitening is x → s A^{−1/2} x; (104) and (105) are right as printed",
    )


@guarded
def deep_energy(problem: Problem) -> tuple[Bound, Bound]:
    r"""Return the least and the largest energy of any nontrivial solution: (16).

    .. math:: \left(\frac{P}{‖E[xy]‖²}\right)^{1/(D−1)} ≤ K ≤
        \left(P \frac{‖E[xy]‖²}{(τ a_{\min})²}\right)^{1/(D+1)}

    Both are necessary; neither says that a solution exists. The print has a_max for a_min in the
    upper bound, which is then violated. For D = 1 the lower bound is 0. In the paper's letters, for
    layers of equal width d_0 and decay γ, b = √(K/γ)/d_0.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least, positive decays.

    Returns
    -------
    (Bound, Bound)
        Lower and upper, in the units of the reduction.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, no hidden layer, or a decay of zero.
    OutOfRange
        If an energy does not fit a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), Proposition 3, (16); there for layers of equal width, noise and decay.

    Examples
    --------
    The counterexample to the print, where the global minimum has b = 0.6123: (1/400)^{1/3} is
    printed, and (1/4)^{1/3} is right.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> moments = ls.Moments([[100.0, 0.0], [0.0, 1.0]], [0.0, 1.0], 1.0)
    >>> problem = ls.Problem(moments, ls.Network((1, 1), noise=1.0, weight_decay=0.05))
    >>> lower, upper = bounds.deep_energy(problem)
    >>> energy = ls.global_minimum(problem).energy
    >>> for each in (lower.value, energy, upper.value, upper.as_printed):
    ...     print(f"{(each / 0.05) ** 0.5:.4f}")
    0.0500
    0.6123
    0.6300
    0.1357
    """
    found = Extremes.with_decay(problem, "(16)")
    printed = None
    if has_equal_layers(problem.network):
        printed = _largest_energy(found, found.log_largest)
    upper = _upper(
        _largest_energy(found, found.log_smallest),
        "(16)",
        as_printed=printed,
        misprint="the upper bound needs a_min, not a_max",
    )
    return _lower(_smallest_energy(found), "(16)"), upper


def _two_layers(problem: Problem, equation: str) -> Extremes:
    found = Extremes.with_decay(problem, equation)
    if found.depth > 1:
        raise NoExactSolution(
            f"{equation} needs one hidden layer, got {found.depth}; "
            "deep_energy(problem) bounds the solutions at any depth"
        )
    return found


def _isotropic_energy(found: Extremes, log_square: float, log_signal: float) -> float:
    """Return √P(‖c‖ − √P)/(τ s²) for s² = exp(log_square) and ‖c‖ = exp(log_signal)."""
    half = found.log_decay_product / 2
    larger, smaller = max(half, log_signal), min(half, log_signal)
    if larger == smaller:
        return 0.0
    size = half + larger - found.log_inflation - log_square
    # ‖c‖ − √P is the larger of the two times 1 − smaller/larger, with its sign
    logarithm = size + math.log(-math.expm1(smaller - larger))
    return math.copysign(from_logarithm(logarithm, "the energy"), log_signal - half)


def _smallest_energy(found: Extremes) -> float:
    if found.depth == 1:
        return 0.0
    level = found.log_decay_product - 2 * found.log_signal
    return from_logarithm(level / (found.depth - 1), "the lower energy of (16)")


def _largest_energy(found: Extremes, log_eigenvalue: float) -> float:
    """Return (P ‖c‖²/(τ a)²)^{1/(D+1)}: K^{D+1} = P‖p‖² with ‖p‖ ≤ ‖c‖/(τ a_min)."""
    predictor = found.log_signal - found.log_inflation - log_eigenvalue
    level = (found.log_decay_product + 2 * predictor) / (found.depth + 1)
    return from_logarithm(level, "the upper energy of (16)")


def _lower(value: float, equation: str) -> Bound:
    return Bound(
        value=value,
        condition="energy >= value",
        kind="necessary",
        claim=_SOLUTION,
        equation=f"{SOURCE}, {equation}, lower",
        assumptions=(*COVERED, POSITIVE),
    )


def _upper(
    value: float, equation: str, *, as_printed: float | None = None, misprint: str = ""
) -> Bound:
    return Bound(
        value=value,
        condition="energy <= value",
        kind="necessary",
        claim=_SOLUTION,
        equation=f"{SOURCE}, {equation}, upper",
        assumptions=(*COVERED, POSITIVE, SMALLEST),
        as_printed=as_printed,
        misprint=misprint,
    )
