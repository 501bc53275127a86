"""Known limits: no hidden layer, no noise, little decay, and the two sides of the transition."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

import linscape as ls
from cases import (
    isotropic,
    isotropic_thresholds,
    known_minimum,
    one_layer_gain,
    scaled_decays,
    split,
    symmetric,
    true_thresholds,
    truth,
)
from oracles import dense_ridge

SIDES = [1e-9, -1e-9]


def regression(outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12, 4))
    Y = X @ rng.standard_normal((4, outputs)) + 0.5 * rng.standard_normal((12, outputs))
    return X, Y[:, 0] if outputs == 1 else Y


# ---- No hidden layer


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("decay", [0.0, 1e-6, 0.3, 100.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "half_mean", "half_sum"])
def test_no_hidden_layer_is_ridge_regression(outputs, decay, reduction):
    X, Y = regression(outputs)
    factor = {"mean": 1.0, "sum": 12.0, "half_mean": 0.5, "half_sum": 6.0}[reduction]
    A, C = X.T @ X / 12, X.T @ Y / 12
    loss, p = dense_ridge(A, C, np.sum(Y**2) / 12, decay, factor=factor)
    network = ls.Network((), weight_decay=decay)
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), network, reduction=reduction)
    minimum = ls.global_minimum(problem)
    assert minimum.loss == pytest.approx(loss, rel=1e-10)
    assert minimum.lower <= loss * (1 + 1e-13)
    assert minimum.upper >= loss * (1 - 1e-13)
    np.testing.assert_allclose(minimum.predictor, p.T, rtol=1e-10)
    assert problem.loss(minimum.weights()) == pytest.approx(loss, rel=1e-10)
    assert minimum.energy == pytest.approx(decay * np.sum(p**2), rel=1e-10)
    assert "ridge" in minimum.source


@pytest.mark.parametrize("outputs", [1, 2])
def test_free_biases_make_ridge_regression_centred(outputs):
    X, Y = regression(outputs)
    X, Y = X + np.array([1, -2, 3, 0]), Y + 7
    network = ls.Network((), weight_decay=0.2, bias="free")
    minimum = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, Y), network))
    Z, z = X - X.mean(axis=0), Y - Y.mean(axis=0)
    loss, p = dense_ridge(Z.T @ Z / 12, Z.T @ z / 12, np.sum(z**2) / 12, 0.2)
    assert minimum.loss == pytest.approx(loss, rel=1e-10)
    np.testing.assert_allclose(minimum.predictor, p.T, rtol=1e-10)
    np.testing.assert_allclose(minimum.intercept, Y.mean(axis=0) - X.mean(axis=0) @ p, rtol=1e-10)


# ---- No decay


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
@pytest.mark.parametrize("rows", [12, 3])
def test_no_decay_is_least_squares_of_minimum_norm_shrunk_by_the_noise(depth, rows):
    X, y = (part[:rows] for part in regression())
    network = ls.Network((2,) * depth, noise=0.5)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network)
    minimum = ls.global_minimum(problem)
    tau = 1.25**depth
    p = np.linalg.lstsq(X, y, rcond=None)[0] / tau
    fitted = np.mean((X @ p * tau) ** 2)
    loss = np.mean(y**2) - fitted / tau
    scale = np.mean(y**2)
    assert minimum.loss == pytest.approx(loss, rel=1e-10, abs=1e-12 * scale)
    np.testing.assert_allclose(minimum.predictor, p, rtol=0, atol=1e-10 * np.abs(p).max())
    assert problem.loss(minimum.weights()) == pytest.approx(loss, rel=1e-10, abs=1e-12 * scale)
    assert minimum.energy == 0
    assert minimum.is_trivial is False


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("decay", [1e-3, 1e-6, 1e-12, 1e-30])
def test_a_small_decay_costs_at_most_the_penalty_of_least_squares(depth, decay):
    X, y = regression()
    moments = ls.Moments.from_arrays(X, y)
    free = ls.global_minimum(ls.Problem(moments, ls.Network((2,) * depth, noise=0.5)))
    network = ls.Network((2,) * depth, noise=0.5, weight_decay=decay)
    minimum = ls.global_minimum(ls.Problem(moments, network))
    square = free.predictor @ free.predictor
    penalty = (depth + 1) * decay * square ** (1 / (depth + 1))
    rounding = 1e-13 * moments.yy
    assert free.loss - rounding <= minimum.loss <= free.loss + penalty + rounding
    assert minimum.is_trivial is (ls.phase(minimum.problem).name != "learning")


# ---- Little noise


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("noise", [1e-1, 1e-4, 1e-8, 1e-16])
def test_a_small_noise_costs_at_most_what_it_adds_to_the_silent_solution(depth, noise):
    X, y = regression()
    moments = ls.Moments.from_arrays(X, y)
    silent, noisy = (
        ls.global_minimum(ls.Problem(moments, ls.Network((3,) * depth, noise=s, weight_decay=0.02)))
        for s in (0.0, noise)
    )
    excess = math.expm1(depth * math.log1p(noise / 3))
    cost = excess * (silent.predictor @ moments.A @ silent.predictor)
    rounding = 1e-13 * moments.yy
    assert silent.loss - rounding <= noisy.loss <= silent.loss + cost + rounding


@given(st.floats(0, 5), st.floats(0, 5), st.integers(1, 4), st.floats(1e-4, 1))
def test_more_noise_or_more_decay_never_helps(first, second, depth, decay):
    X, y = regression()
    moments = ls.Moments.from_arrays(X, y)
    less, more = sorted([first, second])

    def upper_and_lower(noise, decay):
        network = ls.Network((2,) * depth, noise=noise, weight_decay=decay)
        minimum = ls.global_minimum(ls.Problem(moments, network))
        return minimum.upper, minimum.lower

    assert upper_and_lower(less, decay)[1] <= upper_and_lower(more, decay)[0]
    assert upper_and_lower(1.0, decay * (1 + less) / 7)[1] <= upper_and_lower(1.0, decay)[0]


# ---- The transition: ‖c‖² > γ_u γ_w for one hidden layer (published), P < P* for more


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("seed", range(5))
def test_one_hidden_layer_learns_exactly_above_the_published_condition(seed, side):
    rng = np.random.default_rng(seed)
    A, p = symmetric(rng.uniform(0.1, 3, 4), rng), rng.standard_normal(4)
    moments = ls.Moments(A, A @ p, p @ A @ p + 1)
    norm = np.linalg.norm(A @ p)
    for ratio in (1.0, 7.0, 1e6):  # γ_u γ_w = ‖c‖²(1 − side), shared unequally
        decays = (norm * ratio, norm / ratio * (1 - side))
        problem = ls.Problem(moments, ls.Network((3,), noise=0.4, weight_decay=decays))
        minimum = ls.global_minimum(problem)
        assert minimum.is_trivial is (side < 0)
        assert ls.phase(problem).name == ("learning" if side > 0 else "collapsed")
        assert (minimum.energy > 0) is (side > 0)


@given(st.floats(-17, -3), st.booleans(), st.integers(0, 10**6), st.integers(1, 3))
def test_a_decision_at_the_transition_is_right_or_left_open(power, learns, seed, depth):
    rng = np.random.default_rng(seed)
    problem = known_minimum(rng, depth).problem
    threshold = true_thresholds(problem)[0]
    product = mp.fprod(mp.mpf(g) for g in problem.network.weight_decay)
    factor = float(mp.root(threshold / product, depth + 1))
    problem = scaled_decays(problem, factor * (1 + (-1 if learns else 1) * 10.0**power))
    product = mp.fprod(mp.mpf(g) for g in problem.network.weight_decay)
    minimum = ls.global_minimum(problem)
    assert minimum.is_trivial in (None, product >= threshold)
    if power > -12:
        assert minimum.is_trivial is (not learns)
    expected = {True: ("learning",), False: ("collapsed", "metastable")}[product < threshold]
    assert ls.phase(problem).name in (*expected, "undecided")


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-6, 1e-9])
@pytest.mark.parametrize("seed", range(3))
def test_a_small_gain_keeps_its_digits(distance, seed):
    rng = np.random.default_rng(seed)
    A, p = symmetric(rng.uniform(0.5, 3, 3), rng), rng.standard_normal(3)
    moments, norm = ls.Moments(A, A @ p, p @ A @ p + 1), float(np.linalg.norm(A @ p))
    network = ls.Network((3,), noise=0.4, weight_decay=(norm * 3, norm / 3 * (1 - distance)))
    problem = ls.Problem(moments, network)
    minimum, gain = ls.global_minimum(problem), one_layer_gain(problem)
    # ‖c‖ in the eigenbasis and P carry a few units of rounding, which the distance magnifies
    assert abs(minimum.gain / gain - 1) <= 3e-14 / distance
    assert 0 < minimum.gain_lower <= gain <= minimum.gain_upper
    assert minimum.gain_upper / minimum.gain_lower - 1 <= 3e-12 / distance


def test_the_bisected_gain_is_that_of_the_other_oracle():
    problem = known_minimum(np.random.default_rng(0), 1).problem
    with mp.workdps(60):
        other = mp.mpf(problem.moments.yy) - truth(problem)["loss"]
        assert abs(one_layer_gain(problem) / other - 1) < mp.mpf(10) ** -50


@pytest.mark.parametrize("depth", [2, 3, 8])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_white_inputs_learn_exactly_below_the_closed_form_of_their_threshold(depth, side, noise):
    c, tau = [0.6, -0.8, 2.4], (1 + noise / 2) ** depth
    learning, _ = isotropic_thresholds(depth, mp.sqrt(6.76), tau, 0.5)
    log_product = float(mp.log(learning)) - side
    decays = split(log_product, depth + 1, np.random.default_rng(depth))
    problem = isotropic(depth, square=0.5, c=c, noise=noise, decay=decays)
    minimum = ls.global_minimum(problem)
    assert minimum.is_trivial is (side < 0)
    assert ls.phase(problem).name == ("learning" if side > 0 else "metastable")
    assert (minimum.gain > 0) is (side > 0)


@pytest.mark.parametrize(("depth", "side"), list(itertools.product([2, 3, 5], SIDES)))
def test_any_inputs_learn_exactly_below_their_threshold(depth, side):
    problem = known_minimum(np.random.default_rng(depth), depth).problem
    threshold = true_thresholds(problem)[0]
    product = mp.fprod(mp.mpf(g) for g in problem.network.weight_decay)
    factor = float(mp.root(threshold / product * (1 - mp.mpf(side)), depth + 1))
    moved = scaled_decays(problem, factor)
    assert (truth(moved)["energy"] > 0) is (side > 0)
    assert ls.global_minimum(moved).is_trivial is (side < 0)
