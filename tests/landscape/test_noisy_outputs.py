"""Several outputs under noise: exact where a network meets the bound, certified elsewhere."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import linscape as ls
from linscape.landscape.energy.energy import Energy, log_decay_unit
from linscape.landscape.outputs.equalised import copied_units, equalised_factors, levelling
from linscape.landscape.outputs.measure import OutputMeasure
from linscape.landscape.outputs.modes import rank_limit
from linscape.landscape.outputs.newton import Factors
from linscape.landscape.outputs.noisy import noisy_bracket, noisy_gain
from linscape.landscape.outputs.noisy_certificate import certified_gain
from linscape.landscape.outputs.noisy_newton import NoisyLayer
from linscape.landscape.outputs.tilted import tilted_gain
from linscape.landscape.outputs.transition import is_trivial, learning_threshold
from oracles import averaged_loss_and_gradient, minimum_by_multistart

SCALES = st.sampled_from([1e-8, 1e-3, 1.0, 1e4, 1e8])
SEEDS = st.integers(0, 10**6)


def data(rng, n, d, m, condition=3.0):
    X = rng.standard_normal((n, d)) * np.geomspace(1, 1 / condition, d)
    return X, X @ rng.standard_normal((d, m)) + 0.3 * rng.standard_normal((n, m))


def white(rng, n, d, m):
    """Inputs with E[xxᵀ] = I to rounding."""
    X = math.sqrt(n) * np.linalg.qr(rng.standard_normal((n, d)))[0]
    return X, X @ rng.standard_normal((d, m)) + 0.3 * rng.standard_normal((n, m))


def problem_of(X, Y, hidden, noise, decay, **options):
    network = ls.Network(hidden, noise=noise, weight_decay=decay, **options)
    return ls.Problem(ls.Moments.from_arrays(X, Y), network)


def transition(problem):
    """The common decay at which zero stops being the global minimum."""
    measure, network = OutputMeasure.of(problem), problem.network
    level = learning_threshold(measure, network.depth, network.log_inflation)
    shift = log_decay_unit(problem, measure.spectrum)
    return math.exp((level.lower + shift) / (network.depth + 1))


def learning(rng, X, Y, hidden, noise, share, **options):
    """A problem with unequal decays whose geometric mean is a share of the transition."""
    spread = np.exp(0.5 * rng.standard_normal(len(hidden) + 1))
    critical = transition(problem_of(X, Y, hidden, noise, 1.0))
    decays = share * critical * spread / np.exp(np.mean(np.log(spread)))
    return problem_of(X, Y, hidden, noise, tuple(decays), **options)


def solved(problem):
    """The minimum of a problem that is exact: the interval is rounding."""
    measure = OutputMeasure.of(problem)
    minimum = noisy_bracket(problem, measure, is_trivial(problem, measure))
    gap = minimum.gain_upper - minimum.gain_lower
    assert gap <= 1e-9 * minimum.gain_upper + 1e-12 * at_zero(problem)
    return minimum


def at_zero(problem):
    return problem.data_factor * float(np.trace(problem.moments.yy))


def draw(rng, depth, *, widest=3, outputs=3):
    d, m = int(rng.integers(2, 4)), int(rng.integers(2, outputs + 1))
    hidden = tuple(int(k) for k in rng.integers(2, widest + 1, depth))
    X, Y = data(rng, 10, d, m, 10 ** rng.uniform(0, 1))
    noise = tuple(rng.uniform(0.1, 1, depth))
    return X, Y, learning(rng, X, Y, hidden, noise, rng.uniform(0.03, 0.9)), noise


# ---- Against descent in the full weight space


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_no_network_is_below_the_bound(depth, seed):
    rng = np.random.default_rng(10 * depth + seed)
    X, Y, problem, noise = draw(rng, depth)
    found = noisy_gain(problem, OutputMeasure.of(problem))
    decays = list(problem.network.weight_decay)
    function = averaged_loss_and_gradient(X, Y, noise=noise, weight_decay=decays)
    least, ends, _ = minimum_by_multistart(function, problem.shapes, rng, starts=6)
    total = np.sum(Y**2) / 10
    assert ends.min() >= total - found.upper - 1e-13 * total  # the oracle's own rounding
    if found.upper - found.lower <= 1e-9 * found.upper:
        assert least <= total - found.lower + 1e-8 * total  # descent stops in a flat bottom
    starts = [problem.loss(weights) for weights in found.starts]
    assert min(starts) >= total - found.upper - 1e-13 * total
    assert total - found.upper > 0.01 * (total - found.lower)  # zero is no bound


@pytest.mark.parametrize("width", [1, 2, 4])
def test_one_variance_and_one_layer_against_descent(width):
    rng = np.random.default_rng(width)
    X, Y = white(rng, 10, 3, 2)
    problem = learning(rng, X, Y, (width,), (0.6,), 0.3)
    minimum = solved(problem)
    decays = list(problem.network.weight_decay)
    function = averaged_loss_and_gradient(X, Y, noise=0.6, weight_decay=decays)
    least, ends, _ = minimum_by_multistart(function, problem.shapes, rng, starts=8)
    total = np.sum(Y**2) / 10
    assert ends.min() >= minimum.lower - 1e-13 * total  # the oracle's own rounding
    assert least <= minimum.upper + 1e-8 * total  # descent stops in a flat bottom


# ---- Bounds hold for any network and from any point


@given(seed=SEEDS, depth=st.integers(1, 2), size=st.sampled_from([0.1, 1.0, 3.0]))
@settings(max_examples=10, deadline=None)
def test_bounds_hold_wherever_they_are_taken(seed, depth, size):
    rng = np.random.default_rng(seed)
    _, _, problem, _ = draw(rng, depth)
    measure = OutputMeasure.of(problem)
    energy = Energy.of(problem, measure.spectrum)
    product = size * rng.standard_normal(measure.coefficients.T.shape)
    if depth == 1:
        (width,), (variance,) = problem.network.hidden, problem.network.noise
        penalty = 2 * math.exp(energy.log_decay_product / 2)
        layer = NoisyLayer(
            measure.spectrum.values, measure.coefficients.T, variance / width, penalty
        )
        upper = certified_gain(measure, energy, layer, product, rng.uniform(0.01, 2))
    else:
        upper = tilted_gain(measure, energy, rank_limit(problem), product).upper
    upper *= problem.data_factor * 4.0**measure.spectrum.output_exponent
    best = noisy_gain(problem, measure)
    assert upper >= best.lower
    for weights in best.starts:
        assert upper >= at_zero(problem) - problem.loss(weights) - 1e-13 * at_zero(problem)


@given(seed=SEEDS, depth=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_noise_costs_at_least_the_squared_nuclear_norm(seed, depth):
    rng = np.random.default_rng(seed)
    X, Y, problem, noise = draw(rng, depth)
    weights = [rng.standard_normal(shape) for shape in problem.shapes]
    hidden = problem.network.hidden
    silent = problem_of(X, Y, hidden, 0.0, 0.0).loss(weights)
    cost = problem_of(X, Y, hidden, noise, 0.0).loss(weights) - silent
    roots = np.linalg.svd(problem.predictor(weights) @ X.T / math.sqrt(10), compute_uv=False)
    excess = math.expm1(problem.network.log_inflation)
    assert cost >= excess * roots.sum() ** 2 * (1 - 1e-9) - 1e-12 * silent


# ---- Exact cases are realised


@given(
    seed=SEEDS,
    width=st.integers(1, 5),
    share=st.floats(1e-3, 0.999),
    x=SCALES,
    y=SCALES,
    reduction=st.sampled_from(["mean", "sum", "half_sum", "half_mean"]),
)
@settings(max_examples=40, deadline=None)
def test_one_variance_and_one_layer_is_realised_at_any_scale(seed, width, share, x, y, reduction):
    rng = np.random.default_rng(seed)
    X, Y = white(rng, 30, 4, 3)
    variance = rng.uniform(0.05, 2)
    factor = {"mean": 1, "sum": 30, "half_sum": 15, "half_mean": 0.5}[reduction]
    critical = factor * x * y * np.linalg.norm(X.T @ Y / 30, 2)
    network = ls.Network(
        (width,), noise=variance, weight_decay=(2 * share * critical, share * critical / 2)
    )
    moments = ls.Moments.from_arrays(x * X, y * Y)
    problem = ls.Problem(moments, network, reduction=reduction)
    minimum = solved(problem)
    weights = equalised_factors(minimum.predictor, problem)
    assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
    assert minimum.upper - minimum.lower <= 1e-10 * at_zero(problem)
    assert minimum.lower <= problem.loss(weights) * (1 + 1e-13)


def shrunk_by_descent(signals, half, square, spread):
    """min over t ≥ 0 of Σ s²t² − 2(σ − h)t + νs²(Σt)² by projected gradient steps."""
    t = np.zeros(len(signals))
    step = 1 / (2 * square * (1 + spread * len(signals)))
    for _ in range(20_000):
        slope = 2 * square * t - 2 * (signals - half) + 2 * spread * square * t.sum()
        t = np.maximum(t - step * slope, 0)
    return 2 * t @ (signals - half) - square * t @ t - spread * square * t.sum() ** 2


@pytest.mark.parametrize(("width", "learned"), [(3, 3), (2, 2), (1, 1)])
def test_one_variance_shrinks_each_mode_and_keeps_the_strongest(width, learned):
    signals, square, variance, decay = np.array([3.0, 2.0, 1.2]), 1.7, 0.5, 0.4
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
    C = (left * signals) @ right
    moments = ls.Moments(square * np.eye(3), C, C.T @ C / square + 0.1 * np.eye(3))
    network = ls.Network((width,), noise=variance, weight_decay=decay)
    minimum = solved(ls.Problem(moments, network))
    expected = shrunk_by_descent(signals[:learned], decay, square, variance / width)
    # the stored C has singular values good to rounding
    assert minimum.gain == pytest.approx(expected, rel=1e-10)


@given(
    seed=SEEDS,
    depth=st.integers(1, 3),
    share=st.floats(0.02, 0.98),
    x=SCALES,
    y=SCALES,
)
@settings(max_examples=30, deadline=None)
def test_behind_a_single_unit_any_problem_is_exact(seed, depth, share, x, y):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 30, 3, 2, 10)
    hidden = rng.integers(2, 5, depth)
    hidden[rng.integers(depth)] = 1
    noise = tuple(rng.uniform(0, 1, depth))
    problem = learning(rng, x * X, y * Y, tuple(map(int, hidden)), noise, share)
    minimum = solved(problem)
    weights = equalised_factors(minimum.predictor, problem)
    assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
    assert minimum.gain_upper - minimum.gain_lower <= 1e-9 * minimum.gain_upper
    assert not minimum.is_trivial


@given(seed=SEEDS, depth=st.integers(1, 3), share=st.floats(0.05, 0.95))
@settings(max_examples=25, deadline=None)
def test_targets_along_one_direction_are_the_theorem_of_one_output(seed, depth, share):
    rng = np.random.default_rng(seed)
    X, Y = data(rng, 30, 3, 1)
    hidden, noise = (3,) * depth, tuple(rng.uniform(0.05, 1, depth))
    one = learning(rng, X, Y[:, 0], hidden, noise, share)
    u = rng.standard_normal(3)
    u /= np.linalg.norm(u)
    several = ls.Problem(ls.Moments.from_arrays(X, Y * u), one.network)
    expected, found = ls.global_minimum(one), solved(several)
    assert found.gain == pytest.approx(expected.gain, rel=1e-10)
    assert found.gain_upper - found.gain_lower <= 1e-9 * found.gain
    # the direction is found to the square root of the gain's precision
    expected_product = np.outer(u, expected.predictor)
    np.testing.assert_allclose(
        found.predictor, expected_product, atol=1e-6 * np.abs(expected_product).max()
    )


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_near_the_transition_one_mode_is_learned_and_certified(depth):
    rng = np.random.default_rng(depth)
    X, Y = data(rng, 30, 4, 3)
    noise = (0.4,) * depth
    below = solved(learning(rng, X, Y, (3,) * depth, noise, 0.97))
    assert below.gain_lower > 0
    assert np.linalg.matrix_rank(below.predictor, tol=1e-9 * np.abs(below.predictor).max()) == 1
    problem = learning(rng, X, Y, (3,) * depth, noise, 1 - 1e-9)
    minimum = solved(problem)
    assert minimum.loss == pytest.approx(at_zero(problem), rel=1e-7)  # the gain vanishes there
    assert minimum.lower <= problem.loss(equalised_factors(minimum.predictor, problem))


# ---- Limits


def test_as_noise_vanishes_the_bound_becomes_nuclear_norm_regression():
    rng = np.random.default_rng(1)
    X, Y = data(rng, 30, 4, 3, 5)
    silent = ls.global_minimum(problem_of(X, Y, (3,), 0.0, 0.05))
    assert np.linalg.matrix_rank(silent.predictor, tol=1e-6) > 1
    for variance in (1e-4, 1e-8, 1e-12, 1e-200, 5e-324):
        problem = problem_of(X, Y, (3,), variance, 0.05)
        found = noisy_gain(problem, OutputMeasure.of(problem))
        loss = min(problem.loss(weights) for weights in found.starts)
        # noise can cost no more than the energy of 3 units of the silent minimum
        assert silent.loss - 1e-10 * silent.gain <= loss
        assert loss <= silent.loss + 10 * variance + 1e-9 * silent.gain
        assert found.upper == pytest.approx(silent.gain, rel=10 * variance + 1e-9)


def test_as_layers_widen_noise_averages_out():
    rng = np.random.default_rng(2)
    X, Y = data(rng, 30, 3, 2, 5)
    silent = ls.global_minimum(problem_of(X, Y, (2,), 0.0, 0.05))
    losses = []
    for width in (2, 20, 2000):
        problem = problem_of(X, Y, (width,), 1.0, 0.05)
        found = noisy_gain(problem, OutputMeasure.of(problem))
        losses.append(min(problem.loss(weights) for weights in found.starts))
        assert at_zero(problem) - found.upper <= losses[-1]
        assert found.upper <= silent.gain * (1 + 1e-9)
        assert found.upper >= silent.gain * (1 - 10 / width)
    assert losses[0] > losses[1] > losses[2] > silent.loss
    # units can be copied in any proportion: the bound is approached like 1/width²
    assert losses[2] - (at_zero(problem) - found.upper) <= 1e-5 * found.upper


# ---- Invariances and edges


@given(seed=SEEDS, depth=st.integers(1, 2))
@settings(max_examples=10, deadline=None)
def test_rotations_and_scales_do_not_matter(seed, depth):
    rng = np.random.default_rng(seed)
    X, Y, problem, _ = draw(rng, depth)
    turn_x, turn_y = (
        np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (X.shape[1], Y.shape[1])
    )
    moved = ls.Problem(ls.Moments.from_arrays(X @ turn_x, Y @ turn_y), problem.network)
    plain = noisy_gain(problem, OutputMeasure.of(problem))
    turned = noisy_gain(moved, OutputMeasure.of(moved))
    assert turned.lower == pytest.approx(plain.lower, rel=1e-9)
    # with two hidden layers the bound of rank two stems from a search, which may take other turns
    assert turned.upper == pytest.approx(plain.upper, rel=1e-8 if depth == 1 else 0.2)
    network = problem.network.to_dict()
    unit = (1e3 ** (2 * depth) * 1e-4**2) ** (1 / (depth + 1))
    network["weight_decay"] = [unit * decay for decay in network["weight_decay"]]
    scaled = ls.Problem(ls.Moments.from_arrays(1e-4 * X, 1e3 * Y), ls.Network(**network))
    found = noisy_gain(scaled, OutputMeasure.of(scaled))
    assert found.lower == pytest.approx(1e6 * plain.lower, rel=1e-9)
    assert found.upper == pytest.approx(1e6 * plain.upper, rel=1e-8 if depth == 1 else 0.2)


@pytest.mark.parametrize("depth", [1, 2])
def test_collinear_and_constant_columns(depth):
    rng = np.random.default_rng(3)
    X, Y = data(rng, 30, 3, 2)
    wide = np.column_stack([X, X[:, 0], np.zeros(30)])
    rotated = X * [math.sqrt(2), 1, 1]
    noise = (0.5,) * depth
    single = solved(learning(np.random.default_rng(4), rotated, Y, (3,) * depth, noise, 0.9))
    doubled = solved(ls.Problem(ls.Moments.from_arrays(wide, Y), single.problem.network))
    assert doubled.gain == pytest.approx(single.gain, rel=1e-10)


def test_biases_free_of_decay_are_the_centred_problem():
    rng = np.random.default_rng(5)
    X, Y = data(rng, 30, 3, 2)
    X, Y = X + 5, Y - 3
    decay = 0.8 * transition(problem_of(X - X.mean(0), Y - Y.mean(0), (2, 2), 0.5, 1.0))
    free = solved(problem_of(X, Y, (2, 2), 0.5, decay, bias="free"))
    centred = solved(problem_of(X - X.mean(0), Y - Y.mean(0), (2, 2), 0.5, decay))
    assert free.gain == pytest.approx(centred.gain, rel=1e-9)


@pytest.mark.parametrize("depth", [1, 2])
def test_two_modes_of_unlike_variance_are_not_taken_for_exact(depth):
    rng = np.random.default_rng(6)
    X, Y = data(rng, 30, 3, 3, 5)
    problem = problem_of(X, Y, (3,) * depth, 0.3, 0.01)
    found = noisy_gain(problem, OutputMeasure.of(problem))
    assert found.upper > found.lower * (1 + 1e-6)
    best = min(problem.loss(weights) for weights in found.starts)
    assert at_zero(problem) - found.upper <= best
    assert best < at_zero(problem) - found.lower  # two modes and more beat the one


# ---- How far the bound is from what descent finds


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_distribution_of_gaps(depth):
    rng = np.random.default_rng(depth)
    gaps = []
    for _ in range(40):
        X, Y, problem, noise = draw(rng, depth, widest=4)
        found = noisy_gain(problem, OutputMeasure.of(problem))
        decays = list(problem.network.weight_decay)
        function = averaged_loss_and_gradient(X, Y, noise=noise, weight_decay=decays)
        least, _, _ = minimum_by_multistart(function, problem.shapes, rng, starts=6)
        gain = max(np.sum(Y**2) / 10 - least, found.lower)
        gaps.append(found.upper / gain - 1)
    gaps = np.array(gaps)
    print(depth, "exact", np.sum(gaps <= 1e-9), "of", len(gaps), np.quantile(gaps, [0.5, 0.9, 1]))
    assert gaps.min() >= -1e-12
    assert np.median(gaps) <= 1e-9
    assert gaps.max() <= 0.5  # a bound of zero on the loss would leave several times the gain


# ---- Equalised units


@given(seed=SEEDS, size=st.integers(1, 12), scale=SCALES)
@settings(max_examples=40, deadline=None)
def test_levelling_makes_the_diagonal_constant(seed, size, scale):
    rng = np.random.default_rng(seed)
    matrix = scale * rng.standard_normal((size, size))
    matrix = (matrix + matrix.T) / 2
    turn = levelling(matrix)
    np.testing.assert_allclose(turn.T @ turn, np.eye(size), atol=1e-13 * size)
    diagonal = np.diagonal(turn.T @ matrix @ turn)
    np.testing.assert_allclose(
        diagonal, np.trace(matrix) / size, atol=1e-13 * size * np.linalg.norm(matrix)
    )


@given(seed=SEEDS, depth=st.integers(1, 3), rank=st.integers(0, 3), x=SCALES, y=SCALES)
@settings(max_examples=40, deadline=None)
def test_equalised_factors_have_the_product_and_the_least_decay(seed, depth, rank, x, y):
    rng = np.random.default_rng(seed)
    hidden = tuple(int(k) for k in rng.integers(max(rank, 1), 7, depth))
    A = np.cov(rng.standard_normal((4, 20)))
    moments = ls.Moments(A, np.zeros((4, 3)), np.eye(3))
    decays = tuple(rng.uniform(0.1, 1, depth + 1))
    problem = ls.Problem(moments, ls.Network(hidden, noise=0.3, weight_decay=decays))
    product = y / x * rng.standard_normal((3, rank)) @ rng.standard_normal((rank, 4))
    weights = equalised_factors(product, problem)
    size = np.abs(product).max(initial=0)
    np.testing.assert_allclose(problem.predictor(weights), product, atol=1e-11 * size)
    layers = depth + 1
    singular = np.linalg.svd(product, compute_uv=False)[:rank]
    mean = math.exp(np.mean(np.log(decays)))
    energies = problem.energies(weights)
    np.testing.assert_allclose(energies, mean * np.sum(singular ** (2 / layers)), rtol=1e-9)


@given(seed=SEEDS, width=st.integers(2, 8))
@settings(max_examples=30, deadline=None)
def test_with_one_variance_equalised_units_agree_in_everything(seed, width):
    rng = np.random.default_rng(seed)
    moments = ls.Moments(2 * np.eye(3), np.zeros((3, 2)), np.eye(2))
    problem = ls.Problem(moments, ls.Network((width,), noise=0.7, weight_decay=(0.2, 0.5)))
    product = rng.standard_normal((2, 3))
    W, U = equalised_factors(product, problem)
    for sizes in ((W**2).sum(axis=1), (U**2).sum(axis=0)):
        np.testing.assert_allclose(sizes, sizes.mean(), rtol=1e-10)
    silent = ls.Problem(moments, ls.Network((width,), weight_decay=(0.2, 0.5)))
    cost = problem.loss([W, U]) - silent.loss([W, U])
    roots = np.linalg.svd(math.sqrt(2) * product, compute_uv=False)
    assert cost == pytest.approx(0.7 / width * roots.sum() ** 2, rel=1e-9)  # a difference


@given(seed=SEEDS, count=st.integers(1, 4), extra=st.integers(0, 6))
@settings(max_examples=30, deadline=None)
def test_copies_keep_the_product_and_the_decay_and_lower_the_noise(seed, count, extra):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.1, 1, 3)
    units = Factors(rng.standard_normal((2, count)), rng.standard_normal((count, 3)))
    copied = copied_units(units, values, count + extra)
    assert copied.left.shape[1] == count + extra
    np.testing.assert_allclose(copied.left @ copied.right, units.left @ units.right, atol=1e-12)
    assert copied.dot(copied) == pytest.approx(units.dot(units), rel=1e-10)

    def noise(some):
        return np.sum((some.left**2).sum(axis=0) * (some.right**2 @ values))

    assert noise(copied) <= noise(units) * (1 + 1e-12)
    assert copied_units(units, values, count - 1) is None


def test_inputs_without_variance_gain_nothing():
    # denormal inputs: E[xyᵀ] is not zero, their variance is
    rng = np.random.default_rng(0)
    X = np.array([[5e-324], [0], [5e-324], [-5e-324], [0], [5e-324]])
    Y = 7e7 * rng.standard_normal((6, 2)) + [5e7, -3e7]
    moments = ls.Moments.from_arrays(X, Y)
    assert np.any(moments.C)
    network = ls.Network((1, 2, 3), noise=(0.1, 1.0, 0.0), weight_decay=1e8, input_noise=0.5)
    minimum = ls.global_minimum(ls.Problem(moments, network))
    assert minimum.loss == pytest.approx(np.sum(Y**2) / 6, rel=1e-12)
    assert minimum.gain == 0
