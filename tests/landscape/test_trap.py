"""The sets that provably flow to zero: every start inside does, and just outside some do not."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

import linscape as ls
from cases import known_minimum, symmetric
from linscape.errors import InvalidWeights, NoExactSolution
from linscape.landscape.trap import in_trap, trap_radius
from oracles import averaged_loss_and_gradient, flatten, unflatten

KINDS = ("layers", "energies", "ball")
every_set = pytest.mark.parametrize("kind", KINDS)

CASES = {
    "plain": {"hidden": (3, 2), "weight_decay": 0.2},
    "deep": {"hidden": (2, 3, 2), "weight_decay": 0.1},
    "unequal": {"hidden": (3, 2), "weight_decay": (0.05, 0.7, 0.2)},
    "deep, unequal": {"hidden": (2, 2, 3), "weight_decay": (1.5, 0.03, 0.2, 0.4)},
    "noise": {"hidden": (2, 3), "weight_decay": (0.1, 0.3, 0.1), "noise": (0.5, 2.0)},
    "input noise": {"hidden": (2, 2), "weight_decay": 0.05, "noise": 0.3, "input_noise": 1.0},
}
CASE_NUMBERS = {case: number for number, case in enumerate(CASES)}
every_case = pytest.mark.parametrize("case", CASES)


def make(case="plain", outputs=1, reduction="mean", seed=0, **changes):
    """A problem from twelve rows, and those rows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12, 3)) * [1, 0.5, 2]
    Y = X @ rng.standard_normal((3, outputs)) + 0.3 * rng.standard_normal((12, outputs))
    moments = ls.Moments.from_arrays(X, Y[:, 0] if outputs == 1 else Y)
    network = ls.Network(**CASES[case] | changes)
    return ls.Problem(moments, network, reduction=reduction), X, Y


def spectral_norm(problem):
    return np.linalg.norm(np.reshape(problem.moments.C, (problem.moments.inputs, -1)), 2)


def size(problem, kind, weights):
    """The size that each set bounds, from its definition."""
    squares = np.stack([(W**2).sum(axis=(-2, -1)) for W in weights], axis=-1)
    decays = np.array(problem.network.weight_decay)
    if kind == "ball":
        return np.sqrt(squares.sum(axis=-1))
    ratios = decays / np.exp(np.log(decays).mean()) if kind == "energies" else np.ones(len(decays))
    return np.sqrt((ratios * squares).max(axis=-1))


def aligned(problem, count):
    """Rank-one layers that carry the largest singular direction of C: f = Π‖W_k‖ u vᵀx."""
    C = np.reshape(problem.moments.C, (problem.moments.inputs, -1))
    left, _, right = np.linalg.svd(C)
    ends = [left[:, 0], *[np.eye(width)[0] for width in problem.network.hidden], right[0]]
    layers = [np.outer(after, before) for before, after in itertools.pairwise(ends)]
    return [np.repeat(layer[None], count, axis=0) for layer in layers]


def starts(problem, kind, rng, *, count=12, reach=0.99):
    """Half random, half aligned weights of size ``reach`` times the radius, norms uneven."""
    half = count // 2
    random = [rng.standard_normal((half, *shape)) for shape in problem.shapes]
    weights = [np.concatenate(pair) for pair in zip(random, aligned(problem, half), strict=True)]
    decays = np.array(problem.network.weight_decay)
    norms = rng.uniform(0.5, 1, (count, len(decays)))
    norms[0] = norms[-1] = 1
    if kind == "energies":
        norms /= np.sqrt(decays)
    weights = [
        W / np.linalg.norm(W, axis=(-2, -1), keepdims=True) * n[:, None, None]
        for W, n in zip(weights, norms.T, strict=True)
    ]
    factor = reach * getattr(trap_radius(problem), kind).radius / size(problem, kind, weights)
    return [factor[:, None, None] * W for W in weights]


# ---- The radii


def test_the_radii_of_equal_decays_by_hand():
    # C = diag(3, 1) has spectral norm 3; α = ½; R = (γ/αC)^{1/2} at D = 3
    moments = ls.Moments(4 * np.eye(2), np.diag([3.0, 1.0]), 9 * np.eye(2))
    network = ls.Network((2, 2, 2), weight_decay=0.06, noise=1.0)
    trap = trap_radius(ls.Problem(moments, network, reduction="half_mean"))
    assert trap.radius == trap.layers.radius == pytest.approx(0.2, rel=1e-10)
    assert trap.energies.radius == pytest.approx(0.2, rel=1e-10)
    assert trap.ball.radius == pytest.approx(0.4, rel=1e-10)
    # η(2γ + α a R⁶ (3/… no widths: Π(1 + σ²) = 8)) = 1
    assert 1 / trap.largest_step == pytest.approx(0.12 + 0.5 * 4 * 0.2**6 * 8, rel=1e-10)
    assert 1 / trap.energies.largest_step == pytest.approx(1 / trap.largest_step, rel=1e-10)
    stretch = (4 / 3) ** 3
    assert 1 / trap.ball.largest_step == pytest.approx(0.12 + 16 * 0.2**6 * stretch, rel=1e-10)


