"""The line of the theorem's solutions of a linear net without noise, and its exact minima."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from linscape.errors import NoExactSolution
from linscape.landscape.solutions import solutions
from linscape.problem import Problem
from linscape.torch.line_minima import LineMinimum
from linscape.torch.setting import Setting

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SolutionForm:
    """The line of a linear problem without noise."""

    problem: Problem
    values: Array
    basis: Array
    signal: Array

    @classmethod
    def of(cls, setting: Setting) -> "SolutionForm":
        """Return the line of a model's linear net, or say what it lacks."""
        reading = setting.reading
        reason = refusal(setting)
        if reason is not None:
            raise NoExactSolution(f"the line of solutions needs {reason}")
        network = replace(
            reading.network,
            noise=(0.0,) * reading.depth,
            weight_decay=tuple(setting.decays),
            input_noise=0.0,
        )
        problem = Problem(setting.gathered.moments, network)
        A = np.asarray(problem.moments.A)
        values, basis = np.linalg.eigh(A)
        signal = basis.T @ np.reshape(problem.moments.C, -1)
        return cls(problem, np.maximum(values, 0), basis, signal)

    def exact_minima(self) -> tuple[LineMinimum, ...]:
        """Return the minima of the linear curve: the solutions that are minima, on both sides."""
        decay, width = self.problem.network.weight_decay[-1], self.problem.network.hidden[-1]
        found = []
        for one in solutions(self.problem):
            if one.kind != "minimum":
                continue
            b = math.sqrt(one.energy / (decay * width))
            found += [LineMinimum(sign * b, one.loss, "exact") for sign in ((-1, 1) if b else (1,))]
        return tuple(sorted(found, key=lambda one: one.b))

    def weights(self, b: float) -> list[Array]:
        """Return W_1, …, W_D, U at b."""
        hidden, decays = self.problem.network.hidden, self.problem.network.weight_decay
        between = [
            abs(b) * math.sqrt(decays[-1] * hidden[-1] / (decay * after * before))
            for decay, before, after in zip(decays[1:-1], hidden, hidden[1:], strict=False)
        ]
        beta_mu = b * math.prod(between) * math.prod(hidden[1:])
        ridge = beta_mu**2 * hidden[0] * self.values + decays[0]
        v = self.basis @ (beta_mu * self.signal / ridge)
        return [
            np.tile(v, (hidden[0], 1)),
            *(
                np.full((after, before), size)
                for size, before, after in zip(between, hidden, hidden[1:], strict=False)
            ),
            np.full((1, hidden[-1]), b),
        ]

    def linear_loss(self, b: float) -> float:
        """Return the linear net's loss at b, from its moments."""
        return float(np.ravel(self.problem.loss(self.weights(b)))[0])


def refusal(setting: Setting) -> str | None:
    """Return the hypothesis that fails, if one does."""
    reading = setting.reading
    if not setting.is_square:
        return f"the square loss, got {setting.term.kind}; no second moments say another one"
    if reading.decoupled or not min(reading.weight_decay) > 0:
        return "a positive, coupled weight decay on every layer; its solutions depend on it"
    if reading.bias is not False:
        return "a model without biases; centre the data instead"
    if reading.widths[-1] != 1 or reading.depth == 0:
        return f"one output and one hidden layer at least, got widths {reading.widths}"
    return None
