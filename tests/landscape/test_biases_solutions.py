"""Decayed biases, every solution: their number, kinds and weights, and what phase they make."""

import functools
import json

import numpy as np
import pytest
from biased import changed, descended, known_point, problem, rows, unequal, weights_of

import linscape as ls
from linscape.errors import NoExactSolution
from linscape.landscape.biases import (
    bias_only_states,
    critical,
    decayed_bias_minimum,
    trivial_state,
)
from linscape.landscape.biases.critical import critical_points
from linscape.landscape.biases.setting import setting
from linscape.spectrum import spectra
from oracles import finite_difference_gradient

CASES = {
    "one layer": ((3,), {"weight_decay": (0.1, 0.2), "noise": 0.5}, {}),
    "one layer, collapsed": ((3,), {"weight_decay": 3.0}, {}),
    "two layers": ((2, 3), {"weight_decay": 0.05}, {}),
    "noise, unequal": ((3, 1), {"weight_decay": unequal(3), "noise": (0.7, 0.3)}, {}),
    "large mean of y": ((2, 2), {"weight_decay": 0.2, "noise": 0.2}, {"mean_y": 20.0}),
    "E[y] = 0": ((2, 2), {"weight_decay": 0.05, "noise": 0.4}, {"mean_y": 0.0}),
    "three layers": ((2, 3, 2), {"weight_decay": unequal(4), "noise": (0.2, 0.0, 0.5)}, {}),
    "negative mean": ((2, 2, 2), {"weight_decay": unequal(4, 1)}, {"mean_y": -4.0}),
    "biases alone, three": ((2, 2, 2), {"weight_decay": (9.0, 2.0, 0.3, 0.3)}, {"mean_y": 6.0}),
    "metastable": ((2, 2), {"weight_decay": 0.15}, {"mean_y": 0.1}),
    "collapsed": ((2, 2), {"weight_decay": 2.0}, {}),
    "half sum": ((2, 2), {"weight_decay": 0.5, "noise": 0.3, "reduction": "half_sum"}, {}),
}
every_case = pytest.mark.parametrize("case", CASES)
NAMES = {
    "one layer, collapsed": ("collapsed", True),
    "biases alone, three": ("collapsed", False),
    "metastable": ("metastable", True),
    "collapsed": ("collapsed", True),
}


def make(case):
    hidden, network, data = CASES[case]
    X, y = rows(**data)
    return problem(X, y, hidden, **network), X, y


@functools.cache
def solved(case):
    p, _, _ = make(case)
    return p, ls.solutions(p)


def negative(p, weights):
    eigenvalues = np.linalg.eigvalsh(p.hessian(weights))
    return np.count_nonzero(eigenvalues < -1e-9 * eigenvalues[-1])


# ---- Solutions


@every_case
def test_every_solution_has_weights_without_gradient_and_the_stated_index(case):
    p, found = solved(case)
    assert [s.energy for s in found] == sorted(s.energy for s in found)
    for s in found:
        for weights in (s.weights(), s.weights(np.random.default_rng(1))):
            assert p.loss(weights) == pytest.approx(s.loss, rel=1e-10)
            for gradient in p.gradient(weights):
                np.testing.assert_allclose(gradient, 0, atol=1e-9 * found[0].loss)
            assert negative(p, weights) == s.index
            np.testing.assert_allclose(p.predictor(weights), s.predictor, rtol=1e-9, atol=1e-14)
            assert p.intercept(weights) == pytest.approx(s.intercept, rel=1e-9)
        assert s.kind == ("saddle" if s.index else "minimum")
        assert s.gain == pytest.approx(found[0].loss - s.loss, abs=1e-12 * found[0].loss)
        whole = p.network.weight_decay[-1] * np.sum(s.weights()[-1][:, :-1] ** 2)
        assert s.energy == pytest.approx(whole, rel=1e-12)
    least = min(found, key=lambda s: s.loss)
    assert least.loss == pytest.approx(ls.global_minimum(p).loss, rel=1e-11)
    assert found[0].loss == trivial_state(p).loss


