"""The oracles against each other and against algebra by hand; the package is not involved."""

import itertools

import numpy as np
import pytest
from mpmath import mp

from oracles import (
    averaged_loss_and_gradient,
    dense_ridge,
    enumerated_loss,
    finite_difference_gradient,
    finite_difference_hessian,
    flatten,
    minimum_by_multistart,
    mp_loss,
    mp_minimum,
    mp_moments,
    sampled_loss,
)

# hidden widths, inputs, outputs, the problem
NETS = [
    ((), 3, 2, {"weight_decay": 0.3, "input_noise": 0.5}),
    ((3,), 2, 1, {"noise": 0.7, "weight_decay": [0.1, 0.4], "factor": 3.0}),
    ((2, 3), 2, 2, {"noise": [0.3, 1.2], "input_noise": 0.2, "weight_decay": [0.1, 0.2, 0.7]}),
    ((2, 1, 2), 2, 1, {"noise": [0.5, 0.0, 0.4], "weight_decay": 0.1, "factor": 0.5}),
]


def net(case, bias, seed=0):
    """X, y, weights and problem of NETS[case], with data weights on the even cases."""
    hidden, d, m, problem = NETS[case]
    rng = np.random.default_rng(seed)
    widths = [d, *hidden, m]
    X, y = rng.standard_normal((5, d)), rng.standard_normal((5, m))
    weights = [rng.standard_normal((b, a + bool(bias))) for a, b in itertools.pairwise(widths)]
    problem = problem | {"bias": bias}
    if case % 2 == 0:
        problem["sample_weight"] = rng.uniform(0.5, 2, 5)
    return X, y, weights, problem


every_net = pytest.mark.parametrize("case", range(len(NETS)))
every_bias = pytest.mark.parametrize("bias", [False, "decayed", "free"])


# ---- The loss, four ways


def test_one_unit_by_hand():
    w, u, b, beta = 0.7, -1.3, 0.4, 0.9
    x, y, s0, s1, g1, g2 = 1.1, 0.6, 0.3, 0.8, 0.05, 0.2
    # f = u ε1 (w ε0 x + b) + beta
    mean = u * (w * x + b) + beta
    second = u**2 * (1 + s1) * ((w * x) ** 2 * (1 + s0) + 2 * w * x * b + b**2)
    variance = second - (u * (w * x + b)) ** 2
    data = 2.5 * ((mean - y) ** 2 + variance)
    for bias, biases in (("free", 0), ("decayed", g1 * b**2 + g2 * beta**2)):
        loss = enumerated_loss(
            [[x]],
            [y],
            [np.array([[w, b]]), np.array([[u, beta]])],
            noise=s1,
            input_noise=s0,
            weight_decay=[g1, g2],
            bias=bias,
            factor=2.5,
        )
        assert loss == pytest.approx(data + g1 * w**2 + g2 * u**2 + biases, rel=1e-14)


@every_net
@every_bias
def test_only_the_variance_of_the_noise_matters(case, bias):
    X, y, weights, problem = net(case, bias)
    exact = enumerated_loss(X, y, weights, **problem)
    assert enumerated_loss(X, y, weights, law="dropout", **problem) == pytest.approx(exact, 1e-13)
    assert averaged_loss_and_gradient(X, y, **problem)(weights)[0] == pytest.approx(exact, 1e-13)
    assert float(mp_loss(X, y, weights, **problem)) == pytest.approx(exact, 1e-13)


@every_net
@pytest.mark.parametrize("law", ["gaussian", "dropout"])
def test_sampling_agrees_with_enumeration(case, law):
    X, y, weights, problem = net(case, "decayed")
    rng = np.random.default_rng(1)
    mean, error = sampled_loss(X, y, weights, samples=40_000, rng=rng, law=law, **problem)
    exact = enumerated_loss(X, y, weights, **problem)
    assert abs(mean - exact) < 5 * error
    assert error < 0.05 * exact


def test_a_data_weight_of_two_is_a_row_twice():
    X, y, weights, problem = net(1, False)
    twice = enumerated_loss(np.vstack([X, X[:1]]), np.vstack([y, y[:1]]), weights, **problem)
    weighted = enumerated_loss(X, y, weights, sample_weight=[2, 1, 1, 1, 1], **problem)
    assert weighted == pytest.approx(twice, rel=1e-14)


# ---- Derivatives


