"""b-curves: the line of solutions, exact where the net is linear, sampled where it is not."""

import json

import numpy as np
import pytest
import torch
from models import MSE, chain, data, linears, sgd
from torch import nn

import linscape as ls
from linscape.errors import InvalidData, InvalidOption, NoExactSolution
from linscape.torch.lines import solution_line


def line_of(hidden, decay, *, activation=None, seed=0, b=None, rows=50):
    x, y = data(rows, 3, seed=seed)
    model = chain((3, *hidden, 1), activation=activation)
    return solution_line(model, [(x, y)], loss=MSE, optimizer=sgd(model, decay), b=b), x, y


def problem_of(x, y, hidden, decay):
    moments = ls.Moments.from_arrays(x.numpy(), y.numpy()[:, 0])
    return ls.Problem(moments, ls.Network(hidden, weight_decay=decay / 2))


@pytest.mark.parametrize("hidden", [(1,), (4,), (3, 5), (2, 3, 4)])
def test_the_linear_net_has_its_curve_and_its_solutions(hidden):
    line, x, y = line_of(hidden, 0.05)
    np.testing.assert_allclose(line.model, line.linear, rtol=1e-10)
    np.testing.assert_allclose(line.linear, line.linear[::-1], rtol=1e-10)  # even
    problem = problem_of(x, y, hidden, 0.05)
    minima = [one for one in ls.solutions(problem) if one.kind == "minimum"]
    sides = [one.loss for one in minima for _ in range(1 if one.energy == 0 else 2)]
    assert sorted(one.loss for one in line.linear_minima) == pytest.approx(sorted(sides), rel=1e-10)
    assert {one.basis for one in line.linear_minima} == {"exact"}
    # golden section finds a minimum of a parabola to the root of the rounding
    places = [one.b for one in line.model_minima]
    assert places == pytest.approx([one.b for one in line.linear_minima], abs=1e-6)


@pytest.mark.parametrize("hidden", [(4,), (3, 5)])
def test_at_a_solution_the_gradient_vanishes_and_all_layers_have_one_energy(hidden):
    line, x, y = line_of(hidden, 0.05)
    problem = problem_of(x, y, hidden, 0.05)
    for one in line.linear_minima:
        weights = line.weights(one.b)
        assert problem.loss(weights) == pytest.approx(one.loss, rel=1e-10)
        energies = [np.sum(W**2) for W in weights]
        assert energies == pytest.approx([energies[0]] * len(weights), rel=1e-9, abs=1e-12)
        for part in problem.gradient(weights):
            np.testing.assert_allclose(part, 0, atol=1e-12)


@pytest.mark.parametrize("activation", [None, nn.ReLU, nn.Tanh, nn.SiLU])
def test_the_curve_is_the_loss_that_torch_computes(activation):
    line, x, y = line_of((4, 2), 0.05, activation=activation, b=[-0.7, 0.0, 0.1, 0.6])
    model = chain((3, 4, 2, 1), activation=activation)
    for b, found in zip(line.b, line.model, strict=True):
        with torch.no_grad():
            for layer, W in zip(linears(model), line.weights(b), strict=True):
                layer.weight.copy_(torch.from_numpy(W))
            decay = sum(float(layer.weight.square().sum()) for layer in linears(model))
            assert found == pytest.approx(float(MSE(model(x), y)) + 0.025 * decay, rel=1e-10)


def test_with_one_hidden_layer_the_first_is_that_of_theorem_1():
    line, x, y = line_of((4,), 0.05)
    A, c = x.T @ x / len(x), (x.T @ y / len(x))[:, 0]
    for b in (-0.4, 0.3):
        v = b * np.linalg.solve(b**2 * 4 * A.numpy() + 0.025 * np.eye(3), c.numpy())
        np.testing.assert_allclose(line.weights(b)[0], np.tile(v, (4, 1)), rtol=1e-10)


def test_smooth_nets_have_the_linear_one_with_their_slope_as_their_limit_at_zero():
    # at small weights φ(z) ≈ sz: compared at two points, the error falls as z² (tanh) and z (SiLU)
    for activation, slope, order in ((nn.Tanh, 1.0, 2), (nn.SiLU, 0.5, 1)):
        errors = []
        for b in (1e-3, 1e-4):
            line, x, y = line_of((4,), 0.05, activation=activation, b=[-b, 0.0, b])
            W, U = line.weights(b)
            f = x.numpy() @ (slope * U @ W).T
            linear = np.mean((f - y.numpy()) ** 2) + 0.025 * (np.sum(W**2) + np.sum(U**2))
            errors.append(abs(line.model[2] - linear) / abs(line.loss_at_zero - linear))
        assert errors[1] < errors[0] / 5**order