@every_case
def test_every_descent_in_the_full_weight_space_ends_at_a_listed_minimum(case):
    _, X, y = make(case)
    p, found = solved(case)
    minima = np.array([s.loss for s in found if s.kind == "minimum"])
    _, losses, _ = descended(p, X, y, starts=8, scales=(0.05, 0.5, 1, 2))
    for loss in losses:  # slow near flat directions
        assert np.min(np.abs(minima - loss)) <= 1e-7 * found[0].loss
    alone = [state.loss for state in bias_only_states(p)]
    listed = [s.loss for s in found[1:] if not np.any(s.predictor)]
    np.testing.assert_allclose(sorted(listed), alone, rtol=1e-12)


@pytest.mark.parametrize("seed", range(16))
def test_a_point_built_backwards_is_among_them(seed):
    depth, noise, mean = 1 + seed % 3, [0, 0.5, 2][seed % 3], [0, 1, 3][seed % 3]
    known = known_point(
        np.random.default_rng(seed),
        depth,
        noise=noise,
        mean_x=mean,
        ridge=[0.05, 0.3, 3, 20][seed % 4],
    )
    p = known.problem
    assert max(np.abs(G).max() for G in p.gradient(weights_of(known))) <= 1e-10 * known.loss
    found = ls.solutions(p)
    best = min(found, key=lambda s: np.linalg.norm(s.predictor - known.predictor))
    np.testing.assert_allclose(best.predictor, known.predictor, rtol=1e-8, atol=1e-12)
    assert best.loss == pytest.approx(known.loss, rel=1e-10)
    assert best.index == negative(p, weights_of(known))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_on_centred_data_they_are_those_without_biases(depth):
    """All biases vanish at every critical point, with the Morse index of the net without them."""
    X, y = rows(3, mean_y=0.0)
    m = ls.Moments.from_arrays(X, y).centered()
    network = ls.Network((2, 3, 2)[:depth], noise=0.3, weight_decay=0.05, bias="decayed")
    p = ls.Problem(m, network)
    found, none = ls.solutions(p), ls.solutions(changed(p, bias=False))
    assert len(found) == len(none) > 1
    for s, other in zip(found, none, strict=True):
        assert s.loss == pytest.approx(other.loss, rel=1e-12)
        assert (s.kind, s.index, s.intercept) == (other.kind, other.index, 0)
        assert all(np.all(W[:, -1] == 0) for W in s.weights())
        assert negative(p, s.weights()) == s.index
        assert p.loss(s.weights()) == pytest.approx(s.loss, rel=1e-10)
    assert ls.phase(p) == ls.phase(changed(p, bias=False))
    critical, other = (ls.critical_weight_decay(q) for q in (p, changed(p, bias=False)))
    assert critical.learning == pytest.approx(other.learning, rel=1e-12)
    assert critical.order == other.order == (2 if depth == 1 else 1)


def test_small_means_leave_the_solutions_where_they_are():
    X, y = rows(3, mean_y=0.0)
    X = X - X.mean(axis=0)
    none = ls.solutions(problem(X, y, (2, 2), weight_decay=0.05, bias=False))
    found = ls.solutions(problem(X + 1e-5, y + 1e-5, (2, 2), weight_decay=0.05))
    assert [s.kind for s in found] == [s.kind for s in none]
    for s, other in zip(found, none, strict=True):
        assert s.loss == pytest.approx(other.loss, rel=1e-8)  # the means enter by their squares


def test_solutions_are_strict_json():
    for s in solved("negative mean")[1]:
        again = json.loads(json.dumps(s.to_dict(), allow_nan=False))
        assert again["intercept"] == s.intercept
        assert again["index"] == s.index


