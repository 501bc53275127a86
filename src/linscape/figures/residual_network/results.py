"""What all trainings of one model came to, over weight decays and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Array = NDArray[np.float64]
TRIVIAL = 0.15  # a mean accuracy below it is a trivial model's; chance is 0.1


@dataclass(frozen=True, eq=False)
class Results:
    """The trainings of one model, for each weight decay (row) and seed (column).

    Attributes
    ----------
    learning_rate : float
        Found by the search.
    weight_decay : ndarray, shape (decays,)
        PyTorch's λ, ascending.
    loss, accuracy : ndarray, shape (decays, seeds)
        Over the last window of epochs; the loss over that of the trivial predictor.
    epochs : ndarray of int
        Gone through.
    rested : ndarray of bool
        Whether the loss came to a plateau.
    """

    learning_rate: float
    weight_decay: Array
    loss: Array
    accuracy: Array
    epochs: NDArray[np.int64]
    rested: NDArray[np.bool_]

    def trivial(self) -> NDArray[np.bool_]:
        """Say at which decays the mean accuracy over the seeds is a trivial model's."""
        return np.asarray(self.accuracy.mean(axis=1) < TRIVIAL)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        names = ("weight_decay", "loss", "accuracy", "epochs", "rested")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False)
class LinearResults(Results):
    """The same of a deep linear net, with what the theory says of it.

    Attributes
    ----------
    depth : int
        Hidden layers.
    learning_ends : float
        λ*, above which zero is the global minimum; infinity without a hidden layer.
    objective : ndarray, shape (decays, seeds)
        What was minimised, exactly, at the weights reached, over its value at zero.
    """

    depth: int
    learning_ends: float
    objective: Array

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        ends = np.array(self.learning_ends)
        return super().arrays() | {"objective": self.objective, "learning_ends": ends}


def half_width(values: Array | Sequence[Sequence[float]]) -> Array:
    """Return half the 95 % interval of each row's mean: Student's t over the columns (seeds).

    Examples
    --------
    Two values at ±1: t = tan(0.475π) times the standard error 1.

    >>> round(float(half_width([[-1.0, 1.0]])[0]), 4)
    12.7062
    """
    values = np.asarray(values, dtype=float)
    seeds = values.shape[1]
    error = values.std(axis=1, ddof=1) / np.sqrt(seeds)
    return np.asarray(student.ppf(0.975, seeds - 1) * error)
