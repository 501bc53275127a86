"""Safe and divergent steps: the theorem against descent, its hypotheses, and printed numbers."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import linscape as ls
from linscape.dynamics.balance import balancedness
from linscape.dynamics.descent import descend
from linscape.dynamics.divergence import divergence_step_size
from linscape.dynamics.sharpness import sharpness
from linscape.dynamics.step_size import safe_step_size
from linscape.errors import InvalidWeights, NoExactSolution
from linscape.initialisation import balanced_weights


def data(inputs=3, outputs=2, count=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((count, inputs)) * np.logspace(0, -0.5, inputs)
    return X, X @ rng.standard_normal((inputs, outputs)) + 0.3 * rng.standard_normal(
        (count, outputs)
    )


def problem_of(X, Y, hidden, reduction="half_sum", **network):
    return ls.Problem(
        ls.Moments.from_arrays(X, Y), ls.Network(hidden, **network), reduction=reduction
    )


def draw(problem, *, scale=0.5, batch=None, seed=1):
    rng = np.random.default_rng(seed)
    axes = () if batch is None else (batch,)
    return [scale * rng.standard_normal((*axes, *shape)) for shape in problem.shapes]


def theorem(X, Y, weights, delta, *, printed=False):
    """η of the theorem from rows, for L = ½‖Y − WX‖²; X and Y hold one column a sample."""
    N = len(weights)
    W = weights[0]
    for V in weights[1:]:
        W = V @ W
    residual = np.linalg.norm(Y - W @ X)
    start = max(np.linalg.norm(V.T @ V - U @ U.T, 2) for U, V in pairwise(weights))
    root = residual + np.linalg.norm(Y, 2)
    if printed:
        root = math.sqrt(2 * residual + np.linalg.norm(Y, 2))
    M = root / np.linalg.svd(X, compute_uv=False)[-1]
    if delta is None:
        delta = M ** (2 / N) / (N * (N + 1) ** 2)
    K = M ** (2 / N) + (N + 1) ** 2 * delta
    B = 2 * math.e * N * K ** (N - 1) * np.linalg.norm(X, 2) ** 2
    B += math.sqrt(math.e) * N * K ** (N / 2 - 1) * np.linalg.norm(X @ Y.T, 2)
    spare = delta - start
    return 2 * spare / (2 * residual**2 + spare * B) if spare > 0 else 0.0


# ---- The constants


@pytest.mark.parametrize("hidden", [(2,), (4,), (2, 3), (3, 2, 4)])
def test_every_constant_is_that_of_the_rows(hidden):
    X, Y = data()
    problem = problem_of(X, Y, hidden)
    weights = draw(problem)
    delta = 1.5 * balancedness(weights)
    found = safe_step_size(problem, weights, delta=delta)
    assert found.step_size == pytest.approx(theorem(X.T, Y.T, weights, delta), rel=1e-10)
    assert found.input_norm == pytest.approx(np.linalg.norm(X, 2), rel=1e-10)
    assert found.least_singular_value == pytest.approx(np.linalg.svd(X)[1][-1], rel=1e-10)
    assert found.output_norm == pytest.approx(np.linalg.norm(Y, 2), rel=1e-10)
    assert found.cross_norm == pytest.approx(np.linalg.norm(X.T @ Y, 2), rel=1e-10)
    assert found.alpha == pytest.approx(1 / 1.5, rel=1e-10)
    assert found.layers == len(hidden) + 1
    assert found.loss == problem.loss(weights)
    suggested = theorem(X.T, Y.T, weights, None)
    assert found.suggested_step_size == pytest.approx(suggested, rel=1e-10)
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_chosen_delta_makes_the_step_largest():
    X, Y = data()
    for hidden in ((2,), (2, 3), (3, 2, 4)):
        for scale in (0.0, 0.05, 1.0):
            problem = problem_of(X, Y, hidden)
            weights = draw(problem, scale=scale)
            best = safe_step_size(problem, weights)
            spare = best.delta - best.balancedness
            shares = np.concatenate([np.logspace(-4, 4, 81), np.linspace(0.9, 1.1, 81)])
            tried = best.balancedness + spare * shares
            others = [theorem(X.T, Y.T, weights, delta) for delta in tried]
            assert max(others) <= best.step_size * (1 + 1e-10)
            assert best.suggested_step_size <= best.step_size


@pytest.mark.parametrize(
    ("reduction", "factor"), [("half_sum", 1), ("sum", 2), ("half_mean", 1 / 12), ("mean", 1 / 6)]
)
def test_the_factor_of_the_loss_divides_the_step(reduction, factor):
    X, Y = data()
    half = problem_of(X, Y, (2, 3))
    weights = draw(half)
    other = safe_step_size(problem_of(X, Y, (2, 3), reduction), weights)
    expected = safe_step_size(half, weights)
    assert other.step_size * factor == pytest.approx(expected.step_size, rel=1e-10)
    assert other.product_bound == pytest.approx(expected.product_bound, rel=1e-10)
    assert other.delta == pytest.approx(expected.delta, rel=1e-6)  # at a flat maximum


@given(st.integers(-8, 8), st.sampled_from([(2,), (2, 3)]))
def test_scales(power, hidden):
    # Y → s^N Y and W_j → s W_j: L scales as s^{2N}, the Hessian as s^{2N−2}
    X, Y = data()
    size, N = 10.0**power, len(hidden) + 1
    problem = problem_of(X, Y, hidden)
    weights = draw(problem)
    found = safe_step_size(problem, weights)
    scaled = safe_step_size(problem_of(X, size**N * Y, hidden), [size * W for W in weights])
    assert scaled.step_size == pytest.approx(found.step_size / size ** (2 * N - 2), rel=1e-8)


def test_batches_are_the_nets_one_by_one():
    problem = problem_of(*data(), (2, 3))
    weights = draw(problem, batch=5)
    together = safe_step_size(problem, weights)
    assert together.step_size.shape == (5,)
    for i in range(5):
        alone = safe_step_size(problem, [W[i] for W in weights])
        assert together.step_size[i] == pytest.approx(alone.step_size, rel=1e-12)
    json.dumps(together.to_dict(), allow_nan=False)


# ---- What the theorem says


def _descends(hidden, count, seed):
    """Descent of `count` random nets with their safe steps: losses and the first gradients."""
    X, Y = data(seed=seed)
    problem = problem_of(X, Y, hidden)
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-2, 0.5, count)[:, None, None]
    weights = [scales * W for W in draw(problem, scale=1.0, batch=count, seed=seed)]
    safe = safe_step_size(problem, weights)
    path = descend(
        problem, weights, step_size=safe.step_size, steps=400, every=1,
        record=("loss", "balancedness"),
    )  # fmt: skip
    return path, safe


@pytest.mark.parametrize("hidden", [(2,), (3, 2), (2, 2, 3)])
def test_with_the_safe_step_the_loss_never_rises_and_balance_stays_below_delta(hidden):
    path, safe = _descends(hidden, 40, 3)
    # a loss near its end moves by its own rounding
    assert np.all(np.diff(path["loss"], axis=0) <= 1e-13 * path["loss"][0])
    assert np.all(path["balancedness"] <= safe.delta * (1 + 1e-12))
    assert np.all(path.status == "running")


@pytest.mark.slow
def test_thousands_of_nets_descend_with_the_safe_step():
    count = 0
    for seed, hidden in enumerate([(2,), (4,), (2, 3), (3, 3), (2, 2, 2), (3, 2, 4, 2)]):
        path, safe = _descends(hidden, 500, seed)
        assert np.all(np.diff(path["loss"], axis=0) <= 1e-13 * path["loss"][0])
        assert np.all(path["balancedness"] <= safe.delta * (1 + 1e-12))
        count += 500
    print(f"{count} nets")


def test_two_layers_reach_the_global_minimum_with_the_safe_step():
    X, Y = data()
    X = np.linalg.qr(X)[0]
    problem = problem_of(X, Y, (3,))
    weights = balanced_weights(problem, rng=0, batch=4)
    safe = safe_step_size(problem, weights)
    path = descend(problem, weights, step_size=safe.step_size, steps=4000, record=("loss",))
    least = 0.5 * np.linalg.norm(Y - X @ np.linalg.lstsq(X, Y, rcond=None)[0]) ** 2
    # linear convergence with a rate of the step times the least mode, cut short
    np.testing.assert_allclose(path["loss"][-1], least, rtol=1e-6)


def test_the_printed_constant_is_unsafe():
    # one sample x = 1, y = 1e4, three layers, and a start close to the minimum w³ = 1e4: without
    # the root over the first term alone M is 100 in place of 1e4
    X, Y = np.array([[1.0]]), np.array([[1e4]])
    problem = problem_of(X, Y, (1, 1))
    weights = [np.full((1, 1), 0.999 * 1e4 ** (1 / 3))] * 3
    printed = theorem(X, Y, weights, None, printed=True)
    assert descend(problem, weights, step_size=printed, steps=1000).status == "diverged"
    safe = safe_step_size(problem, weights)
    assert printed > 2 / sharpness(problem, weights) > safe.step_size
    path = descend(problem, weights, step_size=safe.step_size, steps=1000, every=1)
    # at its end the loss is a difference of numbers of the size of y²
    assert np.all(np.diff(path["loss"]) <= 1e-14 * 1e8)
    assert path["loss"][-1] == pytest.approx(0, abs=1e-14 * 1e8)


@pytest.mark.parametrize(
    ("network", "rows", "message"),
    [
        ({"noise": 0.1}, None, "noise on hidden units"),
        ({"weight_decay": 0.1}, None, "weight decay"),
        ({"bias": "free"}, None, "biases"),
        ({"hidden": ()}, None, r"a linear model converges for every step below 2/λ_max = 0\.\d+"),
        ({}, 2, "full rank"),
    ],
)
def test_a_hypothesis_that_fails_is_named(network, rows, message):
    X, Y = data()
    problem = problem_of(X[:rows], Y[:rows], **({"hidden": (2,)} | network))
    with pytest.raises(NoExactSolution, match=message):
        safe_step_size(problem, draw(problem))


def test_an_unbalanced_start_is_refused_with_its_delta_only():
    problem = problem_of(*data(), (2,))
    weights = draw(problem, scale=3.0)
    with pytest.raises(NoExactSolution, match=r"balancedness below delta=0\.01, got"):
        safe_step_size(problem, weights, delta=0.01)
    found = safe_step_size(problem, weights)
    assert found.suggested_step_size == 0 < found.step_size
    for delta in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="delta must be"):
            safe_step_size(problem, weights, delta=delta)
    with pytest.raises(InvalidWeights):
        safe_step_size(problem, weights[:1])


# ---- The printed experiments


def _experiment(hidden, count, seed):
    """Bounds with the suggested δ for ½‖Y − WX‖², 0 where the start is not balanced enough."""
    rng = np.random.default_rng(seed)
    widths = [5, *hidden, 5]
    N = len(widths) - 1
    X = rng.standard_normal((count, 5, 5))
    Y = np.diag(np.arange(1.0, 6.0)) @ X + 0.1 * rng.standard_normal((count, 5, 5))
    weights = [0.1 * rng.standard_normal((count, b, a)) for a, b in pairwise(widths)]
    product = weights[0]
    for V in weights[1:]:
        product = V @ product
    residual = np.linalg.norm(Y - product @ X, axis=(1, 2))
    singular = np.linalg.svd(X, compute_uv=False)
    start = np.max(
        [np.linalg.norm(V.mT @ V - U @ U.mT, 2, axis=(1, 2)) for U, V in pairwise(weights)], axis=0
    )
    M = (residual + np.linalg.norm(Y, 2, axis=(1, 2))) / singular[:, -1]
    delta = M ** (2 / N) / (N * (N + 1) ** 2)
    K = M ** (2 / N) + (N + 1) ** 2 * delta
    B = 2 * math.e * N * K ** (N - 1) * singular[:, 0] ** 2
    cross = np.linalg.norm(X @ Y.mT, 2, axis=(1, 2))
    B += math.sqrt(math.e) * N * K ** (N / 2 - 1) * cross
    spare = np.maximum(delta - start, 0)
    return 2 * spare / (2 * residual**2 + spare * B)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hidden", "median"),
    [((5,), 8.4e-5), ((5, 5), 9.4e-6), ((2, 2), 9.9e-6), ((5, 5, 5), 3.6e-7)],
)
def test_medians_of_the_bound_in_the_printed_experiment(hidden, median):
    # the medians were taken over 1000 nets: 40 such experiments give their sampling error
    bounds = _experiment(hidden, 40_000, 0).reshape(40, 1000)
    medians = np.array([np.median(batch[batch > 0]) for batch in bounds])
    assert abs(np.log(median) - np.log(medians).mean()) < 4 * np.log(medians).std(ddof=1)
    share = np.mean(bounds > 0)
    # with four layers most starts are less balanced than the suggested δ, and have no such bound
    assert (share > 0.98) == (len(hidden) < 3)
    print(
        f"{bounds.size} nets {hidden}: median {np.median(medians):.3g} of the {share:.1%} covered"
    )


@pytest.mark.slow
@pytest.mark.parametrize("hidden", [(5,), (5, 5, 5)])
def test_the_printed_experiment_with_the_best_delta_covers_every_start(hidden):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((5, 5))
    problem = problem_of(X.T, (np.diag(np.arange(1.0, 6.0)) @ X).T, hidden)
    safe = safe_step_size(problem, draw(problem, scale=0.1, batch=200))
    assert np.all(safe.step_size > 0)
    assert np.all(safe.suggested_step_size <= safe.step_size)


def test_the_worked_example_cannot_come_from_normal_data():
    # δ = 1.17328 is the suggested one, N = 3: M = (48δ)^{3/2}, K = M^{2/3} + 16δ = 64δ
    delta, balance, eta, N = 1.17328, 0.84352, 2.374e-4, 3
    assert balance / delta == pytest.approx(0.71894, abs=1e-5)
    K = 64 * delta
    # η ≤ 2/B ≤ 1/(eNK^{N−1}‖X‖²) bounds ‖X‖, for either factor of the loss
    largest = math.sqrt(1 / (math.e * N * K ** (N - 1) * eta))
    assert largest == pytest.approx(0.303, abs=5e-4)
    # for a 5×5 normal matrix P(‖X‖ ≤ .303) ≤ P(every |X_ij| ≤ .303) = erf(.303/√2)^25
    assert math.erf(largest / math.sqrt(2)) ** 25 < 1e-15
    # what is consistent: the first step that fails is 0.9η doubled seven times
    assert 0.9 * eta * 2**7 == pytest.approx(0.0273, abs=1e-4)


@pytest.mark.slow
def test_divergence_in_the_printed_experiment():
    # steps of L = ‖Y − WX‖²/2: most between .01 and .03, median .0205 over the starts
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((5, 5))
        Y = np.diag(np.arange(1.0, 6.0)) @ X + 0.1 * rng.standard_normal((5, 5))
        problem = problem_of(X.T, Y.T, (5, 5))
        weights = draw(problem, scale=0.1, seed=seed)
        found.append(divergence_step_size(problem, weights, steps=500, tolerance=0.1).upper)
    assert 0.004 < np.median(found) < 0.04
    inside = np.mean((np.array(found) > 0.01) & (np.array(found) < 0.03))
    print(f"{len(found)} nets: median {np.median(found):.3g}, {inside:.0%} in [.01, .03]")


# ---- Where descent really diverges


def test_a_linear_model_diverges_at_two_over_the_largest_eigenvalue():
    X, Y = data()
    problem = problem_of(X, Y, (), reduction="mean")
    found = divergence_step_size(problem, draw(problem), steps=1000, tolerance=1e-2)
    limit = 1 / np.linalg.eigvalsh(X.T @ X / len(X))[-1]
    assert found.limit_at_start == pytest.approx(limit, rel=1e-10)
    assert found.limit_at_minimum == pytest.approx(limit, rel=1e-10)
    assert found.lower <= limit * 1.01
    assert limit <= found.upper
    assert found.upper <= found.lower * 1.01
    # the loss has to grow by 1e8 within 1000 steps
    assert found.upper <= limit * 1.02


def test_doubling_stops_at_the_first_step_that_diverges():
    problem = problem_of(*data(), (3, 2))
    weights = draw(problem, batch=3)
    found = divergence_step_size(problem, weights, start=1e-4, steps=300, tolerance=0.05)
    powers = np.log2(found.doubled / 1e-4)
    np.testing.assert_allclose(powers, np.round(powers), atol=1e-9)
    last = descend(problem, weights, step_size=found.doubled / 2, steps=300)
    assert np.all(last.status == "running")
    first = descend(problem, weights, step_size=found.doubled, steps=300)
    assert np.all(first.status == "diverged")
    assert np.all(found.lower < found.upper)
    assert np.all((found.doubled / 2 <= found.lower) & (found.upper <= found.doubled))
    assert np.all(safe_step_size(problem, weights).step_size < found.lower)
    # descent leaves minima that are sharper than 2/η, and this one it stays at
    slow = descend(problem, weights, step_size=found.lower / 4, steps=1200)
    np.testing.assert_allclose(
        found.limit_at_minimum, 2 / sharpness(problem, slow.weights), rtol=1e-10
    )
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_start_above_the_threshold_is_divided_down():
    problem = problem_of(*data(), (2,))
    weights = draw(problem)
    up = divergence_step_size(problem, weights, start=1e-5, steps=300, tolerance=0.01)
    down = divergence_step_size(problem, weights, start=1e3, steps=300, tolerance=0.01)
    assert down.upper == pytest.approx(up.upper, rel=0.05)  # two bisections of a rough edge
    assert json.loads(json.dumps(up.to_dict()))["steps"] == 300


def test_from_a_critical_point_nothing_diverges():
    problem = problem_of(*data(), (2,))
    zero = [np.zeros(shape) for shape in problem.shapes]
    found = divergence_step_size(problem, zero, steps=10)
    assert found.upper == found.doubled == math.inf
    assert found.to_dict()["upper"] == "inf"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 0.0}, "start must be"),
        ({"factor": 1.0}, "factor must be"),
        ({"tolerance": 0.0}, "tolerance must"),
        ({"steps": -1}, "steps"),
    ],
)
def test_bad_options(options, message):
    problem = problem_of(*data(), (2,))
    with pytest.raises(ValueError, match=message):
        divergence_step_size(problem, draw(problem), **options)


def test_sharpness_is_the_largest_eigenvalue_dense_or_not():
    X, Y = data(inputs=6, outputs=4, count=30)
    problem = problem_of(X, Y, (20, 10), reduction="mean")  # 360 weights: by Lanczos
    weights = draw(problem, scale=0.2)
    expected = np.linalg.eigvalsh(problem.hessian(weights))[-1]
    assert sharpness(problem, weights) == pytest.approx(expected, rel=1e-8)
    small = problem_of(X, Y, (2,))
    batch = draw(small, batch=3)
    for i, value in enumerate(sharpness(small, batch)):
        H = small.hessian([W[i] for W in batch])
        assert value == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=1e-10)


def test_losses_of_perfect_fits_that_round_below_zero():
    """y = 2x₁ exactly and w = u = √2·e₁: the loss is zero up to rounding of either sign."""
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(40):
        X = rng.standard_normal((3, 3))
        moments = ls.Moments.from_arrays(X, 2 * X[:, 0])
        problem = ls.Problem(moments, ls.Network((1,)), reduction="half_sum")
        weights = [np.sqrt(2) * np.eye(3)[:1], np.full((1, 1), np.sqrt(2))]
        losses.append(problem.loss(weights))
        assert np.isfinite(safe_step_size(problem, weights).step_size)
    assert max(map(abs, losses)) < 1e-14
