"""The solve after the moments, against the eigendecomposition it cannot do without."""

import numpy as np

import linscape as ls
from benchmarks.timing import interleaved


def run(inputs: int = 500) -> dict[str, float]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4 * inputs, inputs))
    y = X @ rng.standard_normal(inputs) + 10.0 * rng.standard_normal(len(X))
    moments = ls.Moments.from_arrays(X, y).standardized()
    A = np.array(moments.A)
    network = ls.Network(hidden=(64, 64), noise=ls.dropout(0.2), weight_decay=1e-3)
    problem = ls.Problem(moments, network)
    return interleaved(
        {
            "linscape: global_minimum": lambda: ls.global_minimum(problem),
            "limit: numpy.linalg.eigh alone": lambda: np.linalg.eigh(A),
        },
        rounds=21,
    )