@every_net
@every_bias
def test_gradient_against_differences_of_the_enumerated_loss(case, bias):
    X, y, weights, problem = net(case, bias)
    gradient = averaged_loss_and_gradient(X, y, **problem)(weights)[1]
    differences = finite_difference_gradient(
        lambda w: enumerated_loss(X, y, w, **problem), weights, levels=1
    )
    scale = np.abs(flatten(gradient)).max()
    for G, W, F in zip(gradient, weights, differences, strict=True):
        assert G.shape == W.shape
        np.testing.assert_allclose(G, F, rtol=0, atol=1e-11 * scale)


def test_extrapolation_removes_the_truncation_error():
    weights = [np.array([[0.3, -0.8]]), np.array([[1.1]])]
    (G, H) = finite_difference_gradient(
        lambda w: np.exp(w[0].sum() * w[1][0, 0]), weights, levels=5
    )
    f = np.exp(-0.5 * 1.1)
    np.testing.assert_allclose(G, np.full((1, 2), 1.1 * f), rtol=1e-11)
    np.testing.assert_allclose(H, [[-0.5 * f]], rtol=1e-11)


@every_bias
def test_hessian_against_differences_of_the_gradient(bias):
    X, y, weights, problem = net(2, bias)
    function = averaged_loss_and_gradient(X, y, **problem)
    hessian = finite_difference_hessian(lambda w: function(w)[0], weights)
    columns = []
    for k, i in ((k, i) for k, W in enumerate(weights) for i in np.ndindex(W.shape)):
        ends = []
        for step in (0.5, -0.5):
            moved = [W.copy() for W in weights]
            moved[k][i] += step
            ends.append(flatten(function(moved)[1]))
        columns.append(ends[0] - ends[1])
    # one gradient entry is at most quadratic in one weight: these differences are exact as well
    np.testing.assert_allclose(hessian, columns, rtol=0, atol=1e-11 * np.abs(hessian).max())


# ---- The minimum


def tiny_data(seed, d, n=8):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * np.logspace(0, -0.5, d)
    return X, X @ rng.standard_normal(d) * 2 + 0.3 * rng.standard_normal(n)


@pytest.mark.parametrize(
    ("d", "hidden", "problem"),
    [
        (2, (2,), {"noise": 0.4, "weight_decay": [0.05, 0.3]}),
        (3, (3,), {"noise": 1.0, "weight_decay": [0.4, 0.02], "factor": 4.0, "input_noise": 0.3}),
        (2, (2, 3), {"noise": [0.5, 0.2], "weight_decay": [0.02, 0.1, 0.05]}),
        (3, (2, 2), {"noise": [0.0, 1.0], "weight_decay": [0.3, 0.01, 0.05], "factor": 0.5}),
        (2, (1, 2, 2), {"noise": [0.1, 0.4, 0.3], "weight_decay": [0.02, 0.1, 0.03, 0.05]}),
        (2, (2, 2), {"noise": 0.5, "weight_decay": 5.0}),  # zero is best
        (2, (), {"input_noise": 0.5, "weight_decay": 0.3}),
    ],
)
def test_multistart_reaches_the_scalar_minimum_and_nothing_below(d, hidden, problem):
    X, y = tiny_data(3, d)
    v = np.linspace(1, 2, len(X))
    widths = [d, *hidden, 1]
    shapes = [(b, a) for a, b in itertools.pairwise(widths)]
    function = averaged_loss_and_gradient(X, y, sample_weight=v, **problem)
    rng = np.random.default_rng(5)
    loss, ends, weights = minimum_by_multistart(function, shapes, rng, starts=12)
    keywords = {k: x for k, x in problem.items() if k != "input_noise"}
    best = mp_minimum(
        *mp_moments(X, y, v, input_noise=problem.get("input_noise", 0)),
        depth=len(hidden),
        hidden=hidden or 1,
        **keywords,
    )
    expected = float(best["loss"])
    assert loss == pytest.approx(expected, rel=1e-10)
    assert min(ends) == loss
    assert (ends > expected * (1 - 1e-12)).all()
    product = np.linalg.multi_dot([*weights[::-1], np.eye(d)])
    predictor = np.array(best["predictor"].tolist(), dtype=float)
    np.testing.assert_allclose(product.ravel(), predictor.ravel(), atol=2e-6)
    decays = np.broadcast_to(problem["weight_decay"], len(weights))
    energies = [g * (W**2).sum() for g, W in zip(decays, weights, strict=True)]
    np.testing.assert_allclose(energies, float(best["energy"]), rtol=1e-5, atol=1e-9)


