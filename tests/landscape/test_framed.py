"""Several outputs without noise, any depth: the network of a frame, the matrix above all."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linscape as ls
from oracles import averaged_loss_and_gradient, minimum_by_multistart

SCALES = st.sampled_from([1e-8, 1e-3, 1.0, 1e4, 1e8])


def data(rng, n, d, m, condition=10.0):
    X = rng.standard_normal((n, d)) * np.geomspace(1, 1 / condition, d)
    return X, X @ rng.standard_normal((d, m)) + 0.3 * rng.standard_normal((n, m))


def problem_of(X, Y, hidden, decay, **options):
    network = ls.Network(hidden, weight_decay=decay, **options)
    return ls.Problem(ls.Moments.from_arrays(X, Y), network)


def share_of_critical(X, Y, hidden, share):
    critical = ls.critical_weight_decay(problem_of(X, Y, hidden, 1.0))
    return share * critical.learning


def cases(count, seed):
    """Random data and nets of depth 2 and 3, and narrow ones of depth 1."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        d, m = int(rng.integers(2, 5)), int(rng.integers(2, 4))
        X, Y = data(rng, 12, d, m, float(rng.choice([1.5, 10.0, 100.0])))
        depth = 1 + k % 3
        hidden = tuple(int(n) for n in rng.integers(1 if depth == 1 else 2, 4, depth))
        yield X, Y, hidden, share_of_critical(X, Y, hidden, rng.uniform(0.02, 0.95)), rng


def check(count, seed, starts):
    gaps = []
    for X, Y, hidden, decay, rng in cases(count, seed):
        problem = problem_of(X, Y, hidden, decay)
        found = ls.search_minimum(problem, starts=0)
        function = averaged_loss_and_gradient(X, Y, weight_decay=decay)
        least, ends, _ = minimum_by_multistart(
            function, problem.shapes, rng, starts=starts, scales=(0.3, 1, 2)
        )
        total = np.sum(Y**2) / 12
        assert ends.min() >= found.lower - 1e-13 * total  # the oracle's own rounding
        assert found.upper <= least + 1e-9 * total  # no start ends lower than the theory's network
        assert problem.loss(found.weights()) == found.upper
        gaps.append((found.upper - found.lower) / (total - found.lower))
    return np.array(gaps)


def test_descent_in_the_full_weight_space_never_ends_below_nor_lower():
    gaps = check(9, seed=0, starts=8)
    # a lower bound of zero would leave gaps of 1 − R² and more
    assert np.median(gaps) < 1e-8


@pytest.mark.slow
def test_the_gap_over_random_problems():
    gaps = np.sort(check(150, seed=1, starts=12))
    print(
        f"\n{len(gaps)} problems: {np.sum(gaps < 1e-8)} closed to 1e-8 of the gain, "
        f"90 % below {gaps[134]:.1e}, largest {gaps[-1]:.1e}"
    )
    assert np.mean(gaps < 1e-8) > 0.9


def chord_bound(A, C, total, product, layers, steps=20_000):
    """The minimum with the chord of the concave penalty on [0, R], R from the data alone."""
    values, axes = np.linalg.eigh(A)
    whitened = np.linalg.norm((axes / np.sqrt(values)) @ axes.T @ C)
    unit = layers * product ** (1 / layers)
    R = min((total / unit) ** (layers / 2), 2 * whitened / math.sqrt(values[0]))
    slope = unit * R ** (2 / layers - 1)
    step, M = 1 / (2 * values[-1]), np.zeros(C.T.shape)
    for _ in range(steps):
        left, sizes, right = np.linalg.svd(M - step * 2 * (M @ A - C.T), full_matrices=False)
        M = (left * np.maximum(sizes - step * slope, 0)) @ right
    norm = np.linalg.svd(M, compute_uv=False).sum()
    return float(np.trace(M @ A @ M.T) - 2 * np.trace(M @ C) + total + slope * norm)


def spread_bound(A, C, total, product, layers):
    """E‖y‖² + Σ_j min over t of t² − 2b_jt + (D + 1)P^{1/(D+1)}(t/√a_max)^{2/(D+1)}."""
    values, axes = np.linalg.eigh(A)
    signals = np.linalg.svd((axes / np.sqrt(values)) @ axes.T @ C, compute_uv=False)
    unit = layers * product ** (1 / layers)
    bound = total
    for b in signals:
        t = np.linspace(0, b, 200_001)
        bound += np.min(t**2 - 2 * b * t + unit * (t / math.sqrt(values[-1])) ** (2 / layers))
    return float(bound)


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_above_the_simpler_ones(seed):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 20, 3, 3, 3.0)
    decay = share_of_critical(X, Y, (3, 3), 0.2)
    found = ls.search_minimum(problem_of(X, Y, (3, 3), decay), starts=0)
    A, C, total = X.T @ X / 20, X.T @ Y / 20, np.sum(Y**2) / 20
    assert found.lower > chord_bound(A, C, total, decay**3, 3)
    assert found.lower > spread_bound(A, C, total, decay**3, 3)


