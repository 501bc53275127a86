"""Var f(x) over the noise: exact for any data and network, and the three limits of Theorem 4.

Ziyin, Li & Meng (2022), Theorem 4, is of E[xxᵀ] = s²I and layers of equal width d_0, noise σ² and
decay γ. With ρ = 1 + σ²/d_0, τ = ρ^D, its limits, corrected where they are wrong:

1. d_0 → ∞: d_0 Var → Dσ²(p·x)², p the predictor without noise; any E[xxᵀ]. As printed.
2. σ² → ∞: Var = O(σ^{−2D}) as printed, but sharp only for D = 1, where σ² Var → d_0 (c·x)²(1 −
   γ/‖c‖)²/s⁴. For D ≥ 2 the minimum is zero from a finite σ² on.
3. D → ∞: the minimum is zero from a finite depth on; what bounds the variance before that, and is
   attained without decay, falls as e^{−D log ρ}. Printed: e^{−2D log ρ}.
"""

import math

import numpy as np
import pytest

import linscape as ls
from cases import isotropic, isotropic_thresholds, symmetric
from oracles import enumerated_loss, sampled_loss

x = np.array([0.7, -1.1])


def skewed(network, rng):
    """A problem with a nontrivial minimum on skew data that are known by their rows."""
    X = rng.standard_normal((12, 2)) * [1.0, 2.0] + np.array([0.5, -1.0])
    y = X @ [2.0, -1.5] + 0.3 * rng.standard_normal(12)
    return ls.Problem(ls.Moments.from_arrays(X, y), network), X


def variance_at(problem, point=x):
    return float(ls.global_minimum(problem).prediction_variance(point[None])[0])


# ---- Exact


NETWORKS = {
    "one layer": ls.Network((4,), noise=0.6, weight_decay=0.01),
    "unequal": ls.Network((2, 3, 2), noise=(0.2, 1.5, 0.4), weight_decay=(0.01, 0.02, 0.01, 0.005)),
    "input noise": ls.Network((2, 3), noise=0.3, weight_decay=0.01, input_noise=0.2),
    "free biases": ls.Network((3, 2), noise=0.8, weight_decay=0.01, bias="free"),
    "both": ls.Network((2, 2), noise=0.8, weight_decay=0.01, bias="free", input_noise=0.2),
    "no decay": ls.Network((2, 3), noise=0.8),
    "ridge": ls.Network((), weight_decay=0.1, input_noise=0.3),
}


def noise_of(network):
    return {"noise": network.noise, "input_noise": network.input_noise, "bias": network.bias}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("law", ["dropout", "symmetric"])
def test_it_is_the_variance_over_every_pattern_of_noise(name, law):
    """E(f − E f)² is the loss of the weights on the one row (x, E f) without decay."""
    rng, network = np.random.default_rng(40), NETWORKS[name]
    problem, X = skewed(network, rng)
    minimum = ls.global_minimum(problem)
    assert not minimum.is_trivial
    weights, points = minimum.weights(rng), [*X[:2], 3 * x]
    found = minimum.prediction_variance(points)
    for point, mean, variance in zip(points, minimum.predict(points), found, strict=True):
        exact = enumerated_loss([point], [mean], weights, law=law, **noise_of(network))
        assert variance == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("law", ["gaussian", "dropout"])
def test_it_is_the_variance_of_sampled_noise_in_wide_layers(law):
    rng = np.random.default_rng(41)
    network = ls.Network((30, 50), noise=0.9, weight_decay=0.01)
    minimum = ls.global_minimum(skewed(network, rng)[0])
    mean = minimum.predict([x])
    draws, error = sampled_loss(
        [x], mean, minimum.weights(rng), samples=20_000, rng=rng, law=law, noise=network.noise
    )
    assert abs(draws - minimum.prediction_variance([x])[0]) < 4 * error
    assert error < 0.05 * draws


@pytest.mark.parametrize("name", ["unequal", "both"])
def test_it_is_in_the_original_units_of_standardised_data(name):
    rng, network = np.random.default_rng(42), NETWORKS[name]
    problem, _ = skewed(network, rng)
    moments = problem.moments.standardized()
    minimum = ls.global_minimum(ls.Problem(moments, network))
    row, scale = (
        moments.transform.transformed_x(x[None]),
        float(np.squeeze(moments.transform.scale_y)),
    )
    weights = minimum.weights()
    mean = minimum.predict([x])
    inner = (mean - float(np.squeeze(moments.transform.original_y(np.zeros(1))))) / scale
    exact = enumerated_loss(row, inner, weights, **noise_of(network))
    assert minimum.prediction_variance([x])[0] == pytest.approx(scale**2 * exact, rel=1e-10)