def test_ends_of_starts_that_miss_are_stationary_too():
    X, y = tiny_data(3, 2)
    problem = {"noise": [0.5, 0.2], "weight_decay": [0.2, 0.4, 0.3]}
    function = averaged_loss_and_gradient(X, y, **problem)
    shapes = [(1, 2), (1, 1), (1, 1)]
    _, ends, _ = minimum_by_multistart(
        function, shapes, np.random.default_rng(2), starts=20, scales=(0.1, 1)
    )
    A, c, yy = mp_moments(X, y)
    best = mp_minimum(A, c, yy, depth=2, hidden=1, **problem)
    levels = np.array([float(x) for x in [yy, *best["stationary_losses"]]])
    assert np.abs(ends[:, None] - levels).min(axis=1).max() < 1e-10
    assert np.ptp(ends) > 0.1  # some ended at zero


def test_ridge_three_ways():
    X, y = tiny_data(0, 4)
    A, c, yy = X.T @ X / 8, X.T @ y / 8, y @ y / 8
    loss, p = dense_ridge(A, c, yy, 0.2, factor=3.0)
    problem = {"weight_decay": 0.2, "factor": 3.0}
    value, gradient = averaged_loss_and_gradient(X, y, **problem)([p[None, :]])
    assert value == pytest.approx(loss, rel=1e-13)
    assert np.abs(gradient[0]).max() < 1e-13
    best = mp_minimum(A, c, yy, depth=0, **problem)
    assert float(best["loss"]) == pytest.approx(loss, rel=1e-13)
    assert float(best["energy"]) == pytest.approx(0.2 * p @ p, rel=1e-13)
    both, P = dense_ridge(A, np.column_stack([c, -c]), 2 * yy, 0.2, factor=3.0)
    assert both == pytest.approx(2 * loss, rel=1e-13)
    np.testing.assert_allclose(P, np.column_stack([p, -p]), rtol=1e-12)


# ---- The scalar minimum in itself


def spread(depth, factor, tau):
    """Three humps of Σ t_i far apart, each 3 high: six stationary energies when depth ≥ 2."""
    q = (depth - 1) / (2 * depth)  # τaK^D / (τaK^D + P/factor) at the top of a hump
    a = np.array([1.0, 1e-6, 1e-12])
    c = a**q
    top = factor**2 * (1 - q) ** 2 * (q / (1 - q) / factor / tau) ** (2 * q)  # times P^(-1/D)
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    decays = (top / 3) ** (depth / (depth + 1)) * np.geomspace(0.1, 10, depth + 1)
    return (rotation * a) @ rotation.T, rotation @ c, float(c**2 @ (1 / a)) + 1, decays


def derivative(A, c, factor, decays, log_inflation, K):
    """‖(τA + λ)⁻¹c‖/‖p‖ − 1, with ‖p‖ and the λ its penalty asks for both taken from K."""
    N, P = len(decays), mp.fprod(decays)
    r = mp.sqrt(K**N / P)
    lam = mp.root(P, N) * r ** (mp.mpf(2) / N - 2) / factor
    M = mp.exp(log_inflation) * A + lam * mp.eye(len(c))
    return mp.norm(mp.lu_solve(M, c)) / r - 1


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_every_stationary_energy_solves_the_equation_and_none_is_missing(depth):
    A, c, yy, decays = spread(depth, 2.0, np.exp(0.4))
    keywords = {"depth": depth, "factor": 2.0}
    best = mp_minimum(A, c, yy, weight_decay=decays, log_inflation=0.4, **keywords)
    with mp.workdps(75):
        A = mp.matrix(((A + A.T) / 2).tolist())
        c, decays = mp.matrix(c.tolist()), [mp.mpf(float(g)) for g in decays]
        arguments = (A, c, 2, decays, mp.mpf(0.4))
        for K in best["stationary"]:
            assert abs(derivative(*arguments, K)) < mp.mpf(10) ** -50
        grid = [derivative(*arguments, mp.mpf(10) ** e) for e in np.linspace(-40, 12, 600)]
    crossings = np.count_nonzero(np.diff(np.sign([float(x) for x in grid])))
    assert crossings == len(best["stationary"])
    assert len(best["stationary"]) == (1 if depth == 1 else 6)
    assert list(best["stationary"]) == sorted(best["stationary"])
    assert best["loss"] == min(yy * 2, *best["stationary_losses"])


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
def test_no_predictor_is_below_the_minimum(depth):
    X, y = tiny_data(7, 3)
    A, c, yy = X.T @ X / 8, X.T @ y / 8, y @ y / 8
    best = mp_minimum(A, c, yy, depth=depth, weight_decay=0.05, noise=0.3, hidden=2)
    rng, N = np.random.default_rng(0), depth + 1
    p = np.linalg.solve(A, c) * rng.uniform(0, 1.5, (20_000, 1)) + 0.1 * rng.standard_normal(3)
    near = np.array(best["predictor"].tolist(), dtype=float).ravel()
    p = np.vstack([p, near + 0.01 * rng.standard_normal((20_000, 3)), near])
    fit = 1.15**depth * np.einsum("ni,ij,nj->n", p, A, p) - 2 * p @ c + yy
    losses = fit + N * (0.05**N * (p**2).sum(axis=1)) ** (1 / N)
    assert losses.min() == pytest.approx(float(best["loss"]), rel=1e-12)
    assert np.argmin(losses) == len(p) - 1


