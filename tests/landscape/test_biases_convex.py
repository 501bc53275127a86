"""Decayed biases with no or one hidden layer: ridge on (x, 1), and Theorem 5 as corrected."""

import math

import numpy as np
import pytest
from biased import changed, descended, known_point, problem, rows, weights_of

import linscape as ls
from linscape.landscape.biases import decayed_bias_minimum, trivial_state
from linscape.landscape.biases.convex import RIDGE, THEOREM_5, reduced
from linscape.landscape.biases.deep import deep_minimum
from linscape.spectrum import spectra
from oracles import dense_ridge, mp_loss

CASES = {
    "plain": {"weight_decay": (0.05, 0.2)},
    "noise": {"weight_decay": (0.2, 0.03), "noise": 0.8},
    "input noise": {"weight_decay": (0.1, 0.1), "noise": 0.3, "input_noise": 0.5},
    "sum": {"weight_decay": (0.5, 2.0), "noise": 0.4, "reduction": "sum"},
    "half mean": {"weight_decay": (0.02, 0.1), "noise": 0.4, "reduction": "half_mean"},
}
every_case = pytest.mark.parametrize("case", CASES)


def one_layer(case="noise", *, width=3, **data):
    X, y = rows(**data)
    return problem(X, y, (width,), **CASES[case]), X, y


def tilde(p):
    """Ã, c̃, ỹ² from raw moments, as the corrected theorem states them (data factor 1)."""
    network, moments, factor = p.network, p.moments, p.data_factor
    (width,), (variance,), decay = network.hidden, network.noise, network.weight_decay[-1] / factor
    mean = np.append(moments.mean_x, 1.0)
    A = moments.A + network.input_noise * np.diag(np.diagonal(moments.A))
    A = np.block([[A, moments.mean_x[:, None]], [mean[None]]])
    share = width / ((width + variance) * (1 + decay))
    c = np.append(moments.C, moments.mean_y)
    return (
        A - share * np.outer(mean, mean),
        c - moments.mean_y * mean / (1 + decay),
        moments.yy - moments.mean_y**2 / (1 + decay),
    )


def by_chain(p):
    """The same minimum by the search that serves deep nets: no reduction to a convex problem."""
    free = changed(p, bias="free")
    return deep_minimum(p, spectra(free)[0], ls.global_minimum(free))


