"""What `initialize_` refuses, and that it then leaves the model as it was."""

import math

import pytest
import torch
from models import MSE, chain, data, sgd
from torch import nn

import linscape as ls
from linscape.errors import InvalidData, InvalidOption, NoExactSolution, OutOfRange
from linscape.torch import initialize_


def refused(error, words, model, x, y, **options):
    before = [parameter.clone() for parameter in model.parameters()]
    settings = {"loss": MSE, "optimizer": sgd(model, 0.05)} | options
    with pytest.raises(error, match=words) as raised:
        initialize_(model, [(x, y)], **settings)
    after = list(model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    return str(raised.value)


@pytest.mark.parametrize("scheme", ["random", "aligned"])
def test_a_collapsed_phase_is_refused_with_the_decay_that_learns(scheme):
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1))
    options = {"scheme": scheme, "optimizer": sgd(model, 50.0)}
    told = refused(NoExactSolution, "no minimum but zero", model, x, y, **options)
    named = float(told.split("weight_decay at most ")[1].split()[0])
    moments = ls.Moments.from_arrays(x.numpy(), y.numpy()[:, 0])
    critical = ls.critical_weight_decay(ls.Problem(moments, ls.Network((6, 6))))
    assert named == pytest.approx(2 * critical.learning, rel=1e-3)  # printed in four digits
    optimizer = sgd(model, 0.999 * named)
    initialize_(model, [(x, y)], loss=MSE, optimizer=optimizer, scheme="aligned")


def test_nothing_to_learn_is_refused():
    x, _ = data(60, 3)
    refused(NoExactSolution, "uncorrelated", chain((3, 6, 6, 1)), x, torch.zeros(60, 1).double())


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("needs a square loss", {"loss": nn.HuberLoss()}),
        ("needs a square loss.*L1Loss", {"loss": nn.L1Loss()}),
        ("needs a square loss.*integer classes", {"loss": nn.CrossEntropyLoss()}),
        ("decoupled", {"optimizer": "AdamW"}),
        ("LBFGS", {"optimizer": "LBFGS"}),
    ],
)
def test_what_the_theory_does_not_cover_is_refused(words, options):
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1))
    if "optimizer" in options:
        extra = {"weight_decay": 0.1} if options["optimizer"] == "AdamW" else {}
        kind = getattr(torch.optim, options["optimizer"])
        options = {"optimizer": kind(model.parameters(), **extra)}
    refused(NoExactSolution, words, model, x, y, **options)


def test_unreadable_models_are_refused():
    x, y = data(60, 3)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1)).double()
    refused(NoExactSolution, "normalisation", model, x, y)


def test_bad_options_are_refused():
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1))
    refused(InvalidOption, "scheme must be", model, x, y, scheme="kaiming")
    refused(InvalidOption, "torch.Generator", model, x, y, generator=3)


def test_bad_data_are_refused():
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1))
    refused(InvalidData, "finite", model, x * math.nan, y)
    with pytest.raises(InvalidData, match="at least one batch"):
        initialize_(model, [], loss=MSE)
    with pytest.raises(InvalidData, match="more than once"):
        initialize_(model, iter([(x, y)]), loss=MSE)


def test_weights_beyond_single_precision_are_refused():
    x, y = data(60, 3)
    x, y = (1e-37 * x).float(), (1e37 * y).float()
    refused(OutOfRange, "float32", chain((3, 1)).float(), x, y, optimizer=None)


def test_an_activation_that_returns_nothing_is_refused():
    x, _ = data(60, 1)
    model = chain((1, 1, 1), activation=nn.ReLU)
    # all inputs are negative, and the one unit of the minimum has a positive weight
    x = -x.abs() - 0.1
    refused(InvalidData, "returns nothing", model, x, x, scheme="aligned")
