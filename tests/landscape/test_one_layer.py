"""One hidden layer, several outputs, no noise: nuclear-norm regression with a duality gap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linscape as ls
from linscape.landscape.outputs.newton import Factors, _Point
from oracles import averaged_loss_and_gradient, minimum_by_multistart

SCALES = st.sampled_from([1e-8, 1e-3, 1.0, 1e4, 1e8])


def data(rng, n, d, m, condition=3.0):
    X = rng.standard_normal((n, d)) * np.geomspace(1, 1 / condition, d)
    return X, X @ rng.standard_normal((d, m)) + 0.3 * rng.standard_normal((n, m))


def problem_of(X, Y, width, decay, **options):
    network = ls.Network((width,), weight_decay=decay, **options)
    return ls.Problem(ls.Moments.from_arrays(X, Y), network)


def proximal_gradient(A, C, total, penalty, steps=20_000):
    """min tr(MAMᵀ) − 2tr(MC) + total + penalty·‖M‖_* by plain proximal gradient steps."""
    step = 1 / (2 * np.linalg.norm(A, 2))
    M = np.zeros(C.T.shape)
    for _ in range(steps):
        moved = M - step * 2 * (M @ A - C.T)
        left, sizes, right = np.linalg.svd(moved, full_matrices=False)
        M = (left * np.maximum(sizes - step * penalty, 0)) @ right
    norm = np.linalg.svd(M, compute_uv=False).sum()
    return float(np.trace(M @ A @ M.T) - 2 * np.trace(M @ C) + total + penalty * norm)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_proximal_gradient_steps(share, seed):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 40, 4, 3)
    A, C = X.T @ X / 40, X.T @ Y / 40
    decay = share * np.linalg.norm(C, 2)
    minimum = ls.global_minimum(problem_of(X, Y, 3, (4 * decay, decay / 4)))
    expected = proximal_gradient(A, C, np.sum(Y**2) / 40, 2 * decay)
    # the oracle converges linearly, at condition 9 to rounding
    assert minimum.loss == pytest.approx(expected, rel=1e-10)
    assert minimum.gain_upper - minimum.gain_lower <= 1e-9 * minimum.gain
    assert minimum.lower <= minimum.loss <= minimum.upper


@pytest.mark.parametrize("seed", range(4))
def test_descent_in_the_full_weight_space_ends_there_and_never_below(seed):
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    X, Y = data(rng, 12, d, m)
    decay = rng.uniform(0.05, 1.1) * np.linalg.norm(X.T @ Y / 12, 2)
    decays = (decay * 1.5, decay / 1.5)
    problem = problem_of(X, Y, 3, decays)
    minimum = ls.global_minimum(problem)
    function = averaged_loss_and_gradient(X, Y, weight_decay=list(decays))
    least, ends, _ = minimum_by_multistart(function, problem.shapes, rng, starts=8)
    total = np.sum(Y**2) / 12
    assert ends.min() >= minimum.lower - 1e-13 * total  # the oracle's own rounding
    assert least <= minimum.upper + 1e-8 * total  # descent stops in a flat bottom


@given(
    seed=st.integers(0, 10**6),
    share=st.floats(1e-3, 1.2),
    condition=st.sampled_from([1.0, 30.0, 1e3]),
    x=SCALES,
    y=SCALES,
    reduction=st.sampled_from(["mean", "sum", "half_sum", "half_mean"]),
)
@settings(max_examples=40, deadline=None)
def test_its_weights_attain_it_at_any_scale(seed, share, condition, x, y, reduction):
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 6)), int(rng.integers(2, 6))
    X, Y = data(rng, 30, d, m, condition)
    X, Y = x * X, y * Y
    factor = {"mean": 1, "sum": 30, "half_sum": 15, "half_mean": 0.5}[reduction]
    decay = share * factor * np.linalg.norm(X.T @ Y / 30, 2)
    network = ls.Network((6,), weight_decay=(decay, decay))
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), network, reduction=reduction)
    minimum = ls.global_minimum(problem)
    total = factor * np.sum(Y**2) / 30
    weights = minimum.weights(np.random.default_rng(seed))
    assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10, abs=1e-13 * total)
    assert minimum.upper - minimum.lower <= 1e-9 * max(minimum.gain, 1e-3 * total)
    np.testing.assert_allclose(
        problem.energies(weights), minimum.energy, rtol=1e-7, atol=1e-12 * total
    )  # energies are of first order where the loss is flat
    np.testing.assert_allclose(
        problem.predictor(weights),
        minimum.predictor,
        rtol=1e-9,
        atol=0 if minimum.is_trivial else 1e-9 * np.max(np.abs(minimum.predictor)),
    )


def test_one_output_is_the_theorem_of_one_output():
    rng = np.random.default_rng(5)
    X, Y = data(rng, 30, 4, 1)
    one = ls.global_minimum(problem_of(X, Y[:, 0], 3, 0.1))
    u = np.array([0.6, -0.8])
    several = ls.global_minimum(problem_of(X, Y * u, 3, 0.1))
    assert several.loss == pytest.approx(one.loss, rel=1e-10)
    # the predictor is of first order in the gap, which is below 1e-10
    np.testing.assert_allclose(several.predictor, np.outer(u, one.predictor), atol=1e-6)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_rotations_of_inputs_and_outputs_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 20, 3, 3)
    turned_x, turned_y = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
    decay = 0.3 * np.linalg.norm(X.T @ Y / 20, 2)
    plain = ls.global_minimum(problem_of(X, Y, 3, decay))
    moved = ls.global_minimum(problem_of(X @ turned_x, Y @ turned_y, 3, decay))
    assert moved.loss == pytest.approx(plain.loss, rel=1e-10)


def test_a_linear_autoencoder_shrinks_each_variance():
    # Kunin, Bloom, Goeva & Seed (2019), Theorem 2: M = Σ_j (1 − γ/a_j)₊ v_jv_jᵀ
    variances = np.array([4.0, 1.0, 0.25])
    A = np.diag(variances)
    problem = ls.Problem(ls.Moments(A, A, A), ls.Network((3,), weight_decay=0.5))
    minimum = ls.global_minimum(problem)
    kept = np.maximum(1 - 0.5 / variances, 0)
    np.testing.assert_allclose(minimum.predictor, np.diag(kept), atol=1e-6)
    expected = np.sum(variances * (1 - kept) ** 2 + 2 * 0.5 * kept)
    assert minimum.loss == pytest.approx(expected, rel=1e-10)


def test_singular_values_are_lowered_where_inputs_are_white():
    # Cai, Candès & Shen (2010), Theorem 2.1
    rng = np.random.default_rng(7)
    C = rng.standard_normal((4, 3))
    moments = ls.Moments(np.eye(4), C, C.T @ C)
    minimum = ls.global_minimum(ls.Problem(moments, ls.Network((3,), weight_decay=0.7)))
    left, sizes, right = np.linalg.svd(C.T, full_matrices=False)
    expected = (left * np.maximum(sizes - 0.7, 0)) @ right
    np.testing.assert_allclose(minimum.predictor, expected, atol=1e-9)


def test_biases_free_of_decay_are_the_centred_problem():
    rng = np.random.default_rng(8)
    X, Y = data(rng, 30, 3, 2)
    X, Y = X + 5, Y - 3
    free = ls.global_minimum(problem_of(X, Y, 2, 0.2, bias="free"))
    centred = ls.global_minimum(problem_of(X - X.mean(0), Y - Y.mean(0), 2, 0.2))
    assert free.loss == pytest.approx(centred.loss, rel=1e-10)
    problem = problem_of(X, Y, 2, 0.2, bias="free")
    assert problem.loss(free.weights()) == pytest.approx(free.loss, rel=1e-10)
    np.testing.assert_allclose(free.predict(X).mean(0), Y.mean(0), rtol=1e-10)


def test_a_layer_narrower_than_the_rank():
    rng = np.random.default_rng(9)
    X, Y = data(rng, 30, 4, 4)
    problem = problem_of(X, Y, 2, 1e-3)
    minimum = ls.global_minimum(problem)
    assert "nuclear" not in minimum.source
    function = averaged_loss_and_gradient(X, Y, weight_decay=1e-3)
    least, ends, _ = minimum_by_multistart(function, problem.shapes, rng, starts=12)
    total = np.sum(Y**2) / 30
    assert ends.min() >= minimum.lower - 1e-13 * total  # the oracle's own rounding
    assert least <= minimum.upper + 1e-8 * total  # descent stops in a flat bottom
    wide = ls.global_minimum(problem_of(X, Y, 4, 1e-3))
    assert wide.upper < minimum.lower


@pytest.mark.parametrize("side", [1 - 1e-9, 1 + 1e-9])
def test_beside_the_transition(side):
    rng = np.random.default_rng(10)
    X, Y = data(rng, 30, 4, 3)
    problem = problem_of(X, Y, 3, 1.0)
    critical = ls.critical_weight_decay(problem).learning
    minimum = ls.global_minimum(problem_of(X, Y, 3, side * critical))
    assert minimum.is_trivial is (side > 1)
    assert (minimum.gain > 0) is (side < 1)


def test_collinear_and_constant_columns():
    rng = np.random.default_rng(11)
    X, Y = data(rng, 30, 3, 2)
    wide = np.column_stack([X, X[:, 0], np.zeros(30)])
    rotated = X * [np.sqrt(2), 1, 1]
    doubled = ls.global_minimum(problem_of(wide, Y, 2, 0.05))
    single = ls.global_minimum(problem_of(rotated, Y, 2, 0.05))
    assert doubled.loss == pytest.approx(single.loss, rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("condition", [1.0, 1e2, 1e4])
def test_a_conic_solver_finds_the_same(condition):
    import cvxpy as cp

    rng = np.random.default_rng(12)
    X = np.sqrt(60) * np.linalg.qr(rng.standard_normal((60, 8)))[0]
    X = X * np.sqrt(np.geomspace(1, 1 / condition, 8))
    Y = X @ rng.standard_normal((8, 6)) + 0.3 * rng.standard_normal((60, 6))
    A, C = X.T @ X / 60, X.T @ Y / 60
    decay = 0.2 * np.linalg.norm(C, 2)
    minimum = ls.global_minimum(problem_of(X, Y, 8, decay))
    M = cp.Variable((6, 8))
    values, axes = np.linalg.eigh(A)
    root = (axes * np.sqrt(values)) @ axes.T
    data = cp.sum_squares(M @ root - np.linalg.solve(root, C).T)
    cp.Problem(cp.Minimize(data + 2 * decay * cp.normNuc(M))).solve(solver=cp.CLARABEL)
    found = np.asarray(M.value)
    norm = np.linalg.svd(found, compute_uv=False).sum()
    loss = np.sum((X @ found.T - Y) ** 2) / 60 + 2 * decay * norm
    assert loss >= minimum.lower * (1 - 1e-12)
    assert loss == pytest.approx(minimum.loss, rel=1e-7)  # its own tolerance is 1e-8


def test_units_that_are_equal_can_be_preconditioned_at_any_penalty():
    at = Factors(np.eye(2), np.ones((2, 2)))
    for penalty in (1e-300, 1e-20, 1.0):
        point = _Point(np.ones(2), np.zeros((2, 2)), penalty, at)
        point.prepare()
        solved = point.preconditioned(Factors(np.ones((2, 2)), np.ones((2, 2))))
        assert np.isfinite(solved.left).all()
        # the row (1, 1) lies in the range of the block [[4, 4], [4, 4]] + penalty
        np.testing.assert_allclose(solved.left, 1 / (8 + penalty), rtol=1e-10)