def test_the_radii_of_unequal_decays_by_hand():
    # smallest decay 0.1, geometric mean 0.2; D = 2, ‖C‖ = 2
    network = ls.Network((1, 1), weight_decay=(0.1, 0.2, 0.4))
    trap = trap_radius(ls.Problem(ls.Moments([[1.0]], [2.0], 4.0), network))
    assert trap.layers.radius == pytest.approx(0.05, rel=1e-10)
    assert trap.energies.radius == pytest.approx(0.1, rel=1e-10)
    assert trap.ball.radius == pytest.approx(0.05 * 3**0.5, rel=1e-10)
    assert 1 / trap.energies.largest_step == pytest.approx(0.8 + 0.1**4 * 2, rel=1e-10)


@every_case
@pytest.mark.parametrize("reduction", ["sum", "half_sum", "half_mean"])
def test_a_factor_of_the_data_term_divides_the_decays(case, reduction):
    problem, _, _ = make(case, 2, reduction)
    decays = np.array(problem.network.weight_decay) / problem.data_factor
    same = trap_radius(make(case, 2, weight_decay=decays)[0])
    for kind in KINDS:
        got, expected = getattr(trap_radius(problem), kind), getattr(same, kind)
        assert got.radius == pytest.approx(expected.radius, rel=1e-10)
        # steps are divided by the factor
        assert got.largest_step * problem.data_factor == pytest.approx(
            expected.largest_step, rel=1e-10
        )