# ---- No hidden layer


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum", "half_sum"])
@pytest.mark.parametrize("input_noise", [0.0, 0.4])
def test_without_a_hidden_layer_it_is_ridge_on_x_and_one(outputs, reduction, input_noise):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((9, 3)) + 2
    Y = X @ rng.standard_normal((3, outputs)) + rng.standard_normal((9, outputs)) + 3
    y = Y[:, 0] if outputs == 1 else Y
    network = {"weight_decay": 0.7, "input_noise": input_noise}
    p = problem(X, y, (), reduction=reduction, **network)
    minimum = decayed_bias_minimum(p)
    ones = np.column_stack([X, np.ones(9)])
    A = ones.T @ ones / 9
    A[:3, :3] += input_noise * np.diag(np.diagonal(A)[:3])
    loss, coefficients = dense_ridge(A, ones.T @ Y / 9, (Y**2).sum() / 9, 0.7, factor=p.data_factor)
    assert minimum.loss == pytest.approx(loss, rel=1e-10)
    np.testing.assert_allclose(
        np.atleast_2d(minimum.predictor), coefficients[:-1].T, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(np.atleast_1d(minimum.intercept), coefficients[-1], rtol=1e-9)
    np.testing.assert_allclose(p.loss(minimum.weights()), loss, rtol=1e-10)
    assert minimum.source == RIDGE


def test_ridge_shrinks_the_constant_towards_zero():
    X, y = rows(mean_y=5.0)
    free = decayed_bias_minimum(problem(X, y, (), weight_decay=0.0))
    decayed = decayed_bias_minimum(problem(X, y, (), weight_decay=1.0))
    assert np.mean(X @ free.predictor + free.intercept) == pytest.approx(5.0, rel=1e-10)
    assert np.mean(X @ decayed.predictor + decayed.intercept) < 4.9


# ---- Theorem 5


@every_case
def test_the_reduction_has_the_moments_of_the_corrected_theorem(case):
    p, _, _ = one_layer(case)
    moments = reduced(p, changed(p, bias="free")).problem.moments
    A, c, yy = tilde(p)
    np.testing.assert_allclose(moments.A, A, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.ravel(moments.C), c, rtol=1e-10, atol=1e-12)
    assert float(moments.yy.item()) == pytest.approx(yy, rel=1e-10)


@every_case
def test_no_descent_finds_less_and_all_of_them_end_there(case):
    p, X, y = one_layer(case)
    minimum = decayed_bias_minimum(p)
    best, losses, _ = descended(p, X, y)
    trivial = minimum.loss + minimum.gain
    assert best == pytest.approx(minimum.loss, abs=1e-10 * trivial)
    # exact and unique: the reduced loss is convex, so no other minimum catches a descent
    assert max(losses) == pytest.approx(best, abs=1e-8 * trivial)  # slow near flat directions
    assert minimum.source == THEOREM_5


@every_case
def test_the_weights_realise_it_and_are_critical(case):
    p, X, y = one_layer(case)
    minimum = decayed_bias_minimum(p)
    for weights in (minimum.weights(), minimum.weights(np.random.default_rng(1))):
        assert p.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
        for gradient in p.gradient(weights):
            np.testing.assert_allclose(gradient, 0, atol=1e-10 * minimum.loss)
        np.testing.assert_allclose(p.predictor(weights), minimum.predictor, rtol=1e-10)
        assert p.intercept(weights) == pytest.approx(minimum.intercept, rel=1e-10)
    network = p.network
    exact = mp_loss(
        X,
        y,
        minimum.weights(),
        noise=network.noise[0],
        input_noise=network.input_noise,
        weight_decay=network.weight_decay,
        bias="decayed",
        factor=p.data_factor,
    )
    assert float(exact) == pytest.approx(minimum.loss, rel=1e-10)


@every_case
def test_the_interval_holds_the_minimum_found_without_the_reduction(case):
    p, _, _ = one_layer(case)
    minimum, other = decayed_bias_minimum(p), by_chain(p)
    assert other.loss == pytest.approx(minimum.loss, rel=1e-10)
    assert max(minimum.lower, other.lower) <= min(minimum.upper, other.upper)
    assert minimum.lower <= minimum.loss <= minimum.upper
    assert minimum.gain_lower <= minimum.gain <= minimum.gain_upper
    assert minimum.certificate.gap <= 1e-10 * minimum.loss


@pytest.mark.parametrize("seed", range(6))
def test_a_problem_built_backwards_has_the_minimum_it_was_built_from(seed):
    rng = np.random.default_rng(seed)
    known = known_point(rng, 1, inputs=3, noise=[0, 1.5][seed % 2], mean_x=[0, 2][seed // 3])
    for gradient in known.problem.gradient(weights_of(known)):
        np.testing.assert_allclose(gradient, 0, atol=1e-10 * known.loss)
    minimum = decayed_bias_minimum(known.problem)
    assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
    assert minimum.gain == pytest.approx(known.gain, rel=1e-9)  # the gain is small beside the loss
    np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=1e-8)  # flat in p


@every_case
def test_its_one_equation_for_the_size_of_u(case):
    """‖[b²(d_1 + σ²)Ã + γ_w]⁻¹c̃‖² = γ_u/γ_w, w = b[…]⁻¹c̃ = (v, h), β_W = r h."""
    p, _, _ = one_layer(case)
    first, last = decayed_bias_minimum(p).weights()
    A, c, _ = tilde(p)
    gamma_w, gamma_u = np.array(p.network.weight_decay) / p.data_factor
    b = last[0, 0]
    inner = b**2 * (p.network.hidden[0] + p.network.noise[0]) * A + gamma_w * np.eye(len(A))
    direction = np.linalg.solve(inner, c)
    assert direction @ direction == pytest.approx(gamma_u / gamma_w, rel=1e-9)
    np.testing.assert_allclose(first[0], b * direction, rtol=1e-8, atol=1e-12)
    level = p.network.hidden[0] * b * (first[0] @ np.append(p.moments.mean_x, 1))
    assert last[0, -1] == pytest.approx((p.moments.mean_y - level) / (1 + gamma_u), rel=1e-10)


# ---- When it is trivial


@every_case
@pytest.mark.parametrize("side", [-1, 1])
def test_it_is_trivial_exactly_from_the_threshold_on(case, side):
    """‖c̃‖² ≤ γ_uγ_w, seen from both sides at a distance of one in a million."""
    p, X, y = one_layer(case)
    _, c, _ = tilde(p)
    gamma_u = p.network.weight_decay[-1]
    gamma_w = p.data_factor**2 * (c @ c) / gamma_u * (1 + side * 1e-6)
    p = changed(p, weight_decay=(gamma_w, gamma_u))
    minimum, state = decayed_bias_minimum(p), trivial_state(p)
    trivial = side > 0
    assert minimum.is_trivial is trivial
    assert state.is_minimum is trivial
    assert (minimum.gain > 0) is not trivial
    best, _, _ = descended(p, X, y, starts=4)
    assert best == pytest.approx(minimum.loss, rel=1e-10)
    smallest = np.linalg.eigvalsh(p.hessian(state.weights()))[0]
    assert bool(smallest > 0) is trivial
    if trivial:
        assert minimum.gain == minimum.gain_upper == 0
        assert minimum.loss == pytest.approx(state.loss, rel=1e-10)
        np.testing.assert_array_equal(minimum.predictor, 0)


def test_within_rounding_of_the_threshold_it_does_not_guess():
    p, _, _ = one_layer("plain")
    _, c, _ = tilde(p)
    gamma_u = p.network.weight_decay[-1]
    answers = {
        decayed_bias_minimum(
            changed(p, weight_decay=((c @ c) / gamma_u * (1 + k * 2.0**-52), gamma_u))
        ).is_trivial
        for k in range(-4, 5)
    }
    assert None in answers


def test_the_constant_alone_can_make_it_nontrivial():
    X, y = rows(noise=0.0)
    y = 0 * y + 3.0
    p = problem(X - X.mean(axis=0), y, (2,), weight_decay=0.1)
    minimum = decayed_bias_minimum(p)
    assert minimum.is_trivial is False
    np.testing.assert_allclose(minimum.predictor, 0, atol=1e-12)
    assert minimum.weights()[0][0, -1] != 0


# ---- Scales


def test_widths_enter_through_the_ratio_of_noise_to_width():
    X, y = rows()
    one = problem(X, y, (2,), noise=0.3, weight_decay=0.1)
    other = problem(X, y, (6,), noise=0.9, weight_decay=0.1)
    silent = [problem(X, y, (k,), weight_decay=0.1) for k in (1, 7)]
    losses = [decayed_bias_minimum(p).loss for p in (one, other, *silent)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-10)
    assert losses[2] == pytest.approx(losses[3], rel=1e-10)
    assert losses[0] > losses[2] * (1 + 1e-6)


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e4, 1e8])
def test_the_unit_of_y_is_a_unit(scale):
    """y → s·y with γ_w → s²γ_w multiplies the loss by s²."""
    p, X, y = one_layer("noise")
    gamma_w, gamma_u = p.network.weight_decay
    other = problem(X, scale * y, (3,), noise=0.8, weight_decay=(scale**2 * gamma_w, gamma_u))
    one, other = decayed_bias_minimum(p), decayed_bias_minimum(other)
    assert other.loss == pytest.approx(scale**2 * one.loss, rel=1e-10)
    assert other.gain == pytest.approx(scale**2 * one.gain, rel=1e-10)


