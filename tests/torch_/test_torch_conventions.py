"""γ = λ/(2α): against the gradient of what torch minimises, and the steps its optimisers take."""

import math

import numpy as np
import pytest
import torch
from models import chain, data, linears
from torch import nn

import linscape as ls
from linscape.errors import InvalidNetwork, NoExactSolution
from linscape.torch import data_term, optimizer_weight_decay, read, weight_decay

LOSSES = {
    "mean": nn.MSELoss(),
    "sum": nn.MSELoss(reduction="sum"),
    "half, summed over outputs": lambda f, y: 0.5 * ((f - y) ** 2).sum(dim=1).mean(),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_gradient_is_that_of_the_loss_that_torch_minimises(name, outputs):
    loss, lam = LOSSES[name], 0.07
    model = chain((4, 5, 3, outputs))
    x, y = data(20, 4, outputs)
    reading = read(
        model,
        example=x,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=lam),
        loss=loss,
    )
    total = loss(model(x), y) + lam / 2 * sum((one.weight**2).sum() for one in linears(model))
    total.backward()
    problem = reading.problem(ls.Moments.from_arrays(x.numpy(), y.numpy()))
    assert reading.alpha * problem.loss(reading.weights()) == pytest.approx(
        float(total.detach()), rel=1e-10
    )
    for one, gradient in zip(linears(model), problem.gradient(reading.weights()), strict=True):
        np.testing.assert_allclose(
            reading.alpha * gradient, one.weight.grad.numpy(), rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_steps_of_sgd_are_those_of_descend_at_alpha_times_the_rate(momentum):
    model, rate = chain((4, 5, 2)), 0.05
    x, y = data(20, 4, 2)
    sgd = torch.optim.SGD(
        model.parameters(), lr=rate, weight_decay=0.1, momentum=momentum, nesterov=momentum > 0
    )
    reading = read(model, example=x, optimizer=sgd, loss=nn.MSELoss())
    problem = reading.problem(ls.Moments.from_arrays(x.numpy(), y.numpy()))
    run = ls.descend(
        problem,
        reading.weights(),
        step_size=rate * reading.alpha,
        steps=30,
        momentum=momentum,
        nesterov=momentum > 0,
    )
    for _ in range(30):
        sgd.zero_grad()
        nn.MSELoss()(model(x), y).backward()
        sgd.step()
    for one, W in zip(linears(model), run.weights, strict=True):
        np.testing.assert_allclose(one.weight.detach().numpy(), W, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("outputs", [1, 4, 10])
def test_zero_loses_stability_at_twice_the_signal_over_the_outputs(outputs):
    # one hidden layer: the smallest eigenvalue of torch's own Hessian at zero is λ − 2‖C‖₂/m
    x, y = data(30, 3, outputs)
    shapes = ((2, 3), (outputs, 2))
    lam = 0.3

    def total(flat):
        first, last = flat[:6].reshape(shapes[0]), flat[6:].reshape(shapes[1])
        return nn.MSELoss()(x @ first.T @ last.T, y) + lam / 2 * (flat**2).sum()

    zero = torch.zeros(6 + 2 * outputs, dtype=torch.float64)
    lowest = float(torch.linalg.eigvalsh(torch.autograd.functional.hessian(total, zero))[0])
    signal = float(torch.linalg.matrix_norm(x.T @ y / len(x), 2))
    assert lowest == pytest.approx(lam - 2 * signal / outputs, rel=1e-9)
    problem = ls.Problem(ls.Moments.from_arrays(x.numpy(), y.numpy()), ls.Network((2,)))
    critical = ls.critical_weight_decay(problem).learning
    found = optimizer_weight_decay(critical, outputs)
    assert found == pytest.approx(2 * signal / outputs, rel=1e-9)  # rounding of a spectral norm


def test_both_ways_are_inverse():
    for reduction, size in (("mean", None), ("sum", 32)):
        gamma = weight_decay(0.3, 5, reduction=reduction, batch_size=size)
        back = optimizer_weight_decay(gamma, 5, reduction=reduction, batch_size=size)
        assert back == pytest.approx(0.3, rel=1e-15)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((-1.0,), {}),
        ((math.nan,), {}),
        ((True,), {}),
        (("0.1",), {}),
        ((0.1, 0), {}),
        ((0.1, 2.5), {}),
        ((0.1,), {"reduction": "none"}),
        ((0.1,), {"reduction": "sum"}),
        ((0.1,), {"batch_size": 4}),
        ((0.1,), {"reduction": "sum", "batch_size": 0}),
    ],
)
def test_bad_arguments_are_refused(arguments, options):
    with pytest.raises(InvalidNetwork):
        weight_decay(*arguments, **options)