@pytest.mark.parametrize("x", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("y", [1e-8, 1e8])
@pytest.mark.parametrize("depth", [2, 5])
def test_units_of_x_and_y_scale_the_radius_by_a_power(x, y, depth):
    rng = np.random.default_rng(3)
    A, C = symmetric([0.5, 1, 2], rng), 0.3 * rng.standard_normal((3, 2))
    network = ls.Network((2,) * depth, weight_decay=0.1)
    one = trap_radius(ls.Problem(ls.Moments(A, C, 9 * np.eye(2)), network)).radius
    scaled = ls.Moments(x**2 * A, x * y * C, 9 * y**2 * np.eye(2))
    other = trap_radius(ls.Problem(scaled, network)).radius
    assert other == pytest.approx(one * (x * y) ** (-1 / (depth - 1)), rel=1e-10)


@given(st.integers(0, 10_000))
def test_no_solution_lies_in_the_trap(seed):
    # built backwards from a nontrivial minimum with energy K in every layer
    rng = np.random.default_rng(seed)
    known = known_minimum(rng, depth=int(rng.integers(2, 5)))
    weights = ls.global_minimum(known.problem).weights()
    assert not in_trap(known.problem, weights).proven
    trap = trap_radius(known.problem)
    level = math.exp(known.problem.network.log_decay_product / len(weights))
    assert level * trap.energies.radius**2 < known.energy * (1 + 1e-10)


def test_the_bound_on_the_signal_is_the_best_one():
    # sup of E⟨f, y⟩ over layers of norm one, by brute force, is ‖C‖₂
    problem, _, _ = make(outputs=2)
    shapes = problem.shapes
    C = np.asarray(problem.moments.C)

    def signal(vector):
        W1, W2, U = (W / np.linalg.norm(W) for W in unflatten(vector, shapes))
        return -np.sum((U @ W2 @ W1) * C.T)

    rng = np.random.default_rng(0)
    size = sum(a * b for a, b in shapes)
    best = max(-minimize(signal, rng.standard_normal(size)).fun for _ in range(5))
    # BFGS with difference gradients stops at 1e-5 of slope: 1e-8 relative in the value
    assert best == pytest.approx(spectral_norm(problem), rel=1e-8)


# ---- Inside


@every_case
@every_set
@pytest.mark.parametrize(("outputs", "share"), [(1, 0.4), (3, 1.0)])
def test_descent_from_inside_shrinks_at_every_step_down_to_zero(case, kind, outputs, share):
    problem, _, _ = make(case, outputs, seed=5)
    trap = getattr(trap_radius(problem), kind)
    weights = starts(problem, kind, np.random.default_rng(1))
    before = first = size(problem, kind, weights)
    step = share * trap.largest_step
    for _ in range(20_000):
        weights = [W - step * G for W, G in zip(weights, problem.gradient(weights), strict=True)]
        after = size(problem, kind, weights)
        assert np.all(after < before)
        before = after
        if np.all(after < 0.01 * first):
            break
    assert np.all(after < 0.01 * first)


@every_case
@every_set
def test_gradient_flow_of_the_enumerated_moments_ends_at_zero(case, kind):
    problem, X, Y = make(case, 2, seed=6)
    arguments = {k: v for k, v in CASES[case].items() if k != "hidden"}
    oracle = averaged_loss_and_gradient(X, Y, **arguments)
    batch = starts(problem, kind, np.random.default_rng(2), count=2)
    start = flatten([W[CASE_NUMBERS[case] % 2] for W in batch])  # random or aligned
    flow = solve_ivp(
        lambda _, w: -flatten(oracle(unflatten(w, problem.shapes))[1]),
        (0, 10 / min(problem.network.weight_decay)), start, method="LSODA", rtol=1e-6, atol=1e-9,
    )  # fmt: skip
    sizes = [size(problem, kind, unflatten(w, problem.shapes)) for w in flow.y.T]
    assert np.all(np.diff(sizes) <= 1e-5 * sizes[0])  # of the integrator
    assert sizes[-1] < 0.01 * sizes[0]


@given(st.integers(0, 10_000))
def test_what_is_proven_goes_to_zero_with_any_steps_up_to_the_largest(seed):
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 4))
    problem, _, _ = make(
        outputs=int(rng.integers(1, 3)), seed=seed, hidden=(2,) * depth,
        weight_decay=tuple(np.exp(rng.uniform(-1.5, 1.5, depth + 1))),
        noise=float(rng.uniform(0, 1)),
    )  # fmt: skip
    kind = KINDS[seed % 3]
    weights = [W[-1] for W in starts(problem, kind, rng, reach=rng.uniform(0.5, 1.3))]
    answer = in_trap(problem, weights)
    assert answer.proven == (max(answer.margins.values()) > 1 + 1e-9)
    assert answer.proven == (answer.largest_step > 0)
    if not answer.proven:
        return
    first, travelled = size(problem, "ball", weights), 0.0
    # near zero the slowest layer shrinks by exp(-2γt): to 1e-3 of its size at γt = 3.5
    while travelled < 7 / min(problem.network.weight_decay):
        step = answer.largest_step * rng.uniform(0.2, 1)
        travelled += step
        weights = [W - step * G for W, G in zip(weights, problem.gradient(weights), strict=True)]
        if size(problem, "ball", weights) < 1e-3 * first:
            break
    assert size(problem, "ball", weights) < 1e-3 * first


# ---- Outside


@every_set
@pytest.mark.parametrize("case", ["plain", "deep", "unequal", "deep, unequal", "noise"])
def test_aligned_starts_just_outside_escape(case, kind):
    # with decays this small E‖f‖² is nothing at the edge, and the inequality is an equality
    layers = len(CASES[case]["hidden"]) + 1
    decays = CASES[case]["weight_decay"] if kind == "energies" else 1.0
    problem, _, _ = make(case, 2, weight_decay=1e-3 * np.broadcast_to(decays, layers))
    for reach, escapes in ((0.98, False), (1.02, True)):
        weights = [W[-1] for W in starts(problem, kind, np.random.default_rng(1), reach=reach)]
        radius = getattr(trap_radius(problem), kind).radius

        def leaves(_, w, radius=radius):
            now = size(problem, kind, problem.unflatten(w)) / radius
            return (now - 0.1) * (10 - now)

        leaves.terminal = True
        flow = solve_ivp(
            lambda _, w: -problem.flatten(problem.gradient(problem.unflatten(w))),
            (0, 1e7), flatten(weights), method="LSODA", rtol=1e-8, events=leaves,
        )  # fmt: skip
        assert len(flow.y_events[0]) == 1
        end = size(problem, kind, problem.unflatten(flow.y_events[0][0])) / radius
        assert bool(end > 1) is escapes