@pytest.mark.parametrize("name", ["one layer", "unequal", "no decay"])
def test_its_mean_over_the_data_is_tau_less_one_times_the_second_moment(name):
    """E_x Var f = (τ − 1) pᵀAp; with it the loss is bias² + variance + (D + 1)K."""
    rng, network = np.random.default_rng(43), NETWORKS[name]
    problem, X = skewed(network, rng)
    minimum, moments = ls.global_minimum(problem), problem.moments
    p = minimum.predictor
    mean = minimum.prediction_variance(X).mean()
    assert mean == pytest.approx((network.inflation - 1) * (p @ moments.A @ p), rel=1e-10)
    bias = p @ moments.A @ p - 2 * p @ moments.C + float(moments.yy)
    decayed = (network.depth + 1) * minimum.energy
    assert minimum.loss == pytest.approx(bias + mean + decayed, rel=1e-10)


def test_it_vanishes_without_noise_and_at_zero():
    quiet = isotropic(2, c=(1.0, 0.5), decay=0.1)
    assert variance_at(quiet) == 0
    collapsed = isotropic(2, c=(1.0, 0.5), decay=10.0, noise=1.0)
    assert ls.global_minimum(collapsed).is_trivial
    assert variance_at(collapsed) == 0


def test_several_outputs_of_ridge_regression_have_one_each():
    rng = np.random.default_rng(44)
    X = rng.standard_normal((9, 2))
    Y = X @ rng.standard_normal((2, 3))
    network = ls.Network((), weight_decay=0.1, input_noise=0.5)
    minimum = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, Y), network))
    found = minimum.prediction_variance(X)
    np.testing.assert_allclose(found, 0.5 * X**2 @ (minimum.predictor**2).T, rtol=1e-10)
    assert found.shape == (9, 3)


# ---- Theorem 4.1: width


def general(width, depth, noise=0.8, decay=0.02):
    A = symmetric([3.0, 0.4], np.random.default_rng(45))
    c = A @ np.array([1.0, -0.6])
    network = ls.Network((width,) * depth, noise=noise, weight_decay=decay)
    return ls.Problem(ls.Moments(A, c, 5.0), network)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_width_the_variance_falls_as_one_over_it_with_a_known_constant(depth):
    p = ls.global_minimum(general(1, depth, noise=0.0)).predictor
    constant = depth * 0.8 * (p @ x) ** 2
    assert constant > 0.01  # tight: the constant is not zero
    widths = np.array([100, 200, 400, 800])
    errors = np.array(
        [abs(width * variance_at(general(int(width), depth)) / constant - 1) for width in widths]
    )
    # first order in 1/d_0: halving, up to the second order
    np.testing.assert_allclose(errors[:-1] / errors[1:], 2, rtol=0.1)
    assert errors[-1] < 0.02


def test_width_is_not_tight_where_the_quiet_network_collapses():
    """The constant holds at any depth only with a nontrivial limit: here every variance is 0."""
    decay = 1.01 * ls.critical_weight_decay(general(1, 2, noise=0.0)).learning
    assert [variance_at(general(width, 2, decay=decay)) for width in (1, 10, 1000)] == [0] * 3


def test_width_narrow_networks_may_have_none_where_wide_ones_have_some():
    """γ* rises with the width, so the variance is not monotone in it."""
    narrow, wide = (
        ls.critical_weight_decay(general(width, 3, noise=3.0)).learning for width in (1, 100)
    )
    assert narrow < wide
    decay = math.sqrt(narrow * wide)
    assert variance_at(general(1, 3, noise=3.0, decay=decay)) == 0
    assert variance_at(general(100, 3, noise=3.0, decay=decay)) > 0


# ---- Theorem 4.2: noise


C = np.array([0.6, 0.8])
SQUARE = 2.5


def isotropic_variance(depth, noise, *, width=3, decay=0.1, square=SQUARE):
    problem = isotropic(depth, square=square, c=C, noise=noise, width=width, decay=decay)
    return variance_at(problem)


@pytest.mark.parametrize("noise", [1.0, 1e2, 1e4, 1e6])
def test_noise_one_layer_has_the_closed_form_and_the_printed_exponent(noise):
    """Var = (τ − 1)/τ² (c·x)²(1 − γ/‖c‖)²/s⁴, which is of order 1/σ²."""
    tau = 1 + noise / 3
    constant = (C @ x) ** 2 * (1 - 0.1) ** 2 / SQUARE**2
    found = isotropic_variance(1, noise)
    assert found == pytest.approx((tau - 1) / tau**2 * constant, rel=1e-10)
    assert noise * found == pytest.approx(3 * constant, rel=7 / noise)  # next order: 2d_0/σ²


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_noise_deep_networks_have_none_from_a_finite_noise_on(depth):
    """P* falls as τ^{1−D}: O(σ^{−2D}) is true and empty."""
    level, _ = isotropic_thresholds(depth, 1.0, 1.0, SQUARE)
    tau = float(level / 0.01 ** (depth + 1)) ** (1 / (depth - 1))
    edge = 3 * (tau ** (1 / depth) - 1)
    # at the edge p is (D − 1)/D of (τA)⁻¹c; 1e-3 before it, this much more
    before, last = isotropic_variance(depth, 0.999 * edge, decay=0.01), (depth - 1) / depth
    limit = (tau - 1) / tau**2 * (C @ x) ** 2 / SQUARE**2
    assert before == pytest.approx(last**2 * limit, rel=0.05)
    for factor in (1.001, 2.0, 100.0, 1e6):
        assert isotropic_variance(depth, factor * edge, decay=0.01) == 0


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_noise_without_decay_the_printed_exponent_is_exact(depth):
    """With γ = 0: Var = (τ − 1)/τ² (c·x)²/s⁴, so σ^{2D} Var → d_0^D (c·x)²/s⁴."""
    limit = (C @ x) ** 2 / SQUARE**2
    for noise in (1.0, 10.0, 1e4):
        tau = (1 + noise / 3) ** depth
        found = isotropic_variance(depth, noise, decay=0.0)
        assert found == pytest.approx((tau - 1) / tau**2 * limit, rel=1e-10)
    # at σ² = 1e4 the next order is (D + 1)·d_0/σ² at most, 2 × that for D = 1
    assert (1e4 / 3) ** depth * found == pytest.approx(limit, rel=2e-3)


