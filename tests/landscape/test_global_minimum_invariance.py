"""What must not change the minimum, and what must change it by a known factor."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import linscape as ls
from cases import known_minimum, orthogonal, scaled_decays
from linscape.errors import OutOfRange

depths = pytest.mark.parametrize("depth", [1, 2, 3, 5])
EXTREMES = [-150, -75, -3, 3, 75, 150]


def built(depth, seed=0):
    return known_minimum(np.random.default_rng(17 * depth + seed), depth)


def with_decays(problem, factors):
    """The network with each layer's decay multiplied by its own factor."""
    arguments = problem.network.to_dict()
    decays = [f * g for f, g in zip(factors, problem.network.weight_decay, strict=True)]
    return ls.Network(**arguments | {"weight_decay": decays})


# ---- Rotation


@depths
def test_a_rotation_of_the_inputs_turns_the_predictor(depth):
    known, rng = built(depth), np.random.default_rng(1)
    moments, R = known.problem.moments, orthogonal(3, rng)
    turned = ls.Moments(R @ moments.A @ R.T, R @ moments.C, moments.yy)
    minimum = ls.global_minimum(ls.Problem(turned, known.problem.network))
    assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
    assert minimum.gain == pytest.approx(known.gain, rel=1e-10)
    np.testing.assert_allclose(minimum.predictor, R @ known.predictor, rtol=0, atol=1e-10)


def test_a_permutation_of_columns_permutes_the_predictor():
    known = built(2)
    moments, order = known.problem.moments, [2, 0, 1]
    other = ls.Moments(moments.A[np.ix_(order, order)], moments.C[order], moments.yy)
    minimum = ls.global_minimum(ls.Problem(other, known.problem.network))
    np.testing.assert_allclose(minimum.predictor, known.predictor[order], rtol=1e-10)


# ---- Units. x → s x is undone by γ_1 → s² γ_1, y → t y by γ → t² γ for D of the D + 1 layers


@depths
@pytest.mark.parametrize("power", EXTREMES)
def test_the_unit_of_the_inputs_scales_the_predictor_only(depth, power):
    known, s = built(depth), 10.0**power
    moments = known.problem.moments
    other = ls.Moments(moments.A * s * s, moments.C * s, moments.yy)
    network = with_decays(known.problem, [s * s] + [1] * depth)
    minimum = ls.global_minimum(ls.Problem(other, network))
    assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
    assert minimum.gain == pytest.approx(known.gain, rel=1e-10)
    assert minimum.energy == pytest.approx(known.energy, rel=1e-10)
    np.testing.assert_allclose(minimum.predictor * s, known.predictor, rtol=1e-10)
    assert ls.Problem(other, network).loss(minimum.weights()) == pytest.approx(
        known.loss, rel=1e-10
    )


@depths
@pytest.mark.parametrize("power", EXTREMES)
def test_the_unit_of_the_outputs_scales_everything(depth, power):
    known, t = built(depth), 10.0**power
    moments = known.problem.moments
    other = ls.Moments(moments.A, moments.C * t, moments.yy * t * t)
    network = with_decays(known.problem, [t * t] * depth + [1])
    minimum = ls.global_minimum(ls.Problem(other, network))
    for name in ("loss", "gain", "energy"):
        got, expected = getattr(minimum, name), getattr(known, name)
        assert got / t / t == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(minimum.predictor / t, known.predictor, rtol=1e-10)
    assert minimum.lower <= minimum.loss <= minimum.upper
    loss = ls.Problem(other, network).loss(minimum.weights())
    assert loss / t / t == pytest.approx(known.loss, rel=1e-10)


@given(st.integers(-150, 150), st.integers(-150, 150), st.sampled_from([1, 2, 3]))
def test_extreme_units_scale_the_answer_or_are_refused(x, y, depth):
    # the decays stay: what the answer becomes is that of the rescaled problem in units of one
    known = built(depth)
    moments, network = known.problem.moments, known.problem.network
    s, t = 2.0 ** (3 * x), 2.0 ** (3 * y)
    factor = t ** (-2 * depth / (depth + 1)) * s ** (-2 / (depth + 1))  # geometric mean of decays
    try:
        scaled = ls.Moments(moments.A * s * s, moments.C * s * t, moments.yy * t * t)
        minimum = ls.global_minimum(ls.Problem(scaled, network))
        same = ls.global_minimum(scaled_decays(known.problem, factor))
    except OutOfRange:
        return
    for value in (minimum.loss, minimum.gain, minimum.energy, *minimum.predictor):
        assert math.isfinite(value)
    assert minimum.is_trivial == same.is_trivial
    assert minimum.loss / t / t == pytest.approx(same.loss, rel=1e-10)
    # F is flat at its minimum: the gain is as exact as the loss, in units of the gain at P = 0
    assert minimum.gain / t / t == pytest.approx(same.gain, rel=1e-10, abs=1e-300)
    np.testing.assert_allclose(minimum.predictor * s / t, same.predictor, rtol=1e-10)
    energy = minimum.energy / t / t
    assert energy == pytest.approx(same.energy, rel=1e-10, abs=1e-300)


