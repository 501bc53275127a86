"""The global minimum of problems whose answer is known: loss, predictor, energy, weights."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import linscape as ls
from cases import isotropic, known_minimum, truth
from oracles import averaged_loss_and_gradient, flatten, forward

SEEDS = range(3)
every_depth = pytest.mark.parametrize("depth", range(1, 7))
every_seed = pytest.mark.parametrize("seed", SEEDS)


def built(depth, seed, **options):
    return known_minimum(np.random.default_rng(100 * depth + seed), depth, **options)


# ---- Built backwards


@every_depth
@every_seed
@pytest.mark.parametrize("reach", [0.05, 0.5, 0.95])
def test_the_minimum_is_the_one_that_was_built(depth, seed, reach):
    known = built(depth, seed, reach=reach)
    minimum = ls.global_minimum(known.problem)
    assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
    # what is left of the gain near losing is a difference: its terms are 1/(1 − reach) larger
    assert minimum.gain == pytest.approx(known.gain, rel=1e-10 / (1 - reach))
    assert minimum.energy == pytest.approx(known.energy, rel=1e-10)
    size = np.linalg.norm(known.predictor)
    np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=0, atol=1e-10 * size)
    assert minimum.is_trivial is False
    assert np.all(minimum.intercept == 0)


@every_depth
def test_noise_on_the_inputs_is_part_of_the_minimum(depth):
    known = built(depth, 7, input_noise=0.3)
    minimum = ls.global_minimum(known.problem)
    assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
    np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=0, atol=1e-10)


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=4).filter(lambda c: np.hypot.reduce(c) > 0.01),
    st.floats(0.01, 100),
    st.floats(0.001, 2),
    st.floats(0.001, 2),
    st.floats(0, 3),
)
def test_one_hidden_layer_on_white_inputs_has_its_closed_form(c, square, gamma_u, gamma_w, noise):
    problem = isotropic(1, square=square, c=c, decay=(gamma_w, gamma_u), noise=noise)
    minimum = ls.global_minimum(problem)
    c, tau = np.array(c), 1 + noise / 2
    # the distance to the transition, which rounding must not take the sign of
    distance = max(0.0, 1 - math.sqrt(gamma_u * gamma_w) / np.linalg.norm(c))
    scale = np.linalg.norm(c) / (tau * square)
    np.testing.assert_allclose(
        minimum.predictor, c * distance / (tau * square), rtol=1e-10, atol=1e-10 * scale
    )
    gain = (c @ c) * distance**2 / (tau * square)
    assert minimum.gain == pytest.approx(gain, rel=1e-10, abs=1e-13 * scale)
    assert minimum.loss == pytest.approx(problem.moments.yy - gain, rel=1e-10)


@pytest.mark.parametrize("depth", range(2, 8))
def test_one_input_is_a_scalar_problem(depth):
    # p with (τa + λ)p = c and λ = K/p²: at p = 1 and K = κ the signal is c = τa + κ
    kappa, tau = 0.5 / depth, 1.25**depth
    product = kappa ** (depth + 1)
    c = tau + kappa
    problem = isotropic(depth, c=[c], noise=0.5, decay=product ** (1 / (depth + 1)))
    minimum = ls.global_minimum(problem)
    np.testing.assert_allclose(minimum.predictor, [1.0], rtol=1e-10)
    assert minimum.energy == pytest.approx(kappa, rel=1e-10)
    assert minimum.gain == pytest.approx(tau - (depth - 1) * kappa, rel=1e-10)


# ---- The weights


every_problem = pytest.mark.parametrize("answer", list(itertools.product((1, 2, 3, 5), SEEDS)))


@every_problem
def test_the_weights_realise_the_minimum(answer):
    problem = built(*answer).problem
    minimum = ls.global_minimum(problem)
    weights = minimum.weights()
    assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
    np.testing.assert_allclose(problem.predictor(weights), minimum.predictor, rtol=1e-10)
    np.testing.assert_allclose(problem.energies(weights), minimum.energy, rtol=1e-10)
    decays = problem.network.weight_decay
    pulls = [2 * g * np.abs(W).max() for g, W in zip(decays, weights, strict=True)]
    for G, pull in zip(problem.gradient(weights), pulls, strict=True):
        assert np.abs(G).max() <= 1e-10 * pull


@every_problem
def test_the_weights_are_a_local_minimum(answer):
    problem = built(*answer).problem
    weights = ls.global_minimum(problem).weights()
    eigenvalues = np.linalg.eigvalsh(problem.hessian(weights))
    assert eigenvalues[0] >= -1e-10 * eigenvalues[-1]


@every_problem
def test_signs_change_the_weights_and_not_the_loss(answer):
    problem = built(*answer).problem
    minimum = ls.global_minimum(problem)
    plain, loss = minimum.weights(), problem.loss(minimum.weights())
    changed = False
    for seed in range(4):
        weights = minimum.weights(np.random.default_rng(seed))
        assert problem.loss(weights) == pytest.approx(loss, rel=1e-12)
        for one, other in zip(weights, plain, strict=True):
            np.testing.assert_array_equal(np.abs(one), np.abs(other))
            changed |= not np.array_equal(one, other)
    assert changed


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_permuted_decays_keep_loss_and_energy_and_move_the_norms(depth):
    problem = built(depth, 0).problem
    minimum = ls.global_minimum(problem)
    arguments = problem.network.to_dict()
    for order in itertools.permutations(range(depth + 1)):
        decays = [problem.network.weight_decay[k] for k in order]
        network = ls.Network(**arguments | {"weight_decay": decays})
        other = ls.global_minimum(ls.Problem(problem.moments, network))
        assert network.decay_product == pytest.approx(problem.network.decay_product, rel=1e-13)
        assert other.loss == pytest.approx(minimum.loss, rel=1e-12)
        assert other.energy == pytest.approx(minimum.energy, rel=1e-12)
        norms = [np.sum(W**2) for W in other.weights()]
        np.testing.assert_allclose(norms, minimum.energy / np.array(decays), rtol=1e-10)


@every_depth
def test_the_energy_and_the_predictor_satisfy_their_relation(depth):
    problem = built(depth, 1).problem
    minimum = ls.global_minimum(problem)
    product = problem.network.decay_product
    square = minimum.predictor @ minimum.predictor
    assert minimum.energy ** (depth + 1) == pytest.approx(product * square, rel=1e-10)


def test_widths_do_not_matter_without_noise():
    known = built(2, 0, noise=0.0)
    arguments = known.problem.network.to_dict()
    for hidden in ((1, 1), (7, 2), (50, 30)):
        network = ls.Network(**arguments | {"hidden": hidden})
        minimum = ls.global_minimum(ls.Problem(known.problem.moments, network))
        assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
        np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=1e-10)


# ---- What it predicts


def regression(seed=0, n=40, d=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * [1, 5, 0.2] + [10, -3, 0]
    return X, X @ [0.5, -0.2, 3.0] + 20 + rng.standard_normal(n)


def test_predictions_come_in_the_original_units():
    X, y = regression()
    network = ls.Network((4,), noise=0.3, weight_decay=0.05)
    moments = ls.Moments.from_arrays(X, y).standardized()
    minimum = ls.global_minimum(ls.Problem(moments, network))
    Z, z = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    by_hand = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(Z, z), network))
    np.testing.assert_allclose(minimum.predictor, by_hand.predictor, rtol=1e-10)
    expected = y.mean() + y.std() * (Z @ by_hand.predictor)
    np.testing.assert_allclose(minimum.predict(X), expected, rtol=1e-10)


@pytest.mark.parametrize("bias", [False, "free"])
@pytest.mark.parametrize("hidden", [(), (3,), (2, 4)])
def test_predictions_are_the_mean_output_of_the_weights(bias, hidden):
    X, y = regression()
    network = ls.Network(hidden, noise=0.3, weight_decay=0.05, bias=bias, input_noise=0.1)
    minimum = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y), network))
    silent = forward(X, minimum.weights(), [np.ones(k) for k in (3, *hidden)], bias)
    np.testing.assert_allclose(minimum.predict(X), silent[:, 0], rtol=1e-10)


@pytest.mark.parametrize("bias", [False, "free"])
@pytest.mark.parametrize("input_noise", [0.0, 0.2])
def test_the_variance_of_a_prediction_is_that_of_sampled_noise(bias, input_noise):
    X, y = regression()
    noise, hidden, samples = (0.5, 0.3), (3, 2), 40_000
    network = ls.Network(hidden, noise=noise, weight_decay=0.02, bias=bias, input_noise=input_noise)
    minimum = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y), network))
    rng, weights = np.random.default_rng(1), minimum.weights()
    for x in X[:3]:
        masks = [
            1 + np.sqrt(s) * rng.standard_normal((samples, k))
            for s, k in zip((input_noise, *noise), (3, *hidden), strict=True)
        ]
        f = forward(x, weights, masks, bias)[:, 0]
        squares = (f - f.mean()) ** 2
        error = squares.std() / np.sqrt(samples)
        (variance,) = minimum.prediction_variance(x[None, :])
        assert abs(variance - squares.mean()) < 5 * error
        assert error < 0.05 * variance


def test_the_variance_of_a_prediction_is_its_square_times_the_excess_inflation():
    X, y = regression()
    network = ls.Network((3, 2), noise=(0.5, 0.3), weight_decay=0.02)
    minimum = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y), network))
    excess = (1 + 0.5 / 3) * (1 + 0.3 / 2) - 1
    expected = excess * (X @ minimum.predictor) ** 2
    np.testing.assert_allclose(minimum.prediction_variance(X), expected, rtol=1e-10)
    standard = ls.Moments.from_arrays(X, y).standardized()
    minimum = ls.global_minimum(ls.Problem(standard, network))
    expected = excess * (minimum.predict(X) - y.mean()) ** 2
    np.testing.assert_allclose(minimum.prediction_variance(X), expected, rtol=1e-10)


# ---- Form


def test_the_result_is_ready_for_json_and_readable():
    problem = built(2, 0).problem
    minimum = ls.global_minimum(problem)
    again = json.loads(json.dumps(minimum.to_dict()))
    assert again["loss"] == minimum.loss
    assert again["predictor"] == minimum.predictor.tolist()
    assert again["certificate"]["gap"] == minimum.upper - minimum.lower
    assert minimum.certificate.theorem in repr(minimum)
    assert "Theorem 2" in minimum.source
    assert (minimum.certificate.lower, minimum.certificate.upper) == (minimum.lower, minimum.upper)
    assert minimum.problem is problem


def test_a_column_target_gives_a_matrix_predictor_and_the_same_minimum():
    X, y = regression()
    network = ls.Network((), weight_decay=0.05)
    flat = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y), network))
    column = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y[:, None]), network))
    assert (flat.predictor.shape, column.predictor.shape) == ((3,), (1, 3))
    assert column.loss == pytest.approx(flat.loss, rel=1e-14)
    assert (flat.predict(X).shape, column.predict(X).shape) == ((40,), (40, 1))


def test_the_minimum_of_the_averaged_data_loss_has_no_gradient_there():
    X, y = regression()
    options = {"noise": [0.5, 0.3], "weight_decay": [0.1, 0.02, 0.3], "input_noise": 0.2}
    problem = ls.Problem(ls.Moments.from_arrays(X, y), ls.Network((3, 2), **options))
    minimum = ls.global_minimum(problem)
    weights = minimum.weights(np.random.default_rng(0))
    loss, gradient = averaged_loss_and_gradient(X, y, **options)(weights)
    assert loss == pytest.approx(minimum.loss, rel=1e-10)
    assert loss == pytest.approx(float(truth(problem)["loss"]), rel=1e-10)
    assert np.abs(flatten(gradient)).max() <= 1e-9 * loss  # sums over rows, large means