def test_a_double_root_is_found():
    # a = 3, c = 4, P = 9: t = 144 K/(3K² + 9)² touches 1 at K = 1
    best = mp_minimum([[3.0]], [4.0], 10.0, depth=2, weight_decay=[9.0, 1.0, 1.0])
    assert [float(K) for K in best["stationary"]] == pytest.approx([1.0], rel=1e-15)
    assert best["energy"] == 0
    above = mp_minimum([[3.0]], [4.0 + 1e-12], 10.0, depth=2, weight_decay=[9.0, 1.0, 1.0])
    below = mp_minimum([[3.0]], [4.0 - 1e-12], 10.0, depth=2, weight_decay=[9.0, 1.0, 1.0])
    assert (len(above["stationary"]), len(below["stationary"])) == (2, 0)


def test_one_input_one_hidden_layer_by_hand():
    # min τ a p² − 2 c p + yy + 2 √P |p|: p = (c − √P)/(τ a)
    best = mp_minimum([[2.0]], [[3.0]], 7.0, depth=1, weight_decay=[0.25, 1.0], noise=1, hidden=2)
    assert best["predictor"][0] == pytest.approx(2.5 / 3, rel=1e-50)
    assert best["loss"] == pytest.approx(7 - mp.mpf(2.5) ** 2 / 3, rel=1e-50)
    assert best["energy"] == pytest.approx(0.5 * mp.mpf(2.5) / 3, rel=1e-50)
    zero = mp_minimum([[2.0]], [[3.0]], 7.0, depth=1, weight_decay=[9.0, 1.0])
    assert (zero["loss"], zero["energy"], zero["stationary"]) == (7, 0, [])


def test_directions_without_data_are_dropped():
    X, y = tiny_data(1, 2)
    wide = np.column_stack([X, X @ [1.0, -1.0]])
    A, c, yy = wide.T @ wide / 8, wide.T @ y / 8, y @ y / 8
    keywords = {"depth": 2, "weight_decay": 0.01, "noise": 0.5, "hidden": 3}
    best = mp_minimum(A, c, yy, **keywords)
    exact = mp_minimum(*mp_moments(wide, y), **keywords)
    assert best["rank"] == exact["rank"] == 2
    assert float(best["loss"]) == pytest.approx(float(exact["loss"]), rel=1e-13)
    nothing = mp_minimum(np.zeros((2, 2)), np.zeros(2), 3.0, **keywords)
    assert (nothing["loss"], nothing["energy"], nothing["rank"]) == (3, 0, 0)


def test_moments_are_exact_sums():
    X, y = np.array([[0.1, 1e-30], [1e20, 3.0], [-1e20, 7.0]]), np.array([1.0, 2.0, 2.0])
    A, c, yy = mp_moments(X, y, [1.0, 1.0, 1.0], input_noise=0.5)
    with mp.workdps(60):
        tenth = mp.mpf(0.1)
        assert abs(c[0] - tenth / 3) < mp.mpf(10) ** -60
        assert abs(c[1] - (20 + mp.mpf(1e-30)) / 3) < mp.mpf(10) ** -58
        assert abs(A[0, 0] - 1.5 * (2 * mp.mpf(1e20) ** 2 + tenth**2) / 3) < mp.mpf(10) ** -18
        assert abs(A[0, 1] - (tenth * mp.mpf(1e-30) - 4 * mp.mpf(1e20)) / 3) < mp.mpf(10) ** -38
        assert yy == 3
