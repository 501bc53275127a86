"""Figure 2: the curves against networks written out unit by unit, PyTorch's, and the theorem."""

import io

import numpy as np
import pytest
import torch

import linscape as ls
from linscape.figures import draw, reproduce
from linscape.figures.exact_solutions import b_curves


@pytest.fixture(scope="module")
def found():
    return reproduce("b-curves", quick=True)


def test_verdicts(found):
    assert [claim.verdict for claim in found.claims] == ["PASS", "PASS", "PASS", "FAIL", "FAIL"]


MODULES = {
    "linear": torch.nn.Identity(),
    "relu": torch.nn.ReLU(),
    "tanh": torch.nn.Tanh(),
    "swish": torch.nn.SiLU(),
}


@pytest.mark.parametrize("panel", b_curves.PANELS)
@pytest.mark.parametrize("name", b_curves.ACTIVATIONS)
def test_curves_are_those_of_a_torch_network(found, panel, name):
    X, y = b_curves.data(panel, 0)
    width = 3
    problem = b_curves.problem_of(X, y, width)
    decay = problem.network.weight_decay[0]
    A, c = X.T @ X / len(X), X.T @ y / len(X)
    model = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], width, bias=False),
        MODULES[name],
        torch.nn.Linear(width, 1, bias=False),
    ).double()
    at = np.array([-0.7, 0.0, 0.3])
    losses = []
    for b in at:
        rows = np.tile(
            b * np.linalg.inv(b * b * width * A + decay * np.eye(len(c))) @ c, (width, 1)
        )
        with torch.no_grad():
            model[0].weight.copy_(torch.tensor(rows))
            model[2].weight.fill_(b)
            f = model(torch.tensor(X))[:, 0].numpy()
            norms = sum(float(p.square().sum()) for p in model.parameters())
        losses.append(np.mean((f - y) ** 2) + decay * norms)
    np.testing.assert_allclose(
        b_curves.loss_along(X, y, at, width, decay, name), losses, rtol=1e-10
    )


def test_linear_minima_are_the_solutions(found):
    problem = b_curves.problem_of(*b_curves.data("linear", 0), b_curves.WIDTH)
    b, linear = (found.arrays[f"linear_{b_curves.WIDTH}_{key}"] for key in ("b", "linear"))
    lowest = b_curves.minima(linear)
    best = found.arrays[f"linear_{b_curves.WIDTH}_best_b"][0]
    np.testing.assert_allclose(b[lowest], [-best, best], rtol=1e-12)
    np.testing.assert_allclose(linear[lowest], ls.global_minimum(problem).loss, rtol=1e-10)
    # (6) of the paper, without noise and with equal decays
    decay = problem.network.weight_decay[0]
    M = best**2 * b_curves.WIDTH * problem.moments.A + decay * np.eye(b_curves.INPUTS)
    assert np.linalg.norm(np.linalg.solve(M, problem.moments.C)) == pytest.approx(1, rel=1e-9)


def test_relu_agrees_on_one_side_where_all_rows_have_one_sign():
    rng = np.random.default_rng(5)
    X = np.abs(rng.standard_normal((50, 1)))
    y, b = 2 * X[:, 0], np.linspace(-1, 1, 21)
    linear, relu = (b_curves.loss_along(X, y, b, 4, 0.1, name) for name in ("linear", "relu"))
    np.testing.assert_allclose(relu[10:], linear[10:], rtol=1e-12)
    assert np.all(relu[:10] > linear[:10])


def test_linear_curve_is_even_and_relu_is_so_for_symmetric_rows():
    rng = np.random.default_rng(6)
    half = rng.standard_normal((40, 3))
    X = np.concatenate([half, -half])
    y, b = X @ np.array([1.0, -2.0, 0.5]), np.linspace(-1, 1, 11)
    for name in ("linear", "relu", "tanh"):
        losses = b_curves.loss_along(X, y, b, 4, 0.1, name)
        np.testing.assert_allclose(losses, losses[::-1], rtol=1e-12)


def test_draws(found):
    figure = draw(found)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert len(figure.axes) == 2
