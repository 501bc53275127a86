"""Gradient descent on a linear residual net from the identity."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.arguments import guarded
from linscape.errors import InvalidData, OutOfRange
from linscape.moments import Moments
from linscape.residual.norm import checked_layers
from linscape.residual.objective import residual_problem

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ResidualDescent:
    """A path of gradient descent from A = 0, a simulation.

    Attributes
    ----------
    losses : (steps + 1,) ndarray
        f before each step and after the last; shorter if it diverged.
    norms : (steps + 1,) ndarray
        max_i ‖A_i‖₂ at the same points.
    factors : (l, d, d) ndarray
        A_1, …, A_l at the last point.
    diverged : bool
        Whether it was stopped because the next numbers do not fit a 64-bit float.
    source : str
        That it is numerical.
    """

    losses: Array
    norms: Array
    factors: Array
    diverged: bool
    source: str = "numerical: gradient descent"

    @property
    def stayed_inside(self) -> bool:
        """Whether max_i ‖A_i‖₂ < 1 at every point, the region of Theorem 2.2."""
        return bool(self.norms.max() < 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the path ready for JSON."""
        return {
            "losses": self.losses.tolist(),
            "norms": self.norms.tolist(),
            "factors": self.factors.tolist(),
            "diverged": self.diverged,
            "stayed_inside": self.stayed_inside,
            "source": self.source,
        }


@guarded
def residual_descend(
    moments: Moments, layers: int, *, step_size: float, steps: int
) -> ResidualDescent:
    """Descend on f = E‖(I + A_l) ⋯ (I + A_1)x − y‖² (no ½) from all A_i = 0.

    A_i ← A_i − η ∂f/∂A_i, all layers at once, full gradient. It stops early, without an error,
    where a number leaves the range of float64. Nothing is promised about where it ends: see
    docs/residual.md for maps it cannot learn from here.

    Parameters
    ----------
    moments : Moments
        Second moments of d inputs and as many outputs.
    layers : int
        Number l ≥ 1 of layers.
    step_size : float
        η > 0.
    steps : int
        Number of steps, at least 0.

    Raises
    ------
    InvalidData
        If the step size or the number of steps is out of its range.
    InvalidMoments, InvalidNetwork
        As :func:`residual_problem`.

    Examples
    --------
    x = 1, y = 3 and one layer: a ← a + 2η(2 − a), so η = 1/2 is there in one step.

    >>> import linscape as ls
    >>> path = residual_descend(ls.Moments([[1.0]], [3.0], 9.0), 1, step_size=0.5, steps=1)
    >>> path.losses.tolist(), path.factors.tolist()
    ([4.0, 0.0], [[[2.0]]])
    """
    problem = residual_problem(moments, layers)
    if not (isinstance(step_size, Real) and 0 < step_size < np.inf):
        raise InvalidData(f"step_size must be a positive number, got {step_size!r}")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise InvalidData(f"steps must be a whole number of at least 0, got {steps!r}")
    eye = np.eye(moments.inputs)
    factors = np.zeros((checked_layers(layers), *eye.shape))
    losses, norms = [problem.loss(list(eye + factors))], [0.0]
    diverged = False
    for _ in range(steps):
        try:
            following = factors - step_size * np.stack(problem.gradient(list(eye + factors)))
            loss = problem.loss(list(eye + following))
        except OutOfRange:
            diverged = True
            break
        factors = following
        losses.append(loss)
        norms.append(float(np.linalg.norm(factors, 2, axis=(1, 2)).max()))
    return ResidualDescent(np.array(losses), np.array(norms), factors, diverged)
