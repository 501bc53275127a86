"""What separates zero from learning: levels that a descending path cannot cross."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.solutions import solutions
from linscape.problem import Problem

Array = NDArray[np.float64]

SOURCE = "mountain passes of the loss, docs/initialise.md; Ziyin, Li & Meng (2022), Theorem 2"
_ROUNDING = 1e-9  # of the loss at zero: more than the rounding of a loss


class Pass(NamedTuple):
    """A sphere ‖p‖ = size in the space of predictors, on which every loss is at least `loss`."""

    size: float
    loss: float


@dataclass(frozen=True)
class Barrier:
    """The loss that a path from learning to zero has to climb to.

    Attributes
    ----------
    loss_at_zero : float
        Least loss of all weights whose output does not depend on x.
    passes : tuple of Pass
        One for each saddle solution; empty where none is known or none is there.
    source : str
        What it rests on.
    """

    loss_at_zero: float
    passes: tuple[Pass, ...]
    source: str = SOURCE

    def holds_back(self, problem: Problem, weights: list[Array]) -> bool:
        """Return whether descent from these weights is proven never to end at zero.

        False means not proven.
        """
        loss = float(np.ravel(problem.loss(weights))[0])
        slack = _ROUNDING * self.loss_at_zero
        if loss < self.loss_at_zero - slack:
            return True
        size = float(np.linalg.norm(problem.predictor(weights)))
        return any(
            size > one.size * (1 + _ROUNDING) and loss < one.loss - slack for one in self.passes
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the barrier ready for JSON."""
        return {
            "loss_at_zero": self.loss_at_zero,
            "passes": [one._asdict() for one in self.passes],
            "source": self.source,
        }


def barrier(problem: Problem) -> Barrier:
    r"""Return what a path from learning weights to zero has to climb over.

    Let p be the mean predictor of weights W, E[f | x] = p·x. For one output, positive decays, two
    hidden layers or more and no biases, every saddle solution with predictor p_s and loss L_s gives
    a pass: ‖p‖ = ‖p_s‖ implies L(W) ≥ L_s, for all W. So a continuous path along which L does not
    grow, from weights with ‖p‖ > ‖p_s‖ and L < L_s, never reaches ‖p‖ = ‖p_s‖; gradient flow is
    such a path, in the learning phase and in the metastable one. In every case weights with
    L(W) < L(0) cannot descend to zero; with biases that is L(W) < α tr Cov(y), the least loss of an
    output that does not depend on x.

    Parameters
    ----------
    problem : Problem
        Any; passes are known for the networks above.

    Returns
    -------
    Barrier
        In the units of the problem's loss.

    References
    ----------
    Ziyin, Li & Meng (2022), Theorem 2, for the solutions; the passes are proven in
    docs/initialise.md.

    Examples
    --------
    A = c = E[y²] = 1, three layers of decay 0.3: the saddle is that of single weights t − t⁴ = 0.3,
    t = 0.3091, with p = t³ and loss (1 − t³)² + 0.9 t².

    >>> import linscape as ls
    >>> from linscape.torch.initialising import barrier
    >>> moments = ls.Moments([[1.0]], [1.0], 1.0)
    >>> found = barrier(ls.Problem(moments, ls.Network((2, 2), weight_decay=0.3)))
    >>> [(round(one.size, 4), round(one.loss, 4)) for one in found.passes]
    [(0.0295, 1.0278)]
    """
    moments, network = problem.moments, problem.network
    square = moments.yy if network.bias is False else moments.covariance_y
    at_zero = problem.data_factor * float(np.trace(np.atleast_2d(square)))
    covered = moments.outputs == 1 and network.bias is False and network.depth >= 2
    if not covered or not all(network.weight_decay):
        return Barrier(at_zero, ())
    saddles = [one for one in solutions(problem) if one.kind == "saddle"]
    passes = (Pass(float(np.linalg.norm(one.predictor)), one.loss) for one in saddles)
    return Barrier(at_zero, tuple(passes))
