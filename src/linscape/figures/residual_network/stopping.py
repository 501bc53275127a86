"""When training stops: at a plateau of the training loss, or after so many epochs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Stopping:
    """A plateau: the means of the last two windows of epochs differ by no more than a tolerance.

    Attributes
    ----------
    window : int
        Epochs in a window.
    tolerance : float
        Largest difference of the two means, in units of the loss of the constant predictor.
    epochs : int
        Largest number of epochs.

    Examples
    --------
    >>> stopping = Stopping(window=2, tolerance=0.01, epochs=100)
    >>> stopping.plateau([3.0, 1.0, 0.5, 0.5]), stopping.plateau([0.5, 0.5, 0.502, 0.498])
    (False, True)
    """

    window: int
    tolerance: float
    epochs: int

    def plateau(self, losses: Sequence[float]) -> bool:
        """Say whether the losses, one an epoch over that of a constant, have come to rest."""
        if len(losses) < 2 * self.window:
            return False
        before, last = np.reshape(losses[-2 * self.window :], (2, self.window)).mean(axis=1)
        return bool(abs(last - before) <= self.tolerance)

    def all_plateau(self, losses: Sequence[NDArray[np.float64]]) -> bool:
        """Say whether each of several trainings, one a column, has come to rest."""
        return len(losses) >= 2 * self.window and all(
            self.plateau(column.tolist()) for column in np.array(losses[-2 * self.window :]).T
        )
