"""Every critical point under weight decay, by sub-networks and their solutions."""

import itertools
import math
import operator
from collections.abc import Iterable, Iterator

from linscape.arguments import guarded
from linscape.errors import InvalidNetwork, NoExactSolution, OutOfRange
from linscape.landscape.atlas.classes import SubnetworkClass
from linscape.landscape.atlas.subnetwork import dimension, multiplicity, subproblem
from linscape.landscape.phases import phase
from linscape.landscape.solutions import Kind, Solution, solutions
from linscape.landscape.theorems import covering_theorem
from linscape.problem import Problem

Active = tuple[int, ...]
LARGEST = 10_000  # sub-networks in one answer


@guarded
def decayed_critical_points(
    problem: Problem, *, active: Iterable[int] | None = None
) -> tuple[SubnetworkClass, ...]:
    r"""Return every critical point of the loss over all weights, in classes.

    For one output, at least one hidden layer, every decay positive, no biases, any noise, widths
    and moments: weights with zero gradient are either all zero or a solution of the sub-network of
    the k_i ≥ 1 units of layer i that are alive, the other units having no weight in or out:

    .. math:: U = b_u r_D, W_i = b_i r_i r_{i-1}^T, W_1 = r_1 v^T, \quad r_i ∈ \{-1, 0, 1\}^{d_i}

    where K = γ‖W‖², the same for all layers, is a critical point of the sub-network's
    F(K) = E[y²] + D·K − cᵀ[τ′A + P K^{−D} I]^{−1}c, τ′ = Π_i(1 + σ_i²/k_i). In a layer without
    noise r_i is any unit vector instead, so there the points form spheres. The Hessian's negative
    eigenvalues number the dead units, plus one where F has a maximum. So a local minimum other
    than zero has every unit alive.

    Parameters
    ----------
    problem : Problem
        One output, no biases, every decay positive.
    active : iterable of int, optional
        Only the classes with these numbers of live units, one for each hidden layer: all zero for
        the trivial point, the full width in a layer without noise.

    Returns
    -------
    tuple of SubnetworkClass
        Zero first, then sub-networks from small to large, each one's solutions by energy.

    Raises
    ------
    NoExactSolution
        For several outputs, biases, no hidden layer, or a layer without decay.
    InvalidNetwork
        If no sub-network has `active` units.
    OutOfRange
        If there are more than 10,000 sub-networks and `active` does not name one.

    References
    ----------
    Proven in docs/atlas.md; the solutions are those of Ziyin, Li & Meng (2022), Theorem 2.

    Examples
    --------
    A = c = E[y²] = 1, two noisy hidden units, γ = ½. With k units alive the predictor is
    p = (1 − ½)/(1 + 1/k) and the loss 1 − p/2; with the signs there are 3² points.

    >>> import linscape as ls
    >>> network = ls.Network(hidden=(2,), noise=1.0, weight_decay=0.5)
    >>> problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), network)
    >>> for point in decayed_critical_points(problem):
    ...     print(point.active, point.kind, point.index, point.multiplicity, f"{point.loss:.4f}")
    (0,) saddle 2 1 1.0000
    (1,) saddle 1 4 0.8750
    (2,) minimum 0 4 0.8333
    """
    _require_covered(problem)
    chosen = _subnetworks(problem) if active is None else [_checked(problem, active)]
    return tuple(found for counts in chosen for found in _classes(problem, counts))


def _classes(problem: Problem, active: Active) -> Iterator[SubnetworkClass]:
    """Yield the classes of one sub-network: zero alone, or all its solutions but zero."""
    if not any(active):
        yield _zero(problem)
        return
    dead = sum(problem.network.hidden) - sum(active)
    _, *others = solutions(subproblem(problem, active))
    for branch, solution in enumerate(others, start=1):
        kind: Kind = "saddle" if solution.kind == "minimum" and dead else solution.kind
        index = None if solution.index is None else solution.index + dead
        yield _class(problem, active, branch, solution, kind, index)


def _zero(problem: Problem) -> SubnetworkClass:
    zero, *_ = solutions(problem)
    is_minimum = phase(problem).zero_is_minimum
    # with one hidden layer all classes meet at zero where it begins to learn
    kind: Kind = "fold" if is_minimum is None else "minimum" if is_minimum else "saddle"
    index = {"fold": None, "minimum": 0, "saddle": sum(problem.network.hidden)}[kind]
    return _class(problem, (0,) * problem.network.depth, 0, zero, kind, index)


def _class(
    problem: Problem, active: Active, branch: int, solution: Solution, kind: Kind, index: int | None
) -> SubnetworkClass:
    spheres = dimension(problem.network, active)
    return SubnetworkClass(
        active=active,
        branch=branch,
        energy=solution.energy,
        loss=solution.loss,
        gain=solution.gain,
        kind=kind,
        index=index,
        nullity=None if index is None else spheres,
        dimension=spheres,
        multiplicity=multiplicity(problem.network, active),
        predictor=solution.predictor,
        problem=problem,
    )


def _subnetworks(problem: Problem) -> list[Active]:
    counts = _counts(problem)
    total = math.prod(map(len, counts))
    if total > LARGEST:
        raise OutOfRange(
            f"hidden widths {list(problem.network.hidden)} have {total} kinds of sub-network, "
            f"more than the {LARGEST} listed at once; ask for one of them, such as "
            f"active={problem.network.hidden}"
        )
    return [(0,) * len(counts), *itertools.product(*counts)]


def _counts(problem: Problem) -> list[range]:
    """Return how many units may be alive in each layer; without noise the number means nothing."""
    pairs = zip(problem.network.hidden, problem.network.noise, strict=True)
    return [range(1 if variance else width, width + 1) for width, variance in pairs]


def _checked(problem: Problem, active: Iterable[int]) -> Active:
    allowed = _counts(problem)
    try:
        counts = tuple(operator.index(count) for count in active)
    except TypeError:
        counts = ()
    fits = len(counts) == len(allowed) and all(map(operator.contains, allowed, counts))
    if not fits and counts != (0,) * len(allowed):
        choices = ", ".join(f"{values[0]} to {values[-1]}" for values in allowed)
        raise InvalidNetwork(
            f"active must give the live units of each hidden layer ({choices}; layers without "
            f"noise count in full), or zeros for the trivial point, got {active!r}"
        )
    return counts


def _require_covered(problem: Problem) -> None:
    covering_theorem(problem)
    network = problem.network
    if network.bias is not False:
        raise NoExactSolution(
            "critical points are listed for networks without biases: the bias of a unit that is "
            "switched off may take any value; give centred moments, moments.centered(), and "
            "bias=False"
        )
    if network.depth == 0 or not all(network.weight_decay):
        raise NoExactSolution(
            "critical points are listed as sub-networks' solutions for networks with a hidden "
            f"layer and positive decays, got hidden={list(network.hidden)}, "
            f"weight_decay={list(network.weight_decay)}; give every layer a decay (a linear model "
            "has one critical point with decay, global_minimum(problem))"
        )