def test_steps_just_above_the_largest_can_leave():
    # one unit a layer and hardly any decay: a step multiplies each weight by 1 − 2ηαaR⁴
    moments = ls.Moments([[1.0]], [1e-6], 1.0)
    problem = ls.Problem(moments, ls.Network((1, 1), weight_decay=1e-5))
    trap = trap_radius(problem)
    weights = [np.full((1, 1), 0.9999 * trap.radius)] * 3
    for share, leaves in ((1.0, False), (1.01, True)):
        step = share * trap.largest_step
        after = [W - step * G for W, G in zip(weights, problem.gradient(weights), strict=True)]
        assert bool(size(problem, "layers", after) > trap.radius) is leaves


# ---- Where there is no trap, or nothing else


@pytest.mark.parametrize("hidden", [(), (2,), (2, 3)])
def test_without_signal_everything_collapses(hidden):
    moments = ls.Moments(np.eye(2), np.zeros(2), 1.0)
    problem = ls.Problem(moments, ls.Network(hidden, weight_decay=0.3))
    trap = trap_radius(problem)
    assert trap.zero_attracts
    assert trap.radius == trap.energies.radius == trap.ball.radius == math.inf
    assert trap.largest_step == 0
    rng = np.random.default_rng(0)
    weights = [2 * rng.standard_normal(shape) for shape in problem.shapes]
    for number in range(2000):
        if number % 20 == 0:
            step = in_trap(problem, weights).largest_step
        weights = [W - step * G for W, G in zip(weights, problem.gradient(weights), strict=True)]
    assert size(problem, "ball", weights) < 1e-3


@pytest.mark.parametrize("hidden", [(2,), (2, 3)])
@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_a_layer_without_decay_keeps_its_weights(hidden, signal):
    moments = ls.Moments(np.eye(2), [signal, 0], 1.0)
    network = ls.Network(hidden, weight_decay=(0.3,) * len(hidden) + (0.0,))
    problem = ls.Problem(moments, network)
    trap = trap_radius(problem)
    assert trap.zero_attracts is False
    assert trap.radius == trap.energies.radius == trap.ball.radius == trap.largest_step == 0
    weights = [np.zeros(shape) for shape in problem.shapes]
    weights[-1] += 1e-3
    if len(hidden) > 1 or not signal:  # a critical point, as near to zero as one likes
        assert all(np.all(G == 0) for G in problem.gradient(weights))
    assert not in_trap(problem, weights).proven


def test_without_a_hidden_layer_zero_is_not_even_critical():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((), weight_decay=9.0))
    trap = trap_radius(problem)
    assert trap.zero_attracts is False
    assert trap.radius == 0
    assert np.any(problem.gradient([np.zeros((1, 1))])[0])
    assert not in_trap(problem, [[[0.0]]]).proven


@pytest.mark.parametrize("decays", [(0.5, 0.5), (0.1, 2.5), (2.0, 0.125)])
def test_one_hidden_layer_collapses_from_everywhere_or_from_nowhere(decays):
    # √(γ_uγ_w) = ½, also where the smallest decay is below the signal
    rng = np.random.default_rng(1)
    for norm, collapses in ((0.4, True), (0.6, False)):
        C = norm * symmetric([1.0, 0.5], rng)
        problem = ls.Problem(
            ls.Moments(symmetric([1.0, 3.0], rng), C, np.eye(2)),
            ls.Network((3,), weight_decay=decays),
        )
        trap = trap_radius(problem)
        assert trap.zero_attracts is collapses
        assert trap.radius == trap.energies.radius == (math.inf if collapses else 0)
        scale = 2.0 if collapses else 2e-3
        weights = [scale * rng.standard_normal(shape) for shape in problem.shapes]
        answer = in_trap(problem, weights)
        assert answer.proven is collapses
        step = 0.1 / max(decays)
        for number in range(2000):
            if collapses and number % 20 == 0:
                step = in_trap(problem, weights).largest_step
            gradient = problem.gradient(weights)
            weights = [W - step * G for W, G in zip(weights, gradient, strict=True)]
            end = size(problem, "ball", weights)
            if not 1e-3 < end < 10 * scale:
                break
        assert end < 1e-3 if collapses else end > 1e-2


def test_one_hidden_layer_at_the_transition_is_undecided():
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,), weight_decay=1.0))
    assert trap_radius(problem).zero_attracts is None
    assert trap_radius(problem).radius == 0


