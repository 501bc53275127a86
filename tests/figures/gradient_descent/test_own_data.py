"""Descent of many nets on data of their own, against the library's and against rows."""

import numpy as np
import pytest

import linscape as ls
from linscape.dynamics.descent import descend
from linscape.dynamics.divergence import divergence_step_size
from linscape.dynamics.step_size import safe_step_size
from linscape.figures.gradient_descent import divergence_step_sizes, own_data
from linscape.figures.gradient_descent.divergence_step_sizes import first_divergence
from linscape.figures.gradient_descent.random_nets import HIDDEN, random_nets, suggested_bounds


def nets_of(kind, count, deviation=0.1, seed=0):
    return random_nets(HIDDEN[kind], count, np.random.default_rng(seed), deviation)


def problem_of(nets, k, kind):
    moments = ls.Moments.from_arrays(nets.X[k].T, nets.Y[k].T)
    return ls.Problem(moments, ls.Network(HIDDEN[kind]), reduction="half_sum")


def weights_of(nets, k):
    return [W[k] for W in nets.weights]


def rows_loss(nets, k, weights):
    fitted = nets.X[k]
    for W in weights:
        fitted = W @ fitted
    return np.sum((nets.Y[k] - fitted) ** 2) / 2


@pytest.mark.parametrize("kind", HIDDEN)
def test_the_loss_is_that_of_the_rows(kind):
    nets = nets_of(kind, 4, deviation=0.5)
    excess = own_data.excess(nets.weights, *nets.moments)
    for k in range(4):
        expected = rows_loss(nets, k, weights_of(nets, k)) - np.sum(nets.Y[k] ** 2) / 2
        assert excess[k] == pytest.approx(expected, rel=1e-10)
        assert nets.residual[k] == pytest.approx(
            np.sqrt(2 * rows_loss(nets, k, weights_of(nets, k))), rel=1e-12
        )


@pytest.mark.parametrize("kind", HIDDEN)
def test_steps_are_those_of_descend_and_of_finite_differences(kind):
    nets = nets_of(kind, 3, deviation=0.5)
    A, C = nets.moments
    sizes = np.array([1e-3, 2e-3, 5e-4])
    moved = [W.copy() for W in nets.weights]
    own_data.advance(moved, A, C, sizes, 40)
    for k in range(3):
        path = descend(problem_of(nets, k, kind), weights_of(nets, k), step_size=sizes[k], steps=40)
        for ours, theirs in zip(moved, path.weights, strict=True):
            np.testing.assert_allclose(ours[k], theirs, rtol=1e-9, atol=1e-12)
    once = [W.copy() for W in nets.weights]
    own_data.advance(once, A, C, sizes, 1)
    for j, W in enumerate(nets.weights):
        bumped = [V.copy() for V in weights_of(nets, 0)]
        bumped[j][0, 1] += 1e-5
        up = rows_loss(nets, 0, bumped)
        bumped[j][0, 1] -= 2e-5
        slope = (up - rows_loss(nets, 0, bumped)) / 2e-5
        # central differences: relative error of order 1e-10 in the loss over 1e-5
        step = (W[0, 0, 1] - once[j][0, 0, 1]) / sizes[0]
        assert step == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("deviation", [0.01, 0.1, 0.3])
def test_bounds_are_those_of_the_theorem(kind, deviation):
    nets = nets_of(kind, 5, deviation)
    bounds = suggested_bounds(nets)
    for k in range(5):
        safe = safe_step_size(problem_of(nets, k, kind), weights_of(nets, k))
        assert nets.balancedness[k] == pytest.approx(safe.balancedness, rel=1e-10)
        # σ_min of the library is lowered by the rounding of XXᵀ, whose condition is squared
        assert bounds[k] == pytest.approx(safe.suggested_step_size, rel=1e-6)


def test_bounds_scale_with_the_data():
    # X → sX, Y → sY scales the loss by s² and leaves the weights: η by 1/s²
    nets = nets_of("3 layers", 50, 0.01)
    for size in (1e-6, 1e6):
        scaled = type(nets)(size * nets.X, size * nets.Y, nets.weights)
        np.testing.assert_allclose(
            suggested_bounds(scaled) * size**2, suggested_bounds(nets), rtol=1e-10
        )


def test_the_printed_constant_allows_larger_steps():
    nets = nets_of("2 layers", 200)
    larger = suggested_bounds(nets, printed=True) / suggested_bounds(nets)
    # M is smaller as soon as ‖Y − WX‖ + ‖Y‖ > 2, as it is here
    assert np.all(larger[nets.residual > 2] > 1)


@pytest.mark.parametrize("kind", ["3 layers", "3 layers, 5-2-2-5"])
def test_the_first_step_that_diverges_is_that_of_the_library(kind):
    nets = nets_of(kind, 6)
    nets = nets.part(suggested_bounds(nets) > 0)
    first = 0.9 * suggested_bounds(nets)
    found = first_divergence(nets, first, 200)
    for k in range(2):
        expected = divergence_step_size(
            problem_of(nets, k, kind), weights_of(nets, k), start=first[k], steps=200,
            tolerance=0.9,
        )  # fmt: skip
        assert found[k] == pytest.approx(expected.doubled, rel=1e-12)
    powers = np.log2(found / first)
    np.testing.assert_allclose(powers, np.round(powers), atol=1e-9)


def test_a_net_at_its_minimum_never_diverges():
    nets = nets_of("3 layers", 2)
    zero = type(nets)(nets.X, nets.Y, [0 * W for W in nets.weights])
    assert np.all(np.isinf(first_divergence(zero, np.full(2, 1e-3), 20)))


def test_shares_are_told_apart_by_their_standard_error():
    # of 10,000 a share of a half has the error 0.005, the difference of two 0.0071
    for share, verdict in ((0.519, None), (0.523, True), (0.477, False), (0.5, None)):
        assert divergence_step_sizes._larger(share, 0.5, 10_000) is verdict
