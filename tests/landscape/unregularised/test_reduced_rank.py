"""The global minimum without decay or noise: reduced-rank regression."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from rank_limited import (
    from_rows,
    mp_least_loss,
    orthogonal,
    relative_slopes,
    rows,
    with_modes,
)

import linscape as ls
import oracles
from linscape.errors import NoExactSolution
from linscape.landscape.unregularised.regression import reduced_rank

HIDDEN = [(1,), (2,), (5,), (2, 4), (4, 1), (3, 3, 3), (2, 5, 3, 4)]


def least_width(problem):
    return min(problem.moments.inputs, *problem.network.hidden, problem.moments.outputs)


# ---- The value


@pytest.mark.parametrize("hidden", HIDDEN)
def test_the_interval_holds_the_minimum_of_the_stored_moments(hidden):
    rng = np.random.default_rng(1)
    for inputs, outputs in ((4, 3), (3, 3), (2, 4)):
        problem = from_rows(*rows(rng, inputs, outputs), hidden)
        minimum = ls.global_minimum(problem)
        truth = mp_least_loss(problem, least_width(problem))
        assert minimum.lower <= truth <= minimum.upper
        assert minimum.upper - minimum.lower <= 1e-10 * (minimum.loss + minimum.gain)
        assert minimum.loss == pytest.approx(float(truth), rel=1e-10)
        gain = float(sum(np.diag(problem.moments.yy)) - truth)
        assert minimum.gain_lower <= gain * (1 + 1e-14)
        assert minimum.gain_upper >= gain * (1 - 1e-14)


@pytest.mark.parametrize("condition", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("hidden", [(1,), (2, 3), (4,)])
def test_collinear_inputs_widen_the_interval_and_never_break_it(condition, hidden):
    rng = np.random.default_rng(2)
    X, Y = rows(rng)
    X = X @ orthogonal(4, rng) * np.geomspace(1, 1 / np.sqrt(condition), 4) @ orthogonal(4, rng)
    problem = from_rows(X, Y, hidden)
    minimum = ls.global_minimum(problem)
    truth = mp_least_loss(problem, least_width(problem))
    assert minimum.lower <= truth <= minimum.upper
    # eigenvalues of E[xxᵀ] carry errors of some units of the largest
    width = 1e-14 * condition + 1e-12
    assert minimum.upper - minimum.lower <= width * (minimum.loss + minimum.gain)


@pytest.mark.parametrize("hidden", [(1,), (2,), (1, 2)])
def test_no_descent_from_many_starts_ends_lower(hidden):
    rng = np.random.default_rng(3)
    X, Y = rows(rng, 3, 3, count=5)
    problem = from_rows(X, Y, hidden)
    objective = oracles.averaged_loss_and_gradient(X, Y)
    best, _, _ = oracles.minimum_by_multistart(objective, problem.shapes, rng, starts=4)
    # L-BFGS stops where the loss no longer falls in its last digits
    assert ls.global_minimum(problem).loss == pytest.approx(best, rel=1e-9)


def test_the_worked_example_learns_four_of_five_modes():
    # y = diag(5, 4, 3, 2, 1)x: what a bottleneck of four cannot learn is the last mode
    moments = ls.Moments(np.eye(5), np.diag([5.0, 4, 3, 2, 1]), np.diag([25.0, 16, 9, 4, 1]))
    minimum = ls.global_minimum(ls.Problem(moments, ls.Network((4, 4))))
    assert minimum.loss == pytest.approx(1.0, rel=1e-12)
    assert minimum.predictor == pytest.approx(np.diag([5.0, 4, 3, 2, 0]), abs=1e-12)
    assert not minimum.is_trivial


@pytest.mark.parametrize("reduction", ["mean", "sum", "half_sum", "half_mean"])
def test_the_value_is_what_the_construction_says(reduction):
    rng = np.random.default_rng(4)
    values = [7.0, 3.0, 3.0, 0.5]  # a repeated one across the limit
    problem = with_modes(values, (2, 6), rng, inputs=5, reduction=reduction)
    minimum = ls.global_minimum(problem)
    factor = {"mean": 1, "sum": 10, "half_sum": 5, "half_mean": 0.5}[reduction]
    assert minimum.gain == pytest.approx(10.0 * factor, rel=1e-10)
    assert minimum.loss == pytest.approx((0.4 + 3.5) * factor, rel=1e-10)
    assert minimum.lower <= problem.loss(minimum.weights(rng)) * (1 + 1e-14)


# ---- Symmetries and scales


@pytest.mark.parametrize("hidden", [(2,), (3, 2)])
def test_rotating_x_and_y_changes_nothing(hidden):
    rng = np.random.default_rng(5)
    X, Y = rows(rng)
    Q, R = orthogonal(4, rng), orthogonal(3, rng)
    one, other = (ls.global_minimum(from_rows(*data, hidden)) for data in ((X, Y), (X @ Q, Y @ R)))
    assert other.loss == pytest.approx(one.loss, rel=1e-10)
    assert other.predictor == pytest.approx(R.T @ one.predictor @ Q, abs=1e-10)


@pytest.mark.parametrize("x_scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("y_scale", [1e-8, 1.0, 1e8])
def test_units_of_x_and_y(x_scale, y_scale):
    rng = np.random.default_rng(6)
    X, Y = rows(rng)
    one = ls.global_minimum(from_rows(X, Y, (2, 3)))
    problem = from_rows(X * x_scale, Y * y_scale, (2, 3))
    minimum = ls.global_minimum(problem)
    assert minimum.loss == pytest.approx(one.loss * y_scale**2, rel=1e-10)
    assert minimum.predictor * (x_scale / y_scale) == pytest.approx(one.predictor, rel=1e-8)
    weights = minimum.weights(rng)
    assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
    assert relative_slopes(problem, weights) < 1e-13


def test_columns_in_different_units_lose_nothing():
    rng = np.random.default_rng(7)
    X, Y = rows(rng)
    one = ls.global_minimum(from_rows(X, Y, (2, 3)))
    problem = from_rows(X * [1e4, 1.0, 1e-4, 1e2], Y, (2, 3))
    minimum = ls.global_minimum(problem)
    assert minimum.loss == pytest.approx(one.loss, rel=1e-10)
    assert problem.loss(minimum.weights()) == pytest.approx(one.loss, rel=1e-10)


# ---- Data that lack something


def test_fewer_inputs_than_outputs():
    rng = np.random.default_rng(8)
    X, Y = rows(rng, 2, 5)
    coefficients, *_ = np.linalg.lstsq(X, Y, rcond=None)
    minimum = ls.global_minimum(from_rows(X, Y, (3, 4)))
    assert minimum.predictor == pytest.approx(coefficients.T, abs=1e-10)
    assert minimum.loss == pytest.approx(np.sum((Y - X @ coefficients) ** 2) / 30, rel=1e-10)


def test_collinear_inputs_get_the_predictor_of_least_norm():
    rng = np.random.default_rng(9)
    X, Y = rows(rng, 3, 3)
    mixing = rng.standard_normal((3, 6))
    minimum = ls.global_minimum(from_rows(X @ mixing, Y, (2, 2)))
    one = ls.global_minimum(from_rows(X, Y, (2, 2)))
    assert minimum.loss == pytest.approx(one.loss, rel=1e-10)
    assert minimum.certificate.null_directions == 3
    assert minimum.predictor == pytest.approx(one.predictor @ np.linalg.pinv(mixing).T, abs=1e-9)


def test_targets_of_low_rank_are_fitted_by_as_few_units():
    rng = np.random.default_rng(10)
    X, _ = rows(rng)
    Y = X @ rng.standard_normal((4, 2)) @ rng.standard_normal((2, 3))
    problem = from_rows(X, Y, (3, 5))
    minimum = ls.global_minimum(problem)
    weights = minimum.weights()
    assert minimum.loss <= 1e-13 * minimum.gain
    assert [np.linalg.matrix_rank(W) for W in weights] == [2, 2, 2]


@pytest.mark.parametrize("constant", ["x", "y"])
def test_without_signal_zero_is_the_minimum(constant):
    rng = np.random.default_rng(11)
    X, Y = rows(rng)
    problem = from_rows(X * (constant != "x"), Y * (constant != "y"), (2, 2))
    minimum = ls.global_minimum(problem)
    assert minimum.is_trivial is True
    assert minimum.gain == 0
    assert not any(W.any() for W in minimum.weights())


# ---- Biases and units of the data


def test_free_biases_centre_the_data():
    rng = np.random.default_rng(12)
    X, Y = rows(rng)
    means = np.array([3.0, -7.0, 100.0, 0.0]), np.array([5.0, 0.0, -2.0])
    shifted = from_rows(X + means[0], Y + means[1], (2, 3), bias="free")
    centred = from_rows(X - X.mean(axis=0), Y - Y.mean(axis=0), (2, 3))
    minimum = ls.global_minimum(shifted)
    assert minimum.loss == pytest.approx(ls.global_minimum(centred).loss, rel=1e-10)
    # the loss of given weights is evaluated on raw moments, whose means are a hundred deviations
    assert shifted.loss(minimum.weights(rng)) == pytest.approx(minimum.loss, rel=1e-8)
    assert "centred" in minimum.source
    decayed = from_rows(X + 1, Y, (2, 3), bias="decayed")
    free = from_rows(X + 1, Y, (2, 3), bias="free")
    assert ls.global_minimum(decayed).loss == ls.global_minimum(free).loss


def test_predictions_come_in_original_units():
    rng = np.random.default_rng(13)
    X, Y = rows(rng, noise=0.0)
    X, Y = X * 1e3 + 5, Y * 1e-2 - 3
    moments = ls.Moments.from_arrays(X, Y).standardized()
    minimum = ls.global_minimum(ls.Problem(moments, ls.Network((3, 3))))
    assert minimum.predict(X) == pytest.approx(Y, abs=1e-10)
    assert minimum.prediction_variance(X) == pytest.approx(np.zeros(Y.shape), abs=0)


# ---- Weights


@pytest.mark.parametrize("hidden", HIDDEN)
def test_weights_are_balanced_and_of_least_norm(hidden):
    rng = np.random.default_rng(14)
    problem = from_rows(*rows(rng), hidden)
    minimum = ls.global_minimum(problem)
    layers = len(hidden) + 1
    singular = np.linalg.svd(minimum.predictor, compute_uv=False)
    least = layers * np.sum(singular[: least_width(problem)] ** (2 / layers))
    for source in (None, rng):
        weights = minimum.weights(source)
        assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
        assert relative_slopes(problem, weights) < 1e-13
        assert sum(np.sum(W**2) for W in weights) == pytest.approx(least, rel=1e-10)
        for before, after in itertools.pairwise(weights):
            assert after.T @ after == pytest.approx(before @ before.T, abs=1e-12 * least)


def test_random_weights_of_the_minimum_differ():
    problem = from_rows(*rows(np.random.default_rng(15)), (3, 3))
    minimum = ls.global_minimum(problem)
    one, other = (minimum.weights(np.random.default_rng(seed)) for seed in (0, 1))
    assert np.abs(one[0] - other[0]).max() > 0.01
    assert problem.predictor(one) == pytest.approx(problem.predictor(other), abs=1e-10)


# ---- Both problems of Lu and Kawaguchi


@pytest.mark.parametrize("bias", [False, "free"])
@pytest.mark.parametrize("hidden", [(), (2,), (4, 1), (3, 2, 5)])
def test_the_deep_and_the_rank_constrained_minimum_agree(hidden, bias):
    rng = np.random.default_rng(16)
    for inputs, outputs, scale in ((4, 3, 1e8), (2, 4, 1.0), (5, 1, 1e-8)):
        X, Y = rows(rng, inputs, outputs)
        found = reduced_rank(from_rows(X / scale + 1 / scale, Y * scale, hidden, bias=bias))
        assert found.agree
        assert found.tolerance <= 1e-10 * (found.minimum.loss + found.minimum.gain)
        assert abs(found.difference) <= found.upper - found.lower + 2 * found.tolerance
        assert np.linalg.matrix_rank(found.regression) <= found.rank_limit


def test_a_minimum_that_is_not_the_other_is_seen():
    found = reduced_rank(from_rows(*rows(np.random.default_rng(17)), (2,)))
    missed = dataclasses.replace(found, deep_loss=found.deep_loss * (1 + 1e-9))
    assert not missed.agree
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["agree"] is True
    assert facts["rank_limit"] == 2


# ---- Bounds of the theorem


@pytest.mark.parametrize(
    "network",
    [
        {"noise": 0.5},
        {"noise": (0.0, 0.1), "weight_decay": 0.1},
        {"weight_decay": (0.0, 0.1, 0.0)},
    ],
)
def test_several_outputs_with_noise_or_some_decay_are_refused(network):
    problem = from_rows(*rows(np.random.default_rng(18)), (2, 2), **network)
    with pytest.raises(
        NoExactSolution, match=r"3 outputs|weight_decay\[0\] is zero|no exact solution"
    ):
        ls.global_minimum(problem)
    with pytest.raises(NoExactSolution, match="without"):
        reduced_rank(problem)


def test_noise_on_the_inputs_is_covered():
    problem = from_rows(*rows(np.random.default_rng(19)), (2, 2), input_noise=0.5)
    A = problem.moments.A * (1 + 0.5 * np.eye(4))
    noisy = ls.Problem(ls.Moments(A, problem.moments.C, problem.moments.yy), ls.Network((2, 2)))
    assert ls.global_minimum(problem).loss == pytest.approx(
        ls.global_minimum(noisy).loss, rel=1e-10
    )


def test_many_networks_share_one_decomposition():
    moments = ls.Moments.from_arrays(*rows(np.random.default_rng(20)))
    networks = [ls.Network((width, 3)) for width in (1, 2, 3)]
    losses = [minimum.loss for minimum in ls.global_minima(moments, networks)]
    assert losses == [ls.global_minimum(ls.Problem(moments, net)).loss for net in networks]
    assert losses[0] > losses[1] > losses[2]
