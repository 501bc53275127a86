"""The monitor: what it sees is right, what it warns of comes, what learns is left alone."""

import itertools
import json
import math
import warnings

import numpy as np
import pytest
import torch
from models import MSE, chain, copied, data, linears, norms, scaled_, sgd, train
from torch import nn

from linscape.errors import InvalidData, InvalidOption, NoExactSolution
from linscape.torch import diagnose
from linscape.torch.monitoring import CollapseWarning, Monitor, Observation
from linscape.torch.monitoring.balance import balancedness_below
from linscape.torch.monitoring.rule import fading

# ---- What it sees


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_balancedness_is_the_norm_of_the_dense_matrices(scale):
    weights = [scale * draw(*shape, seed=k) for k, shape in enumerate([(7, 4), (5, 7), (2, 5)])]
    dense = [
        float(torch.linalg.matrix_norm(b.T @ b - a @ a.T, 2))
        for a, b in itertools.pairwise(weights)
    ]
    found = balancedness_below(weights)
    assert found <= max(dense) * (1 + 1e-12)
    assert found == pytest.approx(max(dense), rel=1e-2)  # thirty steps of power iteration


def test_balanced_layers_have_none_and_one_layer_too():
    assert balancedness_below([draw(3, 2)]) == 0
    Q, _ = torch.linalg.qr(draw(4, 4))
    # W_2ᵀW_2 = W_1W_1ᵀ up to rounding
    assert balancedness_below([Q[:, :2] @ draw(2, 2), (Q[:, :2] @ draw(2, 2)).T]) < 1e-14


@pytest.mark.parametrize("activation", [None, nn.ReLU])
@pytest.mark.parametrize("name", ["square", "cross-entropy"])
def test_norms_energies_and_the_pull_that_all_layers_share(activation, name):
    x, y = data(40, 3, 2)
    loss = MSE if name == "square" else nn.CrossEntropyLoss()
    target = y if name == "square" else (y[:, 0] > 0).long()
    model = chain((3, 6, 5, 2), activation=activation)
    optimizer = sgd(model, 0.1, rate=1e-7)
    monitor = Monitor(model, optimizer=optimizer)
    for _ in range(10):
        train(model, x, target, loss, optimizer, 1)
        monitor.step()
    seen = monitor.history[-1]
    assert seen.step == 10
    assert seen.norms == pytest.approx(norms(model), rel=1e-12)
    assert seen.energies == pytest.approx([0.05 * norm**2 for norm in norms(model)], rel=1e-12)
    before = [norm**2 for norm in norms(model)]
    train(model, x, target, loss, optimizer, 1)
    for first, norm in zip(before, norms(model), strict=True):
        # an explicit step of size 1e-7: its second order, and the rounding over the step
        assert (norm**2 - first) / 2e-7 == pytest.approx(seen.pull - 0.1 * first, rel=1e-4)


def test_the_margin_is_that_of_the_diagnosis():
    x, y = data(40, 3)
    for activation in (None, nn.ReLU):
        model = chain((3, 6, 6, 1), activation=activation)
        optimizer = sgd(model, 0.1, rate=0.0)
        trap = diagnose(model, [(x, y)], loss=MSE, optimizer=optimizer).trap
        monitor = Monitor(model, [(x, y)], loss=MSE, optimizer=optimizer)
        for _ in range(10):
            monitor.step()
        assert monitor.history[-1].margin == pytest.approx(trap.numbers["margin"], rel=1e-10)


def test_balancedness_comes_every_thousand_steps():
    model = chain((3, 6, 1))
    monitor = Monitor(model, optimizer=sgd(model, 0.1))
    for _ in range(2000):
        monitor.step()
    assert len(monitor.history) == 200
    asked = [seen.step for seen in monitor.history if seen.balancedness is not None]
    assert asked == [1000, 2000]
    first, last = (layer.weight.detach().numpy() for layer in linears(model))
    dense = np.linalg.norm(last.T @ last - first @ first.T, 2)
    assert monitor.history[-1].balancedness == pytest.approx(dense, rel=1e-2)  # power iteration
    assert monitor.history[-1].pull is None  # no gradient was ever made


# ---- What it warns of


