"""Inputs of one variance, without noise: the minimum and every mode's phase, at any depth."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linscape as ls
from oracles import averaged_loss_and_gradient, minimum_by_multistart

SCALES = st.sampled_from([1e-8, 1e-3, 1.0, 1e4, 1e8])


def white(rng, n, d, scale=1.0):
    """n rows with exactly, to rounding, E[xxᵀ] = scale²·I."""
    return scale * math.sqrt(n) * np.linalg.qr(rng.standard_normal((n, d)))[0]


def with_signals(rng, X, signals):
    """Outputs with E[xyᵀ] of the given singular values, and noise outside the span of X."""
    n, d = X.shape
    k = len(signals)
    left = np.linalg.qr(rng.standard_normal((d, k)))[0]
    right = np.linalg.qr(rng.standard_normal((k, k)))[0]
    C = (left * signals) @ right
    rest = rng.standard_normal((n, k))
    rest -= X @ np.linalg.lstsq(X, rest, rcond=None)[0]
    return X @ np.linalg.solve(X.T @ X / n, C) + 0.2 * rest


def problem_of(X, Y, hidden, decay, **options):
    network = ls.Network(hidden, weight_decay=decay, **options)
    return ls.Problem(ls.Moments.from_arrays(X, Y), network)


def scalar_gain(signal, variance, decay, depth):
    """max over s ≥ 0 of 2σs − s²_x s² − (D+1)γ s^{2/(D+1)} on a grid, then a parabola's step."""
    top = signal / variance
    s = np.linspace(0, top, 400_001)
    layers = depth + 1
    gain = 2 * signal * s - variance * s**2 - layers * decay * s ** (2 / layers)
    k = int(np.argmax(gain))
    if k in (0, len(s) - 1):
        return max(float(gain[k]), 0.0)
    before, here, after = gain[k - 1 : k + 2]
    return max(float(here - (after - before) ** 2 / (8 * (after + before - 2 * here))), 0.0)


@given(
    seed=st.integers(0, 10**6),
    depth=st.integers(1, 4),
    width=st.integers(1, 4),
    share=st.floats(0.05, 1.5),
    x=SCALES,
    y=SCALES,
)
@settings(max_examples=30, deadline=None)
def test_the_minimum_is_the_sum_over_the_modes(seed, depth, width, share, x, y):
    rng = np.random.default_rng(seed)
    X = white(rng, 30, 4, x)
    signals = x * y * np.array([3.0, 2.0, 1.0])
    Y = with_signals(rng, X, signals)
    unit = (y**depth * x) ** (2 / (depth + 1))
    problem = problem_of(X, Y, (width,) * depth, share * unit)
    minimum = ls.global_minimum(problem)
    total = float(np.sum(Y**2)) / 30
    gains = [scalar_gain(s, 1.0, share, depth) * y**2 for s in (3.0, 2.0, 1.0)]
    expected = sum(gains[:width])
    # the grid's parabola leaves 1e-10 or so
    assert minimum.gain == pytest.approx(expected, rel=1e-8, abs=1e-9 * total)
    weights = minimum.weights(rng)
    assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
    assert minimum.upper - minimum.lower <= 1e-9 * total


@pytest.mark.parametrize(("depth", "width"), [(1, 2), (2, 3), (2, 1), (3, 2)])
def test_descent_in_the_full_weight_space(depth, width):
    rng = np.random.default_rng(depth + 10 * width)
    X = white(rng, 10, 3)
    Y = with_signals(rng, X, np.array([1.5, 0.8]))
    problem = problem_of(X, Y, (width,) * depth, 0.12)
    minimum = ls.global_minimum(problem)
    function = averaged_loss_and_gradient(X, Y, weight_decay=0.12)
    least, ends, _ = minimum_by_multistart(function, problem.shapes, rng, starts=24)
    total = np.sum(Y**2) / 10
    assert ends.min() >= minimum.lower - 1e-13 * total  # the oracle's own rounding
    assert least <= minimum.upper + 1e-8 * total  # descent stops in a flat bottom


def test_one_hot_inputs_with_equal_classes_collapse_neurally():
    # k balanced classes, y one-hot: every mode has σ = s² = 1/k and is kept to 1 − γk
    k, decay = 4, 0.1
    moments = ls.Moments(np.eye(k) / k, np.eye(k) / k, np.eye(k) / k)
    minimum = ls.global_minimum(ls.Problem(moments, ls.Network((k,), weight_decay=decay)))
    np.testing.assert_allclose(minimum.predictor, (1 - decay * k) * np.eye(k), atol=1e-12)
    deep = ls.global_minimum(ls.Problem(moments, ls.Network((k,) * 3, weight_decay=0.01)))
    sizes = np.linalg.svd(deep.predictor, compute_uv=False)
    np.testing.assert_allclose(sizes, sizes[0], rtol=1e-10)
    s = sizes[0]  # critical: 2s/k − 2/k + 2γ s^{−1/2} = 0
    assert s / k - 1 / k + 0.01 * s**-0.5 == pytest.approx(0, abs=1e-12)


