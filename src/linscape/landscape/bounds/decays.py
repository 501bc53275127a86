"""The weight decays between which solutions end, and learning ends: (14), (15), (18).

All four are thresholds for the common weight decay γ, or for the geometric mean P^{1/(D+1)} of
unequal ones, in the units of the problem's reduction. The problem's own decays do not enter.
"""

from linscape.arguments import guarded
from linscape.landscape.bounds.bound import SOURCE, Bound, Kind
from linscape.landscape.bounds.extremes import COVERED, SMALLEST, Extremes
from linscape.landscape.bounds.isotropic import log_existence, log_learning
from linscape.landscape.interval import from_logarithm
from linscape.problem import Problem

EXISTENCE = "a solution other than zero exists"
_LEARNING = "a solution other than zero is a global minimum"


@guarded
def existence_necessary(problem: Problem) -> Bound:
    r"""Return the weight decay above which zero is the only solution: (14).

    .. math:: γ_{(14)} = \frac{D+1}{2D} ‖E[xy]‖
        \left(\frac{(D−1)‖E[xy]‖}{2Dτa_{\min}}\right)^{(D−1)/(D+1)}

    Necessary for a nontrivial solution: γ ≤ γ_(14), and γ < γ_(14) for D = 1. Also sufficient where
    E[xxᵀ] = s²I. The print is right; (66) and (67) in its proof have ≤ for <.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least, any widths, noise and decays.

    Returns
    -------
    Bound
        On the common decay, or the geometric mean of all, in the units of the reduction.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, or no hidden layer.
    OutOfRange
        If the threshold does not fit a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), Proposition 3, (14); there for layers of equal width, noise and decay.

    Examples
    --------
    A = 1, c = 4, D = 2, no noise: ¾·4·(4/4)^{1/3} = 3.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> problem = ls.Problem(ls.Moments([[1.0]], [4.0], 16.0), ls.Network((1, 1)))
    >>> round(bounds.existence_necessary(problem).value, 12)
    3.0
    """
    found = Extremes.of(problem, "(14)")
    level = log_existence(found, found.log_smallest)
    strict = "<" if found.depth == 1 else "<="
    return _decay(found, level, strict, "necessary", EXISTENCE, "(14)", "")


@guarded
def existence_sufficient(problem: Problem) -> Bound:
    r"""Return a weight decay up to which a solution other than zero exists: (15).

    The formula of (14) with a_max for a_min. Sufficient for a nontrivial solution: γ ≤ γ_(15), and
    γ < γ_(15) for D = 1, where the printed ≤ is wrong. Necessary only where E[xxᵀ] = s²I: a network
    that fails it may well learn.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least, any widths, noise and decays.

    Returns
    -------
    Bound
        On the common decay, or the geometric mean of all, in the units of the reduction.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, or no hidden layer.
    OutOfRange
        If the threshold does not fit a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), Proposition 3, (15); there for layers of equal width, noise and decay.

    Examples
    --------
    For D = 1 it is ‖c‖, whatever the eigenvalues and the noise.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> moments = ls.Moments([[9.0, 0.0], [0.0, 1.0]], [3.0, 4.0], 20.0)
    >>> network = ls.Network((6,), noise=0.5)
    >>> round(bounds.existence_sufficient(ls.Problem(moments, network)).value, 12)
    5.0
    """
    found = Extremes.of(problem, "(15)")
    level = log_existence(found, found.log_largest)
    one = found.depth == 1
    misprint = "for D = 1 the inequality must be strict (Theorem 1)" if one else ""
    strict = "<" if one else "<="
    return _decay(found, level, strict, "sufficient", EXISTENCE, "(15)", misprint)


@guarded
def learning_sufficient(problem: Problem) -> Bound:
    r"""Return a weight decay up to which a nontrivial solution is a global minimum: (18).

    .. math:: γ_{(18)}^{D+1} = \frac{‖E[xy]‖^{2D} (D−1)^{D−1}}{D^{2D} (τ a_{\max})^{D−1}}

    Sufficient for learning: γ ≤ γ_(18), and γ < γ_(18) for D = 1, where (18) and its limit (19)
    print ≤. Also necessary where E[xxᵀ] = s²I; zero is then another global minimum at equality.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least, any widths, noise and decays.

    Returns
    -------
    Bound
        On the common decay, or the geometric mean of all, in the units of the reduction.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, or no hidden layer.
    OutOfRange
        If the threshold does not fit a 64-bit float.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorem 3, (18); there for layers of equal width, noise and decay.

    Examples
    --------
    A = 1, c = 4, D = 2, no noise: γ³ = 4⁴/2⁴.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> problem = ls.Problem(ls.Moments([[1.0]], [4.0], 16.0), ls.Network((1, 1)))
    >>> round(bounds.learning_sufficient(problem).value ** 3, 12)
    16.0
    """
    found = Extremes.of(problem, "(18)")
    level = log_learning(found, found.log_largest)
    one = found.depth == 1
    misprint = "for D = 1 the inequality must be strict, as must (19) (Theorem 1)" if one else ""
    strict = "<" if one else "<="
    return _decay(found, level, strict, "sufficient", _LEARNING, "(18)", misprint)


@guarded
def learning_necessary(problem: Problem) -> Bound:
    """Return the weight decay above which zero alone is the global minimum: (18) with a_min.

    Necessary for learning: γ ≤ value, and γ < value for D = 1. Not in the paper; it follows from
    the argument of (18), because the gain over zero, at each energy, falls with every eigenvalue.

    Parameters
    ----------
    problem : Problem
        One output, one hidden layer at least, any widths, noise and decays.

    Returns
    -------
    Bound
        On the common decay, or the geometric mean of all, in the units of the reduction.

    Raises
    ------
    NoExactSolution
        For several outputs, biases that decay, or no hidden layer.
    OutOfRange
        If the threshold does not fit a 64-bit float.

    Examples
    --------
    A = diag(16, 1), D = 2: (18) falls with a^{1/3}, so the two thresholds are that far apart.

    >>> import linscape as ls
    >>> from linscape.landscape import bounds
    >>> moments = ls.Moments([[16.0, 0.0], [0.0, 1.0]], [4.0, 0.0], 2.0)
    >>> problem = ls.Problem(moments, ls.Network((1, 1)))
    >>> necessary, sufficient = bounds.learning_necessary, bounds.learning_sufficient
    >>> round((necessary(problem).value / sufficient(problem).value) ** 3, 9)
    16.0
    """
    found = Extremes.of(problem, "(18) with a_min")
    level = log_learning(found, found.log_smallest)
    strict = "<" if found.depth == 1 else "<="
    equation = "(18) with a_min, not in the paper"
    return _decay(found, level, strict, "necessary", _LEARNING, equation, "")


def _decay(
    found: Extremes,
    log_product: float,
    relation: str,
    kind: Kind,
    claim: str,
    equation: str,
    misprint: str,
) -> Bound:
    value = from_logarithm(log_product / (found.depth + 1), f"the weight decay of {equation}")
    assumptions = (*COVERED, SMALLEST) if kind == "necessary" else COVERED
    return Bound(
        value=value,
        condition=f"weight decay {relation} value",
        kind=kind,
        claim=claim,
        equation=f"{SOURCE}, {equation}",
        assumptions=assumptions,
        misprint=misprint,
    )
