"""Convex losses with biases, ReLU with one hidden layer, traps beside an output bias."""

import itertools

import numpy as np
import pytest
import torch
from models import MSE, data, linears, norms, scaled_, sgd, train
from torch import nn

from linscape.torch import diagnose
from linscape.torch.answers import phase_answer
from linscape.torch.convex_phase import convex_phase
from linscape.torch.survey import survey

LOSSES = {
    "square": (nn.MSELoss(), 1),
    "two targets": (nn.MSELoss(), 2),
    "cross-entropy": (nn.CrossEntropyLoss(), 3),
    "binary": (nn.BCEWithLogitsLoss(), 1),
    "Huber": (nn.HuberLoss(delta=0.5), 1),
}


def target_of(name, x):
    """Targets with a mean of their own, and inputs that know it."""
    score = x[:, 0] + 0.5 * x[:, 1].sin() + 0.7
    if name == "cross-entropy":
        return (score > 0).long() + (score > 1.5).long()
    if name == "binary":
        return (score > 0).double()[:, None]
    if name == "two targets":
        return torch.stack([score, x[:, 2] - 0.4], dim=1)
    return score[:, None]


def problem(name, bias, widths=(4,), activation=None):
    x, _ = data(60, 4)
    x = x + 0.5
    loss, outputs = LOSSES[name]
    layers = [4, *widths, outputs]
    parts = []
    for k, (before, after) in enumerate(itertools.pairwise(layers)):
        last = k == len(widths)
        parts.append(nn.Linear(before, after, bias=bias in ("free", "decayed") or
                               (bias == "output" and last)))  # fmt: skip
        if activation is not None and not last:
            parts.append(activation())
    return nn.Sequential(*parts).double(), x, target_of(name, x), loss


def optimizer_of(model, bias, decay, rate=0.1):
    if bias == "decayed":
        return sgd(model, decay, rate)
    layers = linears(model)
    matrices = [layer.weight for layer in layers]
    biases = [layer.bias for layer in layers if layer.bias is not None]
    groups = [{"params": matrices, "weight_decay": decay}]
    return torch.optim.SGD([*groups, {"params": biases, "weight_decay": 0.0}] if biases else groups,
                           lr=rate)  # fmt: skip


def oracle_ratio(name, bias, x, y, decay):
    """‖B‖₂ over λ, B of the loss torch minimises at the best constant, found by L-BFGS."""
    loss, outputs = LOSSES[name]
    b = torch.zeros(outputs, dtype=torch.float64, requires_grad=True)
    if bias is not False:
        solver = torch.optim.LBFGS(
            [b],
            max_iter=500,
            tolerance_grad=1e-13,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )

        def closure():
            solver.zero_grad()
            value = loss(b.expand(len(x), outputs), y)
            value = value + (decay / 2 * b.square().sum() if bias == "decayed" else 0)
            value.backward()
            return value

        solver.step(closure)
    M = torch.zeros(outputs, 5 if bias == "decayed" else 4, dtype=torch.float64, requires_grad=True)
    ones = torch.ones(len(x), 1, dtype=torch.float64)
    inputs = torch.cat([x, ones], dim=1) if bias == "decayed" else x
    (B,) = torch.autograd.grad(loss(inputs @ M.T + b.detach(), y), M)
    return float(torch.linalg.matrix_norm(B, 2)) / decay


def transition(name, bias, x, y):
    low, high = 1e-4, 1e2
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if oracle_ratio(name, bias, x, y, middle) > 1 else (low, middle)
    return low


def spread(model, x):
    with torch.no_grad():
        return float(model(x).var(dim=0).sum())


@pytest.mark.parametrize("bias", [False, "output", "free", "decayed"])
@pytest.mark.parametrize("name", ["cross-entropy", "binary", "Huber"])
def test_one_hidden_layer_learns_below_the_threshold_only(name, bias):
    model, x, y, loss = problem(name, bias)
    level = transition(name, bias, x, y)
    for factor, verdict in ((0.999, "learning"), (1.001, "collapsed")):
        optimizer = optimizer_of(model, bias, factor * level)
        found = diagnose(model, [(x, y)], loss=loss, optimizer=optimizer)
        assert found.phase.verdict == verdict
        if bias != "decayed":
            # L-BFGS finds the constant to the root of the rounding
            assert found.limits.weight_decay == pytest.approx(level, rel=1e-6)


@pytest.mark.parametrize(("name", "bias"), [("cross-entropy", "decayed"), ("binary", "free"),
                                            ("Huber", "output")])  # fmt: skip
def test_training_with_one_hidden_layer_learns_below_the_threshold_only(name, bias):
    _, x, y, _ = problem(name, bias)
    level = transition(name, bias, x, y)
    for factor, learns in ((0.7, True), (1.4, False)):
        fresh, _, _, loss = problem(name, bias)
        train(fresh, x, y, loss, optimizer_of(fresh, bias, factor * level, 0.3), 500)
        assert (spread(fresh, x) > 1e-4) == learns


