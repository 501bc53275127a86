"""The choice by cross-validation: against GridSearchCV of the same grid, and against bare loops."""

import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    ParameterGrid,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from linscape.errors import InvalidData, InvalidNetwork, NoExactSolution
from linscape.sklearn import DeepLinearRegressor, DeepLinearRegressorCV

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
GRID = {
    "hidden": [(), (4,), (4, 2)],
    "dropout": [0.0, 0.4],
    "weight_decay": [1e-3, 0.3, 10.0],
}
SCORE = "neg_mean_squared_error"


def rows(seed=0, n=45, d=4, offset=1.0):
    """Rows with a linear signal, noise, and means that are not zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + offset
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n) - 3 * offset


def both(X, y, cv, *, fit_intercept=True):
    """Ours and GridSearchCV's, fitted."""
    ours = DeepLinearRegressorCV(**GRID, cv=cv, fit_intercept=fit_intercept).fit(X, y)
    one = DeepLinearRegressor(fit_intercept=fit_intercept)
    return ours, GridSearchCV(one, GRID, scoring=SCORE, cv=cv).fit(X, y)


def assert_same(ours, theirs):
    """Same table, same choice, same fit."""
    assert ours.n_splits_ == theirs.n_splits_
    table = {key for key in theirs.cv_results_ if not key.endswith("_time")}
    assert set(ours.cv_results_) == table
    for key in table - {"rank_test_score"}:
        if key.endswith("_score"):
            np.testing.assert_allclose(ours.cv_results_[key], theirs.cv_results_[key], **CLOSE)
        else:
            assert list(ours.cv_results_[key]) == list(theirs.cv_results_[key])
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_index_ == theirs.best_index_
    np.testing.assert_allclose(ours.best_score_, theirs.best_score_, **CLOSE)
    np.testing.assert_allclose(ours.coef_, theirs.best_estimator_.coef_, **CLOSE)
    np.testing.assert_allclose(ours.intercept_, theirs.best_estimator_.intercept_, **CLOSE)


SPLITTERS = [
    5,
    None,
    KFold(4, shuffle=True, random_state=0),
    LeaveOneOut(),
    ShuffleSplit(3, test_size=0.3, random_state=0),
    RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    TimeSeriesSplit(3),
]


@pytest.mark.parametrize("cv", SPLITTERS, ids=str)
def test_scores_choice_and_fit_are_those_of_grid_search(cv):
    assert_same(*both(*rows(n=9 if isinstance(cv, LeaveOneOut) else 45), cv))


@pytest.mark.parametrize("seed", range(3))
def test_they_are_without_intercept_and_ranks_agree(seed):
    ours, theirs = both(*rows(seed), 3, fit_intercept=False)
    assert_same(ours, theirs)
    # dropout does nothing without hidden layers: those pairs are exact ties, for both
    np.testing.assert_array_equal(
        ours.cv_results_["rank_test_score"], theirs.cv_results_["rank_test_score"]
    )


def test_splits_may_be_given_as_rows_or_masks():
    X, y = rows()
    splits = list(GroupKFold(3).split(X, y, groups=np.arange(45) // 4))
    assert_same(*both(X, y, splits))
    masks = [
        (np.isin(np.arange(45), train), np.isin(np.arange(45), test)) for train, test in splits
    ]
    ours = DeepLinearRegressorCV(**GRID, cv=splits).fit(X, y)
    masked = DeepLinearRegressorCV(**GRID, cv=masks).fit(X, y)
    np.testing.assert_allclose(
        masked.cv_results_["mean_test_score"], ours.cv_results_["mean_test_score"], **CLOSE
    )


def test_a_fold_of_huge_rows_costs_the_others_no_digits():
    X, y = rows()
    X[:9], y[:9] = 1e7 * X[:9], 1e7 * y[:9]
    ours, theirs = both(X, y, 5)
    # in the others the huge rows are only trained on; in theirs, nothing of them may be left
    np.testing.assert_allclose(
        ours.cv_results_["split0_test_score"], theirs.cv_results_["split0_test_score"], rtol=1e-10
    )


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_linear_models_are_those_of_the_normal_equations(offset):
    X, y = rows(offset=offset)
    decays = [0.0, 0.01, 1.0]
    ours = DeepLinearRegressorCV([()], dropout=[0.0], weight_decay=decays, cv=3).fit(X, y)
    for j, decay in enumerate(decays):
        for i, test in enumerate(np.split(np.arange(45), 3)):
            train = np.setdiff1d(np.arange(45), test)
            mean_x, mean_y = X[train].mean(axis=0), y[train].mean()
            Z, t = X[train] - mean_x, y[train] - mean_y
            p = np.linalg.solve(Z.T @ Z / 30 + decay * np.eye(4), Z.T @ t / 30)
            error = np.mean((y[test] - mean_y - (X[test] - mean_x) @ p) ** 2)
            score = ours.cv_results_[f"split{i}_test_score"][j]
            np.testing.assert_allclose(score, -error, rtol=1e-10)


def test_errors_are_weighted_in_fitting_and_in_judging():
    X, y = rows()
    w = np.random.default_rng(1).uniform(0.1, 3, len(y))
    ours = DeepLinearRegressorCV(**GRID).fit(X, y, sample_weight=w)
    for i, (train, test) in enumerate(KFold(5).split(X)):
        for score, candidate in zip(
            ours.cv_results_[f"split{i}_test_score"], ParameterGrid(GRID), strict=True
        ):
            one = DeepLinearRegressor(**candidate).fit(X[train], y[train], w[train])
            error = np.average((y[test] - one.predict(X[test])) ** 2, weights=w[test])
            np.testing.assert_allclose(score, -error, rtol=1e-10)
    one = DeepLinearRegressor(**ours.best_params_).fit(X, y, w)
    np.testing.assert_allclose(ours.coef_, one.coef_, **CLOSE)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 3), min_size=24, max_size=24))
