"""What the three answers are asked of: the model as read, its loss, its data, its problem."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.landscape.convex_trap_units import unit_signal
from linscape.landscape.interval import Interval
from linscape.problem import Problem
from linscape.torch.constant import Constant, best_constant
from linscape.torch.gathering import Gathered
from linscape.torch.loss import DataTerm, row_gradients
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
    def largest_eigenvalue(self) -> float:
        """Largest eigenvalue of E[xxᵀ], noise on the inputs included."""
        A = np.asarray(self.gathered.moments.A)
        A = A + self.reading.input_noise * np.diag(np.diagonal(A))
        return float(np.linalg.eigvalsh(A)[-1])

    @cached_property
    def constant(self) -> Constant | None:
        """The best output that is one constant, which the biases can make; None without one."""
        return best_constant(self.reading, self.term, self.gathered)

    @cached_property
    def unit_signal(self) -> Interval | None:
        """Bounds on sup ‖E[∇ℓ(b, y)φ(w·x)]‖ over unit w, b the best constant; None if unknown.

        Of nets with one hidden layer of ReLU or LeakyReLU, without hidden biases and without noise
        on the inputs.
        """
        reading, gathered = self.reading, self.gathered
        (one,) = reading.activations if reading.depth == 1 else (None,)
        hidden = reading.bias in ("decayed", "free")
        if one is None or one.kind != "homogeneous" or hidden or reading.input_noise:
            return None
        if gathered.features is None or gathered.targets is None or self.constant is None:
            return None
        value = self.constant.value
        _, gradients = row_gradients(self.term, gathered.targets, len(value), value)
        return unit_signal(gathered.features, gradients.numpy(), negative_slope=2 * one.slope - 1)

    @cached_property
    def refusal(self) -> str | None:
        """Why there is no problem, or None."""
        try:
            _ = self.problem
        except NoExactSolution as error:
            return str(error)
        return None