# ---- Theorem 4.3: depth


RHO = 1 + 0.8 / 3


@pytest.mark.parametrize("decay", [1e-1, 1e-2, 1e-4])
def test_depth_the_minimum_is_zero_from_a_finite_depth_on(decay):
    """So at fixed γ > 0 any O(·) holds, the printed one included, and says nothing."""
    found = np.array([isotropic_variance(depth, 0.8, decay=decay) for depth in range(1, 61)])
    alive = np.flatnonzero(found > 0)
    last = int(alive[-1]) + 1
    assert list(alive) == list(range(last))
    assert last < 50
    thresholds = [
        float(isotropic_thresholds(depth, 1.0, RHO**depth, SQUARE)[0]) ** (1 / (depth + 1))
        for depth in (last, last + 1)
    ]
    assert thresholds[1] < decay < thresholds[0]


def test_depth_without_decay_the_exponent_is_minus_d_log_rho():
    """Var ρ^D → (c·x)²/s⁴, against e^{−2D log ρ} as printed: then Var ρ^{2D} would be bounded."""
    depths = np.array([40, 80, 120])
    found = np.array([isotropic_variance(int(depth), 0.8, decay=0.0) for depth in depths])
    limit = (C @ x) ** 2 / SQUARE**2
    np.testing.assert_allclose(found * RHO**depths, limit * (1 - RHO**-depths), rtol=1e-10)
    slopes = np.diff(np.log(found)) / np.diff(depths)
    np.testing.assert_allclose(slopes, -math.log(RHO), rtol=1e-5)  # ρ^{−40} left
    assert np.all(np.diff(found * RHO ** (2.0 * depths)) > 0)


def test_depth_the_printed_rate_fails_with_decay_too_before_the_collapse():
    """No constant does for every small γ: Var ρ^{2D} at the last depth but a few grows with it."""
    scaled = []
    for decay, depth in ((1e-2, 5), (1e-4, 15), (1e-8, 40)):
        found = isotropic_variance(depth, 0.8, decay=decay)
        # before the collapse it is near its bound, which falls as ρ^{−D}
        assert found * RHO**depth > 0.2 * (C @ x) ** 2 / SQUARE**2
        scaled.append(found * RHO ** (2 * depth))
    assert scaled[1] > 5 * scaled[0]
    assert scaled[2] > 50 * scaled[1]


# ---- (99), (100)


def test_100_bounds_the_variance_with_s_to_the_fourth():
    """Var ≤ (τ − 1)/τ² (c·x)²/s⁴; the print has s², which fails for s < 1."""
    rng, broken = np.random.default_rng(46), 0
    for _ in range(200):
        depth, width = int(rng.integers(1, 6)), int(rng.integers(1, 6))
        noise, square = rng.uniform(0.01, 3), 10 ** rng.uniform(-2, 2)
        tau = (1 + noise / width) ** depth
        edge = float(isotropic_thresholds(depth, 1.0, tau, square)[0]) ** (1 / (depth + 1))
        decay = edge * rng.uniform(0.01, 1.2)
        found = isotropic_variance(depth, noise, width=width, decay=decay, square=square)
        bound = (tau - 1) / tau**2 * (C @ x) ** 2 / square**2
        assert found <= bound * (1 + 1e-12)
        broken += found > bound * square
    assert broken > 40


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_99_has_d_to_the_d_plus_2(depth):
    """Var = d_0^{D+2}[(σ² + d_0)^D − d_0^D] b^{2D+2}(c·x)²/‖c‖², with d_0^{3D} printed."""
    width, noise, decay = 3, 0.8, 0.02
    problem = isotropic(depth, square=SQUARE, c=C, noise=noise, width=width, decay=decay)
    minimum = ls.global_minimum(problem)
    b = math.sqrt(minimum.energy / decay) / width
    rest = ((noise + width) ** depth - width**depth) * b ** (2 * depth + 2) * (C @ x) ** 2
    found = float(minimum.prediction_variance([x])[0])
    # the energy of a flat minimum is known to fewer digits than its loss
    assert found == pytest.approx(width ** (depth + 2) * rest, rel=1e-7)
    assert (found == pytest.approx(width ** (3 * depth) * rest, rel=0.1)) == (depth == 1)
