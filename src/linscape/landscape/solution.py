"""A solution of the theorem's form: its place, its kind, its weights."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.realisation import realised
from linscape.problem import Problem

Array = NDArray[np.float64]
Kind = Literal["minimum", "saddle", "fold"]


@dataclass(frozen=True, eq=False)
class Solution:
    """A critical point of F, and with it of the loss in the space of all weights.

    Attributes
    ----------
    energy : float
        K = γ‖W‖² of every layer; 0 for the trivial solution.
    loss : float
        F(K), the loss there, in the units of the problem.
    gain : float
        Loss at zero minus `loss`, without cancellation.
    kind : "minimum", "saddle" or "fold"
        Minima of F are local minima of the loss, maxima of F are saddles; at a fold the two meet,
        or cannot be told apart in 64-bit floats.
    index : int or None
        Number of negative eigenvalues of the loss's Hessian there (Morse index): 0 at a minimum,
        1 at a maximum of F, the width of the layer at zero where one hidden layer learns; None at
        a fold.
    predictor : (d,) ndarray
        p with E[f(x) | x] = p·x (biases free of decay apart).
    problem : Problem
        What it is a solution of.
    """

    energy: float
    loss: float
    gain: float
    kind: Kind
    index: int | None
    predictor: Array
    problem: Problem = field(repr=False)

    def weights(self, rng: np.random.Generator | int | None = None) -> list[Array]:
        """Return weights that realise the solution, as :meth:`GlobalMinimum.weights` does."""
        return realised(self.problem, self.predictor, rng)

    def to_dict(self) -> dict[str, Any]:
        """Return the solution ready for JSON."""
        return {
            "energy": self.energy,
            "loss": self.loss,
            "gain": self.gain,
            "kind": self.kind,
            "index": self.index,
            "predictor": self.predictor.tolist(),
        }