@pytest.mark.parametrize("bias", [False, "output", "free", "decayed"])
def test_of_the_square_loss_it_is_the_known_phase(bias):
    model, x, y, loss = problem("square", bias)
    level = transition("square", bias, x, y)
    for factor, verdict in ((0.999, "learning"), (1.001, "collapsed")):
        optimizer = optimizer_of(model, bias, factor * level)
        setting, _ = survey(model, [(x, y)], loss, optimizer)
        assert convex_phase(setting).verdict == phase_answer(setting).verdict == verdict


def least_found(model, x, y, decay, starts=4):
    """The least of torch's loss, weights and biases decaying, that L-BFGS finds."""

    def total():
        return MSE(model(x), y) + decay / 2 * sum(p.square().sum() for p in model.parameters())

    found = []
    for seed in range(starts):
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn(parameter.shape))
        solver = torch.optim.LBFGS(
            model.parameters(), max_iter=300, tolerance_change=1e-12, line_search_fn="strong_wolfe"
        )

        def closure(solver=solver):
            solver.zero_grad()
            value = total()
            value.backward()
            return value

        solver.step(closure)
        found.append(float(total().detach()))
    return min(found)


def least_constant(y, decay):
    """The least of torch's loss and decay over an output bias alone: b = E[y]/(1 + mλ/2)."""
    b = y.mean(dim=0) / (1 + y.shape[1] * decay / 2)
    return float(((y - b) ** 2).mean() + decay / 2 * b.square().sum())


def test_two_targets_beside_decayed_biases_learn_below_the_threshold_only():
    model, x, y, _ = problem("two targets", "decayed")
    level = transition("two targets", "decayed", x, y)
    for factor, verdict in ((0.98, "learning"), (1.02, "collapsed")):
        decay = factor * level
        best, constant = least_found(model, x, y, decay), least_constant(y, decay)
        if verdict == "learning":
            assert best < constant * (1 - 1e-6)
        else:
            assert best > constant * (1 - 1e-9)
        found = phase_answer(survey(model, [(x, y)], MSE, sgd(model, decay))[0])
        assert found.verdict == verdict
        assert "any convex loss" in found.basis


