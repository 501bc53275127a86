"""Several outputs through every door: variance, estimator, path, picture."""

import numpy as np
import pytest

import linscape as ls
from linscape import plots
from linscape.sklearn import DeepLinearRegressor


def white(rng, n, d):
    return np.sqrt(n) * np.linalg.qr(rng.standard_normal((n, d)))[0]


def sampled_variance(weights, x, variance, rng, samples=200_000):
    """Mean over two-point noise of mean one, with the standard error of the variance."""
    first, last = weights
    hidden = first @ x
    signs = rng.choice([-1.0, 1.0], size=(samples, len(hidden)))
    outputs = (hidden * (1 + np.sqrt(variance) * signs)) @ last.T
    squares = (outputs - last @ hidden) ** 2
    return squares.mean(0), squares.std(0) / np.sqrt(samples)


def test_the_variance_behind_one_noisy_layer_is_that_of_its_network():
    rng = np.random.default_rng(0)
    X = white(rng, 30, 3)
    Y = X @ np.diag([3.0, 2.0, 1.0]) + 0.1 * rng.standard_normal((30, 3))
    network = ls.Network((4,), noise=0.3, weight_decay=0.2)
    minimum = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, Y), network))
    assert np.linalg.matrix_rank(minimum.predictor) > 1
    variance = minimum.prediction_variance(X[:2])
    for x, own in zip(X[:2], variance, strict=True):
        mean, error = sampled_variance(minimum.weights(), x, 0.3, rng)
        assert np.all(np.abs(mean - own) < 5 * error + 1e-12)


def test_the_average_variance_is_what_noise_adds_to_the_loss():
    # E‖f − y‖² = E‖Mx − y‖² + Σ E Var f_i: an identity of the propagated moments
    rng = np.random.default_rng(1)
    X = white(rng, 30, 3) + 0.0
    Y = X @ rng.standard_normal((3, 2))
    for options in ({"noise": 0.5}, {"noise": 0.5, "input_noise": 0.2}):
        network = ls.Network((3,), weight_decay=0.05, **options)
        problem = ls.Problem(ls.Moments.from_arrays(X, Y), network)
        minimum = ls.search_minimum(problem, starts=0)
        try:
            exact = ls.global_minimum(problem)
        except ls.errors.NoExactSolution:
            continue
        weights = exact.weights()
        noise_free = np.mean(np.sum((X @ exact.predictor.T - Y) ** 2, axis=1))
        decay = problem.energies(weights).sum()
        added = np.mean(exact.prediction_variance(X).sum(axis=1))
        assert noise_free + added + decay == pytest.approx(problem.loss(weights), rel=1e-10)
        assert minimum.lower <= exact.upper


def test_the_estimator_takes_several_targets():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 4)) + 2
    Y = X @ rng.standard_normal((4, 3)) + 0.1 * rng.standard_normal((60, 3)) - 1
    for hidden in ((), (8,), (8, 8)):
        model = DeepLinearRegressor(hidden, weight_decay=1e-3).fit(X, Y)
        assert model.predict(X).shape == (60, 3)
        assert model.score(X, Y) > 0.9
        assert model.coef_.shape == (3, 4)
        mean, std = model.predict(X, return_std=True)
        assert mean.shape == std.shape


def test_modes_are_drawn_over_the_decays():
    moments = ls.Moments(np.eye(3), np.diag([3.0, 2.0, 1.0]), 10 * np.eye(3))
    problem = ls.Problem(moments, ls.Network((3,)))
    path = ls.mode_path(problem, weight_decay=np.geomspace(0.1, 4.0, 20))
    figure = plots.modes(path, critical=ls.critical_weight_decay(problem), title="three")
    (axes,) = figure.axes
    assert len(axes.lines) == 4
    shown = np.nan_to_num(np.stack([line.get_ydata() for line in axes.lines[:3]], axis=1))
    np.testing.assert_array_equal(shown, path.sizes)
    assert axes.lines[3].get_xdata()[0] == pytest.approx(3.0)


def test_paths_need_hidden_layers():
    problem = ls.Problem(ls.Moments(np.eye(2), np.eye(2), np.eye(2)), ls.Network(()))
    with pytest.raises(ls.errors.NoExactSolution, match="hidden layer"):
        ls.mode_path(problem, weight_decay=[0.1])


def test_path_of_a_single_flat_target():
    """A = c = E[y²] = 1, one hidden layer: the predictor is 1 − γ, and zero from γ = 1 on."""
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,)))
    path = ls.mode_path(problem, weight_decay=[0.25, 2.0])
    np.testing.assert_allclose(path.sizes, [[0.75], [0.0]], rtol=1e-10)


def test_constant_outputs_beside_one_that_is_not():
    """Four equal inputs, a net of depth three: the constant outputs add nothing and divide by 0."""
    X, y = np.array([[-2.0] * 4, [-1.0] * 4]), np.array([1.0, 0.0])
    network = ls.Network((2, 1, 1), weight_decay=1e-3)
    several = ls.Moments.from_arrays(X, np.column_stack([0 * y, 0 * y, y])).centered()
    one = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y).centered(), network))
    found = ls.global_minimum(ls.Problem(several, network))
    np.testing.assert_allclose(found.loss, one.loss, rtol=1e-10)
    np.testing.assert_allclose(found.predictor[:2], 0.0, atol=1e-12)


@pytest.mark.parametrize("target", [np.zeros(2), np.zeros((2, 1)), np.zeros((2, 2))])
@pytest.mark.parametrize("decay", [0.1, 0.0, (0.1, 0.0, 0.1)])
@pytest.mark.parametrize("noise", [0.0, (0.0, 1.0)])
def test_search_on_inputs_that_are_zero(target, decay, noise):
    """Nothing explains y: the minimum is E[y²], here 4 for each output."""
    outputs = 1 if target.ndim == 1 else target.shape[1]
    moments = ls.Moments(np.zeros((2, 2)), target, 4.0 if target.ndim == 1 else 4 * np.eye(outputs))
    problem = ls.Problem(moments, ls.Network((3, 2), noise=noise, weight_decay=decay))
    found = ls.search_minimum(problem, starts=1)
    np.testing.assert_allclose(found.upper, 4.0 * outputs, rtol=1e-10)
    assert 0 <= found.lower <= found.upper
