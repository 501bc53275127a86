"""Descent of nonlinear networks against PyTorch's, and against networks trained one by one."""

import numpy as np
import pytest
import torch

from linscape.figures.exact_solutions.training import data_loss, gradients, kaiming, train

MODULES = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    weights, biases = kaiming(rng, (3, 4, 4, 1), 2)
    X, y = rng.standard_normal((3, 20)), rng.standard_normal((2, 1, 20))
    biases = [0.1 * rng.standard_normal(beta.shape) for beta in biases]
    return [W.astype(float) for W in weights], biases, X, y


def torch_model(weights, biases, activation, at):
    parts = []
    for W, beta in zip(weights, biases, strict=True):
        linear = torch.nn.Linear(W.shape[2], W.shape[1]).double()
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(W[at]))
            linear.bias.copy_(torch.tensor(beta[at, :, 0]))
        parts += [linear, MODULES[activation]()]
    return torch.nn.Sequential(*parts[:-1])


def linears(model):
    return [part for part in model if isinstance(part, torch.nn.Linear)]


@pytest.mark.parametrize("activation", MODULES)
def test_gradients_are_autograds(case, activation):
    weights, biases, X, y = case
    by_weights, by_biases = gradients(weights, biases, activation, X, y)
    losses = data_loss(weights, biases, activation, X, y)
    for at in range(2):
        model = torch_model(weights, biases, activation, at)
        loss = torch.nn.MSELoss()(model(torch.tensor(X.T)), torch.tensor(y[at].T))
        loss.backward()
        np.testing.assert_allclose(losses[at], float(loss.detach()), rtol=1e-10)
        for k, linear in enumerate(linears(model)):
            np.testing.assert_allclose(by_weights[k][at], linear.weight.grad, atol=1e-12)
            np.testing.assert_allclose(by_biases[k][at, :, 0], linear.bias.grad, atol=1e-12)


@pytest.mark.parametrize("activation", MODULES)
def test_training_is_that_of_pytorch(case, activation):
    weights, biases, X, y = case
    decay = np.array([0.01, 0.1])
    single = [[part.astype(np.float32) for part in parts] for parts in (weights, biases)]
    _, losses = train(
        *single, activation, X.astype(np.float32), y.astype(np.float32),
        weight_decay=decay, step_size=0.05, steps=60,
    )  # fmt: skip
    for at in range(2):
        model = torch_model(weights, biases, activation, at)
        # γ‖w‖² beside a data term of factor 1 is PyTorch's λ = 2γ
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=2 * decay[at])
        for _ in range(60):
            optimizer.zero_grad()
            torch.nn.MSELoss()(model(torch.tensor(X.T)), torch.tensor(y[at].T)).backward()
            optimizer.step()
        with torch.no_grad():
            expected = float(torch.nn.MSELoss()(model(torch.tensor(X.T)), torch.tensor(y[at].T)))
        assert losses[at] == pytest.approx(expected, rel=1e-4)  # float32 against float64


def test_a_batch_is_its_members():
    rng = np.random.default_rng(4)
    weights, biases = kaiming(rng, (3, 4, 4, 1), 3)
    X = rng.standard_normal((3, 30)).astype(np.float32)
    y = rng.standard_normal((3, 1, 30)).astype(np.float32)
    decay = np.array([0.01, 0.03, 0.1])
    given = {"step_size": 0.05, "steps": 40, "batch_size": 8}
    whole = train(
        weights, biases, "tanh", X, y, weight_decay=decay, rng=np.random.default_rng(9), **given
    )
    for at in range(3):
        one = slice(at, at + 1)
        alone = train(
            [W[one] for W in weights], [b[one] for b in biases], "tanh", X, y[one],
            weight_decay=decay[one], rng=np.random.default_rng(9), **given,
        )  # fmt: skip
        for together, single in zip(whole, alone, strict=True):
            # float32, and sums of another order
            np.testing.assert_allclose(together[at], single[0], rtol=1e-5)


def test_strong_decay_ends_at_the_constant():
    rng = np.random.default_rng(5)
    weights, biases = kaiming(rng, (2, 6, 6, 1), 1)
    X = rng.standard_normal((2, 40)).astype(np.float32)
    y = (X[:1] + 3)[None].astype(np.float32)
    decay = 2.0
    before, after = train(
        weights, biases, "tanh", X, y, weight_decay=np.array([decay]), step_size=0.05, steps=2000
    )
    expected = np.var(y) + (np.mean(y) * decay / (1 + decay)) ** 2
    # float32; that the run is at rest is all that 1e-5 needs
    np.testing.assert_allclose([before[0], after[0]], expected, rtol=1e-5)


def test_kaiming_has_variance_two_over_fan_in():
    weights, biases = kaiming(np.random.default_rng(6), (5, 32, 32, 1), 40)
    for W, fan_in in zip(weights, (5, 32, 32), strict=True):
        error = 2 / fan_in * np.sqrt(2 / W.size)
        assert abs(float(np.mean(np.square(W))) - 2 / fan_in) < 5 * error
    assert not any(np.any(beta) for beta in biases)
