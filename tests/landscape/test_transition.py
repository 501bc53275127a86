"""The learning transition of several outputs: enclosed, attained from below, never passed above."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

import linscape as ls
from linscape.landscape.realisation import solution_weights
from oracles import averaged_loss_and_gradient, minimum_by_multistart

SCALES = st.sampled_from([1e-8, 1e-3, 1.0, 1e4, 1e8])


def data(rng, n, d, m, condition=3.0):
    X = rng.standard_normal((n, d)) * np.geomspace(1, 1 / condition, d)
    Y = X @ rng.standard_normal((d, m)) + 0.3 * rng.standard_normal((n, m))
    return X, Y


def brute_threshold(A, C, depth, log_inflation):
    """max over t of λ_max by a fine grid and golden section, in the form without eigenbasis."""
    if depth == 1:  # the supremum is that of t → 0
        return np.linalg.norm(C, 2)

    def negative(log_t):
        t = math.exp(log_t)
        inverse = np.linalg.solve(np.eye(len(A)) + t**depth * A, C)
        return -np.linalg.eigvalsh(t ** (depth - 1) * C.T @ inverse)[-1]

    grid = np.linspace(-12, 12, 4001)
    best = grid[np.argmin([negative(point) for point in grid])]
    found = minimize_scalar(
        negative, bounds=(best - 0.01, best + 0.01), method="bounded", options={"xatol": 1e-9}
    )
    value = max(-found.fun, -negative(best))
    product = math.exp((1 - depth) * log_inflation) * (value / depth) ** depth
    return product ** (1 / (depth + 1))


def problem_of(X, Y, hidden, **options):
    return ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network(hidden, **options))


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_the_threshold_is_the_largest_of_all_directions(depth, seed):
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 6)), int(rng.integers(2, 5))
    X, Y = data(rng, 30, d, m)
    noise = float(rng.uniform(0, 1))
    problem = problem_of(X, Y, (3,) * depth, noise=noise, weight_decay=0.1)
    critical = ls.critical_weight_decay(problem)
    expected = brute_threshold(X.T @ X / 30, X.T @ Y / 30, depth, problem.network.log_inflation)
    # golden section finds the place to 1e-9, hence the value to 1e-16 of its own curvature
    assert critical.learning == pytest.approx(expected, rel=1e-10)
    low, high = critical.learning_interval
    assert low <= critical.learning <= high
    assert high - low <= 1e-11 * high


@given(seed=st.integers(0, 10**6), depth=st.integers(1, 4), m=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_one_of_several_equal_targets_or_one_alone(seed, depth, m):
    # m copies of one target, each multiplied by a unit vector's entry, are that one target
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 20, 3, 1)
    u = rng.standard_normal(m)
    u /= np.linalg.norm(u)
    hidden = (2,) * depth
    one = ls.critical_weight_decay(problem_of(X, Y[:, 0], hidden, noise=0.4, weight_decay=0.1))
    several = ls.critical_weight_decay(problem_of(X, Y * u, hidden, noise=0.4, weight_decay=0.1))
    assert several.learning == pytest.approx(one.learning, rel=1e-10)
    low, high = several.existence_interval
    assert low <= one.existence * (1 + 1e-12)
    assert one.existence <= high * (1 + 1e-12)


@given(seed=st.integers(0, 10**6), depth=st.integers(1, 4), x=SCALES, y=SCALES)
@settings(max_examples=25, deadline=None)
def test_rotations_do_not_matter_and_scales_as_they_should(seed, depth, x, y):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 20, 3, 3)
    rotate_x = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    rotate_y = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    hidden = (2,) * depth
    plain = ls.critical_weight_decay(problem_of(X, Y, hidden, noise=0.3))
    moved = ls.critical_weight_decay(
        problem_of(x * X @ rotate_x, y * Y @ rotate_y, hidden, noise=0.3)
    )
    # P* scales as y^{2D} x^2, the common decay as its root of order D + 1
    factor = (y**depth * x) ** (2 / (depth + 1))
    assert moved.learning == pytest.approx(factor * plain.learning, rel=1e-10)


def rank_one_loss(problem, y_grid):
    """The least loss of rank-one networks along the line of every top direction, in p.loss."""
    A, C = np.asarray(problem.moments.A), np.asarray(problem.moments.C)
    network = problem.network
    best = math.inf
    for ridge in y_grid:
        inverse = np.linalg.solve(A + ridge * np.eye(len(A)), C)
        u = np.linalg.eigh(C.T @ inverse)[1][:, -1]
        predictor = inverse @ u / network.inflation
        *hidden, last = solution_weights(network, predictor)
        best = min(best, problem.loss([*hidden, np.outer(u, last)]))
    return best


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_both_sides_in_the_full_weight_space(depth, seed):
    rng = np.random.default_rng(100 * depth + seed)
    d, m = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    X, Y = data(rng, 12, d, m)
    hidden = tuple(int(n) for n in rng.integers(1, 4, depth))
    shape = {"noise": float(rng.choice([0.0, 0.5]))}
    probe = problem_of(X, Y, hidden, **shape)
    critical = ls.critical_weight_decay(probe)
    at_zero = float(np.trace(np.asarray(probe.moments.yy)))

    below = problem_of(X, Y, hidden, weight_decay=0.99 * critical.learning, **shape)
    assert ls.phase(below).name == "learning"
    assert rank_one_loss(below, np.geomspace(1e-4, 1e4, 4001)) < at_zero * (1 - 1e-9)

    above = problem_of(X, Y, hidden, weight_decay=1.01 * critical.learning, **shape)
    assert ls.phase(above).name in {"collapsed", "metastable", "undecided"}
    function = averaged_loss_and_gradient(X, Y, weight_decay=1.01 * critical.learning, **shape)
    _, ends, _ = minimum_by_multistart(
        function, above.shapes, np.random.default_rng(seed), starts=10, scales=(0.1, 0.5, 1, 2, 4)
    )
    assert ends.min() >= at_zero * (1 - 1e-12)


def test_one_hidden_layer_is_decided_by_the_largest_singular_value():
    # C = diag(3, 1), γ_u γ_w = ‖C‖₂² = 9 at γ = 3; no metastable phase
    moments = ls.Moments(np.diag([4.0, 4.0]), np.diag([3.0, 1.0]), np.diag([3.0, 1.0]))
    problem = ls.Problem(moments, ls.Network((5,), noise=1.0, weight_decay=1.5))
    critical = ls.critical_weight_decay(problem)
    assert critical.learning == pytest.approx(3.0, rel=1e-14)
    assert critical.existence == pytest.approx(3.0, rel=1e-14)
    for decay, name in ((2.999999, "learning"), (3.000001, "collapsed")):
        network = ls.Network((5,), noise=1.0, weight_decay=decay)
        assert ls.phase(ls.Problem(moments, network)).name == name


def test_repeated_singular_values_and_lost_directions():
    # A = I, C = c·I: the scalar problem with signal c, so P* = c^{2D}(D−1)^{D−1}/D^{2D}
    A, c, depth = np.eye(3), 2.0, 3
    moments = ls.Moments(A, c * np.eye(3), 9 * np.eye(3))
    critical = ls.critical_weight_decay(ls.Problem(moments, ls.Network((4,) * depth)))
    product = c ** (2 * depth) * (depth - 1) ** (depth - 1) / depth ** (2 * depth)
    assert critical.learning == pytest.approx(product ** (1 / (depth + 1)), rel=1e-12)
    deficient = ls.Moments(
        np.diag([1.0, 1.0, 1.0, 0.0]), np.vstack([c * np.eye(3), np.zeros(3)]), 9 * np.eye(3)
    )
    again = ls.critical_weight_decay(ls.Problem(deficient, ls.Network((4,) * depth)))
    assert again.learning == pytest.approx(critical.learning, rel=1e-12)


def test_no_signal_collapses_at_any_decay():
    moments = ls.Moments(np.eye(2), np.zeros((2, 2)), np.eye(2))
    problem = ls.Problem(moments, ls.Network((3, 3), weight_decay=1e-9))
    assert ls.phase(problem).name == "collapsed"
    assert ls.critical_weight_decay(problem).learning == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_critical_points_exist_below_and_not_above_the_bounds(seed):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 12, 3, 2)
    probe = problem_of(X, Y, (2, 2), noise=0.2)
    low, high = ls.critical_weight_decay(probe).existence_interval
    assert 0 < low <= high
    function = averaged_loss_and_gradient(X, Y, noise=0.2, weight_decay=1.001 * high)
    _, ends, _ = minimum_by_multistart(
        function, probe.shapes, np.random.default_rng(seed), starts=10, scales=(0.5, 1, 2, 4)
    )
    at_zero = float(np.trace(np.asarray(probe.moments.yy)))
    np.testing.assert_allclose(ends, at_zero, rtol=1e-8)  # descent stops short of zero
    decay = 0.995 * low
    exists = problem_of(X, Y, (2, 2), noise=0.2, weight_decay=decay)
    assert ls.phase(exists).name in {"metastable", "learning"}
    # the least rank-one network beyond the barrier, let go, stays away from zero
    losses = {}
    A, C = np.asarray(exists.moments.A), np.asarray(exists.moments.C)
    for energy in np.geomspace(1e-4, 10, 400):
        ridge = decay**3 * energy**-2.0 / exists.network.inflation
        inverse = np.linalg.solve(A + ridge * np.eye(3), C)
        u = np.linalg.eigh(C.T @ inverse)[1][:, -1]
        *hidden, last = solution_weights(exists.network, inverse @ u / exists.network.inflation)
        weights = [*hidden, np.outer(u, last)]
        losses[energy] = exists.loss(weights), weights
    values = np.array([loss for loss, _ in losses.values()])
    inner = [k for k in range(1, 399) if values[k] < values[k - 1] and values[k] <= values[k + 1]]
    assert inner
