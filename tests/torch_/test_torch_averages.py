"""The dropout-averaged loss of a reading against many masks that torch draws."""

import numpy as np
import pytest
import torch
from models import data
from torch import nn

import linscape as ls
from linscape.errors import NoExactSolution
from linscape.torch import read

MODELS = {
    "hidden": lambda: [lin(4, 6), nn.Dropout(0.3), lin(6, 5), nn.Dropout(0.5), lin(5, 2)],
    "input": lambda: [nn.Dropout(0.4), lin(4, 6), lin(6, 2)],
    "output": lambda: [lin(4, 6), nn.Dropout(0.3), lin(6, 2), nn.Dropout(0.5)],
    "adjacent": lambda: [lin(4, 6), nn.Dropout(0.3), nn.Dropout(0.4), lin(6, 2)],
    "everywhere": lambda: [
        nn.Dropout(0.1),
        lin(4, 6),
        nn.Dropout(0.3),
        nn.Dropout(0.2),
        lin(6, 2),
        nn.Dropout(0.5),
    ],
    "no hidden layer": lambda: [nn.Dropout(0.5), lin(4, 2)],
    "biases": lambda: [nn.Dropout(0.2), nn.Linear(4, 6), nn.Dropout(0.3), nn.Linear(6, 2)],
    "frozen": lambda: [
        nn.Linear(4, 3).requires_grad_(requires_grad=False),
        nn.Dropout(0.2),
        nn.ReLU(),
        nn.Dropout(0.5),
        lin(3, 2),
    ],
}


def lin(before, after):
    return nn.Linear(before, after, bias=False)


def sampled(model, x, y, draws):
    """Mean of the loss over draws of all masks, and its standard error."""
    model.train()
    with torch.no_grad():
        losses = [float(((model(x) - y) ** 2).sum(dim=1).mean()) for _ in range(draws)]
    values = torch.tensor(losses, dtype=torch.float64)
    return float(values.mean()), float(values.std()) / draws**0.5


def check(name, draws):
    model = nn.Sequential(*MODELS[name]()).double()
    x, y = data(30, 4, 2)
    reading = read(model, example=x)
    moments = ls.Moments.from_arrays(reading.features(x).numpy(), y.numpy())
    problem = reading.problem(moments)
    mean, error = sampled(model, x, y, draws)
    assert error > 0
    # five standard errors: a false alarm in two million
    assert problem.loss(reading.weights()) == pytest.approx(mean, abs=5 * error)
    return error / mean


@pytest.mark.parametrize("name", MODELS)
def test_the_average_over_masks(name):
    assert check(name, 2000) < 0.05


def test_an_output_bias_beside_dropout_is_not_the_centred_problem():
    # one input that is always 1: the centred moments are zero, and the masks cost u²w² all the same
    model = nn.Sequential(lin(1, 1), nn.Dropout(0.5), nn.Linear(1, 1)).double()
    ones = torch.ones(2, 1, dtype=torch.float64)
    w, u, b = (float(parameter.detach()) for parameter in model.parameters())
    masks = [(mask * u * w + b - 1) ** 2 for mask in (0, 2)]
    assert sum(masks) / 2 == pytest.approx((u * w + b - 1) ** 2 + (u * w) ** 2, rel=1e-12)
    matrices = [model[0].weight, model[2].weight]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": [model[2].bias]}]
    reading = read(model, example=ones, optimizer=torch.optim.SGD(groups))
    assert reading.bias == "output"
    with pytest.raises(NoExactSolution, match="centre the inputs"):
        reading.problem(ls.Moments.from_arrays(ones.numpy(), ones.numpy()[:, 0]))


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_an_output_bias_at_its_best_is_the_centred_problem(rate):
    # without dropout for any data, with it where E[x] = 0
    x, y = data(30, 3)
    y = y + 2
    x = x - x.mean(dim=0) if rate else x + 1
    model = nn.Sequential(lin(3, 4), nn.Dropout(rate), nn.Linear(4, 1)).double()
    matrices = [model[0].weight, model[2].weight]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": [model[2].bias]}]
    reading = read(model, example=x, optimizer=torch.optim.SGD(groups))
    moments = ls.Moments.from_arrays(x.numpy(), y.numpy()[:, 0])
    free = ls.Network((4,), noise=rate / (1 - rate), weight_decay=0.05, bias="free")
    W, U = (one.detach().numpy() for one in matrices)
    mean = float(np.squeeze(U @ W @ x.mean(dim=0).numpy()))
    start = [np.column_stack([W, np.zeros(4)]), np.column_stack([U, [float(y.mean()) - mean]])]
    expected = ls.Problem(moments, free).loss(start)
    assert reading.problem(moments).loss(reading.weights()) == pytest.approx(expected, rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_average_over_many_masks(name):
    relative = check(name, 60_000)
    print(f"{name}: 60000 masks, standard error {relative:.1e} of the loss")
    assert relative < 0.01
