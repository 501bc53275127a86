"""One network as an estimator: against closed forms, oracles and scikit-learn's linear models."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import linscape as ls
from cases import known_minimum
from linscape.errors import InvalidData, InvalidNetwork, NoExactSolution
from linscape.sklearn import DeepLinearRegressor
from oracles import (
    averaged_loss_and_gradient,
    enumerated_loss,
    forward,
    minimum_by_multistart,
    mp_minimum,
    mp_moments,
    two_points,
)

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
DEEP = {"hidden": (3, 2), "dropout": 0.3, "weight_decay": 0.02}


def rows(seed=0, n=40, d=4, offset=1.0):
    """Rows with a linear signal, noise, and means that are not zero."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + offset
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n) - 3 * offset


def rows_of(problem):
    """Rows whose raw second moments are those of a problem, and whose means are zero."""
    moments = problem.moments
    joint = np.block([[moments.A, moments.C[:, None]], [moments.C, moments.yy]])
    values, basis = np.linalg.eigh(joint)
    half = np.sqrt(len(joint)) * (basis * np.sqrt(values)).T
    both = np.concatenate([half, -half])
    return both[:, :-1], both[:, -1]


# ---- the minimum


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_no_hidden_layer_is_ridge(fit_intercept, weighted, scale):
    X, y = rows(n=60)
    X, decay = scale * X, 0.1 * scale**2
    w = np.random.default_rng(1).uniform(0.1, 3, len(y)) if weighted else np.ones(len(y))
    model = DeepLinearRegressor((), weight_decay=decay, fit_intercept=fit_intercept)
    model.fit(X, y, sample_weight=w)
    ridge = Ridge(alpha=decay * w.sum(), fit_intercept=fit_intercept, solver="cholesky")
    ridge.fit(X, y, sample_weight=w)
    np.testing.assert_allclose(model.coef_, ridge.coef_, **CLOSE)
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, **CLOSE)
    np.testing.assert_allclose(model.predict(X), ridge.predict(X), **CLOSE)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_several_outputs_without_hidden_layers_are_ridge(fit_intercept):
    X, y = rows()
    Y = np.column_stack([y, y**2, X[:, 0]])
    model = DeepLinearRegressor((), weight_decay=0.3, fit_intercept=fit_intercept).fit(X, Y)
    ridge = Ridge(alpha=0.3 * len(Y), fit_intercept=fit_intercept, solver="cholesky").fit(X, Y)
    np.testing.assert_allclose(model.coef_, ridge.coef_, **CLOSE)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, ridge.predict(X), **CLOSE)
    assert std.shape == Y.shape
    assert not std.any()


@pytest.mark.parametrize(("hidden", "tau"), [((), 1), ((4,), 1.25), ((4, 2), 1.25 * 1.5)])
@pytest.mark.parametrize("repeat", [False, True])
def test_no_decay_is_least_squares_over_the_inflation(hidden, tau, repeat):
    X, y = rows()
    X = np.column_stack([X, X[:, 0]]) if repeat else X
    model = DeepLinearRegressor(hidden, dropout=0.5, weight_decay=0).fit(X, y)
    # of a repeated column both take the solution of minimum norm
    expected = LinearRegression().fit(X, y).coef_ / tau
    np.testing.assert_allclose(model.coef_, expected, **CLOSE)
    np.testing.assert_allclose(model.intercept_, y.mean() - X.mean(axis=0) @ expected, **CLOSE)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_minimum_known_by_construction_is_found(depth, fit_intercept):
    known = known_minimum(np.random.default_rng(depth), depth)
    network = known.problem.network
    X, y = rows_of(known.problem)
    if fit_intercept:
        X, y = X + np.array([3.0, -2.0, 1.0]), y + 5.0
    model = DeepLinearRegressor(
        network.hidden,
        dropout=[s / (1 + s) for s in network.noise],
        weight_decay=network.weight_decay,
        fit_intercept=fit_intercept,
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, known.predictor, **CLOSE)
    np.testing.assert_allclose(model.minimum_.loss, known.loss, **CLOSE)
    shift = 5.0 - known.predictor @ np.array([3.0, -2.0, 1.0]) if fit_intercept else 0.0
    np.testing.assert_allclose(model.intercept_, shift, **CLOSE)


@pytest.mark.parametrize("hidden", [(1,), (3,), (2, 5), (3, 3, 3)])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_loss_and_coefficients_are_those_at_60_digits(hidden, fit_intercept):
    X, y = rows()
    model = DeepLinearRegressor(
        hidden, dropout=0.2, weight_decay=0.03, fit_intercept=fit_intercept
    ).fit(X, y)
    shift = (X.mean(axis=0), y.mean()) if fit_intercept else (0.0, 0.0)
    exact = mp_minimum(
        *mp_moments(X - shift[0], y - shift[1]),
        depth=len(hidden),
        weight_decay=0.03,
        noise=0.25,
        hidden=list(hidden),
    )
    np.testing.assert_allclose(model.minimum_.loss, float(exact["loss"]), rtol=1e-10)
    expected = [float(x) for x in exact["predictor"]]
    np.testing.assert_allclose(model.coef_, expected, **CLOSE)