def watched(model, x, y, optimizer, steps, loss=MSE):
    """Train with a monitor; return it and the warnings that came."""
    monitor = Monitor(model, [(x, y)], loss=loss, optimizer=optimizer)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(steps):
            train(model, x, y, loss, optimizer, 1)
            monitor.step()
    assert all(one.category is CollapseWarning for one in caught)
    return monitor, caught


def critical(activation=None, seed=0):
    """A model at its critical gain, its data, and half of the largest decay that learns."""
    torch.manual_seed(seed)
    x, y = data(60, 3, seed=seed)
    model = chain((3, 6, 6, 1), activation=activation)
    level = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.1)).limits.weight_decay
    found = diagnose(model, [(x, y)], loss=MSE, optimizer=sgd(model, level / 2))
    return scaled_(model, found.ending.numbers["critical_gain"]), x, y, level / 2


@pytest.mark.parametrize("seed", [0, 1])
def test_both_sides_of_the_critical_gain(seed):
    model, x, y, decay = critical(seed=seed)
    ends = {}
    for factor in (0.7, 1.4):
        member = scaled_(copied(chain((3, 6, 6, 1)), model), factor)
        start = max(norms(member))
        monitor, caught = watched(member, x, y, sgd(member, decay, 0.02), 1500)
        ends[factor] = max(norms(member)) < 0.1 * start
        assert len(caught) == (1 if ends[factor] else 0)
        if ends[factor]:
            at = next(seen for seen in monitor.history if seen.step == monitor.warning.step)
            assert max(at.norms) > 0.1 * start  # early: before the norms are gone
            assert str(caught[0].message).startswith(f"collapse at step {monitor.warning.step} ")
    assert ends == {0.7: True, 1.4: False}


def test_the_proven_trap_is_named_when_it_is_entered():
    model, x, y, decay = critical()
    A, c = (x.T @ x / len(x)).numpy(), (x.T @ y / len(x)).numpy()
    radius = (decay / 2) / np.linalg.norm(c)
    scaled_(model, 1.02 * radius / max(norms(model)))  # D = 2: R = γ/‖c‖; the ball is larger
    assert sum(norm**2 for norm in norms(model)) > 0
    rate = 0.1 / (decay + np.linalg.norm(A, 2))
    monitor, caught = watched(model, x, y, sgd(model, decay, rate), 400)
    assert monitor.warning.proven
    at = next(seen for seen in monitor.history if seen.step == monitor.warning.step)
    inside = max(at.norms) < radius or sum(norm**2 for norm in at.norms) < 3 * radius**2
    assert inside
    assert at.margin > 1
    assert "(proven)" in str(caught[0].message)
    assert len(caught) == 1
    largest = [max(seen.norms) for seen in monitor.history]
    assert np.all(np.diff(largest) < 0)


def test_without_a_trap_the_rule_still_watches():
    model, x, y, decay = critical(nn.Tanh)
    for factor, warned in ((0.5, True), (2.0, False)):
        member = scaled_(copied(chain((3, 6, 6, 1), activation=nn.Tanh), model), factor)
        monitor, caught = watched(member, x, y, sgd(member, decay, 0.02), 1000)
        assert "Tanh" in monitor.no_trap
        assert monitor.history[-1].margin is None
        assert bool(caught) == warned
        if warned:
            assert not monitor.warning.proven
            assert "(numerical)" in str(caught[0].message)


@pytest.mark.slow
@pytest.mark.parametrize("activation", [None, nn.ReLU, nn.Tanh])
def test_both_sides_on_a_larger_grid(activation):
    alarms = []
    for seed in range(2, 10):
        model, x, y, decay = critical(activation, seed)
        for factor in (0.5, 2.0):  # the activation is not linear: 2 on both sides
            member = copied(chain((3, 6, 6, 1), activation=activation), model)
            scaled_(member, factor)
            start = max(norms(member))
            # long enough for the slowest ReLU run: at 4,000 steps it still had 4 % of its size
            monitor, _ = watched(member, x, y, sgd(member, decay, 0.01), 10_000)
            gone = max(norms(member)) < 1e-2 * start
            alarms.append((factor, gone, monitor.warning is not None))
            assert gone == (monitor.warning is not None)
    print(f"{activation}: {len(alarms)} runs, {sum(one[1] for one in alarms)} collapsed, all told")


# ---- The rule alone