@given(
    seed=st.integers(0, 10**6),
    depth=st.integers(2, 4),
    share=st.floats(0.02, 0.3),
    x=SCALES,
    y=SCALES,
    reduction=st.sampled_from(["mean", "sum", "half_sum", "half_mean"]),
)
@settings(max_examples=20, deadline=None)
def test_the_interval_at_any_scale_and_its_weights(seed, depth, share, x, y, reduction):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 30, 3, 2)
    X, Y = x * X, y * Y
    moments, hidden = ls.Moments.from_arrays(X, Y), (4,) * depth
    probe = ls.Problem(moments, ls.Network(hidden), reduction=reduction)
    decay = share * ls.critical_weight_decay(probe).learning
    problem = ls.Problem(moments, ls.Network(hidden, weight_decay=decay), reduction=reduction)
    found = ls.search_minimum(problem, starts=0)
    factor = {"mean": 1, "sum": 30, "half_sum": 15, "half_mean": 0.5}[reduction]
    total = factor * np.sum(Y**2) / 30
    assert 0 < found.lower <= found.upper < total
    # duality leaves up to some percent of the gain near the decay at which a mode appears
    assert found.upper - found.lower < 0.05 * (total - found.lower)
    weights = found.weights()
    assert problem.loss(weights) == pytest.approx(found.loss, rel=1e-10)
    energies = problem.energies(weights)
    np.testing.assert_allclose(energies, energies[0], rtol=1e-6)  # where the loss is flat


def test_unequal_decays_count_by_their_product():
    rng = np.random.default_rng(3)
    X, Y = data(rng, 30, 3, 2)
    decay = share_of_critical(X, Y, (3, 3), 0.1)
    equal = ls.global_minimum(problem_of(X, Y, (3, 3), decay))
    unequal = ls.global_minimum(problem_of(X, Y, (3, 3), (4 * decay, decay, decay / 4)))
    assert unequal.loss == pytest.approx(equal.loss, rel=1e-10)
    # predictors are of first order in the gap, which is below 1e-9
    np.testing.assert_allclose(unequal.predictor, equal.predictor, atol=1e-6)


def test_decay_to_zero_is_reduced_rank_regression():
    rng = np.random.default_rng(4)
    X, Y = data(rng, 30, 4, 3)
    for hidden in ((2, 3), (3, 3), (1, 2)):
        undecayed = ls.global_minimum(problem_of(X, Y, hidden, 0.0))
        slight = ls.search_minimum(problem_of(X, Y, hidden, 1e-12), starts=0)
        # the penalty is 3γ Σ s^{2/3}, 1e-11 or so
        assert slight.loss == pytest.approx(undecayed.loss, rel=1e-9)


def test_where_no_interval_is_exact_it_says_so():
    # two equal modes but one of variance one and one of variance four, at the second's appearance
    moments = ls.Moments(np.diag([1.0, 4.0]), [[1.0, 0.4], [0.4, 2.0]], 4 * np.eye(2))
    decays = np.geomspace(0.05, 0.9, 40)
    refused = []
    for decay in decays:
        problem = ls.Problem(moments, ls.Network((2, 2), weight_decay=float(decay)))
        found = ls.search_minimum(problem, starts=0)
        if found.upper - found.lower > 1e-6 * 8:
            refused.append(float(decay))
            with pytest.raises(ls.errors.NoExactSolution, match="search_minimum"):
                ls.global_minimum(problem)
    assert 0 < len(refused) < 0.3 * len(decays)


# ---- The path over the decays


