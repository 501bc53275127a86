"""The simulated gain of collapse: against closed forms, gradient flow and what is proven."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import linscape as ls
from cases import isotropic
from linscape.dynamics import critical_gain
from linscape.dynamics.collapse import COLLAPSED, LEARNING, end_states
from linscape.errors import InvalidNetwork, NoExactSolution
from linscape.initialisation import random_weights
from linscape.landscape.trap import trap_radius
from oracles import averaged_loss_and_gradient, flatten, unflatten

TOLERANCE = 0.02  # of the bisection: all its answers are this good and no better


def rows(outputs, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12, 2)) * [1, 0.6]
    return X, X @ rng.standard_normal((2, outputs)) + 0.3 * rng.standard_normal((12, outputs))


# ---- Against what is known


@pytest.mark.parametrize(
    ("depth", "noise", "reduction"),
    [(2, 0.0, "mean"), (2, 0.5, "half_mean"), (3, 0.0, "half_mean"), (3, 0.5, "mean")],
)
def test_a_chain_of_single_units_changes_at_the_root_of_its_equation(depth, noise, reduction):
    # orthogonal 1×1 weights are ±1; they stay of equal size t, which moves as
    # αc t^D − αaΠ(1 + σ²) t^{2D+1} − γt
    a, c, decay, starts, seed = 1.5, 0.8, 0.05, 16, 3
    moments = ls.Moments([[a]], [c], 1.0)
    network = ls.Network((1,) * depth, weight_decay=decay, noise=noise)
    problem = ls.Problem(moments, network, reduction=reduction)
    alpha = problem.data_factor
    quadratic = a * (1 + noise) ** depth

    def slope(t):
        return alpha * (c * t ** (depth - 1) - quadratic * t ** (2 * depth)) - decay

    top = (c * (depth - 1) / (2 * depth * quadratic)) ** (1 / (depth + 1))
    root = brentq(slope, 0, top)
    found = critical_gain(problem, scheme="orthogonal", rng=seed, starts=starts)
    signs = np.prod(random_weights(problem, scheme="orthogonal", rng=seed, batch=starts), axis=0)
    learning = int(np.sum(signs > 0))  # with c > 0 a negative product only shrinks
    assert 0 < learning < starts
    np.testing.assert_allclose(found.gains[:learning], root, rtol=TOLERANCE)
    assert np.all(np.isinf(found.gains[learning:]))
    assert len(found.gains) == starts
    assert found.undecided == 0
    assert found.numerical
    collapsed = starts - learning
    assert found.share_collapsed == collapsed / starts
    wilson = stats.binomtest(collapsed, starts).proportion_ci(0.95, method="wilson")
    assert found.share_interval == pytest.approx((wilson.low, wilson.high), rel=1e-10)
    radius = (decay / (alpha * c)) ** (1 / (depth - 1))
    np.testing.assert_allclose(found.proven, radius, rtol=1e-10)


@pytest.mark.parametrize(
    ("scheme", "outputs", "options"),
    [
        ("lecun", 1, {"hidden": (3, 2), "weight_decay": 0.05}),
        ("xavier", 1, {"hidden": (2, 2), "weight_decay": 0.03, "noise": 0.5}),
        ("kaiming", 2, {"hidden": (2, 3), "weight_decay": (0.02, 0.1, 0.05)}),
        ("orthogonal", 2, {"hidden": (2, 2, 2), "weight_decay": 0.05, "input_noise": 0.3}),
    ],
)
def test_gradient_flow_of_the_enumerated_moments_changes_there_too(scheme, outputs, options):
    X, Y = rows(outputs)
    moments = ls.Moments.from_arrays(X, Y[:, 0] if outputs == 1 else Y)
    problem = ls.Problem(moments, ls.Network(**options))
    found = critical_gain(problem, scheme=scheme, rng=5, starts=1)
    (gain,) = found.gains
    assert math.isfinite(gain)
    oracle = averaged_loss_and_gradient(X, Y, **{k: v for k, v in options.items() if k != "hidden"})
    base = [W[0] for W in random_weights(problem, scheme=scheme, rng=5, batch=1)]
    at_zero = oracle([0 * W for W in base])[0]
    for factor in (0.9, 1.1):  # descent with steps is not the flow itself
        flow = solve_ivp(
            lambda _, w: -flatten(oracle(unflatten(w, problem.shapes))[1]),
            (0, 10 / np.min(options["weight_decay"])), factor * gain * flatten(base),
            method="LSODA", rtol=1e-6, atol=1e-9,
        )  # fmt: skip
        end = flow.y[:, -1]
        if factor < 1:
            assert np.linalg.norm(end) < 0.1 * np.linalg.norm(flow.y[:, 0])
        else:
            assert oracle(unflatten(end, problem.shapes))[0] < at_zero


@pytest.mark.parametrize("scheme", ["kaiming", "xavier", "lecun", "orthogonal", "normal"])
def test_collapse_begins_above_the_proven_gain(scheme):
    X, Y = rows(2)
    problem = ls.Problem(
        ls.Moments.from_arrays(X, Y), ls.Network((3, 3), weight_decay=0.05, noise=0.2)
    )
    found = critical_gain(problem, scheme=scheme, rng=0, starts=12)
    assert found.scheme == scheme
    assert found.undecided == 0
    # order statistics keep an inequality that holds start by start
    assert np.all(found.proven < found.gains * (1 + TOLERANCE))
    base = random_weights(problem, scheme=scheme, rng=0, batch=12)
    np.testing.assert_allclose(found.proven, np.sort(trap_radius(problem).margin(base)), rtol=1e-10)
    assert found.median == found.gains[5]
    assert found.quantile(1.0) == found.gains[-1]
    assert found.share_collapsed == np.mean(found.gains > 1)


def test_units_do_not_matter():
    # y in other units, decays and weights with it: U → sU, so all layers by s^{1/3}
    X, Y = rows(1)
    network = ls.Network((3, 3), weight_decay=0.05)
    one = critical_gain(data(X, Y, network), scheme="lecun", rng=1, starts=6)
    half = critical_gain(
        data(X, Y, ls.Network((3, 3), weight_decay=0.025), reduction="half_mean"),
        scheme="lecun", rng=1, starts=6,
    )  # fmt: skip
    np.testing.assert_allclose(half.gains, one.gains, rtol=TOLERANCE)
    s = 64.0
    other = critical_gain(
        data(X, s * Y, ls.Network((3, 3), weight_decay=0.05 * s ** (4 / 3))),
        scheme="lecun", rng=1, starts=6,
    )  # fmt: skip
    np.testing.assert_allclose(other.gains, s ** (1 / 3) * one.gains, rtol=TOLERANCE)


def data(X, Y, network, **options):
    return ls.Problem(ls.Moments.from_arrays(X, Y[:, 0]), network, **options)


# ---- The phases


def test_in_the_metastable_phase_starts_still_learn_a_loss_above_that_of_zero():
    problem = isotropic(2, c=(0.7, 0.0), decay=0.01, width=3)
    decay = 1.03 * ls.critical_weight_decay(problem).learning
    problem = isotropic(2, c=(0.7, 0.0), decay=decay, width=3)
    assert ls.phase(problem).name == "metastable"
    found = critical_gain(problem, scheme="lecun", rng=2, starts=6)
    assert found.undecided == 0
    gain = found.gains[np.isfinite(found.gains)][-1]
    weights = random_weights(problem, scheme="lecun", gain=1.1 * gain, rng=2, batch=6)
    trap = trap_radius(problem)
    labels = end_states(problem, trap, weights, 20_000)
    ends = descend(problem, [W[labels == LEARNING] for W in weights])
    zero = problem.loss([np.zeros(shape) for shape in problem.shapes])
    assert np.any(labels == LEARNING)
    assert np.all(problem.loss(ends) > zero)
    assert np.all(trap.margin(ends) < 1)


def descend(problem, weights, step=0.2, steps=1000):
    for _ in range(steps):
        weights = [W - step * G for W, G in zip(weights, problem.gradient(weights), strict=True)]
    return weights


@pytest.mark.parametrize("noise", [0.0, 0.7])
@pytest.mark.parametrize("depth", [2, 3])
def test_in_the_collapsed_phase_every_gain_collapses(noise, depth):
    moments = ls.Moments(np.diag([1.0, 0.2]), [0.5, 0.3], 1.0)
    hidden = (2,) * depth
    network = ls.Network(hidden, noise=noise, weight_decay=1.0)
    decay = 1.05 * ls.critical_weight_decay(ls.Problem(moments, network)).existence
    problem = ls.Problem(moments, ls.Network(hidden, noise=noise, weight_decay=decay))
    found = critical_gain(problem, rng=0, starts=5)
    assert np.all(np.isinf(found.gains))
    assert found.share_collapsed == 1
    assert not found.numerical
    assert "collapsed phase" in found.method
    weights = random_weights(problem, scheme="lecun", rng=1, batch=20)
    labels = end_states(problem, trap_radius(problem), weights, 20_000)
    assert np.all(labels == COLLAPSED)


def test_the_share_at_gain_one_is_that_of_the_end_states():
    # y a hundred times larger puts the gains around one
    problem = isotropic(2, c=(30.0, 10.0), decay=0.07 * 100 ** (4 / 3), width=2)
    found = critical_gain(problem, scheme="lecun", rng=4, starts=30)
    weights = random_weights(problem, scheme="lecun", rng=4, batch=30)
    labels = end_states(problem, trap_radius(problem), weights, 10_000)
    assert 0 < found.share_collapsed < 1
    assert found.share_collapsed == np.mean(labels == COLLAPSED)
    # an end state changes once here: the gains above one are the starts that collapsed
    assert np.sum(found.gains > 1) == np.sum(labels == COLLAPSED)


# ---- Where nothing needs to be run


@pytest.mark.parametrize("hidden", [(), (2,), (2, 2)])
def test_without_signal_every_gain_collapses(hidden):
    moments = ls.Moments(np.eye(2), np.zeros(2), 1.0)
    found = critical_gain(ls.Problem(moments, ls.Network(hidden, weight_decay=0.1)), rng=0)
    assert np.all(np.isinf(found.gains))
    assert np.all(np.isinf(found.proven))
    assert not found.numerical


@pytest.mark.parametrize(("norm", "gain", "share"), [(0.9, math.inf, 1.0), (1.1, 0.0, 0.0)])
def test_with_one_hidden_layer_zero_attracts_all_or_nothing(norm, gain, share):
    C = norm * np.diag([1.0, 0.5])
    problem = ls.Problem(
        ls.Moments(np.eye(2), C, 2 * np.eye(2)), ls.Network((3,), weight_decay=1.0)
    )
    found = critical_gain(problem, rng=0, starts=3)
    assert set(found.gains) == {gain}
    assert found.share_collapsed == share
    assert not found.numerical


def test_without_a_hidden_layer_nothing_collapses():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((), weight_decay=9.0))
    assert set(critical_gain(problem, rng=0, starts=3).gains) == {0.0}


# ---- Undecided, refused, reported


def test_undecided_starts_are_counted_apart_and_taken_either_way():
    problem = isotropic(2, c=(0.3, 0.1), decay=0.07, width=2)
    found = critical_gain(problem, scheme="lecun", rng=4, starts=10, max_steps=1)
    assert found.undecided == 10
    assert len(found.gains) == 0
    assert found.median is None
    assert found.share_collapsed is None
    assert found.share_interval == (0, 1)
    some = critical_gain(problem, scheme="lecun", rng=4, starts=20, max_steps=60, confidence=0.9)
    full = critical_gain(problem, scheme="lecun", rng=4, starts=20, confidence=0.9)
    assert 0 < some.undecided < 20
    assert len(some.gains) == 20 - some.undecided
    assert some.share_interval[0] <= full.share_interval[0]
    assert some.share_interval[1] >= full.share_interval[1]


def test_at_the_transition_of_one_hidden_layer_all_is_undecided():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,), weight_decay=1.0))
    found = critical_gain(problem, rng=0, starts=4)
    assert found.undecided == 4
    assert found.share_interval == (0, 1)


def test_a_seed_gives_the_same_answer_again():
    problem = isotropic(2, c=(0.3, 0.1), decay=0.02)
    one = critical_gain(problem, rng=7, starts=2)
    two = critical_gain(problem, rng=np.random.default_rng(7), starts=2)
    np.testing.assert_array_equal(one.gains, two.gains)


@pytest.mark.parametrize("norm", [0.0, 0.5])
def test_the_result_is_strict_json(norm):
    problem = isotropic(2, c=(norm, 0.0), decay=0.02)
    found = critical_gain(problem, rng=0, starts=3)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    expected = "inf" if norm == 0 else found.median
    assert read["quantiles"]["0.5"] == expected
    assert len(read["gains"]) == 3
    assert read["numerical"] is found.numerical


def test_what_has_no_answer_is_refused():
    moments = ls.Moments(np.eye(2), [0.5, 0.0], 1.0, np.zeros(2), 0.0)
    undecayed = ls.Problem(moments, ls.Network((2, 2), weight_decay=(0.1, 0.0, 0.1)))
    with pytest.raises(InvalidNetwork, match="zero attracts nothing"):
        critical_gain(undecayed, rng=0)
    biased = ls.Problem(moments, ls.Network((2, 2), weight_decay=0.1, bias="free"))
    with pytest.raises(NoExactSolution, match="biases"):
        critical_gain(biased, rng=0)
    problem = ls.Problem(moments, ls.Network((2, 2), weight_decay=0.1))
    for options in ({"starts": 0}, {"max_steps": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            critical_gain(problem, rng=0, **options)
    for options in ({"tolerance": 0}, {"confidence": 1.0}):
        with pytest.raises(ValueError, match="between 0 and 1"):
            critical_gain(problem, rng=0, **options)
    with pytest.raises(ValueError, match="scheme"):
        critical_gain(problem, scheme="he", rng=0)


# ---- The measured case


@pytest.mark.slow
def test_the_measured_case_of_width_32():
    """D = 2, γ = 0.01, radius 0.15: PyTorch's default was measured to collapse below 0.2 to 0.3."""
    moments = ls.Moments(np.eye(10), np.eye(10)[0] * 0.01 / 0.15, 1.0)
    problem = ls.Problem(moments, ls.Network((32, 32), weight_decay=0.01))
    assert trap_radius(problem).radius == pytest.approx(0.15, rel=1e-10)
    found = critical_gain(problem, scheme="lecun", rng=1, starts=40)
    gains = found.gains * math.sqrt(3)  # PyTorch's default is "lecun" at gain 1/√3
    print(f"{len(gains)} starts, gains {gains[0]:.3f} to {gains[-1]:.3f}", end=" ")
    print(f"proven up to {math.sqrt(3) * found.proven[-1]:.3f}")
    assert found.undecided == 0
    assert 0.2 < np.median(gains) < 0.3


@pytest.mark.parametrize("decay", [1e-90, 1e-160, 1e-300, 5e-324])
def test_critical_gains_are_found_or_given_up_near_underflow(decay):
    # of the loss only −2abc + γ‖·‖² matters there: gains are proportional to γ
    moments = ls.Moments([[1.0]], [1.0], 1.0)
    known, tiny = (
        critical_gain(ls.Problem(moments, ls.Network((1, 2), weight_decay=one)), rng=7, starts=5)
        for one in (1e-30, decay)
    )
    if decay < 1e-90:  # γ‖W‖² is below the smallest float
        assert (tiny.undecided, len(tiny.gains)) == (5, 0)
    else:  # each is a bracket of 2 %
        np.testing.assert_allclose(tiny.gains / decay, known.gains / 1e-30, rtol=0.02)
