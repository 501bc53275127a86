"""The laws of balance: against the exact gradient, the enumerated noise, and hand-made nets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import linscape as ls
from linscape.dynamics.balance import balancedness, imbalance_rates, imbalances
from linscape.errors import InvalidWeights, OutOfRange
from oracles import averaged_loss_and_gradient

WIDTHS = (3, 4, 2)


def rows(outputs=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((15, 3)) + 0.5
    return X, X @ rng.standard_normal((3, outputs)) + 0.2 * rng.standard_normal((15, outputs)) + 1


def net(seed=0, bias=False, batch=(), scale=1.0, **options):
    X, Y = rows(seed=seed)
    network = ls.Network(WIDTHS, bias=bias, **options)
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), network)
    rng = np.random.default_rng(seed + 1)
    weights = [scale * rng.standard_normal((*batch, *shape)) for shape in problem.shapes]
    return (X, Y), problem, weights


def oracle_rates(data, problem, weights, **options):
    """Derivative of each Δ_j along −∇L, from the oracle's gradient and the product rule."""
    _, G = averaged_loss_and_gradient(*data, **options)(weights)
    rates = []
    for j in range(len(weights) - 1):
        W, V, dW = weights[j], weights[j + 1][:, : len(weights[j])], -G[j]
        dV = -G[j + 1][:, : len(weights[j])]
        rates.append(dV.T @ V + V.T @ dV - dW @ W.T - W @ dW.T)
    return rates


def assert_close(actual, expected, scale):
    # the oracle's rate is a difference of products of this size
    np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10 * scale)


def size(data, weights, **options):
    _, G = averaged_loss_and_gradient(*data, **options)(weights)
    return max(np.linalg.norm(g) * np.linalg.norm(W) for g, W in zip(G, weights, strict=True))


@pytest.mark.parametrize("bias", [False, "decayed", "free"])
@pytest.mark.parametrize("decay", [0.0, 0.3, (0.1, 0.7, 0.0, 0.4)])
@pytest.mark.parametrize("noise", [0.0, (0.5, 0.0, 0.3)])
def test_rates_are_the_derivative_along_the_exact_gradient(bias, decay, noise):
    data, problem, weights = net(bias=bias, weight_decay=decay, noise=noise, input_noise=0.2)
    options = {"weight_decay": decay, "noise": noise, "input_noise": 0.2, "bias": bias}
    expected = oracle_rates(data, problem, weights, **options)
    for rate, truth in zip(imbalance_rates(problem, weights), expected, strict=True):
        assert_close(rate, truth, size(data, weights, **options))


def test_first_law_without_noise_and_decay_nothing_moves():
    data, problem, weights = net(input_noise=0.5)
    truth = oracle_rates(data, problem, weights, input_noise=0.5)
    for rate, true_rate in zip(imbalance_rates(problem, weights), truth, strict=True):
        np.testing.assert_array_equal(rate, 0)
        assert_close(true_rate, 0, size(data, weights))


def test_second_law_equal_decays_shrink_every_imbalance_at_four_times_the_decay():
    _, problem, weights = net(weight_decay=0.3, bias="decayed")
    for rate, delta in zip(imbalance_rates(problem, weights), imbalances(weights), strict=True):
        np.testing.assert_allclose(rate, -1.2 * delta, rtol=1e-10, atol=1e-12)


def test_third_law_unequal_decays_weigh_each_side_with_its_own():
    decays = (0.1, 0.7, 0.0, 0.4)
    data, problem, weights = net(weight_decay=decays)
    truth = oracle_rates(data, problem, weights, weight_decay=decays)
    for j, rate in enumerate(truth):
        W, V = weights[j : j + 2]
        law = -4 * (decays[j + 1] * V.T @ V - decays[j] * W @ W.T)
        assert_close(law, rate, size(data, weights, weight_decay=decays))


def test_fourth_law_noise_leaves_the_diagonal_of_its_own_layer_and_all_of_the_others():
    noise = (0.0, 0.5, 0.0)
    data, problem, weights = net(noise=noise, weight_decay=0.3, input_noise=0.4)
    options = {"noise": noise, "weight_decay": 0.3, "input_noise": 0.4}
    truth = oracle_rates(data, problem, weights, **options)
    scale = size(data, weights, **options)
    for j, (rate, delta) in enumerate(zip(truth, imbalances(weights), strict=True)):
        assert_close(np.diag(rate), -1.2 * np.diag(delta), scale)
        off = rate + 1.2 * delta
        if noise[j]:  # there the law fails by far more than rounding
            assert np.abs(off).max() > 1e-3 * scale
        else:
            assert_close(off, 0, scale)


