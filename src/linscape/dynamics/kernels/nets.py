"""The nets of a descent: their weights, and which of them have stopped, where and why."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RUNNING, CONVERGED, DIVERGED = 0, 1, 2

# squares beyond it would leave the range in the next step
LARGEST = 1e300


@dataclass(eq=False)
class Nets:
    """A batch of n nets on their way, in the units of :class:`Units`.

    Attributes
    ----------
    layers, velocity : list of ndarray, shapes (n, rows, columns)
        Weights and velocities; `velocity` is empty without momentum.
    step_size : ndarray, shape (n,)
    limit : ndarray, shape (n,)
        Twice the excess of the loss over that at zero beyond which a net has diverged.
    threshold : ndarray, shape (n,)
        A net has converged when Σ K∘(gradient² + velocity²) is at most this.
    status : ndarray of int8, shape (n,)
    stopped_at : ndarray of int64, shape (n,)
    step : int
        Steps taken so far.
    """

    layers: list[Array]
    velocity: list[Array]
    step_size: Array
    limit: Array
    threshold: Array
    status: NDArray[np.int8]
    stopped_at: NDArray[np.int64]
    step: int = 0

    def part(self, members: NDArray[np.intp]) -> "Nets":
        """Return a copy of some of the nets."""
        return Nets(
            [layer[members] for layer in self.layers],
            [layer[members] for layer in self.velocity],
            self.step_size[members],
            self.limit[members],
            self.threshold[members],
            self.status[members],
            self.stopped_at[members],
            self.step,
        )

    def put(self, members: NDArray[np.intp], part: "Nets") -> None:
        """Write nets back that :meth:`part` took out."""
        for own, new in zip(self.layers + self.velocity, part.layers + part.velocity, strict=True):
            own[members] = new
        self.status[members] = part.status
        self.stopped_at[members] = part.stopped_at