def test_what_has_no_list_of_solutions_is_refused(monkeypatch):
    X, y = rows()
    with pytest.raises(NoExactSolution, match="hidden layer"):
        ls.solutions(problem(X, y, (), weight_decay=0.1))
    with pytest.raises(NoExactSolution, match="hidden layer and weight decay"):
        ls.solutions(problem(X, y, (2,), weight_decay=0.0))
    with pytest.raises(NoExactSolution, match=r"weight_decay\[1\] is zero"):
        ls.solutions(problem(X, y, (2,), weight_decay=(0.1, 0.0)))
    monkeypatch.setattr(critical, "_EFFORT", 50)
    with pytest.raises(NoExactSolution, match="too close"):
        ls.solutions(make("three layers")[0])


# ---- The chain's critical points


def chain_of(p):
    return setting(p, spectra(changed(p, bias="free"))[0]).chain


@pytest.mark.parametrize("seed", range(6))
def test_the_slope_of_the_chain_is_the_derivative_of_its_loss(seed):
    rng = np.random.default_rng(seed)
    chain = chain_of(known_point(rng, 1 + seed % 3).problem)
    at = rng.uniform(-2, 2, chain.depth)

    def loss(parts):
        return -float(chain.state(chain.decays[:, None] * np.exp(-parts[0])[:, None]).gain[0])

    expected = finite_difference_gradient(loss, [at], 1e-3, levels=3)[0]
    slope = chain.slope(at[:, None])[:, 0]
    np.testing.assert_allclose(slope, expected, atol=1e-9 * chain.reach)  # rounding over the step


