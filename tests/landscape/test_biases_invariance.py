"""What the minimum with decayed biases does not depend on, and what it does."""

import itertools

import numpy as np
import pytest
from biased import changed, descended, problem, rows, unequal

import linscape as ls
from cases import orthogonal
from linscape.landscape.biases import decayed_bias_minimum
from oracles import mp_minimum, mp_moments

# ---- Widths and the order of layers


def test_without_noise_the_widths_do_not_matter():
    X, y = rows()
    losses = [
        decayed_bias_minimum(problem(X, y, hidden, weight_decay=0.05)).loss
        for hidden in ((1, 1), (5, 2), (2, 9))
    ]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-11)


def test_with_noise_only_the_ratios_to_the_widths_matter_but_each_of_them():
    X, y = rows(mean_y=3.0)
    one, scaled, swapped = (
        problem(X, y, hidden, noise=noise, weight_decay=0.05)
        for hidden, noise in (
            ((2, 4), (0.2, 1.6)),
            ((6, 2), (0.6, 0.8)),
            ((2, 4), (0.8, 0.4)),
        )
    )
    losses = [decayed_bias_minimum(p).loss for p in (one, scaled, swapped)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-11)
    # the ratios 0.1, 0.4 in the other order: one inflation, another minimum
    assert one.network.inflation == pytest.approx(swapped.network.inflation)
    assert abs(losses[2] / losses[0] - 1) > 1e-4
    free = [ls.global_minimum(changed(p, bias="free")).loss for p in (one, swapped)]
    assert free[0] == pytest.approx(free[1], rel=1e-12)


def test_the_order_of_decays_matters_too():
    X, y = rows(mean_y=3.0)
    decays = (0.02, 0.05, 0.2)
    losses = {
        round(decayed_bias_minimum(problem(X, y, (2, 2), weight_decay=order)).loss, 9)
        for order in itertools.permutations(decays)
    }
    assert len(losses) == 6


# ---- Invariance


def test_rotations_of_x_and_the_sign_of_y_change_nothing():
    hidden, network = (3, 1), {"weight_decay": unequal(3), "noise": (0.7, 0.3)}
    X, y = rows()
    p = problem(X, y, hidden, **network)
    Q = orthogonal(2, np.random.default_rng(3))
    minimum = decayed_bias_minimum(p)
    turned = decayed_bias_minimum(problem(X @ Q.T, y, hidden, **network))
    mirrored = decayed_bias_minimum(problem(X, -y, hidden, **network))
    for other in (turned, mirrored):
        assert other.loss == pytest.approx(minimum.loss, rel=1e-11)
    np.testing.assert_allclose(turned.predictor, Q @ minimum.predictor, rtol=1e-9)
    np.testing.assert_allclose(mirrored.predictor, -minimum.predictor, rtol=1e-9)
    assert mirrored.intercept == pytest.approx(-minimum.intercept, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e4, 1e8])
def test_the_unit_of_y_is_a_unit(scale):
    """y → s·y with γ_k → s²γ_k below the output multiplies the loss by s²."""
    X, y = rows()
    hidden, network = (2, 3, 2), {"weight_decay": unequal(4), "noise": (0.2, 0.0, 0.5)}
    p = problem(X, y, hidden, **network)
    decays = np.array(network["weight_decay"]) * [scale**2] * [1, 1, 1, scale**-2]
    other = problem(X, scale * y, hidden, noise=network["noise"], weight_decay=decays)
    one, other = decayed_bias_minimum(p), decayed_bias_minimum(other)
    assert other.loss == pytest.approx(scale**2 * one.loss, rel=1e-10)
    assert other.gain == pytest.approx(scale**2 * one.gain, rel=1e-10)
    np.testing.assert_allclose(other.predictor, scale * one.predictor, rtol=1e-8)


@pytest.mark.parametrize(
    ("reduction", "factor"), [("sum", 10), ("half_sum", 5), ("half_mean", 0.5)]
)
def test_a_factor_of_the_data_is_a_factor_of_all_decays(reduction, factor):
    X, y = rows()
    decays = np.array(unequal(3))
    one = problem(X, y, (2, 2), noise=0.2, weight_decay=decays)
    other = problem(X, y, (2, 2), noise=0.2, weight_decay=factor * decays, reduction=reduction)
    one, other = decayed_bias_minimum(one), decayed_bias_minimum(other)
    assert other.loss == pytest.approx(factor * one.loss, rel=1e-11)
    assert other.energy == pytest.approx(factor * one.energy, rel=1e-8)
    np.testing.assert_allclose(other.predictor, one.predictor, rtol=1e-8)