@pytest.mark.parametrize(("scale", "shift"), [(1e-8, 0), (1e4, 0), (1e8, 0), (1, 1e4)])
def test_inputs_far_from_the_unit_of_the_constant_lose_nothing(scale, shift):
    # forming Ã would cost 8 digits and more: the interval says so, and the chain takes over
    X, y = rows(3)
    p = problem(scale * X + shift, y, (3,), noise=0.4, weight_decay=0.05)
    minimum = decayed_bias_minimum(p)
    assert minimum.certificate.gap <= 1e-9 * minimum.loss  # E[x] itself has only so many digits
    free = ls.global_minimum(changed(p, bias="free"))
    without = ls.global_minimum(changed(p, bias=False))
    assert free.lower <= minimum.upper
    assert minimum.lower <= without.upper
    weights = minimum.weights()
    # the moments about zero, of which the loss is computed, have 1e-8 of the digits at a mean 1e4
    assert p.loss(weights) == pytest.approx(minimum.loss, rel=1e-10 if shift == 0 else 1e-7)


@pytest.mark.parametrize(
    "kind", ["constant column", "one-hot", "more columns than rows", "no variance"]
)
@pytest.mark.parametrize("hidden", [(), (2,)])
def test_singular_covariances(kind, hidden):
    rng = np.random.default_rng(4)
    X, y = rows(4)
    X = {
        "constant column": np.column_stack([X, np.full(10, 2.0)]),
        "one-hot": np.eye(3)[rng.integers(0, 3, 10)],
        "more columns than rows": rng.standard_normal((10, 12)) + 1,
        "no variance": np.full((10, 2), 0.5),
    }[kind]
    p = problem(X, y, hidden, noise=0.3, weight_decay=0.05)
    minimum = decayed_bias_minimum(p)
    best, _, _ = descended(p, X, y, starts=4)
    assert best == pytest.approx(minimum.loss, rel=1e-10)
    assert minimum.certificate.gap <= 1e-10 * minimum.loss


def test_a_target_of_zero_has_the_minimum_zero():
    X, y = rows()
    for hidden in ((), (2,)):
        minimum = decayed_bias_minimum(problem(X, 0 * y, hidden, weight_decay=0.1))
        assert minimum.loss == minimum.upper == 0
        assert minimum.is_trivial


def test_the_threshold_for_one_input_by_hand():
    """x = ±1, y = 2x + 3, γ_u = 1: κ = ½, c̃ = (2, 1½), ‖c̃‖² = 6¼."""
    moments = ls.Moments.from_arrays([[-1.0], [1.0]], [1.0, 5.0])
    for decay, trivial in ((6.2499, False), (6.2501, True)):
        network = ls.Network((2,), weight_decay=(decay, 1.0), bias="decayed")
        minimum = decayed_bias_minimum(ls.Problem(moments, network))
        assert minimum.is_trivial is trivial
        assert minimum.loss + minimum.gain == pytest.approx(4 + 4.5, rel=1e-12)
    assert math.isclose(minimum.weights()[-1][0, -1], 1.5)