def history(pull, *, steps=200, rate=0.02, rising=False):
    """Three layers that shrink; the pull as a function of the product and the count."""
    seen = []
    for k in range(steps):
        norm = math.exp(-rate * k)
        layers = (norm, norm, 1 + 0.01 * k if rising else norm)
        seen.append(Observation(10 * k, layers, layers, pull(norm**3, k), None, None))
    return seen


@pytest.mark.parametrize("rate", [0.002, 0.02, 0.2])
def test_the_rule_tells_a_fading_pull_from_one_that_holds(rate):
    steps = int(4 / (3 * rate)) + 20
    noise = np.random.default_rng(0).standard_normal(steps)
    assert fading(history(lambda P, k: P * (1 + 0.1 * noise[k]), steps=steps, rate=rate))
    assert not fading(history(lambda P, k: 1 + 0.1 * noise[k], steps=steps, rate=rate))
    assert not fading(history(lambda P, k: P ** (1 / 3), steps=12, rate=rate))  # too few
    assert not fading(history(lambda P, k: noise[k] * P, steps=steps, rate=rate / 10))


def test_the_rule_needs_every_layer_to_fall_and_a_pull():
    assert fading(history(lambda P, k: P))
    assert not fading(history(lambda P, k: P, rising=True))
    assert not fading(history(lambda P, k: None))
    assert not fading(history(lambda P, k: -P))  # the data push the weights down: too large
    assert not fading([])


# ---- Ways to use it


def test_a_hook_is_a_step():
    x, y = data(40, 3)
    model = chain((3, 6, 1), bias=True)
    optimizer = sgd(model, 0.1)
    monitor = Monitor(model, optimizer=optimizer)
    optimizer.register_step_post_hook(lambda *_: monitor.step())
    train(model, x, y, MSE, optimizer, 20)
    assert monitor.steps == 20
    assert len(monitor.history) == 2


def test_what_a_logger_gets():
    x, y = data(40, 3)
    model = scaled_(chain((3, 6, 6, 1)), 1e-3)
    optimizer = sgd(model, 0.1)
    monitor = Monitor(model, [(x, y)], loss=MSE, optimizer=optimizer)
    assert json.loads(json.dumps(monitor.to_dict(), allow_nan=False))["last"] is None
    for _ in range(9):
        monitor.step()
    with pytest.warns(CollapseWarning, match="inside the proven trap"):
        monitor.step()
    facts = json.loads(json.dumps(monitor.to_dict(), allow_nan=False))
    assert facts["last"]["norms"] == dict(zip("012", norms(model), strict=True))
    assert facts["warning"]["proven"] is True


def test_a_run_that_diverges_is_still_json():
    x, y = data(40, 3)
    model = chain((3, 6, 6, 1))
    optimizer = sgd(model, 0.1, rate=1e3)
    monitor, caught = watched(model, x, y, optimizer, 100)
    assert caught == []
    assert not math.isfinite(max(monitor.history[-1].norms))
    json.dumps(monitor.to_dict(), allow_nan=False)


def test_adamw_is_never_warned_of():
    x, y = data(40, 3)
    model = scaled_(chain((3, 6, 6, 1)), 1e-3)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    monitor, caught = watched(model, x, y, optimizer, 100)
    assert caught == []
    assert "decoupled" in monitor.no_trap


def test_nothing_of_the_model_changes():
    x, y = data(40, 3)
    model = chain((3, 6, 6, 1), rate=0.3)
    optimizer = sgd(model, 0.1)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    seed = torch.random.get_rng_state()
    monitor = Monitor(model, [(x, y)], loss=MSE, optimizer=optimizer)
    for _ in range(1000):
        monitor.step()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), seed)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_bad_input_is_refused():
    x, y = data(8, 3)
    model = chain((3, 4, 1))
    with pytest.raises(InvalidOption, match="give both, or neither"):
        Monitor(model, [(x, y)], optimizer=sgd(model, 0.1))
    with pytest.raises(InvalidOption, match="give both, or neither"):
        Monitor(model, loss=MSE, optimizer=sgd(model, 0.1))
    normed = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(NoExactSolution, match="BatchNorm1d"):
        Monitor(normed, optimizer=sgd(normed, 0.1))
    with torch.device("meta"):
        nowhere = chain((3, 1))
    half = chain((3, 1)).half()
    for bad, message in ((nowhere, "meta device"), (half, "float16")):
        with pytest.raises(InvalidData, match=message):
            Monitor(bad, optimizer=sgd(bad, 0.1))