@pytest.mark.parametrize("bias", ["decayed", "free"])
def test_biases_are_refused_and_why(bias):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((9, 2)), rng.standard_normal((9, 2))
    network = ls.Network((2, 2), weight_decay=0.5, bias=bias, noise=0.4)
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), network)
    zero = [np.zeros(shape) for shape in problem.shapes]
    for answer in (trap_radius, lambda p: in_trap(p, zero)):
        with pytest.raises(NoExactSolution, match="bias=False"):
            answer(problem)
    # E[y] ≠ 0: zero is not even critical
    assert np.any(problem.gradient(zero)[-1])
    # centred data: biases that start at zero stay there, and the layers move as without them
    centred = ls.Moments.from_arrays(X - X.mean(axis=0), Y - Y.mean(axis=0))
    plain = ls.Problem(centred, ls.Network((2, 2), weight_decay=0.5, noise=0.4))
    weights = [rng.standard_normal(shape) for shape in plain.shapes]
    biased = [np.column_stack([W, np.zeros(len(W))]) for W in weights]
    got = ls.Problem(centred, network).gradient(biased)
    for G, expected in zip(got, plain.gradient(weights), strict=True):
        np.testing.assert_allclose(G[:, :-1], expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(G[:, -1], 0, atol=1e-14)


# ---- in_trap


@every_case
def test_margins_are_the_factors_up_to_the_edges(case):
    problem, _, _ = make(case, 2, seed=4)
    rng = np.random.default_rng(4)
    weights = [rng.standard_normal(shape) for shape in problem.shapes]
    answer = in_trap(problem, weights)
    trap = trap_radius(problem)
    for kind in KINDS:
        expected = getattr(trap, kind).radius / size(problem, kind, weights)
        assert answer.margins[kind] == pytest.approx(expected, rel=1e-10)
        for factor, inside in ((1 - 1e-8, True), (1 + 1e-8, False)):
            scaled = [factor * expected * W for W in weights]
            assert bool(kind in in_trap(problem, scaled).sets) is inside
            if inside:
                least = getattr(trap, kind).largest_step
                assert in_trap(problem, scaled).largest_step >= least * (1 - 1e-10)
    batch = [np.stack([W, 3 * W]) for W in weights]
    best = max(answer.margins.values())
    np.testing.assert_allclose(trap.margin(batch), [best, best / 3], rtol=1e-10)


@every_case
def test_the_ball_contains_the_layers(case):
    problem, _, _ = make(case)
    draws = starts(problem, "layers", np.random.default_rng(0), reach=0.999)
    for member in range(12):
        assert "ball" in in_trap(problem, [W[member] for W in draws]).sets


def test_zero_weights_are_in_the_trap_and_the_edge_is_not():
    problem, _, _ = make()
    zero = [np.zeros(shape) for shape in problem.shapes]
    answer = in_trap(problem, zero)
    assert answer.proven
    assert answer.sets == KINDS
    assert set(answer.margins.values()) == {math.inf}
    assert answer.largest_step == pytest.approx(1 / (2 * 0.2), rel=1e-10)
    on_edge = [W[0] for W in starts(problem, "ball", np.random.default_rng(0), reach=1.0)]
    assert "ball" not in in_trap(problem, on_edge).sets


def test_weights_that_do_not_fit_are_refused():
    problem, _, _ = make()
    weights = [np.zeros(shape) for shape in problem.shapes]
    with pytest.raises(InvalidWeights, match="3 weight matrices"):
        in_trap(problem, weights[:-1])
    with pytest.raises(InvalidWeights, match="one member at a time"):
        in_trap(problem, [W[None] for W in weights])


@pytest.mark.parametrize("signal", [0.0, 1.0])
def test_results_are_strict_json(signal):
    problem = ls.Problem(ls.Moments([[1.0]], [signal], 1.0), ls.Network((1, 1), weight_decay=0.1))
    trap = json.loads(json.dumps(trap_radius(problem).to_dict(), allow_nan=False))
    assert trap["layers"]["radius"] == (pytest.approx(0.1) if signal else "inf")
    assert "docs/trap.md" in trap["source"]
    answer = json.loads(json.dumps(in_trap(problem, [[[0.01]]] * 3).to_dict(), allow_nan=False))
    assert answer["proven"] is True
    assert answer["sets"] == list(KINDS)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_extreme_units_neither_overflow_nor_claim_too_much(scale):
    moments = ls.Moments([[scale**2]], [scale], 1.0)
    problem = ls.Problem(moments, ls.Network((1, 1), weight_decay=1.0))
    assert trap_radius(problem).radius == pytest.approx(1 / scale, rel=1e-10)
    # an infinite radius would be a claim about every start
    deep = ls.Problem(
        ls.Moments([[1e-300]], [1e-300], 1e-300), ls.Network((1, 1), weight_decay=1e10)
    )
    assert trap_radius(deep).radius == np.finfo(float).max
