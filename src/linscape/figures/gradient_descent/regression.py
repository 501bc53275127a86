"""The regression of the experiments on plateaus: y = diag(5, 4, 3, 2, 1)x + noise, through 5-4-4-5.

1000 rows of standard normal inputs, noise of variance 0.1. The loss here is the mean over rows; the
printed one is the sum, which only divides step sizes by 1000.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.landscape.unregularised.modes import Modes
from linscape.moments import Moments
from linscape.network import Network
from linscape.problem import Problem

Array = NDArray[np.float64]

SIGNALS = (5.0, 4.0, 3.0, 2.0, 1.0)
PARAMETERS: dict[str, Any] = {
    "rows": 1000,
    "signals": list(SIGNALS),
    "noise_variance": 0.1,
    "hidden": [4, 4],
    "loss": "mean over rows",
}


def regression(rng: np.random.Generator) -> Problem:
    """Draw the data, and return the problem."""
    X = rng.standard_normal((PARAMETERS["rows"], len(SIGNALS)))
    noise = math.sqrt(PARAMETERS["noise_variance"]) * rng.standard_normal(X.shape)
    return Problem(Moments.from_arrays(X, X * SIGNALS + noise), Network((4, 4)))


def rank_three(modes: Modes, middle: float) -> list[Array]:
    """Return the critical point of the first three modes with Z_1 = Z_3 = 0 and Z_2 = `middle`.

    A strict saddle unless Z_2 = 0, and then a non-strict one.
    """
    U = modes.directions[:, :3]
    return [
        np.vstack([U.T @ modes.regression, np.zeros((1, 5))]),
        np.diag([1.0, 1.0, 1.0, middle]),
        np.hstack([U, np.zeros((5, 1))]),
    ]