def test_relu_is_as_far_from_the_linear_net_on_one_side_as_on_the_other():
    # symmetric rows: no side agrees with the linear net, contrary to the text beside Figure 2
    x, y = data(40, 3)
    x, y = torch.cat([x, -x]), torch.cat([y, -y])
    model = chain((3, 4, 1), activation=nn.ReLU)
    line = solution_line(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.05))
    np.testing.assert_allclose(line.model, line.model[::-1], rtol=1e-10)
    away = np.abs(line.b) > 0.1 * line.b[-1]
    assert np.all(line.model[away] > 1.01 * line.linear[away])


@pytest.mark.parametrize("exponent", [-8, 8])
def test_units_of_the_data_do_not_matter(exponent):
    scale = 10.0**exponent
    x, y = data(40, 3)
    model = chain((3, 4, 4, 1))
    one = solution_line(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.05))
    # y → sy and γ → s^{2/3}γ, D = 2, take the weights to s^{1/3} times theirs and L to s²L; x → sx
    # takes away from the first layer what it adds to y
    other = solution_line(
        model, [(x, scale * y)], loss=MSE, optimizer=sgd(model, 0.05 * scale ** (4 / 3))
    )
    np.testing.assert_allclose(other.model / scale**2, one.model, rtol=1e-9)  # of the range of b
    np.testing.assert_allclose(other.b / scale ** (1 / 3), one.b, rtol=1e-9)


def test_the_result_is_json():
    line, _, _ = line_of((3,), 0.05, activation=nn.Tanh)
    facts = json.loads(json.dumps(line.to_dict(), allow_nan=False))
    assert len(facts["b"]) == len(facts["model"]) == len(facts["linear"])
    assert facts["model_minima"][0]["basis"] == "numerical"
    assert facts["basis"].startswith("numerical")
    assert facts["activations"] == ["Tanh"]


def test_a_frozen_front_and_dropout_are_read():
    x, y = data(40, 3)
    front = nn.Linear(3, 3, bias=False).double().requires_grad_(requires_grad=False)
    parts = chain((3, 4, 1), rate=0.5)
    model = nn.Sequential(front, *parts)
    line = solution_line(model, [(x, y)], loss=MSE, optimizer=sgd(parts, 0.02))
    np.testing.assert_allclose(line.model, line.linear, rtol=1e-9)  # noise is left out of both


@pytest.mark.parametrize(
    ("model", "decay", "loss", "message"),
    [
        (chain((3, 4, 1), bias=True), 0.1, MSE, "without biases"),
        (chain((3, 1)), 0.1, MSE, "one hidden layer at least"),
        (chain((3, 4, 1)), 0.0, MSE, "weight decay on every layer"),
        (chain((3, 4, 1)), 0.1, nn.HuberLoss(), "the square loss, got Huber"),
    ],
)
def test_what_the_line_needs(model, decay, loss, message):
    x, y = data(20, 3)
    with pytest.raises(NoExactSolution, match=message):
        solution_line(model, [(x, y)], loss=loss, optimizer=sgd(model, decay))


def test_several_outputs_are_refused():
    x, y = data(20, 3, 2)
    model = chain((3, 4, 2))
    with pytest.raises(NoExactSolution, match="one output"):
        solution_line(model, [(x, y)], loss=MSE, optimizer=sgd(model, 0.1))


@pytest.mark.parametrize(
    "b", [[0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 1.0, np.nan], "no", [[0.0, 1, 2]]]
)
def test_bad_points_are_refused(b):
    with pytest.raises(InvalidOption, match="b must"):
        line_of((4,), 0.05, b=b)


def test_nothing_to_show_is_said():
    with pytest.raises(InvalidOption, match="no minimum beside zero"):
        line_of((4,), 1000.0)


def test_meta_models_are_refused():
    with torch.device("meta"):
        model = chain((3, 4, 1))
    with pytest.raises(InvalidData, match="meta device"):
        solution_line(model, [data(8, 3)], loss=MSE, optimizer=sgd(model, 0.1))
