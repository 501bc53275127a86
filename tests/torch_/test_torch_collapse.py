"""A model that collapses in training is called so beforehand; one that learns is not."""

import json
import math

import numpy as np
import pytest
import torch
from models import MSE, chain, copied, data, linears, norms, scaled_, sgd, train
from torch import nn

import linscape as ls
from linscape.torch import diagnose


def thresholds(x, y, hidden):
    """PyTorch's λ at which learning ends and at which solutions cease to exist."""
    moments = ls.Moments.from_arrays(x.numpy(), y.numpy()[:, 0])
    critical = ls.critical_weight_decay(ls.Problem(moments, ls.Network(hidden)))
    return 2 * critical.learning, 2 * critical.existence


def outcome(model, x, y, optimizer, steps=2000):
    """Train for real; collapsed if the weights have shrunk to nothing."""
    before = max(norms(model))
    for _ in range(10):
        train(model, x, y, MSE, optimizer, steps // 10)
        if max(norms(model)) < 1e-2 * before:
            return "collapsed"
    return "learning"


# ---- (c) on both sides of the critical gain, in two phases


def check_both_sides(cell, seed, hidden):
    torch.manual_seed(seed)
    x, y = data(60, 3, seed=seed)
    learning, existence = thresholds(x, y, hidden)
    decay = learning / 2 if cell == "learning" else math.sqrt(learning * existence)
    model = chain((3, *hidden, 1))
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, decay))
    assert found.phase.verdict == cell
    gain = found.ending.numbers["critical_gain"]
    if gain in ("inf", math.inf):  # these weights collapse at every gain tried
        sides = ((1.0, "collapsed"), (4.0, "collapsed"))
    else:
        sides = ((0.8 * gain, "collapsed"), (1.25 * gain, "learning"))
    for factor, end in sides:
        member = scaled_(copied(chain((3, *hidden, 1)), model), factor)
        optimizer = sgd(member, decay, 0.02)
        assert diagnose(member, [(x, y)], loss=MSE, optimizer=optimizer).ending.verdict == end
        assert outcome(member, x, y, optimizer, 5000) == end
    return gain


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("cell", ["learning", "metastable"])
def test_training_ends_where_it_was_said_to(cell, seed):
    check_both_sides(cell, seed, (6, 6))


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [(6, 6), (4, 7), (5, 5, 5)])
@pytest.mark.parametrize("cell", ["learning", "metastable"])
def test_training_ends_where_it_was_said_to_on_a_larger_grid(cell, hidden):
    gains = [check_both_sides(cell, seed, hidden) for seed in range(2, 8)]
    print(f"{cell}, hidden {hidden}: {2 * len(gains)} runs as said; critical gains {gains}")


def test_in_the_collapsed_phase_everything_collapses():
    x, y = data(60, 3)
    decay = 1.3 * thresholds(x, y, (6, 6))[1]
    model = chain((3, 6, 6, 1))
    optimizer = sgd(model, decay)
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=optimizer)
    assert found.phase.verdict == found.ending.verdict == "collapsed"
    assert outcome(model, x, y, optimizer) == "collapsed"


def test_what_is_proven_to_collapse_does():
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1))
    decay = thresholds(x, y, (6, 6))[0] / 3
    margin = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, decay)).trap.numbers["margin"]
    scaled_(model, 0.99 * margin)
    optimizer = sgd(model, decay)
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=optimizer)
    assert (found.phase.verdict, found.trap.verdict) == ("learning", "yes")
    assert found.ending.verdict == "collapsed"
    assert outcome(model, x, y, optimizer) == "collapsed"


@pytest.mark.parametrize("free", [False, True])
def test_with_biases_too(free):
    x, y = data(60, 3)
    y = y + 0.5
    model = chain((3, 6, 6, 1), bias=True)
    decay = thresholds(x, y - y.mean(), (6, 6))[0] / 2

    def optimizer_of(one):
        matrices = [layer.weight for layer in linears(one)]
        biases = [layer.bias for layer in linears(one)]
        groups = [{"params": matrices}, {"params": biases, "weight_decay": 0.0 if free else decay}]
        return torch.optim.SGD(groups, lr=0.05, weight_decay=decay)

    found = diagnose(model, [(x, y)], loss=MSE, optimizer=optimizer_of(model))
    gain = found.ending.numbers["critical_gain"]
    assert 0 < gain < math.inf
    for factor, end in ((0.8, "collapsed"), (1.25, "learning")):
        member = scaled_(copied(chain((3, 6, 6, 1), bias=True), model), factor * gain)
        train(member, x, y, MSE, optimizer_of(member), 2500)
        with torch.no_grad():
            spread = float(member(x).var() / y.var())
        assert ("collapsed" if spread < 1e-6 else "learning") == end


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("activation", [None, nn.Tanh])
def test_with_dropout_a_factor_of_two_is_enough(activation, seed):
    # the masks fluctuate, and tanh is not linear: 2 on both sides instead of 1.25
    torch.manual_seed(seed)
    x, y = data(512, 3, seed=seed)
    decay = thresholds(x, y, (8, 8))[0] / 3
    model = chain((3, 8, 8, 1), rate=0.2, activation=activation)
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, decay))
    gain = found.ending.numbers["critical_gain"]
    ends = []
    for factor in (0.5, 2.0):
        member = copied(chain((3, 8, 8, 1), rate=0.2, activation=activation), model)
        scaled_(member, factor * gain)
        ends.append(outcome(member, x, y, sgd(member, decay)))
    print(f"{activation}, seed {seed}: critical gain {gain:.3f}, ends {ends}")
    assert ends == ["collapsed", "learning"]


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [(12,), (12, 12)])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.SiLU, nn.GELU])
def test_the_linear_net_in_its_place_is_right_at_half_and_twice_its_critical_decay(
    activation, hidden
):
    # an approximation: a factor of two on both sides of the decay that it names
    for seed in range(3):
        torch.manual_seed(seed)
        x, y = data(200, 4, seed=seed)
        model = chain((4, *hidden, 1), activation=activation)
        level = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.1)).limits.weight_decay
        for factor, end in ((0.5, "learning"), (2.0, "collapsed")):
            member = copied(chain((4, *hidden, 1), activation=activation), model)
            optimizer = sgd(member, factor * level)
            found = diagnose(member, [(x, y)], loss=MSE, optimizer=optimizer)
            assert found.ending.verdict == end
            assert outcome(member, x, y, optimizer) == end
    print(f"{activation.__name__}, hidden {hidden}: 6 runs as said")