@depths
def test_decays_act_through_their_product(depth):
    known, rng = built(depth), np.random.default_rng(2)
    for size in (1.0, 30.0):
        u = size * rng.standard_normal(depth + 1)
        network = with_decays(known.problem, np.exp(u - u.mean()))
        minimum = ls.global_minimum(ls.Problem(known.problem.moments, network))
        assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
        assert minimum.energy == pytest.approx(known.energy, rel=1e-10)
        np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=1e-10)


@depths
def test_noise_acts_through_the_inflation(depth):
    known = built(depth)
    network, tau = known.problem.network, known.problem.network.inflation
    wide = [8] * depth
    arguments = network.to_dict() | {
        "hidden": wide,
        "noise": [8 * (tau ** (1 / depth) - 1)] * depth,
    }
    minimum = ls.global_minimum(ls.Problem(known.problem.moments, ls.Network(**arguments)))
    assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
    np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=1e-10)


# ---- Reductions and sample weights


@depths
@pytest.mark.parametrize(
    ("reduction", "factor"), [("sum", 40), ("half_sum", 20), ("half_mean", 0.5)]
)
def test_a_reduction_is_a_rescaling_of_the_decays(depth, reduction, factor):
    known = built(depth)
    moments = known.problem.moments
    counted = ls.Moments(moments.A, moments.C, moments.yy, n=40)
    network = with_decays(known.problem, [factor] * (depth + 1))
    problem = ls.Problem(counted, network, reduction=reduction)
    minimum = ls.global_minimum(problem)
    assert minimum.loss == pytest.approx(factor * known.loss, rel=1e-10)
    assert minimum.gain == pytest.approx(factor * known.gain, rel=1e-10)
    assert minimum.energy == pytest.approx(factor * known.energy, rel=1e-10)
    np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=1e-10)
    assert problem.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)
    one, other = ls.critical_weight_decay(known.problem), ls.critical_weight_decay(problem)
    assert other.learning == pytest.approx(factor * one.learning, rel=1e-10)
    assert other.learning_factor == pytest.approx(one.learning_factor, rel=1e-10)
    assert other.existence == pytest.approx(factor * one.existence, rel=1e-10)


@depths
@pytest.mark.parametrize("bias", [False, "free"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_sample_weights_are_repeated_rows(depth, bias, reduction):
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((9, 3)), rng.standard_normal(9) + 1
    times = rng.integers(1, 4, 9)
    network = ls.Network((2,) * depth, noise=0.3, weight_decay=0.02, bias=bias)
    weighted = ls.Moments.from_arrays(X, y, sample_weight=times)
    repeated = ls.Moments.from_arrays(np.repeat(X, times, axis=0), np.repeat(y, times))
    one, other = (
        ls.global_minimum(ls.Problem(moments, network, reduction=reduction))
        for moments in (weighted, repeated)
    )
    assert one.loss == pytest.approx(other.loss, rel=1e-10)
    size = np.abs(other.predictor).max()
    np.testing.assert_allclose(one.predictor, other.predictor, rtol=0, atol=1e-10 * size)


def test_rows_in_another_order_or_merged_from_parts_change_nothing():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    network = ls.Network((2, 2), noise=0.3, weight_decay=0.02)
    whole = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y), network))
    parts = ls.Moments.from_arrays(X[13:], y[13:]) + ls.Moments.from_arrays(X[:13], y[:13])
    merged = ls.global_minimum(ls.Problem(parts, network))
    assert merged.loss == pytest.approx(whole.loss, rel=1e-10)
    np.testing.assert_allclose(merged.predictor, whole.predictor, rtol=1e-10)
