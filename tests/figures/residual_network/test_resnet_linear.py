"""Linear trainings against torch's own steps and the theory's exact answers."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from linscape.figures.residual_network.augmentation import Augmentation
from linscape.figures.residual_network.linear import _accuracy, train_linear
from linscape.figures.residual_network.prediction import (
    augmented_moments,
    learning_ends,
    objectives,
)
from linscape.figures.residual_network.stopping import Stopping
from linscape.landscape import global_minimum, search_minimum
from linscape.network import Network
from linscape.problem import Problem


def never(epochs):
    return Stopping(window=epochs, tolerance=0.0, epochs=epochs)


@pytest.mark.parametrize("hidden", [(), (3,), (32, 5)])
def test_steps_are_those_of_torch(make_images, hidden):
    """Against nn.Linear, MSELoss and SGD from the same start on the same batches."""
    images, decay = make_images(40, 3, padding=1), 0.05
    options = {"hidden": hidden, "weight_decays": [0.3, decay], "seeds": [4, 5]}
    start = train_linear(images, learning_rate=0.0, stopping=never(1), **options)
    ended = train_linear(images, learning_rate=0.1, stopping=never(3), **options)

    sizes = (9, *hidden, 10)
    model = nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in pairwise(sizes)))
    for layer, weights in zip(model, start.weights, strict=True):
        layer.weight.data = torch.tensor(weights[1, 1], dtype=torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=decay)
    rng = torch.Generator().manual_seed(4)
    for _ in range(3):
        for x, labels in Augmentation(images).batches(256, rng):
            loss = nn.MSELoss()(model(x.flatten(1)), nn.functional.one_hot(labels, 10).float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for layer, weights in zip(model, ended.weights, strict=True):
        # float32, three steps
        np.testing.assert_allclose(layer.weight.detach(), weights[1, 1], rtol=0, atol=1e-6)


def test_one_hidden_layer_ends_at_the_global_minimum(make_images):
    """No bad minima at this depth: every start ends there, or at zero above the transition."""
    images = make_images(200, 3)
    moments = augmented_moments(images)
    ends = learning_ends(moments, (32,))
    decays = ends * np.array([0.1, 0.5, 2.0])
    found = train_linear(
        images,
        hidden=(32,),
        learning_rate=0.2,
        weight_decays=decays.tolist(),
        stopping=never(1500),
        seeds=[1, 2],
    )
    exact = [
        global_minimum(Problem(moments, Network(hidden=(32,), weight_decay=5 * decay))).loss
        for decay in decays.tolist()
    ]
    # float32 weights; at a minimum the error enters squared
    reached = objectives(moments, found.weights, decays)
    np.testing.assert_allclose(
        reached, np.array(exact)[:, None] / np.trace(moments.yy) * [[1, 1]], rtol=1e-5
    )
    assert reached[0].max() < 1
    np.testing.assert_allclose(reached[2], 1, rtol=1e-10)


def test_deeper_nets_stay_above_the_proven_bound(make_images):
    images = make_images(200, 3)
    moments = augmented_moments(images)
    decay = 0.2 * learning_ends(moments, (32, 32))
    found = train_linear(
        images,
        hidden=(32, 32),
        learning_rate=0.2,
        weight_decays=[decay],
        stopping=never(1500),
        seeds=[1, 2, 3],
    )
    problem = Problem(moments, Network(hidden=(32, 32), weight_decay=5 * decay))
    best = search_minimum(problem, starts=2)
    reached = objectives(moments, found.weights, np.array([decay])) * np.trace(moments.yy)
    assert reached.min() >= best.lower
    # a local minimum that is no worse than the best found by L-BFGS, to float32
    np.testing.assert_allclose(reached.min(), best.upper, rtol=1e-3)


def test_transition_of_one_hidden_layer(make_images):
    moments = augmented_moments(make_images(60, 3, padding=1))
    expected = 2 * np.linalg.norm(moments.C, 2) / 10
    assert learning_ends(moments, (32,)) == pytest.approx(expected, rel=1e-10)
    assert learning_ends(moments, ()) == np.inf


@pytest.mark.parametrize("hidden", [(32, 32), (32,) * 5])
def test_rank_one_nets_just_below_and_above_the_transition(make_images, hidden):
    """The best singular direction of a bracket of sizes: a net better than zero below λ* only."""
    moments = augmented_moments(make_images(60, 3, padding=1))
    ends, layers = learning_ends(moments, hidden), len(hidden) + 1
    sizes = np.geomspace(1e-3, 10, 4001)
    best = np.full(2, np.inf)
    for t in np.geomspace(1e-3, 1e3, 400):
        inverse = np.linalg.inv(np.eye(9) + t * moments.A)
        u = np.linalg.svd(moments.C.T @ inverse @ moments.C)[0][:, 0]
        v = inverse @ moments.C @ u
        v /= np.linalg.norm(v)
        fit = sizes**2 * (v @ moments.A @ v) - 2 * sizes * (v @ moments.C @ u)
        for k, decay in enumerate((0.995 * ends, 1.005 * ends)):
            value = fit + layers * 5 * decay * sizes ** (2 / layers)
            best[k] = min(best[k], value.min())
    assert best[0] < 0 < best[1]


def test_deterministic_by_seed(make_images):
    images = make_images(50, 3, padding=1)

    def ended(*seeds):
        return train_linear(
            images,
            hidden=(4,),
            learning_rate=0.1,
            weight_decays=[0.01],
            stopping=never(3),
            seeds=seeds,
        ).weights[0]

    np.testing.assert_array_equal(ended(1, 2), ended(1, 2))
    assert np.abs(ended(1, 2) - ended(1, 3)).max() > 0.1


def test_loss_of_collapsed_nets_is_one(make_images):
    found = train_linear(
        make_images(100, 3),
        hidden=(4,),
        learning_rate=0.1,
        weight_decays=[2.0],
        stopping=Stopping(window=20, tolerance=1e-6, epochs=1000),
        seeds=[0],
    )
    assert found.rested.all()
    assert found.epochs < 1000
    assert found.loss.item() == pytest.approx(1, rel=1e-5)  # float32


def test_accuracy_shares_ties():
    outputs = torch.tensor([[[2.0, 0, 1], [1, 0, 1], [0, 0, 3]], [[0.0] * 3] * 3])
    # first net: right, one of three tied, wrong; second: all tied
    found = _accuracy(outputs, torch.tensor([0, 2, 1]))
    assert found.tolist() == pytest.approx([4 / 9, 1 / 3], rel=1e-6)  # float32