# ---- Other losses, and ReLU: only what is proven


def labels(x, count=3):
    return (x @ torch.eye(x.shape[1], count, dtype=x.dtype)).argmax(dim=1)


@pytest.mark.parametrize(("factor", "verdict"), [(0.8, "learning"), (1.25, "collapsed")])
def test_cross_entropy_with_one_hidden_layer_is_exact(factor, verdict):
    x, _ = data(90, 4)
    classes, loss = labels(x), nn.CrossEntropyLoss()
    onehot = nn.functional.one_hot(classes, 3).double()
    B = (torch.full_like(onehot, 1 / 3) - onehot).T @ x / len(x)
    decay = factor * float(torch.linalg.matrix_norm(B, 2))  # ‖B‖₂ = 2γ = λ at the transition
    model = chain((4, 5, 3))
    optimizer = sgd(model, decay, rate=0.1)
    found = diagnose(model, [(x, classes)], loss=loss, optimizer=optimizer)
    assert found.phase.verdict == verdict
    assert found.limits.weight_decay == pytest.approx(decay / factor, rel=1e-9)  # float32 zeros
    train(model, x, classes, loss, optimizer, 2000)
    assert (max(norms(model)) > 1e-2) == (verdict == "learning")


LOSSES = {
    "square": (MSE, lambda x: x[:, :1].sin()),
    "cross-entropy": (nn.CrossEntropyLoss(), labels),
    "binary": (nn.BCEWithLogitsLoss(), lambda x: (x[:, :1] > 0).double()),
    "Huber": (nn.HuberLoss(delta=0.5), lambda x: x[:, :1].sin()),
}


@pytest.mark.parametrize("activation", [None, nn.ReLU])
@pytest.mark.parametrize("name", LOSSES)
def test_the_trap_of_any_convex_loss_and_of_relu(name, activation):
    loss, target = LOSSES[name]
    x, _ = data(90, 4)
    y = target(x)
    outputs = 3 if name == "cross-entropy" else 1
    model = chain((4, 6, 6, outputs), activation=activation)

    def asked():
        return diagnose(model, [(x, y)], loss=loss, optimizer=sgd(model, 0.2, rate=0.2))

    first = asked()
    assert first.trap.verdict == "not proven"
    scaled_(model, 0.999 * first.trap.numbers["margin"])
    assert asked().trap.verdict == "yes"
    largest = [max(norms(model))]
    optimizer = sgd(model, 0.2, rate=0.2)
    for _ in range(20):
        train(model, x, y, loss, optimizer, 20)
        largest.append(max(norms(model)))
    assert np.all(np.diff(largest) < 0)
    assert largest[-1] < 1e-2 * largest[0]


def test_what_is_not_covered_is_said():
    x, _ = data(30, 4)
    model = chain((4, 5, 5, 3), activation=nn.Tanh)
    found = diagnose(model, [(x, labels(x))], loss=nn.CrossEntropyLoss(), optimizer=sgd(model, 0.1))
    assert found.phase.verdict == "not covered"
    assert found.trap.verdict == "not proven"
    assert "Tanh" in found.trap.statement
    assert found.ending.verdict == "not available"
    assert found.limits.weight_decay is None


def test_adamw_has_no_phase():
    x, y = data(30, 3)
    model = chain((3, 4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=10.0)
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=optimizer)
    for answer in (found.phase, found.trap, found.ending):
        assert answer.verdict == "not applicable"
    json.dumps(found.to_dict(), allow_nan=False)


# ---- Trained models


def test_a_collapsed_model_is_told_why():
    x, y = data(60, 3)
    learning, existence = thresholds(x, y, (6, 6))
    reasons = []
    for decay in (1.2 * existence, learning / 2):
        model = scaled_(chain((3, 6, 6, 1)), 1e-4)
        found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, decay))
        reasons.append(found.constant)
    assert "zero is the global minimum" in reasons[0]
    assert "training was trapped" in reasons[1]
    words = reasons[1].partition(" times PyTorch's default")
    gain = float(words[0].split()[-1]) if words[1] else 1.0
    fresh = scaled_(chain((3, 6, 6, 1)), gain)
    optimizer = sgd(fresh, learning / 2)
    assert diagnose(fresh, [(x, y)], loss=MSE, optimizer=optimizer).ending.verdict == "learning"
    assert diagnose(fresh, [(x, y)], loss=MSE, optimizer=optimizer).constant is None


def test_large_targets_do_not_make_an_output_constant():
    x, y = data(60, 3)
    model = chain((3, 6, 6, 1))
    for scale in (1e-3, 1.0, 1e8):
        found = diagnose(model, [(x, scale * y)], loss=MSE, optimizer=sgd(model, 1e-9 * scale))
        assert found.constant is None