# ---- The loss, by its values


def classes(rows, count):
    return torch.arange(rows) % count


@pytest.mark.parametrize(
    ("loss", "target", "kind", "alpha"),
    [
        (nn.MSELoss(), torch.zeros(8, 4), "square", 0.25),
        (nn.MSELoss(reduction="sum"), torch.zeros(8, 4), "square", 8),
        (lambda f, y: 3 * ((f - y) ** 2).sum(1).mean(), torch.zeros(8, 4), "square", 3),
        (nn.CrossEntropyLoss(), classes(8, 4), "cross-entropy", 1),
        (nn.CrossEntropyLoss(reduction="sum"), classes(8, 4), "cross-entropy", 8),
        (nn.CrossEntropyLoss(), torch.full((8, 4), 0.25), "cross-entropy", 1),
        (nn.BCEWithLogitsLoss(), torch.zeros(8, 4), "binary cross-entropy", 0.25),
        (nn.HuberLoss(delta=2.0), torch.zeros(8, 4), "Huber", 0.25),
        (nn.SmoothL1Loss(beta=0.5), torch.zeros(8, 4), "Huber", 0.5),
    ],
)
def test_a_loss_is_known_by_its_values(loss, target, kind, alpha):
    term = data_term(loss, torch.zeros(8, 4), target)
    assert (term.kind, term.batch_size) == (kind, 8)
    assert term.alpha == pytest.approx(alpha, rel=1e-9)  # a quotient of losses in float64


def test_a_mean_does_not_depend_on_the_batch_and_a_sum_does():
    for rows in (2, 7, 64):
        f = torch.zeros(rows, 3)
        assert data_term(nn.MSELoss(), f, f).alpha == pytest.approx(1 / 3, rel=1e-12)
        assert data_term(nn.MSELoss(reduction="sum"), f, f).alpha == pytest.approx(rows, rel=1e-12)


class Disguised(nn.MSELoss):
    def forward(self, f, y):
        return (f - y).abs().mean()


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (nn.L1Loss(), torch.zeros(8, 4)),
        (Disguised(), torch.zeros(8, 4)),
        (lambda f, y: ((f - y) ** 2).mean() + 0.1, torch.zeros(8, 4)),
        (lambda f, y: ((f - y) ** 2).mean() * len(f) ** 0.5, torch.zeros(8, 4)),
        (lambda f, y: ((f - y) ** 2).mean() * (1 + torch.rand(())), torch.zeros(8, 4)),
        (lambda f, y: ((f - y) ** 2)[:, 0].mean(), torch.zeros(8, 4)),
        (lambda f, y: -((f - y) ** 2).mean(), torch.zeros(8, 4)),
        (nn.CrossEntropyLoss(label_smoothing=0.1), classes(8, 4)),
        (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 1.0, 1.0])), classes(8, 4)),
        (nn.NLLLoss(), classes(8, 4)),
    ],
)
def test_other_losses_are_refused_by_name(loss, target):
    with pytest.raises(NoExactSolution, match="a multiple of none of"):
        data_term(loss, torch.zeros(8, 4), target)
