"""The passes around zero: no weights lie below them, and no descent crosses them."""

import itertools
import json

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

import linscape as ls
from linscape.torch.initialising import barrier


def problem_of(seed, hidden, *, share=0.5, noise=0.0, unequal=False, **network):
    """A problem whose decays are this share of those at which learning ends; above 1 metastable."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 3)) * [1.0, 0.7, 0.4]
    y = X @ rng.standard_normal(3) + 0.3 * rng.standard_normal(40)
    moments = ls.Moments.from_arrays(X, y)
    shape = rng.uniform(0.5, 2.0, len(hidden) + 1) if unequal else np.ones(len(hidden) + 1)
    draft = ls.Problem(moments, ls.Network(hidden, noise=noise, weight_decay=shape, **network))
    critical = ls.critical_weight_decay(draft)
    factor = share * critical.learning_factor
    if share > 1:
        factor = np.sqrt(critical.learning_factor * critical.existence_factor)
    decays = factor * shape
    return ls.Problem(moments, ls.Network(hidden, noise=noise, weight_decay=decays, **network))


CASES = [
    {"seed": 0, "hidden": (2, 3)},
    {"seed": 1, "hidden": (2, 2), "noise": 0.4},
    {"seed": 2, "hidden": (2, 2, 2), "noise": 0.2, "unequal": True},
    {"seed": 3, "hidden": (3, 2), "share": 1.2, "unequal": True},
    {"seed": 4, "hidden": (2, 2), "noise": 0.3, "input_noise": 0.5},
]


def on_sphere(problem, vector, size):
    """Scale the last layer so that the mean predictor has this norm."""
    weights = problem.unflatten(vector)
    weights[-1] = weights[-1] * size / np.linalg.norm(problem.predictor(weights))
    return weights


@pytest.mark.parametrize("case", CASES)
def test_no_weights_on_the_sphere_lie_below_the_pass_and_some_lie_on_it(case):
    problem = problem_of(**case)
    passes = barrier(problem).passes
    assert passes
    rng = np.random.default_rng(0)
    size = sum(rows * columns for rows, columns in problem.shapes)
    for one in passes:

        def loss(vector, one=one):
            return problem.loss(on_sphere(problem, vector, one.size))

        starts = rng.standard_normal((50, size))
        assert min(map(loss, starts)) >= one.loss
        found = [minimize(loss, start, tol=1e-9).fun for start in starts[:2]]
        assert min(found) >= one.loss * (1 - 1e-10)
        assert min(found) == pytest.approx(one.loss, rel=1e-6)  # a numerical minimisation's


def ends_at_zero(problem, weights):
    """Integrate gradient flow."""

    def right(_, vector):
        return -problem.flatten(problem.gradient(problem.unflatten(vector)))

    first = problem.flatten(weights)
    end = solve_ivp(right, (0, 300), first, method="LSODA", rtol=1e-8, atol=1e-9)
    return np.linalg.norm(end.y[:, -1]) < 1e-3


@pytest.mark.parametrize("case", CASES)
def test_what_is_held_back_never_ends_at_zero(case):
    problem = problem_of(**case)
    wall = barrier(problem)
    above = [one for one in ls.solutions(problem) if one.kind == "minimum" and one.energy > 0]
    at_zero = float(problem.moments.yy)
    assert (above[0].loss > at_zero) == (case.get("share", 0) > 1)
    rng = np.random.default_rng(1)
    held = []
    for _ in range(100):
        base = above[0].weights(rng)
        noise = rng.uniform(0, 0.1)
        weights = [
            rng.uniform(0.7, 1.2) * W + noise * np.linalg.norm(W) * rng.standard_normal(W.shape)
            for W in base
        ]
        if wall.holds_back(problem, weights):
            held.append(weights)
        if len(held) == 3:
            break
    assert len(held) == 3
    assert not any(ends_at_zero(problem, weights) for weights in held)


@pytest.mark.parametrize(
    ("t", "held"), [(0.1, False), (0.30, False), (0.32, True), (0.5, True), (1.1, False)]
)
def test_single_units_are_held_back_beyond_the_root_and_below_its_loss(t, held):
    # L = (1 − t³)² + 0.9 t² has its maximum 1.0278 at t = 0.309 and is above that again at 1.1
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1, 1), weight_decay=0.3))
    assert barrier(problem).holds_back(problem, [np.full((1, 1), t)] * 3) is held


def averaged_gradient(weights, x, y, rate, decay):
    """Gradient of the loss averaged over every mask, by autograd; knows nothing of moments."""
    leaves = [W.clone().requires_grad_(True) for W in weights]
    widths = [W.shape[0] for W in weights[:-1]]
    total = decay * sum((W**2).sum() for W in leaves)
    for bits in itertools.product((0.0, 1.0), repeat=sum(widths) if rate else 0):
        masks = torch.split(torch.tensor(bits, dtype=x.dtype), widths) if rate else [None] * 9
        values, chance = x, 1.0
        for W, mask in zip(leaves[:-1], masks, strict=False):
            values = values @ W.T
            if mask is not None:
                values = values * mask / (1 - rate)
                kept = float(mask.sum())
                chance *= (1 - rate) ** kept * rate ** (len(mask) - kept)
        total = total + chance * ((values @ leaves[-1].T)[:, 0] - y).square().mean()
    return torch.autograd.grad(total, leaves)


def collapses(weights, x, y, rate, decay, steps=4000, eta=0.1):
    first = max(float(W.norm()) for W in weights)
    for _ in range(steps):
        gradient = averaged_gradient(weights, x, y, rate, decay)
        weights = [W - eta * G for W, G in zip(weights, gradient, strict=True)]
        largest = max(float(W.norm()) for W in weights)
        if largest < 0.1 * first:
            return True
        if largest > 1.5 * first:
            return False
    return None


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_on_the_line_to_the_minimum_it_is_where_brute_force_descent_turns(rate):
    # inputs of one variance: the direction is kept, so the saddle is the point of no return
    x = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=2)), dtype=torch.float64)
    y = x @ torch.tensor([0.6, 0.8], dtype=torch.float64)
    moments = ls.Moments.from_arrays(x.numpy(), y.numpy())
    noise = rate / (1 - rate)
    draft = ls.Problem(moments, ls.Network((2, 2), noise=noise, weight_decay=1.0))
    decay = 0.7 * ls.critical_weight_decay(draft).learning
    problem = ls.Problem(moments, ls.Network((2, 2), noise=noise, weight_decay=decay))
    zero, saddle, minimum = ls.solutions(problem)
    assert (zero.kind, saddle.kind, minimum.kind) == ("minimum", "saddle", "minimum")
    ratio = (saddle.energy / minimum.energy) ** 0.5
    base = [torch.from_numpy(W) for W in minimum.weights()]
    for factor, ends in ((0.99, True), (1.01, False)):
        assert collapses([factor * ratio * W for W in base], x, y, rate, decay) is ends
    size = np.linalg.norm(minimum.predictor) * ratio**3
    assert barrier(problem).passes[0].size == pytest.approx(size, rel=1e-10)


@pytest.mark.parametrize("exponent", [-8, -4, 4, 8])
def test_units_of_the_data_do_not_matter(exponent):
    plain = problem_of(0, (2, 3))
    (one,) = barrier(plain).passes
    s = 10.0**exponent
    moments = plain.moments
    scaled = ls.Moments(moments.A, np.asarray(moments.C) * s, moments.yy * s**2)
    decay = plain.network.weight_decay[0] * s ** (4 / 3)
    (other,) = barrier(ls.Problem(scaled, ls.Network((2, 3), weight_decay=decay))).passes
    assert other.size == pytest.approx(s * one.size, rel=1e-10)
    assert other.loss == pytest.approx(s**2 * one.loss, rel=1e-10)


def test_rotated_inputs_have_the_same_barrier():
    plain = problem_of(0, (2, 3))
    Q = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    moments = plain.moments
    turned = ls.Moments(Q @ moments.A @ Q.T, Q @ np.asarray(moments.C), moments.yy)
    before, after = barrier(plain), barrier(ls.Problem(turned, plain.network))
    assert after.passes[0] == pytest.approx(before.passes[0], rel=1e-10)


def test_without_a_trap_there_is_no_pass():
    moments = ls.Moments([[1.0]], [1.0], 1.0)
    for network in (
        ls.Network((), weight_decay=0.1),
        ls.Network((3,), weight_decay=0.1),
        ls.Network((3, 3), weight_decay=(0.1, 0.0, 0.1)),
        ls.Network((3, 3), weight_decay=9.0),
    ):
        found = barrier(ls.Problem(moments, network))
        assert (found.loss_at_zero, found.passes) == (1.0, ())
        json.dumps(found.to_dict(), allow_nan=False)


def test_beside_biases_zero_is_the_best_constant():
    X = np.array([[0.0], [1.0], [2.0], [5.0]])
    moments = ls.Moments.from_arrays(X, X[:, 0] + 3)
    network = ls.Network((2, 2), weight_decay=0.01, bias="free")
    assert barrier(ls.Problem(moments, network)).loss_at_zero == pytest.approx(3.5, rel=1e-12)
