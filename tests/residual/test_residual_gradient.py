"""Theorem 2.2: its inequality at random layers, where it is tight, and what lies outside."""

import json
import math

import numpy as np
import pytest
from maps import random_map, rotation, spectral_norms

import linscape as ls
from linscape.errors import InvalidMoments, InvalidNetwork, InvalidWeights
from linscape.residual import residual_factors, residual_gradient_bound, residual_problem
from oracles import averaged_loss_and_gradient, finite_difference_gradient


def rows(size, rng, count=20, scale=1.0, target=1.0):
    X = scale * rng.standard_normal((count, size))
    Y = X @ rng.standard_normal((size, size)).T + rng.standard_normal((count, size))
    return X, target * Y


def layers_of_norm(layers, size, norm, rng):
    A = rng.standard_normal((layers, size, size))
    return A * (norm * rng.uniform(0.2, 1, layers) / spectral_norms(A))[:, None, None]


def test_the_objective_and_its_gradient_against_the_oracle():
    rng = np.random.default_rng(0)
    X, Y = rows(3, rng)
    A = 0.3 * rng.standard_normal((4, 3, 3))
    weights = list(np.eye(3) + A)
    problem = residual_problem(ls.Moments.from_arrays(X, Y), 4)
    predictions = X
    for W in weights:
        predictions = predictions @ W.T
    expected = np.mean(np.sum((predictions - Y) ** 2, axis=1))
    np.testing.assert_allclose(problem.loss(weights), expected, rtol=1e-10)
    oracle = averaged_loss_and_gradient(X, Y)
    differences = finite_difference_gradient(  # by A_i
        lambda layers: oracle([np.eye(3) + layer for layer in layers])[0], list(A)
    )
    for ours, theirs, slopes in zip(
        problem.gradient(weights), oracle(weights)[1], differences, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(ours, slopes, rtol=1e-8, atol=1e-10)  # differences


def test_the_inequality_holds_at_thousands_of_layers():
    rng = np.random.default_rng(1)
    checked, closest = 0, np.inf
    for _ in range(100):
        size = int(rng.integers(1, 5))
        moments = ls.Moments.from_arrays(*rows(size, rng))
        for _ in range(30):
            A = layers_of_norm(int(rng.integers(1, 7)), size, rng.uniform(0, 0.999), rng)
            check = residual_gradient_bound(moments, A)
            assert check.inside
            assert check.gradient_norm >= check.bound * (1 - 1e-10)
            assert check.holds
            checked, closest = checked + 1, min(closest, check.gradient_norm / check.bound)
    assert checked == 3000
    assert closest < 1.2  # for one input and A near 0 the two sides nearly meet


@pytest.mark.parametrize("layers", [1, 2, 9])
def test_the_two_sides_meet_at_zero_for_white_inputs(layers):
    R = random_map(3, 1.0, np.random.default_rng(layers))
    moments = ls.Moments(4 * np.eye(3), 4 * R.T, 4 * R @ R.T + np.eye(3))
    check = residual_gradient_bound(moments, np.zeros((layers, 3, 3)))
    excess = 4 * np.linalg.norm(R - np.eye(3)) ** 2
    np.testing.assert_allclose(check.excess, excess, rtol=1e-10)
    np.testing.assert_allclose(check.gradient_norm, 2 * math.sqrt(layers * 4 * excess), rtol=1e-10)
    np.testing.assert_allclose(check.bound, check.gradient_norm, rtol=1e-10)


def test_the_powers_of_one_less_the_norm_cannot_be_bettered():
    # all layers −τI: ∇ has the factor (1 − τ)^{l−1} exactly
    moments = ls.Moments(np.eye(2), 2 * np.eye(2), 4 * np.eye(2))
    for norm in (0.1, 0.5, 0.9):
        check = residual_gradient_bound(moments, -norm * np.ones((5, 1, 1)) * np.eye(2))
        np.testing.assert_allclose(check.bound, check.gradient_norm, rtol=1e-10)


def test_the_excess_is_above_least_squares():
    rng = np.random.default_rng(2)
    X, Y = rows(3, rng)
    A = layers_of_norm(3, 3, 0.5, rng)
    moments = ls.Moments.from_arrays(X, Y)
    best = np.linalg.lstsq(X, Y, rcond=None)[0]
    least = np.mean(np.sum((X @ best - Y) ** 2, axis=1))
    loss = residual_problem(moments, 3).loss(list(np.eye(3) + A))
    np.testing.assert_allclose(residual_gradient_bound(moments, A).excess, loss - least, rtol=1e-10)


def test_at_the_minimum_both_sides_vanish():
    rng = np.random.default_rng(3)
    R = random_map(3, 1.0, rng)
    S = np.diag([1.0, 2.0, 5.0])
    moments = ls.Moments(S, S @ R.T, R @ S @ R.T)
    check = residual_gradient_bound(moments, residual_factors(R, 20).factors)
    assert check.inside
    assert check.holds
    assert check.excess <= 1e-24 * np.trace(R @ S @ R.T)
    assert check.gradient_norm <= 1e-11


def test_deficient_inputs_count_by_their_smallest_positive_eigenvalue():
    rng = np.random.default_rng(4)
    Q = rotation(3, rng)
    S = Q @ np.diag([0.0, 0.5, 2.0]) @ Q.T
    R = random_map(3, 1.0, rng)
    moments = ls.Moments(S, S @ R.T, R @ S @ R.T + np.eye(3))
    for _ in range(50):
        check = residual_gradient_bound(moments, layers_of_norm(3, 3, 0.8, rng))
        np.testing.assert_allclose(check.smallest_eigenvalue, 0.5, rtol=1e-10)
        assert check.gradient_norm >= check.bound * (1 - 1e-10) > 0


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("target", [1e-8, 1e8])
def test_scales_of_the_data(scale, target):
    rng = np.random.default_rng(5)
    A = layers_of_norm(3, 3, 0.7, rng)
    R = 1e0 * random_map(3, 0.5, rng)
    for S in (np.eye(3), np.diag([1.0, 0.1, 0.01])):
        plain = residual_gradient_bound(ls.Moments(S, S @ R.T, R @ S @ R.T), A)
        # x and y in the same new units leave the ratio alone
        scaled = residual_gradient_bound(
            ls.Moments(scale**2 * S, scale**2 * S @ R.T, scale**2 * R @ S @ R.T), A
        )
        ratio = plain.gradient_norm / plain.bound
        np.testing.assert_allclose(scaled.gradient_norm / scaled.bound, ratio, rtol=1e-10)
        mixed = residual_gradient_bound(
            ls.Moments(scale**2 * S, scale * target * S @ R.T, target**2 * R @ S @ R.T), A
        )
        assert mixed.holds


# ---- Outside the region


@pytest.mark.parametrize("layers", [2, 3, 6])
def test_a_critical_point_outside_that_is_no_minimum(layers):
    moments = ls.Moments(np.eye(2), 2 * np.eye(2), 4 * np.eye(2))
    check = residual_gradient_bound(moments, -np.ones((layers, 1, 1)) * np.eye(2))
    assert (check.norm, check.inside, check.holds) == (1.0, False, None)
    assert check.gradient_norm == 0
    np.testing.assert_allclose(check.excess, 8.0, rtol=1e-10)


def test_the_inequality_itself_fails_outside():
    # read with |1 − τ| beyond τ = 1, it would claim 4·2·(τ − 1)²·(f − f*) at layers −I, −τI
    moments = ls.Moments([[1.0]], [2.0], 4.0)
    A = np.array([[[-1.0]], [[-1.5]]])
    check = residual_gradient_bound(moments, A)
    claimed = 2 * math.sqrt(2) * 0.5 * math.sqrt(check.excess)
    assert check.gradient_norm < claimed
    assert check.holds is None


def test_a_minimum_over_the_closed_ball_need_not_be_global():
    # "critical in the ball" means ∇f = 0, not least in the ball: y = −x, |a_i| ≤ ½
    moments = ls.Moments([[1.0]], [-1.0], 1.0)
    corner = residual_gradient_bound(moments, np.full((2, 1, 1), -0.5))
    assert corner.excess == pytest.approx((0.25 + 1) ** 2, rel=1e-12)
    grid = np.linspace(-0.5, 0.5, 101)
    products = np.multiply.outer(1 + grid, 1 + grid)
    assert ((products + 1) ** 2).min() >= corner.excess - 1e-12
    assert corner.gradient_norm > 1


# ---- Bad input


def test_bad_input():
    moments = ls.Moments(np.eye(2), np.eye(2), np.eye(2))
    wide = ls.Moments(np.eye(3), np.zeros((3, 2)), np.eye(2))
    for factors in (
        np.zeros((2, 3, 3)),
        np.zeros((2, 2)),
        [],
        np.zeros((0, 2, 2)),
        None,
        "ab",
        [np.zeros((2, 2)), np.zeros((3, 3))],
        np.full((1, 2, 2), math.nan),
        np.full((1, 2, 2), math.inf),
        np.zeros((1, 2, 2), dtype=complex),
    ):
        with pytest.raises(InvalidWeights, match="factors must be"):
            residual_gradient_bound(moments, factors)
    with pytest.raises(InvalidMoments, match="3 inputs and 2 outputs"):
        residual_gradient_bound(wide, np.zeros((1, 3, 3)))
    with pytest.raises(InvalidMoments, match="as many outputs"):
        residual_problem(wide, 2)
    with pytest.raises(InvalidNetwork, match="layers"):
        residual_problem(moments, 0)
    zero = ls.Moments(np.zeros((2, 2)), np.zeros((2, 2)), np.eye(2))
    with pytest.raises(InvalidMoments, match="is zero"):
        residual_gradient_bound(zero, np.zeros((1, 2, 2)))


def test_the_result_is_json():
    check = residual_gradient_bound(ls.Moments([[1.0]], [3.0], 9.0), np.zeros((2, 1, 1)))
    assert json.loads(json.dumps(check.to_dict(), allow_nan=False))["inside"] is True


@pytest.mark.slow
def test_the_inequality_in_many_draws():
    rng = np.random.default_rng(6)
    count, closest = 0, np.inf
    for _ in range(3000):
        size = int(rng.integers(1, 6))
        moments = ls.Moments.from_arrays(*rows(size, rng, count=int(rng.integers(1, 12))))
        for _ in range(10):
            A = layers_of_norm(int(rng.integers(1, 12)), size, rng.uniform(0, 1), rng)
            check = residual_gradient_bound(moments, A)
            assert check.holds
            if check.bound > 1e-6 * check.gradient_norm:
                count, closest = count + 1, min(closest, check.gradient_norm / check.bound)
    assert closest >= 1 - 1e-10
    print(f"{count} draws, smallest ratio {closest:.6f}")
