"""scikit-learn's own checks of an estimator: cloning, pickling, weights, sparse inputs, errors."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from linscape.sklearn import DeepLinearRegressor, DeepLinearRegressorCV

ESTIMATORS = [
    DeepLinearRegressor(),
    DeepLinearRegressor((), fit_intercept=False),
    DeepLinearRegressor((3, 2), dropout=0.2, weight_decay=(1e-2, 1e-3, 1e-2)),
    DeepLinearRegressor((4,), weight_decay=0.0),
    DeepLinearRegressorCV([(), (4,), (4, 4)], dropout=[0.2], weight_decay=[1e-3, 1e-1], cv=3),
]


@parametrize_with_checks(ESTIMATORS)
def test_an_estimator_passes_the_checks_of_scikit_learn(estimator, check, monkeypatch):
    # scikit-learn looks at it when a check starts, and would leave one out
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)