def test_the_loss_is_the_objective_of_the_docstring():
    X, y = rows(n=6, d=2)
    w = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
    model = DeepLinearRegressor(**DEEP).fit(X, y, sample_weight=w)
    objective = {"noise": 3 / 7, "weight_decay": 0.02, "bias": "free", "sample_weight": w}
    weights = model.minimum_.weights()
    enumerated = enumerated_loss(X, y, weights, law="dropout", **objective)
    np.testing.assert_allclose(model.minimum_.loss, enumerated, rtol=1e-10)
    best, _, _ = minimum_by_multistart(
        averaged_loss_and_gradient(X, y, **objective),
        [W.shape for W in weights],
        np.random.default_rng(0),
        starts=8,
    )
    np.testing.assert_allclose(model.minimum_.loss, best, rtol=1e-10)


@pytest.mark.parametrize("hidden", [(), (3,), (3, 2)])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_constant_targets_and_inputs_are_predicted_by_their_mean(hidden, decay):
    X, _ = rows(n=7)
    model = DeepLinearRegressor(hidden, dropout=0.2, weight_decay=decay)
    mean, std = model.fit(X, np.full(7, 3.0)).predict(X, return_std=True)
    np.testing.assert_array_equal(mean, np.full(7, 3.0))
    np.testing.assert_array_equal(std, np.zeros(7))
    y = np.array([1.0, 2.0, 6.0])
    assert model.fit(np.ones((3, 2)), y).predict([[5.0, 5.0]]) == [3.0]
    assert model.fit([[1.0, 2.0]], [4.0]).predict([[0.0, 0.0]]) == [4.0]


def test_past_the_critical_decay_the_mean_is_predicted():
    X, y = rows()
    moments = ls.Moments.from_arrays(X, y)
    draft = ls.Problem(moments, ls.Network((3, 2), weight_decay=1.0, bias="free"))
    critical = ls.critical_weight_decay(draft).learning
    for factor, trivial in [(1 - 1e-9, False), (1 + 1e-9, True)]:
        model = DeepLinearRegressor((3, 2), weight_decay=factor * critical).fit(X, y)
        assert model.minimum_.is_trivial is trivial
        assert bool(model.coef_.any()) is not trivial
    np.testing.assert_allclose(model.predict(X), y.mean(), rtol=1e-14)


# ---- rows: weights, pieces, sparse matrices, names


@given(
    st.lists(st.integers(0, 3), min_size=12, max_size=12).filter(lambda w: sum(map(bool, w)) > 2)
)
def test_a_weight_is_as_good_as_repeated_rows(counts):
    X, y = rows(n=12, d=3)
    weighted = DeepLinearRegressor(**DEEP).fit(X, y, sample_weight=counts)
    repeated = DeepLinearRegressor(**DEEP).fit(np.repeat(X, counts, 0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), **CLOSE)
    np.testing.assert_allclose(weighted.minimum_.loss, repeated.minimum_.loss, **CLOSE)


@given(st.lists(st.integers(1, 29), max_size=5), st.booleans())
def test_partial_fits_are_the_fit_of_all_rows(cuts, weighted):
    X, y = rows(n=30)
    w = np.linspace(0.5, 2.0, 30) if weighted else None
    whole = DeepLinearRegressor(**DEEP).fit(X, y, sample_weight=w)
    edges = [0, *sorted(set(cuts)), 30]
    pieces = DeepLinearRegressor(**DEEP)
    for start, end in reversed(list(itertools.pairwise(edges))):
        part = slice(start, end)
        pieces.partial_fit(X[part], y[part], None if w is None else w[part])
    np.testing.assert_allclose(pieces.coef_, whole.coef_, **CLOSE)
    np.testing.assert_allclose(pieces.intercept_, whole.intercept_, **CLOSE)
    assert pieces.moments_.n == 30


def test_partial_fit_goes_on_from_fit_and_fit_starts_anew():
    X, y = rows()
    model = DeepLinearRegressor(**DEEP).fit(X[:10], y[:10]).partial_fit(X[10:], y[10:])
    np.testing.assert_allclose(model.coef_, DeepLinearRegressor(**DEEP).fit(X, y).coef_, **CLOSE)
    first = DeepLinearRegressor(**DEEP).fit(X[:10], y[:10])
    np.testing.assert_array_equal(model.fit(X[:10], y[:10]).coef_, first.coef_)


def test_a_partial_fit_that_fails_leaves_the_estimator_as_it_was():
    X, y = rows()
    model = DeepLinearRegressor(**DEEP).fit(X, y)
    before = model.predict(X)
    with pytest.raises(InvalidData):
        model.partial_fit(X, y, sample_weight=np.zeros(len(y)))
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.moments_.n == len(y)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_sparse_is_dense(kind, fit_intercept):
    X, y = rows(n=50, offset=0.0)
    X[np.abs(X) < 1] = 0
    S = scipy.sparse.coo_array(X).asformat(kind)
    dense = DeepLinearRegressor(**DEEP, fit_intercept=fit_intercept).fit(X, y)
    sparse = DeepLinearRegressor(**DEEP, fit_intercept=fit_intercept).fit(S, y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, **CLOSE)
    np.testing.assert_allclose(
        sparse.predict(S, return_std=True), dense.predict(X, return_std=True), **CLOSE
    )


