"""Data to certified global minimum, against scikit-learn's Ridge on the same arrays."""

import numpy as np
from sklearn.linear_model import Ridge

import linscape as ls
from benchmarks.timing import interleaved


def run(rows: int = 200_000, inputs: int = 500) -> dict[str, float]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, inputs)) + 10.0
    y = X @ rng.standard_normal(inputs) + 30.0 * rng.standard_normal(rows)
    network = ls.Network(hidden=(64, 64), noise=ls.dropout(0.2), weight_decay=1e-3, bias="free")

    def minimum() -> ls.GlobalMinimum:
        return ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y), network))

    times = interleaved(
        {
            "linscape: data to certified minimum": minimum,
            "scikit-learn: Ridge.fit": lambda: Ridge(alpha=1.0).fit(X, y),
            "limit: the Gram matrix X.T @ X alone": lambda: X.T @ X,
        }
    )
    found = minimum()
    print(f"  certified gap / loss: {(found.upper - found.lower) / found.loss:.1e}")
    return times
