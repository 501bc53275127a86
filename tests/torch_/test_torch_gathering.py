"""Moments from a loader: those of all rows at once, whatever the batches."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from models import chain, data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import linscape as ls
from linscape.errors import InvalidData
from linscape.torch import diagnose
from linscape.torch.gathering import gather
from linscape.torch.loss import DataTerm, row_gradients
from linscape.torch.reading import read

SQUARE = DataTerm("square", 1.0, "mean", 8)


def same(one, other, rtol=1e-10):
    for name in ("A", "C", "yy", "mean_x", "mean_y", "covariance_x"):
        mine, theirs = (np.asarray(getattr(moments, name)) for moments in (one, other))
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())
    assert one.n == other.n


@given(st.integers(1, 40), st.integers(1, 3))
def test_batches_do_not_matter(size, outputs):
    x, y = data(40, 3, outputs)
    reading = read(chain((3, 4, outputs)))
    found = gather(reading, SQUARE, DataLoader(TensorDataset(x, y), batch_size=size))
    same(found.moments, ls.Moments.from_arrays(x.numpy(), y.numpy().squeeze()))
    assert (found.rows, found.batches) == (40, -(-40 // size))


def test_more_rows_than_a_block_holds():
    x, y = data(10_000, 2)
    found = gather(read(chain((2, 1))), SQUARE, DataLoader(TensorDataset(x, y), batch_size=999))
    same(found.moments, ls.Moments.from_arrays(x.numpy(), y.numpy()[:, 0]))


def test_float32_rows_of_a_large_mean_keep_their_variance():
    x, y = data(5000, 2)
    x = (x + 3000).float()
    model = chain((2, 1)).float()
    found = gather(read(model), SQUARE, DataLoader(TensorDataset(x, y.float()), batch_size=64))
    exact = ls.Moments.from_arrays(x.double().numpy(), y.float().double().numpy()[:, 0])
    # to the rounding of a mean of 3000 in float64, not in float32
    np.testing.assert_allclose(found.moments.covariance_x, exact.covariance_x, rtol=1e-8)


def test_features_are_those_behind_the_frozen_front():
    x, y = data(50, 3)
    front = nn.Sequential(nn.Linear(3, 5), nn.Tanh()).double().requires_grad_(requires_grad=False)
    model = nn.Sequential(front, nn.Linear(5, 1, bias=False).double())
    found = gather(read(model), SQUARE, [(x, y)])
    same(found.moments, ls.Moments.from_arrays(front(x).numpy(), y.numpy()[:, 0]))


def test_outputs_dead_units_and_sizes():
    x, y = data(50, 3)
    model = chain((3, 4, 1), activation=nn.ReLU)
    with torch.no_grad():
        model[0].weight[0] = 0
    found = gather(read(model), SQUARE, [(x[:20], y[:20]), (x[20:], y[20:])])
    with torch.no_grad():
        f, z = model(x), model[0](x)
    same(found.outputs, ls.Moments.from_arrays(x.numpy(), f.numpy()[:, 0]))
    share = float((z <= 0).all(dim=0).double().mean())
    assert found.dead == {"1": share}
    assert share >= 0.25
    assert found.preactivations["1"] == pytest.approx(float((z**2).mean().sqrt()), rel=1e-12)
    product = float((2 * y.norm(dim=1) * x.norm(dim=1)).mean())
    assert found.product_of_norms == pytest.approx(product, rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "loss", "target"),
    [
        ("square", nn.MSELoss(reduction="sum"), torch.randn(6, 3)),
        ("cross-entropy", nn.CrossEntropyLoss(reduction="sum"), torch.arange(6) % 3),
        ("binary cross-entropy", nn.BCEWithLogitsLoss(reduction="sum"), torch.rand(6, 3)),
        ("Huber", nn.HuberLoss(reduction="sum", delta=0.7), torch.randn(6, 3)),
    ],
)
def test_gradients_at_zero_are_those_of_autograd(kind, loss, target):
    threshold = 0.7 if kind == "Huber" else None
    target = target.double() if target.is_floating_point() else target
    zero = torch.zeros(6, 3, dtype=torch.float64, requires_grad=True)
    loss(zero, target).backward()
    _, found = row_gradients(DataTerm(kind, 1.0, "sum", 6, threshold), target, 3)
    torch.testing.assert_close(found, zero.grad, rtol=1e-12, atol=1e-14)


def test_targets_of_the_wrong_width_are_refused():
    x, _ = data(8, 3)
    with pytest.raises(InvalidData, match="targets of 1 values a row"):
        gather(read(chain((3, 1))), SQUARE, [(x, torch.zeros(8, 2))])


def test_layers_that_act_on_sequences_are_refused():
    x = torch.zeros(4, 5, 3, dtype=torch.float64)
    with pytest.raises(InvalidData, match="one vector a row"):
        gather(read(chain((3, 1))), SQUARE, [(x, torch.zeros(4, 5))])


def test_binary_targets_outside_zero_and_one_are_refused():
    x, _ = data(6, 3)
    model = chain((3, 1))
    with pytest.raises(InvalidData, match="from 0 to 1"):
        diagnose(model, [(x, 2 + x[:, :1])], loss=nn.BCEWithLogitsLoss())