def test_free_biases_conserve_what_decay_leaves_alone():
    # the decayed law with [W β] on both sides fails for them
    data, problem, weights = net(bias="free", weight_decay=0.3)
    truth = oracle_rates(data, problem, weights, weight_decay=0.3, bias="free")
    for j, (rate, delta) in enumerate(zip(truth, imbalances(weights), strict=True)):
        beta = weights[j][:, -1:]
        scale = size(data, weights, weight_decay=0.3, bias="free")
        assert_close(rate, -1.2 * (delta + beta @ beta.T), scale)


@given(st.integers(-8, 8), st.integers(0, 50))
def test_scales(power, seed):
    _, problem, weights = net(seed=seed, scale=10.0**power, weight_decay=0.3)
    _, _, unit = net(seed=seed, weight_decay=0.3)
    assert balancedness(weights) == pytest.approx(100.0**power * balancedness(unit), rel=1e-10)
    pairs = zip(imbalance_rates(problem, weights), imbalances(unit), strict=True)
    for rate, delta in pairs:
        bound = 1e-10 * 100.0**power
        np.testing.assert_allclose(rate, -1.2 * 100.0**power * delta, rtol=1e-10, atol=bound)


def test_rotations_of_hidden_layers_change_nothing():
    _, _, weights = net()
    rng = np.random.default_rng(5)
    turned = list(weights)
    for j, width in enumerate(WIDTHS):
        R = np.linalg.qr(rng.standard_normal((width, width)))[0]
        turned[j], turned[j + 1] = R @ turned[j], turned[j + 1] @ R.T
    assert balancedness(turned) == pytest.approx(balancedness(weights), rel=1e-10)


def test_batches_are_the_nets_one_by_one():
    _, problem, weights = net(batch=(2, 3), noise=0.5, weight_decay=0.1)
    together, norms = imbalance_rates(problem, weights), balancedness(weights)
    assert norms.shape == (2, 3)
    for i in np.ndindex(2, 3):
        one = [W[i] for W in weights]
        assert norms[i] == balancedness(one)
        for rate, alone in zip(together, imbalance_rates(problem, one), strict=True):
            np.testing.assert_allclose(rate[i], alone, rtol=1e-10, atol=1e-12)


def test_one_number_by_hand_and_no_hidden_layer():
    W, V = np.diag([1.0, 2.0]), np.diag([3.0, 1.0])
    np.testing.assert_array_equal(imbalances([W, V])[0], np.diag([8.0, -3.0]))
    assert balancedness([W, V]) == 8.0
    assert balancedness([W]) == 0.0
    assert balancedness([np.zeros((4, 2, 2))]).shape == (4,)
    assert imbalances([W]) == []
    # a bias of 2 on the one hidden unit: 3² − (1² + 2²); the output's own bias does not count
    assert balancedness([[[1.0, 2.0]], [[3.0, 7.0]]]) == 4.0


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([], InvalidWeights, "got none"),
        ([np.ones(3)], InvalidWeights, "must be a real matrix"),
        ([np.ones((2, 3)), np.ones((1, 4))], InvalidWeights, "consecutive"),
        ([np.ones((2, 3)), np.ones((5, 1, 2))], InvalidWeights, "batch axes"),
        ([np.full((2, 3), np.nan), np.ones((1, 2))], InvalidWeights, "NaN or infinite"),
        ([np.ones((2, 3), dtype=complex), np.ones((1, 2))], InvalidWeights, "real matrix"),
        ([np.full((2, 3), 1e200), np.ones((1, 2))], OutOfRange, "too large"),
    ],
)
def test_bad_weights(weights, error, message):
    with pytest.raises(error, match=message):
        balancedness(weights)


def test_weights_of_another_net():
    _, problem, weights = net()
    with pytest.raises(InvalidWeights, match="expected 4 weight matrices"):
        imbalance_rates(problem, weights[:-1])
