"""Every critical point of the energy form: their number, places, kinds and weights."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mp

import linscape as ls
from cases import humps, isotropic, isotropic_thresholds, known_minimum, stored, three_minima, truth
from linscape.errors import NoExactSolution

HUMPS = [(depth, count) for depth in (2, 3, 5) for count in (1, 2, 3)]
every_humps = pytest.mark.parametrize(("depth", "count"), HUMPS)


def nontrivial(problem):
    zero, *others = ls.solutions(problem)
    assert (zero.energy, zero.gain) == (0.0, 0.0)
    return others


def exact_curve(problem, energy):
    """F(K) at 60 digits, by solving the linear system."""
    network = problem.network
    with mp.workdps(60):
        A, c, yy = stored(problem)
        pairs = zip(network.noise, network.hidden, strict=True)
        tau = mp.fprod(1 + mp.mpf(s) / k for s, k in pairs)
        K, P = mp.mpf(float(energy)), mp.fprod(mp.mpf(g) for g in network.weight_decay)
        c = mp.matrix(c)
        M = tau * A + P / K**network.depth * mp.eye(len(c))
        return yy + network.depth * K - (c.T * mp.lu_solve(M, c))[0]


# ---- Places


def test_the_published_example_has_three_minima():
    # printed to seven decimals at most: half a unit of the last
    found = nontrivial(three_minima())
    assert [s.kind for s in found] == ["saddle", "minimum", "saddle", "minimum"]
    for solution, energy, half in zip(
        found,
        (0.0018777, 0.010225, 0.0388667, 0.159465),
        (5e-8, 5e-7, 5e-8, 5e-7),
        strict=True,
    ):
        assert abs(solution.energy - energy) <= half


@every_humps
@pytest.mark.parametrize("rotated", [False, True])
def test_far_eigenvalues_give_one_minimum_each_and_all_are_found(depth, count, rotated):
    rng = np.random.default_rng(1) if rotated else None
    ratio = 400.0 if depth == 2 else 1e4
    problem = humps(depth, count, ratio=ratio, rng=rng)
    # rotation leaves the small eigenvalues a rounding of the largest
    tolerance = 1e-10 + (1e-15 * ratio ** (count - 1) if rotated else 0)
    found, best = nontrivial(problem), truth(problem)
    assert [s.kind for s in found] == ["saddle", "minimum"] * count
    energies = [float(K) for K in best["stationary"]]
    np.testing.assert_allclose([s.energy for s in found], energies, rtol=tolerance)
    losses = [float(loss) for loss in best["stationary_losses"]]
    np.testing.assert_allclose([s.loss for s in found], losses, rtol=tolerance)
    least = min(ls.solutions(problem), key=lambda s: s.loss)
    assert least.loss == pytest.approx(ls.global_minimum(problem).loss, rel=1e-10)


@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(0.05, 1.05))
def test_all_solutions_are_found_at_any_level(seed, depth, level):
    assume(abs(level - 1) > 1e-6)  # there the top of a single hump is a fold
    rng = np.random.default_rng(seed)
    if depth == 1:
        problem = known_minimum(rng, 1, reach=level).problem
    else:
        ratio = 10 ** rng.uniform(0.5, 4)
        problem = humps(depth, int(rng.integers(1, 4)), ratio=ratio, level=level, rng=rng)
    best = truth(problem)
    energies = np.array([float(K) for K in best["stationary"]])
    if len(energies) and np.any(np.abs(np.diff(np.log(energies))) < 1e-5):
        return  # too near a fold to tell two from one in 64 bits
    found = nontrivial(problem)
    assert len(found) == len(energies)
    # a root moves by rounding over its slope, which falls with the distance to a fold
    apart = np.min(np.diff(np.log(energies)), initial=1.0)
    a = np.linalg.eigvalsh(problem.moments.A)
    tolerance = (1e-10 + 1e-15 * a[-1] / a[0]) / apart  # and the rotation costs the condition
    np.testing.assert_allclose([s.energy for s in found], energies, rtol=tolerance)


@pytest.mark.parametrize("depth", range(1, 7))
def test_the_built_minimum_is_among_the_solutions(depth):
    known = known_minimum(np.random.default_rng(depth), depth)
    *_, last = ls.solutions(known.problem)
    assert last.kind == "minimum"
    assert last.energy == pytest.approx(known.energy, rel=1e-10)
    assert last.loss == pytest.approx(known.loss, rel=1e-10)
    assert last.gain == pytest.approx(known.gain, rel=1e-10)


@pytest.mark.parametrize("depth", [2, 3, 4, 7])
def test_two_solutions_below_the_existence_threshold_and_none_above(depth):
    _, existence = isotropic_thresholds(depth, 1, 1, 1)
    for side, expected in ((1e-4, ["saddle", "minimum"]), (-1e-4, [])):
        decay = float(mp.root(existence * (1 - side), depth + 1))
        found = nontrivial(isotropic(depth, decay=decay))
        assert [s.kind for s in found] == expected


@pytest.mark.parametrize("count", [1, 2, 3])
def test_solutions_alternate_and_their_number_is_at_most_twice_the_eigenvalues(count):
    for level in np.linspace(0.1, 1.1, 9):
        found = nontrivial(humps(2, count, level=level))
        kinds = [s.kind for s in found]
        assert kinds == ["saddle", "minimum"] * (len(found) // 2)
        assert len(found) <= 2 * count


# ---- The curve


@every_humps
def test_the_curve_is_the_energy_form(depth, count):
    problem = humps(depth, count, rng=np.random.default_rng(2))
    energies = np.geomspace(1e-6, 2, 25)
    exact = [float(exact_curve(problem, K)) for K in energies]
    np.testing.assert_allclose(ls.energy_curve(problem, energies), exact, rtol=1e-10)
    assert ls.energy_curve(problem, [0.0])[0] == problem.moments.yy
    shaped = ls.energy_curve(problem, energies.reshape(5, 5))
    np.testing.assert_array_equal(shaped.ravel(), ls.energy_curve(problem, energies))


@every_humps
def test_the_curve_turns_at_the_solutions_and_has_their_values(depth, count):
    problem = humps(depth, count)
    for solution in nontrivial(problem):
        K = solution.energy
        below, at, above = ls.energy_curve(problem, K * np.array([1 - 1e-3, 1, 1 + 1e-3]))
        assert at == pytest.approx(solution.loss, rel=1e-12)
        sign = 1 if solution.kind == "minimum" else -1
        assert sign * (below - at) > 0
        assert sign * (above - at) > 0
        # the slope vanishes: at 60 digits it changes sign within the rounding of K
        steps = [exact_curve(problem, K * (1 + side * 1e-10)) for side in (-2, -1, 1, 2)]
        assert sign * (steps[1] - steps[0]) < 0 < sign * (steps[3] - steps[2])


def test_the_curve_between_zero_and_the_minimum_rises_over_the_saddle():
    problem = isotropic(2, decay=0.3)
    saddle, minimum = nontrivial(problem)
    at_zero = problem.moments.yy
    assert minimum.loss < at_zero < saddle.loss
    inside = ls.energy_curve(problem, np.linspace(0, saddle.energy, 50))
    assert np.all(np.diff(inside) > 0)


# ---- The weights of every solution


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2])
def test_every_solution_has_weights_without_gradient_and_the_stated_index(depth, count):
    if depth == 1:
        problem = known_minimum(np.random.default_rng(count), 1).problem
    else:
        problem = humps(depth, count, ratio=400.0 if depth == 2 else 1e4)
    rng = np.random.default_rng(3)
    for solution in ls.solutions(problem):
        for weights in (solution.weights(), solution.weights(rng)):
            assert problem.loss(weights) == pytest.approx(solution.loss, rel=1e-10)
            np.testing.assert_allclose(
                problem.energies(weights), solution.energy, rtol=1e-10, atol=0
            )
            gradient = problem.flatten(problem.gradient(weights))
            decays = problem.network.weight_decay
            pulls = [2 * g * np.abs(W).max() for g, W in zip(decays, weights, strict=True)]
            assert np.abs(gradient).max() <= 1e-9 * max(pulls)  # polished to 1e-10 in log K
            eigenvalues = np.linalg.eigvalsh(problem.hessian(weights))
            negative = np.count_nonzero(eigenvalues < -1e-9 * eigenvalues[-1])
            assert negative == solution.index
            predictor = problem.predictor(weights)
            np.testing.assert_allclose(predictor, solution.predictor, rtol=1e-10)


def test_zero_is_a_saddle_exactly_where_one_hidden_layer_learns():
    for decay, kind in ((0.9, "saddle"), (1.1, "minimum")):
        zero, *_ = ls.solutions(isotropic(1, decay=decay))
        assert zero.kind == kind
    for decay in (0.1, 2.0):
        zero, *_ = ls.solutions(isotropic(2, decay=decay))
        assert zero.kind == "minimum"


@pytest.mark.parametrize(("hidden", "decay"), [((), 0.1), ((2,), 0.0)])
def test_the_curve_needs_a_hidden_layer_and_decay(hidden, decay):
    network = ls.Network(hidden, weight_decay=decay)
    problem = ls.Problem(ls.Moments([[1.0]], [0.5], 1.0), network)
    with pytest.raises(NoExactSolution, match="hidden layer and weight decay"):
        ls.solutions(problem)
    with pytest.raises(NoExactSolution, match="hidden layer and weight decay"):
        ls.energy_curve(problem, [0.1])
