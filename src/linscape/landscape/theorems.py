"""Which theorem covers a problem, or why none does."""

from linscape.errors import NoExactSolution
from linscape.problem import Problem

RIDGE = "ridge regression (no hidden layer): the normal equations"
LEAST_SQUARES = "least squares of minimum norm (no decay): Ziyin, Li & Meng (2022), γ → 0"
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
    require_one_output(problem)
    zeros = [k for k, decay in enumerate(network.weight_decay) if decay == 0]
    if not zeros:
        return DEEP + suffix
    if len(zeros) < len(network.weight_decay):
        raise NoExactSolution(
            f"weight_decay[{zeros[0]}] is zero and others are not: Ziyin, Li & Meng (2022), "
            "Theorem 2 needs every decay positive, and here the infimum is not attained (that "
            "layer grows without bound, the others shrink); make all positive, or all zero"
        )
    return LEAST_SQUARES + suffix


def require_one_output(problem: Problem) -> None:
    """Raise NoExactSolution for several outputs."""
    outputs = problem.moments.outputs
    if outputs > 1:
        hidden = list(problem.network.hidden)
        raise NoExactSolution(
            f"no theorem here covers {outputs} outputs (hidden widths {hidden}): Ziyin, Li & Meng "
            "(2022), Theorem 2 needs one output; give one target at a time"
        )


def require_free_biases(problem: Problem) -> None:
    """Raise NoExactSolution for biases that decay."""
    if problem.network.bias == "decayed":
        raise NoExactSolution(
            "only global_minimum covers biases that decay with their layers; "
            "bias='free' and bias=False are covered"
        )