@pytest.mark.parametrize("seed", range(10))
def test_no_critical_point_lies_outside_the_bounds_of_the_search(seed):
    """e_{D+1} ≤ r/4, and the misfit and cost of the biases are r at most: on points built so."""
    depth = 1 + seed % 3
    for ridge in (0.01, 0.3, 10.0, 1e3):
        known = known_point(
            np.random.default_rng(seed), depth, ridge=ridge, mean_x=[0, 3][seed % 2]
        )
        chain = chain_of(known.problem)
        state = chain.state(known.ridges[:, None])
        above = np.append(known.ridges[1:], chain.output_decay)
        energies = chain.decays * above / known.ridges
        assert np.all(np.diff(energies) >= -1e-12 * energies[-1])
        assert energies[-1] <= chain.reach / 4 * (1 + 1e-12)
        levels = np.cumsum(np.append(state.predictor[0] @ chain.means, state.offsets[:, 0]))[1:]
        spent = np.sum(state.currents[:, 0] ** 2 / known.ridges) + np.sum(chain.noise * levels**2)
        assert spent + chain.pull * (levels[-1] - chain.target) ** 2 <= chain.reach * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_minima_and_saddles_on_a_grid_are_those_found(seed):
    """Two layers: the cells of a fine grid in which the slope turns, each near a point found."""
    known = known_point(np.random.default_rng(seed), 2, noise=[0, 1][seed % 2])
    chain = chain_of(known.problem)
    found = [np.log(chain.decays / point.ridges) for point in critical_points(chain)]
    logs = np.linspace(-12, 8, 400)
    first, second = np.meshgrid(logs, logs, indexing="ij")
    slope = chain.slope(np.stack([first.ravel(), second.ravel()])).reshape(2, 400, 400)
    signs = np.sign(slope)
    turns = [
        (signs[k, :-1, :-1] != signs[k, 1:, 1:]) | (signs[k, 1:, :-1] != signs[k, :-1, 1:])
        for k in range(2)
    ]
    for point in found:
        if np.all((point > -11.9) & (point < 7.9)):
            i, j = (int(np.searchsorted(logs, value)) - 1 for value in point)
            # of its cell or one next to it: the signs are seen at the corners only
            near = np.s_[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            assert turns[0][near].any()
            assert turns[1][near].any()
    # and minima of the grid lie next to points of index 0
    values = -chain.state(
        chain.decays[:, None] * np.exp(-np.stack([first.ravel(), second.ravel()]))
    ).gain.reshape(400, 400)
    inner = values[1:-1, 1:-1]
    lowest = np.ones_like(inner, dtype=bool)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            if di or dj:
                lowest &= inner < values[1 + di : 399 + di, 1 + dj : 399 + dj]
    minima = np.argwhere(lowest) + 1
    indices = [point.morse_index for point in critical_points(chain)]
    for i, j in minima:
        if values[i, j] < 0:
            near = [
                index
                for point, index in zip(found, indices, strict=True)
                if np.max(np.abs(point - logs[[i, j]])) < 1.0
            ]
            assert 0 in near


# ---- Phases


@every_case
def test_the_phase_says_which_solution_is_the_global_minimum(case):
    p, found = solved(case)
    phase = ls.phase(p)
    assert (phase.name, phase.undecided) == (NAMES.get(case, ("learning", None))[0], False)
    assert phase.zero_is_minimum is trivial_state(p).is_minimum
    if case in NAMES:
        assert phase.zero_is_minimum is NAMES[case][1]
    minimum = decayed_bias_minimum(p)
    assert bool(np.any(minimum.predictor)) is (phase.name == "learning")
    others = [s for s in found if s.kind == "minimum" and np.any(s.predictor)]
    assert bool(others) is (phase.name != "collapsed")


@pytest.mark.parametrize("mean_y", [0.1, 3.0], ids=["first order", "from biases alone"])
def test_learning_ends_where_the_global_minimum_says(mean_y):
    """All decays times q, bisected by the phase; near the end the search decides by itself."""
    X, y = rows(mean_y=mean_y)
    decays = np.array(unequal(3))
    p = problem(X, y, (3, 1), noise=(0.7, 0.3), weight_decay=decays)
    low, high = 1.0, 60.0
    names = set()
    while high / low > 1 + 1e-7:
        middle = np.sqrt(low * high)
        name = ls.phase(changed(p, weight_decay=middle * decays)).name
        names.add(name)
        low, high = (middle, high) if name == "learning" else (low, middle)
    assert "undecided" not in names
    for q, learns in ((low, True), (high, False)):
        minimum = decayed_bias_minimum(changed(p, weight_decay=q * decays))
        if minimum.gain > 1e-10 * minimum.loss or not learns:
            assert bool(np.any(minimum.predictor)) is learns


# ---- Many


@pytest.mark.slow
def test_many_random_problems(capsys):
    """Indices by dense Hessians, and descents that end at listed minima only."""
    rng, counts, refused = np.random.default_rng(7), {}, 0
    for seed in range(60):
        depth = 1 + seed % 4
        X, y = rows(seed, mean_x=rng.choice([0, 1, 4]), mean_y=rng.choice([0.1, 1, -5, 20]))
        hidden = tuple(int(k) for k in rng.integers(1, 4, depth))
        noise = rng.uniform(0, 1, depth) * rng.choice([0, 1])
        decays = unequal(depth + 1, seed, rng.choice([0.01, 0.1, 1]))
        p = problem(X, y, hidden, noise=noise, weight_decay=decays)
        try:
            found = ls.solutions(p)
        except NoExactSolution:
            refused += 1
            continue
        for s in found:
            assert p.loss(s.weights()) == pytest.approx(s.loss, rel=1e-10), seed
            assert s.index is None or negative(p, s.weights()) == s.index, seed
            counts[s.index] = counts.get(s.index, 0) + 1
        best, losses, _ = descended(p, X, y, seed=seed, starts=4, scales=(0.3, 1, 2))
        minima = np.array([s.loss for s in found if s.kind != "saddle"])
        assert best >= minima.min() - 1e-10 * found[0].loss, seed
        for loss in losses:
            near = np.min(np.abs(minima - loss)) <= 1e-5 * found[0].loss  # slow near flat places
            assert near or not np.any(noise), seed
    with capsys.disabled():
        print(f"\n60 problems, {refused} given up; solutions by index: {counts}")