def test_the_path_is_the_minimum_at_each_decay():
    rng = np.random.default_rng(5)
    X, Y = data(rng, 30, 4, 3)
    for hidden in ((3,), (3, 3)):
        top = ls.critical_weight_decay(problem_of(X, Y, hidden, 1.0)).learning
        decays = top * np.array([0.3, 1.2, 0.02, 0.9])
        path = ls.mode_path(problem_of(X, Y, hidden, 1.0), weight_decay=decays)
        for k, decay in enumerate(decays):
            found = ls.search_minimum(problem_of(X, Y, hidden, float(decay)), starts=0)
            assert path.loss[k] == pytest.approx(found.loss, rel=1e-9)  # two searches, one bottom
            assert path.lower[k] <= path.loss[k] <= path.upper[k]
        assert not path.sizes[1].any()
        assert np.all(np.diff(path.sizes, axis=1) <= 0)


@pytest.mark.parametrize("decays", [[0.0], [-1.0], [np.nan], [], "no", [[0.1]]])
def test_paths_over_no_decays_are_refused(decays):
    moments = ls.Moments(np.eye(2), np.eye(2), np.eye(2))
    with pytest.raises(ls.errors.InvalidNetwork, match="weight_decay"):
        ls.mode_path(ls.Problem(moments, ls.Network((2,))), weight_decay=decays)


# ---- The search where no theorem reaches


def test_the_search_covers_every_kind_of_problem():
    rng = np.random.default_rng(6)
    X, Y = data(rng, 20, 3, 2)
    X = X + 0.5
    networks = [
        ls.Network((3,), noise=0.3, weight_decay=0.05),
        ls.Network((3, 2), noise=(0.0, 0.5), weight_decay=0.02, bias="free"),
        ls.Network((2,), weight_decay=(0.0, 0.1)),
        ls.Network((2, 2), weight_decay=0.05, bias="decayed"),
        ls.Network((2,), noise=0.4),
    ]
    for network in networks:
        problem = ls.Problem(ls.Moments.from_arrays(X, Y), network)
        found = ls.search_minimum(problem, starts=2, rng=1)
        assert 0 <= found.lower <= found.upper == found.ends[0]
        assert found.ends == tuple(sorted(found.ends))
        assert problem.loss(found.weights()) == pytest.approx(found.loss, rel=1e-12)
        assert found.to_dict()["numerical"] is True
    assert ls.search_minimum(problem, starts=2, rng=1).ends == found.ends


def test_one_output_keeps_its_own_interval():
    rng = np.random.default_rng(7)
    X, Y = data(rng, 20, 3, 1)
    problem = problem_of(X, Y[:, 0], (3, 3), 0.05, noise=0.2)
    minimum, found = ls.global_minimum(problem), ls.search_minimum(problem, starts=2)
    assert found.lower == minimum.lower
    assert found.source == minimum.source
    assert found.loss == pytest.approx(minimum.loss, rel=1e-10)


@pytest.mark.parametrize("starts", [-1, 1.5, "three", True])
def test_bad_starts_are_refused(starts):
    moments = ls.Moments([[1.0]], [1.0], 1.0)
    with pytest.raises(ls.errors.InvalidNetwork, match="starts"):
        ls.search_minimum(ls.Problem(moments, ls.Network((2,))), starts=starts)


@pytest.mark.parametrize("hidden", [(4,), (1,)])
def test_noise_without_decay_is_continuous_in_the_decay(hidden):
    rng = np.random.default_rng(8)
    X, Y = data(rng, 40, 3, 2, 2.0)
    total = np.sum(Y**2) / 40
    none = ls.search_minimum(problem_of(X, Y, hidden, 0.0, noise=0.3), starts=1)
    slight = ls.search_minimum(problem_of(X, Y, hidden, 1e-7, noise=0.3), starts=0)
    assert none.lower <= none.upper
    assert none.lower <= slight.upper
    # the penalty at 1e-7 is below 1e-5 of the loss
    assert none.lower == pytest.approx(slight.lower, abs=1e-2 * total)
    if hidden == (1,):
        assert none.upper - none.lower < 1e-8 * total  # descent stops in a flat bottom


def test_where_zero_is_the_best_known_it_has_the_shape_of_the_data():
    # columns so small beside the last that one of them cannot be told from constant
    rng = np.random.default_rng(9)
    X = rng.standard_normal((4, 4)) * [1e-7, 1e-7, 1e-8, 5e-4]
    Y = rng.standard_normal((4, 3))
    problem = problem_of(X - X.mean(axis=0), Y, (2, 4, 2), 1e4)
    minimum = ls.global_minimum(problem)
    assert minimum.predictor.shape == (3, 4)
    assert [W.shape for W in minimum.weights()] == [(2, 4), (4, 2), (2, 4), (3, 2)]
    assert minimum.lower <= problem.loss(minimum.weights()) <= minimum.upper