def test_unequal_variances_are_not_taken_for_equal_ones():
    network = ls.Network((2, 2), weight_decay=0.01)
    losses = []
    for variance in (1.0, 1.0 + 1e-6):
        moments = ls.Moments(np.diag([1.0, variance]), np.diag([1.0, 0.5]), np.eye(2))
        minimum = ls.global_minimum(ls.Problem(moments, network))
        assert ("one variance" in minimum.source) is (variance == 1.0)
        losses.append(minimum.loss)
    # a larger variance at the same covariance is a larger loss: dL/da = s² here
    assert 0 < losses[1] - losses[0] < 1e-6


# ---- The staircase


def test_modes_are_learned_at_the_decays_of_their_own_problems():
    rng = np.random.default_rng(3)
    X = white(rng, 40, 4, 2.0)
    signals = np.array([3.0, 2.0, 1.0])
    Y = with_signals(rng, X, signals)
    for depth in (1, 2, 3):
        found = ls.mode_phases(problem_of(X, Y, (3,) * depth, 0.1))
        for mode, signal in zip(found.modes, signals, strict=True):
            one = ls.Moments([[4.0]], [signal], signal**2)
            critical = ls.critical_weight_decay(ls.Problem(one, ls.Network((3,) * depth)))
            assert mode.signal == pytest.approx(signal, rel=1e-10)
            assert mode.learning == pytest.approx(critical.learning, rel=1e-10)
            assert mode.existence == pytest.approx(critical.existence, rel=1e-10)


@pytest.mark.parametrize("depth", [1, 2])
def test_the_rank_of_the_minimum_climbs_the_staircase(depth):
    rng = np.random.default_rng(4)
    X = white(rng, 40, 3)
    Y = with_signals(rng, X, np.array([2.0, 1.0]))
    first, second = (
        mode.learning for mode in ls.mode_phases(problem_of(X, Y, (2,) * depth, 1.0)).modes
    )
    assert first > second
    for decay, rank in (
        (1.001 * first, 0),
        (0.999 * first, 1),
        (1.001 * second, 1),
        (0.999 * second, 2),
    ):
        minimum = ls.global_minimum(problem_of(X, Y, (2,) * depth, decay))
        size = np.max(np.abs(minimum.predictor))
        assert (np.linalg.matrix_rank(minimum.predictor, tol=1e-9 * size) if size else 0) == rank


def critical_products(signals, decay, depth):
    """Distinct end-to-end gains of diagonal nets: roots of σ = s + γ s^{2/N − 1} for every mode."""
    layers = depth + 1
    count = 1
    for signal in signals:
        s = np.linspace(1e-7, signal, 2_000_001)
        slope = s + decay * s ** (2 / layers - 1) - signal
        count *= 1 + int(np.sum(slope[1:] * slope[:-1] < 0))
    return count


@pytest.mark.parametrize(("depth", "decay"), [(1, 0.5), (1, 1.5), (2, 0.2), (2, 0.45), (3, 0.1)])
def test_all_combinations_are_counted(depth, decay):
    signals = np.array([2.0, 1.0, 0.6])
    moments = ls.Moments(np.eye(3), np.diag(signals), np.diag(signals**2))
    found = ls.mode_phases(ls.Problem(moments, ls.Network((3,) * depth, weight_decay=decay)))
    assert found.critical_products == critical_products(signals, decay, depth)
    assert found.continuum is False


def test_repeated_signals_are_named_continua_and_short_widths_block():
    moments = ls.Moments(np.eye(3), np.diag([2.0, 2.0, 1.0]), 5 * np.eye(3))
    found = ls.mode_phases(ls.Problem(moments, ls.Network((1, 3), weight_decay=0.05)))
    assert [mode.multiplicity for mode in found.modes] == [2, 1]
    assert [mode.phase for mode in found.modes] == ["learning", "blocked"]
    assert (found.continuum, found.critical_products) == (True, None)
    collapsed = ls.mode_phases(ls.Problem(moments, ls.Network((3, 3), weight_decay=9.0)))
    assert (collapsed.continuum, collapsed.critical_products) == (False, 1)


@pytest.mark.parametrize(
    "network",
    [
        ls.Network((), weight_decay=0.1),
        ls.Network((2,), noise=0.5, weight_decay=0.1),
        ls.Network((2,), weight_decay=0.0),
    ],
)
def test_modes_are_refused_where_they_do_not_separate(network):
    moments = ls.Moments(np.eye(2), np.diag([2.0, 1.0]), 5 * np.eye(2))
    with pytest.raises(ls.errors.NoExactSolution):
        ls.mode_phases(ls.Problem(moments, network))
    skewed = ls.Moments(np.diag([1.0, 2.0]), np.diag([2.0, 1.0]), 5 * np.eye(2))
    with pytest.raises(ls.errors.NoExactSolution, match="factor of 2"):
        ls.mode_phases(ls.Problem(skewed, ls.Network((2,), weight_decay=0.1)))