def test_a_weight_is_as_good_as_repeated_rows(counts):
    counts = np.array(counts) + np.tile([1, 0], 12)  # no fold without weight
    X, y = rows(n=24)
    where, folds = np.repeat(np.arange(24), counts), np.arange(24) // 8
    grid = {"hidden": [(3,)], "dropout": [0.4], "weight_decay": [1e-3, 0.3]}

    def splits(folds):
        return [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(3)]

    weighted = DeepLinearRegressorCV(**grid, cv=splits(folds)).fit(X, y, sample_weight=counts)
    repeated = DeepLinearRegressorCV(**grid, cv=splits(folds[where])).fit(X[where], y[where])
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(
            weighted.cv_results_[key], repeated.cv_results_[key], rtol=1e-10, atol=1e-11
        )
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), **CLOSE)


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_sparse_is_dense(kind):
    X, y = rows(offset=0.0)
    X[np.abs(X) < 1] = 0
    S = scipy.sparse.coo_array(X).asformat(kind)
    dense = DeepLinearRegressorCV(**GRID).fit(X, y)
    sparse = DeepLinearRegressorCV(**GRID).fit(S, y)
    assert sparse.best_params_ == dense.best_params_
    np.testing.assert_allclose(
        sparse.cv_results_["mean_test_score"], dense.cv_results_["mean_test_score"], **CLOSE
    )


def test_one_eigendecomposition_serves_a_whole_fold(monkeypatch):
    calls, eigh = [], np.linalg.eigh

    def counted(matrix):
        calls.append(matrix)
        return eigh(matrix)

    monkeypatch.setattr(np.linalg, "eigh", counted)
    DeepLinearRegressorCV(**GRID, cv=4).fit(*rows())
    assert len(calls) == 4 + 1  # and one for the fit to all rows


def test_the_choice_is_the_estimator_it_names():
    X, y = rows()
    model = DeepLinearRegressorCV(**GRID).fit(X, y)
    one = DeepLinearRegressor(**model.best_params_).fit(X, y)
    np.testing.assert_allclose(model.coef_, one.coef_, **CLOSE)
    for mine, its in zip(
        model.predict(X, return_std=True), one.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_allclose(mine, its, **CLOSE)
    table = model.cv_results_
    assert model.best_params_ == table["params"][model.best_index_]
    assert model.best_score_ == table["mean_test_score"].max()
    assert table["rank_test_score"][model.best_index_] == 1


def test_a_constant_target_is_predicted_without_error_by_all():
    X, _ = rows()
    model = DeepLinearRegressorCV(**GRID).fit(X, np.full(len(X), 2.5))
    np.testing.assert_array_equal(model.cv_results_["mean_test_score"], 0)
    assert model.best_index_ == 0
    np.testing.assert_array_equal(model.predict(X), 2.5)


def test_invalid_candidates_are_refused_before_any_fit():
    X, y = rows()
    with pytest.raises(InvalidNetwork, match="hidden"):
        DeepLinearRegressorCV((64, 64)).fit(X, y)
    with pytest.raises(InvalidNetwork, match="dropout"):
        DeepLinearRegressorCV(dropout=[0.1, 1.0]).fit(X, y)
    with pytest.raises(TypeError, match="weight_decay"):
        DeepLinearRegressorCV(weight_decay=0.1).fit(X, y)
    with pytest.raises(NoExactSolution, match="weight_decay"):
        DeepLinearRegressorCV([(3,)], weight_decay=[(0.0, 1.0)]).fit(X, y)


def test_weights_that_do_not_fit_the_rows_are_refused():
    X, y = rows()
    with pytest.raises(InvalidData, match="45 sample weights"):
        DeepLinearRegressorCV(**GRID).fit(X, y, sample_weight=np.ones(90))
    with pytest.raises(InvalidData, match="zero weights"):
        DeepLinearRegressorCV(**GRID).fit(X, y, sample_weight=np.arange(45) >= 9)


def test_it_works_in_a_pipeline_and_can_be_cloned_and_pickled():
    X, y = rows()
    pipeline = make_pipeline(StandardScaler(), DeepLinearRegressorCV(**GRID)).fit(X, y)
    loaded = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(loaded.predict(X), pipeline.predict(X))
    np.testing.assert_array_equal(clone(pipeline).fit(X, y).predict(X), pipeline.predict(X))
    assert pipeline.score(X, y) > 0.5
