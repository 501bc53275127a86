"""Which theorem covers a problem, or why none does."""

from linscape.errors import NoExactSolution
from linscape.problem import Problem

RIDGE = "ridge regression (no hidden layer): the normal equations"
LEAST_SQUARES = "least squares of minimum norm (no decay): Ziyin, Li & Meng (2022), γ → 0"
REDUCED_RANK = "reduced-rank regression (no decay, no hidden noise): Lu & Kawaguchi (2017)"
DEEP = "Ziyin, Li & Meng (2022), Theorem 2, with the energy form of its global minimum"
CENTRED = "; biases free of decay reduce it to the centred moments"


def covering_theorem(problem: Problem) -> str:
    """Return the theorem that gives the global minimum exactly.

    Raises
    ------
    NoExactSolution
        If none does, with the hypothesis that fails.
    """
    network = problem.network
    require_free_biases(problem)
    suffix = CENTRED if network.bias == "free" else ""
    if network.depth == 0:
        return RIDGE + suffix
    if learns_by_rank(problem):
        return REDUCED_RANK + suffix
    decaying = decays(problem)
    require_one_output(problem)
    return (DEEP if decaying else LEAST_SQUARES) + suffix


def decays(problem: Problem) -> bool:
    """Say whether every layer decays, or none does.

    Raises
    ------
    NoExactSolution
        If some do and others don't.
    """
    zeros = [k for k, decay in enumerate(problem.network.weight_decay) if decay == 0]
    if 0 < len(zeros) < len(problem.network.weight_decay):
        raise NoExactSolution(
            f"weight_decay[{zeros[0]}] is zero and others are not: Ziyin, Li & Meng (2022), "
            "Theorem 2 needs every decay positive, and here the infimum is not attained (that "
            "layer grows without bound, the others shrink); make all positive, or all zero"
        )
    return not zeros


def has_decayed_outputs(problem: Problem) -> bool:
    """Say whether the problem is one of several outputs with hidden layers that all decay."""
    network = problem.network
    return (
        network.depth > 0
        and network.bias != "decayed"
        and problem.moments.outputs > 1
        and all(network.weight_decay)
    )


def learns_by_rank(problem: Problem) -> bool:
    """Say whether the problem is reduced-rank regression: several outputs, no decay, no noise.

    With one output, or without a hidden layer, no rank limits least squares.
    """
    network = problem.network
    penalised = any(network.weight_decay) or any(network.noise)
    return network.depth > 0 and problem.moments.outputs > 1 and not penalised


def require_one_output(problem: Problem) -> None:
    """Raise NoExactSolution for several outputs."""
    outputs = problem.moments.outputs
    if outputs > 1:
        raise NoExactSolution(
            f"this holds for one output, not for {outputs} outputs (hidden widths "
            f"{list(problem.network.hidden)}): Ziyin, Li & Meng (2022), Theorem 2; "
            f"{_remedy(problem)}"
        )


def _remedy(problem: Problem) -> str:
    """Say what answers for several outputs."""
    if problem.network.bias == "decayed":
        return (
            "biases that decay with several outputs are covered where all means are zero: "
            "standardise the data, give bias='free', or ask search_minimum for an interval"
        )
    if not any(problem.network.weight_decay):
        return "give one target at a time, leave out the noise, or give every layer a weight decay"
    return (
        "give one target at a time, or ask global_minimum, phase or critical_weight_decay, which "
        "take several under weight decay"
    )


def require_free_biases(problem: Problem) -> None:
    """Raise NoExactSolution for biases that decay."""
    if problem.network.bias == "decayed":
        raise NoExactSolution(
            "biases that decay with their layers are covered by global_minimum, solutions, phase "
            "and critical_weight_decay only; give bias='free' or bias=False"
        )
