"""The way down from a saddle, with the loss it was checked to lose."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from linscape.errors import OutOfRange
from linscape.landscape.unregularised.frame import hidden_means
from linscape.problem import Problem, Weights

Array = NDArray[np.float64]

_STEPS = 2.0 ** -np.arange(40)
_LOSS_ROUNDING = 2.0**-46


@dataclass(frozen=True, eq=False, repr=False)
class Escape:
    """Weights W(t) along which the loss falls, from a saddle W.

    Attributes
    ----------
    kind : "direction" or "path"
        A direction of negative curvature; or, where there is none, a path of higher order.
    order : int
        L(W(t)) = L(W) + `coefficient`·t^order + o(t^order): 2 for a direction, the number of layers
        that move together for a path (their exponents added).
    coefficient : float
        Negative. Half the curvature for a direction.
    curvature : float or None
        ⟨V, ∇²L V⟩ < 0, V of norm one, for a direction.
    direction : list of ndarray
        V, in the shapes of the weights, of norm one.
    exponents : tuple of int
        W_h(t) = W_h + t^e V_h; all one for a direction, and for nearly every path.
    step : float
        A t at which the loss was evaluated and found lower,
    decrease : float
        by so much: L(W) − L(W(step)) > 0. Both are 0 for a direction whose curvature is clear of
        rounding while all that the loss can fall along the line is not.
    """

    kind: Literal["direction", "path"]
    order: int
    coefficient: float
    curvature: float | None
    direction: list[Array] = field(repr=False)
    exponents: tuple[int, ...]
    step: float
    decrease: float
    problem: Problem = field(repr=False)
    start: list[Array] = field(repr=False)

    def weights(self, t: float) -> list[Array]:
        """Return W(t); free biases of the output follow, so that E[f] = E[y] throughout."""
        powers = [t**exponent for exponent in self.exponents]
        moves = [power * part for power, part in zip(powers, self.direction, strict=True)]
        return moved(self.problem, self.start, moves)

    def __repr__(self) -> str:
        """Return the escape in one line."""
        what = f"escape: a {self.kind} of order {self.order}, coefficient {self.coefficient:.3g}"
        return f"{what}, loss lower by {self.decrease:.3g} at t = {self.step:.3g}"

    def to_dict(self) -> dict[str, Any]:
        """Return the escape ready for JSON."""
        return {
            "kind": self.kind,
            "order": self.order,
            "coefficient": self.coefficient,
            "curvature": self.curvature,
            "direction": [part.tolist() for part in self.direction],
            "exponents": list(self.exponents),
            "step": self.step,
            "decrease": self.decrease,
        }


def moved(problem: Problem, start: Weights, moves: list[Array]) -> list[Array]:
    """Return weights moved, free biases of the output balancing the mean."""
    weights = [np.asarray(W) + V for W, V in zip(start, moves, strict=True)]
    if problem.network.bias == "free" and not any(problem.network.noise):
        target = np.reshape(np.asarray(problem.moments.mean_y), -1)
        weights[-1][:, -1] += target - hidden_means(problem, weights)[-1]
    return weights


def unit(direction: list[Array]) -> list[Array]:
    """Return a direction divided by its norm over all layers."""
    largest = max(float(np.max(np.abs(part), initial=0.0)) for part in direction)
    if largest == 0:
        return direction
    scaled = [part / largest for part in direction]
    norm = np.sqrt(sum(float(np.sum(part**2)) for part in scaled))
    return [part / norm for part in scaled]


def inner(one: list[Array], other: list[Array]) -> float:
    """Return the inner product of two lists of matrices."""
    return float(sum(np.vdot(a, b) for a, b in zip(one, other, strict=True)))


def best_step(fall: Callable[[float], float], largest_step: float) -> tuple[float, float]:
    """Return the step of a geometric series at which the loss falls most, and by how much."""
    falls = [(fall(float(t)), float(t)) for t in largest_step * _STEPS]
    most, step = max(falls)
    return step, most


def loss_fall(problem: Problem, start: list[Array], after: list[Array]) -> tuple[float, float]:
    """Return L before − L after as the difference of two losses, and what rounding it may carry."""
    try:
        new = float(problem.loss(after))
    except OutOfRange:
        return -math.inf, 0.0
    old = float(problem.loss(start))
    moments = problem.moments
    total = float(np.trace(np.reshape(moments.yy, (moments.outputs,) * 2)))
    return old - new, _LOSS_ROUNDING * (old + new + 3 * problem.data_factor * total)