def test_a_frame_gives_names_which_must_come_back():
    X, y = rows()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = DeepLinearRegressor(**DEEP).fit(frame, pd.Series(y))
    assert list(model.feature_names_in_) == list("abcd")
    assert model.n_features_in_ == 4
    plain = DeepLinearRegressor(**DEEP).fit(X, y)
    np.testing.assert_allclose(model.predict(frame), plain.predict(X), **CLOSE)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("dcba")])


def test_a_column_of_targets_is_one_output_and_warns():
    X, y = rows()
    with pytest.warns(DataConversionWarning):
        model = DeepLinearRegressor(**DEEP).fit(X, y[:, None])
    assert model.predict(X).shape == y.shape


# ---- the spread over the dropout noise


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("hidden", [(2,), (3, 2)])
def test_the_spread_is_that_of_every_dropout_mask(hidden, fit_intercept):
    X, y = rows(n=20, d=2)
    model = DeepLinearRegressor(
        hidden, dropout=0.3, weight_decay=0.01, fit_intercept=fit_intercept
    ).fit(X, y)
    weights = model.minimum_.weights(np.random.default_rng(0))
    patterns = np.array(list(itertools.product(two_points(3 / 7, "dropout"), repeat=sum(hidden))))
    chances = patterns[:, :, 1].prod(axis=1)
    masks = [1.0, *np.split(patterns[:, :, 0], np.cumsum(hidden)[:-1], axis=1)]
    outputs = np.array([forward(x, weights, masks, fit_intercept)[:, 0] for x in X])
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, outputs @ chances, **CLOSE)
    spread = np.sqrt((outputs - mean[:, None]) ** 2 @ chances)
    np.testing.assert_allclose(std, spread, **CLOSE)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_spread_is_the_formula_and_the_library(fit_intercept):
    X, y = rows()
    model = DeepLinearRegressor((4,), dropout=0.5, weight_decay=0.01, fit_intercept=fit_intercept)
    _, std = model.fit(X, y).predict(X, return_std=True)
    centred = X - X.mean(axis=0) if fit_intercept else X
    # tau = 1 + 1/4
    np.testing.assert_allclose(std, 0.5 * np.abs(centred @ model.coef_), **CLOSE)
    np.testing.assert_allclose(std**2, model.minimum_.prediction_variance(X), **CLOSE)


# ---- a member of scikit-learn


def test_parameters_are_stored_untouched_and_checked_in_fit():
    hidden, X, y = [3, 2], *rows()
    model = DeepLinearRegressor(hidden, dropout=-1, weight_decay="no")
    assert model.get_params()["hidden"] is hidden
    with pytest.raises(InvalidNetwork, match="dropout"):
        model.fit(X, y)
    with pytest.raises(InvalidNetwork, match="weight_decay"):
        model.set_params(dropout=[0.1, 0.2]).fit(X, y)
    with pytest.raises(InvalidNetwork, match="noise"):
        model.set_params(dropout=[0.1, 0.2, 0.3], weight_decay=1e-3).fit(X, y)
    with pytest.raises(InvalidNetwork, match="hidden"):
        model.set_params(dropout=0.1, hidden=64).fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_what_no_theorem_covers_is_refused():
    X, y = rows()
    with pytest.raises(NoExactSolution, match="2 outputs"):
        DeepLinearRegressor((3,), dropout=0.2, weight_decay=0.0).fit(X, np.column_stack([y, y**2]))
    with pytest.raises(NoExactSolution, match="weight_decay"):
        DeepLinearRegressor((3,), weight_decay=(0.0, 0.1)).fit(X, y)


def test_it_works_in_a_pipeline_and_a_grid_search():
    X, y = rows()
    pipeline = make_pipeline(StandardScaler(), DeepLinearRegressor(dropout=0.2))
    assert cross_val_score(pipeline, X, y).mean() > 0.5
    grid = {"deeplinearregressor__hidden": [(), (8,)], "deeplinearregressor__dropout": [0.0, 0.9]}
    search = GridSearchCV(pipeline, grid).fit(X, y)
    assert search.best_params_["deeplinearregressor__dropout"] == 0.0


def test_clones_and_pickles_are_the_same_estimator():
    X, y = rows()
    model = DeepLinearRegressor(**DEEP).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.minimum_.to_dict() == model.minimum_.to_dict()
    np.testing.assert_array_equal(clone(model).fit(X, y).coef_, model.coef_)
    # a loaded one can go on
    loaded.partial_fit(X[:5], y[:5])
    assert loaded.moments_.n == len(y) + 5