def test_biases_alone_are_not_called_learning():
    """Centred inputs without correlation, and targets of a mean at which hidden biases pay."""
    x = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]], dtype=torch.float64)
    y = torch.tensor([[3.0, 4.0]], dtype=torch.float64) + torch.tensor(
        [[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64
    )
    model = nn.Sequential(nn.Linear(1, 4), nn.Linear(4, 2)).double()
    optimizer = sgd(model, 0.2)  # ‖E[y]‖ = 5 > 1 + γ
    assert least_found(model, x, y, 0.2) < least_constant(y, 0.2) * (1 - 1e-3)
    found = phase_answer(survey(model, [(x, y)], MSE, optimizer)[0])
    assert found.verdict == "undecided"
    assert "biases alone" in found.statement
    seen = y + x * torch.tensor([[0.5, 0.0]], dtype=torch.float64)  # now inputs help
    assert phase_answer(survey(model, [(x, seen)], MSE, optimizer)[0]).verdict == "learning"


def test_an_output_bias_beside_dropout_has_a_phase_all_the_same():
    x, _ = data(60, 4)
    x = x + 0.5  # E[x] ≠ 0, where the centred moments do not describe the loss
    y = target_of("square", x)
    model = nn.Sequential(nn.Linear(4, 5, bias=False), nn.Dropout(0.5), nn.Linear(5, 1)).double()
    level = transition("square", "output", x, y)
    for factor, verdict in ((0.9, "learning"), (1.1, "collapsed")):
        optimizer = optimizer_of(model, "output", factor * level)
        found = diagnose(model, [(x, y)], loss=MSE, optimizer=optimizer)
        assert found.phase.verdict == verdict
        assert found.ending.verdict == "not covered"


def test_a_class_that_never_occurs_has_no_best_constant_unless_it_decays():
    model, x, y, loss = problem("cross-entropy", "output")
    y = y.clamp(max=1)
    found = diagnose(model, [(x, y)], loss=loss, optimizer=optimizer_of(model, "output", 0.1))
    assert found.phase.verdict == "not covered"
    assert "a class never occurs" in found.phase.statement
    model, *_ = problem("cross-entropy", "decayed")
    optimizer = optimizer_of(model, "decayed", 0.1)
    found = diagnose(model, [(x, y)], loss=loss, optimizer=optimizer)
    ratio = oracle_ratio("cross-entropy", "decayed", x, y, 0.1)
    assert found.phase.verdict == ("learning" if ratio > 1 else "collapsed")
    assert found.phase.numbers["signal"] / found.phase.numbers["level"] == pytest.approx(
        ratio, rel=1e-6
    )


# ---- More hidden layers: sufficient only


@pytest.mark.parametrize("name", ["cross-entropy", "binary", "Huber"])
def test_where_decay_costs_more_than_can_be_gained_nothing_is_better_than_zero(name):
    model, x, y, loss = problem(name, False, widths=(4, 4))
    setting, _ = survey(model, [(x, y)], loss, sgd(model, 0.1))
    gain, signal = setting.gathered.loss_at_zero, setting.signal
    with torch.no_grad():
        zero = float(loss(torch.zeros(len(x), LOSSES[name][1], dtype=torch.float64), y))
    assert setting.reading.alpha * gain == pytest.approx(zero, rel=1e-10)
    gamma = (gain * signal**2 / 27) ** (1 / 3)  # γ³ = ℓ(0)‖B‖²/3³
    decay = 2 * setting.reading.alpha * gamma
    found = diagnose(model, [(x, y)], loss=loss, optimizer=sgd(model, 1.001 * decay))
    assert found.phase.verdict == "collapsed or metastable"
    below = diagnose(model, [(x, y)], loss=loss, optimizer=sgd(model, 0.99 * decay))
    assert below.phase.verdict == "not covered"
    for seed in range(3):
        torch.manual_seed(seed)
        fresh, *_ = problem(name, False, widths=(4, 4))
        scaled_(fresh, 2.0)
        solver = torch.optim.LBFGS(fresh.parameters(), max_iter=200, line_search_fn="strong_wolfe")

        def total(fresh=fresh):
            return loss(fresh(x), y) + decay / 2 * sum(p.square().sum() for p in fresh.parameters())

        def closure(solver=solver, total=total):
            solver.zero_grad()
            value = total()
            value.backward()
            return value

        solver.step(closure)
        assert float(total().detach()) >= zero * (1 - 1e-9)


# ---- ReLU, one hidden layer


@pytest.mark.parametrize("name", ["square", "cross-entropy", "Huber"])
@pytest.mark.parametrize("bias", [False, "output"])
def test_relu_phase_is_bracketed(name, bias):
    model, x, y, loss = problem(name, bias, activation=nn.ReLU)

    def asked(decay):
        optimizer = optimizer_of(model, bias, decay)
        return diagnose(model, [(x, y)], loss=loss, optimizer=optimizer).phase

    numbers = asked(0.1).numbers
    per_decay = 0.1 / numbers["level"]  # λ over 2γ
    low, high = numbers["lower"] * per_decay, numbers["upper"] * per_decay
    assert low <= high
    verdicts = [asked(decay).verdict for decay in (0.99 * low, (low * high) ** 0.5, 1.01 * high)]
    assert verdicts == ["learning", "undecided", "collapsed"]
    for decay, learns in ((0.5 * low, True), (1.25 * high, False)):
        torch.manual_seed(1)
        fresh, *_ = problem(name, bias, widths=(16,), activation=nn.ReLU)
        train(fresh, x, y, loss, optimizer_of(fresh, bias, decay, 0.2), 600)
        assert (spread(fresh, x) > 1e-4) == learns
    if bias is False:
        found = diagnose(model, [(x, y)], loss=loss, optimizer=sgd(model, 1.01 * high))
        assert found.trap.verdict == "yes"
        assert found.trap.numbers["margin"] == float("inf")


# ---- Traps beside an output bias


@pytest.mark.parametrize("activation", [None, nn.ReLU])
@pytest.mark.parametrize("name", ["square", "cross-entropy", "binary", "Huber"])
def test_the_trap_beside_an_output_bias_wherever_it_is(name, activation):
    model, x, y, loss = problem(name, "output", widths=(4, 4), activation=activation)
    if name == "square":
        x = x - x.mean(dim=0)
    decay = 0.2

    def asked():
        optimizer = optimizer_of(model, "output", decay)
        return diagnose(model, [(x, y)], loss=loss, optimizer=optimizer).trap

    if name == "square" and activation is not None:
        assert asked().verdict == "not proven"
        assert "no bound" in asked().statement
        return
    scaled_(model, 0.999 * asked().numbers["margin"])
    assert asked().verdict == "yes"
    start = [layer.weight.detach().clone() for layer in linears(model)]
    for offset in (-20.0, 0.0, 20.0):
        with torch.no_grad():
            for layer, W in zip(linears(model), start, strict=True):
                layer.weight.copy_(W)
            linears(model)[-1].bias.fill_(offset)
            linears(model)[-1].bias[0] += 5.0
        largest = [max(norms(model))]
        optimizer = optimizer_of(model, "output", decay, 0.05)
        for _ in range(10):
            train(model, x, y, loss, optimizer, 20)
            largest.append(max(norms(model)))
        assert np.all(np.diff(largest) < 0)
    assert largest[-1] < 0.5 * largest[0]


def test_the_square_loss_beside_a_bias_needs_centred_inputs():
    model, x, y, loss = problem("square", "output", widths=(4, 4))
    found = diagnose(model, [(x, y)], loss=loss, optimizer=optimizer_of(model, "output", 0.1))
    assert found.trap.verdict == "not proven"
    assert "E[x] = 0" in found.trap.statement
    for bias in ("free", "decayed"):
        model, *_ = problem("cross-entropy", bias, widths=(4, 4))
        y = target_of("cross-entropy", x)
        optimizer = optimizer_of(model, bias, 0.1)
        found = diagnose(model, [(x, y)], loss=nn.CrossEntropyLoss(), optimizer=optimizer)
        assert "hidden biases" in found.trap.statement
