"""What is no model, no loader, no loss, and data that fail halfway: refused by name."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from linscape.errors import InvalidData, LinscapeError, NoExactSolution
from linscape.torch import Monitor, data_term, diagnose, initialize_, solution_line
from linscape.torch.constant import _softmax_constant

MSE = nn.MSELoss()
X, Y = torch.arange(8.0).reshape(4, 2) / 8, torch.tensor([[1.0], [0.0], [2.0], [1.0]])


def model_of(outputs=1):
    return nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, outputs, bias=False))


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)


DOORS = [
    lambda model, loader, loss, optimizer: diagnose(model, loader, loss=loss, optimizer=optimizer),
    lambda model, loader, loss, optimizer: initialize_(model, loader, loss=loss),
    lambda model, loader, loss, optimizer: solution_line(
        model, loader, loss=loss, optimizer=optimizer
    ),
    lambda model, loader, loss, optimizer: Monitor(model, loader, loss=loss, optimizer=optimizer),
]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("loader", "message"),
    [
        (3, "expected a loader"),
        (lambda: [(X, Y)], "expected a loader"),
        ([(X.to("meta"), Y)], "in memory"),
        ([(X, Y.to("meta"))], "in memory"),
        ([(X.to_sparse(), Y)], "dense"),
        ([(X.to(torch.complex64), Y)], "real numbers"),
        ([(X, Y), (X[:, :1], Y)], "in batch 2"),
        ([(X, Y), (X, Y + math.inf)], "in batch 2"),
        ([(X * 0, Y + math.inf)], "in batch 1"),
        ([{"x": X, "y": Y}], "pairs of tensors"),
    ],
)
def test_loaders(door, loader, message):
    model = model_of()
    with pytest.raises(InvalidData, match=message):
        door(model, loader, MSE, sgd(model))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "model", [None, 3, nn.Linear, nn.LazyLinear(1), nn.Sequential(), model_of().to("meta")]
)
def test_what_is_no_model(door, model):
    with pytest.raises(InvalidData):
        door(model, [(X, Y)], MSE, sgd(model_of()))


def test_a_model_that_fails_on_the_data():
    model = nn.LSTM(2, 1)
    with pytest.raises(InvalidData, match="fails on the example"):
        diagnose(model, [(X.double(), Y.double())], loss=MSE)


@pytest.mark.parametrize("given", [(X, None), ((X, X), Y), (X[0, 0], Y), (X[:0], Y), (None, Y)])
def test_outputs_and_targets_that_are_no_batch(given):
    with pytest.raises(InvalidData, match="to be a tensor with one row or more"):
        data_term(MSE, *given)


def test_a_loss_that_is_always_zero():
    with pytest.raises(NoExactSolution):
        data_term(lambda f, y: 0 * f.sum(), Y, Y)


def test_classes_of_a_model_with_one_output():
    """The cross-entropy of one class is zero: it was divided by."""
    model = model_of()
    with pytest.raises(LinscapeError):
        diagnose(model, [(X, torch.zeros(4, dtype=torch.long))], loss=nn.CrossEntropyLoss())


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("target", [Y, Y[:, 0]])
def test_cross_entropy_says_what_targets_it_wants(outputs, target):
    with pytest.raises(NoExactSolution, match="integer classes") as raised:
        diagnose(model_of(outputs), [(X, target)], loss=nn.CrossEntropyLoss())
    assert f"torch.float32 of shape {tuple(target.shape)}" in str(raised.value)


def test_what_is_no_cross_entropy_is_not_told_to_take_classes():
    with pytest.raises(NoExactSolution, match="multiple of none of"):
        diagnose(model_of(), [(X, Y)], loss=nn.L1Loss())


def test_data_that_are_zero_have_no_advice_on_decays():
    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = diagnose(model, [(X * 0, Y)], loss=MSE, optimizer=optimizer)
    assert not any("weight_decay" in line for line in found.advice)


def test_a_decay_below_rounding_leaves_the_constant_what_it_is_without():
    rates = np.array([0.2, 0.3, 0.5])
    without = _softmax_constant(rates, 0.0)
    for mu in (1e-20, 1e-30, 1e-300):
        np.testing.assert_allclose(_softmax_constant(rates, mu), without, rtol=1e-10)
