"""Cross-validation over depth, dropout and decay, against GridSearchCV of the same estimator.

3 depths × 4 dropout rates × 10 decays in 5 folds: 600 fits, each of them certified, in one thread.
"""

import numpy as np
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from benchmarks.timing import interleaved
from linscape.sklearn import DeepLinearRegressor, DeepLinearRegressorCV

GRID = {
    "hidden": [(), (64,), (64, 64)],
    "dropout": [0.0, 0.1, 0.2, 0.5],
    "weight_decay": list(np.geomspace(1e-5, 1e-1, 10)),
}


def run(rows: int = 20_000, inputs: int = 100) -> dict[str, float]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, inputs)) + 10.0
    y = X @ rng.standard_normal(inputs) / 10.0 + 3.0 * rng.standard_normal(rows)
    ours = DeepLinearRegressorCV(**GRID)
    theirs = GridSearchCV(DeepLinearRegressor(), GRID, scoring="neg_mean_squared_error")
    with threadpool_limits(1):
        times = interleaved(
            {
                "linscape: DeepLinearRegressorCV.fit": lambda: ours.fit(X, y),
                "scikit-learn: GridSearchCV.fit": lambda: theirs.fit(X, y),
                "limit: the Gram matrix X.T @ X alone": lambda: X.T @ X,
            },
            rounds=3,
        )
    difference = np.max(np.abs(_scores(ours) / _scores(theirs) - 1))
    same = "the same" if ours.best_params_ == theirs.best_params_ else "another"
    print(f"  {same} choice; scores differ by at most {difference:.1e} of themselves")
    return times


def _scores(search: DeepLinearRegressorCV | GridSearchCV) -> np.ndarray:
    return np.asarray(search.cv_results_["mean_test_score"])