def test_shifting_the_data_changes_nothing_for_free_biases_and_something_for_decayed():
    X, y = rows()
    for hidden in ((), (2,), (2, 2)):
        free, decayed = (
            [
                solve(problem(X + a, y + b, hidden, noise=0.2, weight_decay=0.05, bias=bias))
                for a, b in ((0, 0), (3, -2))
            ]
            for bias, solve in (("free", ls.global_minimum), ("decayed", decayed_bias_minimum))
        )
        assert free[1].loss == pytest.approx(free[0].loss, rel=1e-11)
        np.testing.assert_allclose(free[1].predictor, free[0].predictor, rtol=1e-9)
        assert free[1].intercept == pytest.approx(
            free[0].intercept - 2 - 3 * free[0].predictor.sum(), rel=1e-9
        )
        assert abs(decayed[1].loss / decayed[0].loss - 1) > 1e-4


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_inputs_of_any_unit(scale):
    X, y = rows()
    minimum = decayed_bias_minimum(problem(scale * X, y, (2, 2), noise=0.2, weight_decay=0.05))
    p = minimum.problem
    assert p.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)
    assert minimum.certificate.gap <= 1e-10 * (minimum.loss + minimum.gain)


@pytest.mark.parametrize(
    "kind", ["constant column", "one-hot", "more columns than rows", "no variance", "repeated"]
)
def test_singular_and_degenerate_covariances(kind):
    rng = np.random.default_rng(4)
    X, y = rows(4)
    X = {
        "constant column": np.column_stack([X, np.full(10, 2.0)]),
        "one-hot": np.eye(3)[rng.integers(0, 3, 10)],
        "more columns than rows": rng.standard_normal((10, 12)) + 1,
        "no variance": np.full((10, 2), 0.5),
        "repeated": np.vstack([np.eye(2), -np.eye(2), np.eye(2), -np.eye(2), np.zeros((2, 2))]) + 1,
    }[kind]
    p = problem(X, y, (2, 2), noise=0.3, weight_decay=0.03)
    minimum = decayed_bias_minimum(p)
    best, _, _ = descended(p, X, y, starts=4)
    assert best == pytest.approx(minimum.loss, abs=1e-10 * (minimum.loss + minimum.gain))
    assert minimum.certificate.gap <= 1e-10 * (minimum.loss + minimum.gain)
    assert p.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("seed", [0, 4, 8, 9, 18])
def test_a_direction_that_rounding_has_lost_widens_the_interval(depth, seed):
    """Columns both collinear and badly scaled: whatever one direction may gain is allowed for."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((int(rng.integers(3, 6)), 8)) * 10.0 ** rng.uniform(-9, 9, 8)
    y = rng.standard_normal(len(X))
    decay = 10.0 ** rng.uniform(-12, -1)
    minimum = decayed_bias_minimum(problem(X, y, (3,) * depth, weight_decay=decay))
    A, C, yy = mp_moments(X, y)
    options = {"depth": depth, "weight_decay": decay, "hidden": 3, "rank_tolerance": 1e-50}
    without = float(mp_minimum(A, C, yy, **options)["loss"])  # biases of zero are allowed
    slack = 1e-6 * float(np.mean(y**2))  # rounding of the moments, which collinearity amplifies
    assert minimum.lower <= without + slack
    assert minimum.is_trivial is not True


def test_targets_that_do_not_vary():
    X, y = rows()
    zero = decayed_bias_minimum(problem(X, 0 * y, (2, 2), weight_decay=0.1))
    assert zero.loss == zero.upper == 0
    assert zero.is_trivial
    p = problem(X, 0 * y + 4, (2, 2), weight_decay=0.1)
    constant = decayed_bias_minimum(p)
    best, _, _ = descended(p, X, 0 * y + 4)
    assert best == pytest.approx(constant.loss, rel=1e-10)
