"""What the three answers are asked of: the model as read, its loss, its data, its problem."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.problem import Problem
from linscape.torch.gathering import Gathered
from linscape.torch.loss import DataTerm
from linscape.torch.reading import Reading

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Setting:
    """A model as read, its loss and its data."""

    reading: Reading
    term: DataTerm
    gathered: Gathered

    @cached_property
    def problem(self) -> Problem:
        """The problem; for a loss other than the square, one with the same gradient at zero.

        Raises
        ------
        NoExactSolution
            If there is none: decoupled decay, or noise that no moments say.
        """
        return self.reading.problem(self.gathered.moments)

    @property
    def is_square(self) -> bool:
        """Whether the problem is the model's own, and not only at zero."""
        return self.term.kind == "square"

    @property
    def decays(self) -> list[float]:
        """γ = λ/(2α) of each layer, of its own weights."""
        return [lam / (2 * self.reading.alpha) for lam in self.reading.weight_decay]

    @cached_property
    def weights(self) -> list[Array]:
        """The weights of the problem."""
        return self.reading.weights()

    @cached_property
    def signal(self) -> float:
        """‖B‖₂ = ‖E[∇ℓ(0, y)xᵀ]‖₂ = 2‖E[xyᵀ]‖₂."""
        moments = self.gathered.moments
        C = np.reshape(moments.C, (moments.inputs, moments.outputs))
        return 2 * float(np.linalg.norm(C, 2))

    @cached_property
    def refusal(self) -> str | None:
        """Why there is no problem, or None."""
        try:
            _ = self.problem
        except NoExactSolution as error:
            return str(error)
        return None
