"""Every critical point of the full landscape, in classes."""

from collections.abc import Sequence

from linscape.arguments import guarded
from linscape.landscape.atlas import SubnetworkClass, decayed_critical_points
from linscape.landscape.unregularised.classes import ModeClass, unregularised_critical_points
from linscape.problem import Problem


@guarded
def critical_points(problem: Problem) -> Sequence[SubnetworkClass | ModeClass]:
    """Return every critical point of the loss, anywhere in weight space, in classes.

    With every decay positive and one output, a critical point is zero or a solution of a
    sub-network in which some hidden units are switched off; each class says how many points it has
    (or of what dimension it is) and their Morse index. docs/atlas.md proves that there are no
    others, at any depth.

    Without decay and noise a class is a set of modes of the data, with its critical value and the
    kinds of saddle that exist there (Achour, Malgouyres & Gerchinovitz, 2021; docs/saddles.md).

    Parameters
    ----------
    problem : Problem
        Either with one output, positive decays and no biases; or without decay and hidden noise,
        any number of outputs.

    Returns
    -------
    sequence of SubnetworkClass or ModeClass
        The first by number of live units, the second by loss.

    Raises
    ------
    NoExactSolution
        If neither theorem covers the problem.
    OutOfRange
        If there are too many classes to list; `decayed_critical_points` takes one sub-network at a
        time, `critical_values` lists lazily.

    Examples
    --------
    One hidden layer of two units that learns: each of them is negative, positive or switched off.

    >>> import linscape as ls
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> problem = ls.Problem(moments, ls.Network((2,), noise=0.5, weight_decay=0.2))
    >>> [(c.active, c.multiplicity, c.index) for c in critical_points(problem)]
    [((0,), 1, 2), ((1,), 4, 1), ((2,), 4, 0)]
    """
    if any(problem.network.weight_decay):
        return decayed_critical_points(problem)
    return unregularised_critical_points(problem)
