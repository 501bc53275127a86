"""The search behind decayed biases: intervals that hold, boxes that lose no critical point."""

from fractions import Fraction

import numpy as np
import pytest
from biased import changed, known_point, problem, rows
from hypothesis import given
from hypothesis import strategies as st

import linscape as ls
from linscape.landscape.biases.chain import Chain, noise_to_earth
from linscape.landscape.biases.ranges import Range, weighted_sum
from linscape.landscape.biases.search import largest_gain
from linscape.landscape.biases.setting import setting
from linscape.landscape.biases.sweep import Limits, sweep
from linscape.spectrum import spectra
from oracles import finite_difference_gradient

number = st.floats(-1e12, 1e12)
positive = st.floats(1e-12, 1e12)


def interval(one, other):
    return Range(np.array([min(one, other)]), np.array([max(one, other)]))


def holds(found, exact):
    """Whether a range holds an exact rational number."""
    return Fraction(float(found.lower[0])) <= exact <= Fraction(float(found.upper[0]))


# ---- Intervals


@given(number, number, number, number, st.floats(0, 1), st.floats(0, 1))
def test_sums_differences_products_and_squares_hold_what_they_should(a, b, c, d, s, t):
    x, y = interval(a, b), interval(c, d)
    u = float(np.clip(a + s * (b - a), x.lower[0], x.upper[0]))
    v = float(np.clip(c + t * (d - c), y.lower[0], y.upper[0]))
    p, q = Fraction(u), Fraction(v)
    assert holds(x + y, p + q)
    assert holds(x - y, p - q)
    assert holds(x * y, p * q)
    assert holds(x + v, p + q)
    assert holds(x * v, p * q)
    assert holds(x.square(), p * p)
    assert x.square().lower[0] >= 0


@given(positive, positive, st.floats(0, 1))
def test_inverses_hold_what_they_should(a, b, s):
    x = interval(a, b)
    u = float(np.clip(a + s * (b - a), x.lower[0], x.upper[0]))
    assert holds(x.inverse(), 1 / Fraction(u))


@given(st.lists(number, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_weighted_sums_hold_what_they_should(weights, random):
    lower = [random.uniform(0, 5) for _ in weights]
    upper = [low + random.uniform(0, 5) for low in lower]
    inside = [random.choice(pair) for pair in zip(lower, upper, strict=True)]
    exact = sum(Fraction(w) * Fraction(x) for w, x in zip(weights, inside, strict=True))
    found = weighted_sum(np.array(weights), np.array([lower]), np.array([upper]))
    assert holds(found, exact)


def test_what_is_unbounded_stays_so():
    with np.errstate(all="ignore"):
        above = Range(np.array([2.0]), np.array([np.inf]))
        assert above.inverse().lower[0] <= 0
        assert above.inverse().upper[0] >= 0.5
        zero = Range.exactly(np.zeros(1))
        assert (above * zero).lower[0] <= 0 <= (above * zero).upper[0] < 1
        assert np.isinf(zero.inverse().upper[0])
    assert not above.misses(3.0)[0]
    assert above.misses(1.0)[0]


# ---- The reduction


def chain_of(p, *, sub=0):
    found = setting(p, spectra(changed(p, bias="free"))[0])
    return found.chain.above(sub) if sub else found.chain


def weights_of_ridges(p, chain, ridges):
    """Weights of uniform units with ‖U‖²⋯‖W_{k+1}‖² = γ_k/z_k, from the definitions alone."""
    network, state = p.network, chain.state(ridges[:, None])
    V = chain.decays / ridges
    basis = setting(p, spectra(changed(p, bias="free"))[0]).basis
    r = [np.full(width, width**-0.5) for width in network.hidden]
    weights = []
    for k, unit in enumerate(r):
        before = basis @ state.predictor[0] if k == 0 else np.sqrt(V[k - 1]) * r[k - 1]
        row = np.append(before, state.offsets[k, 0]) / np.sqrt(V[k])
        weights.append(np.outer(unit, row))
    level = basis @ state.predictor[0] @ p.moments.mean_x + state.offsets.sum()
    bias = (p.moments.mean_y - level) / (1 + chain.output_decay)
    return [*weights, np.append(np.sqrt(V[-1]) * r[-1], bias)[None]]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_reduced_loss_is_the_loss_of_its_weights(depth):
    X, y = rows(mean_y=0.7)  # so that y is in units of one
    p = problem(X, y, (3, 2, 1, 2)[:depth], noise=0.4, weight_decay=0.2)
    chain, rng = chain_of(p), np.random.default_rng(depth)
    unit = 4.0 ** setting(p, spectra(changed(p, bias="free"))[0]).exponent
    variance, pull = p.moments.covariance_y, chain.pull
    for _ in range(5):
        ridges = np.exp(rng.uniform(-3, 3, depth))
        state = chain.state(ridges[:, None])
        if unit != 1:
            pytest.fail("choose a target of size one")
        expected = variance + pull * p.moments.mean_y**2 - state.gain[0]
        weights = weights_of_ridges(p, chain, ridges)
        assert p.loss(weights) == pytest.approx(expected, rel=1e-12)
        # p, c and β_U are the best there are: the loss does not change with the first biases
        for W, G in zip(weights, p.gradient(weights), strict=True):
            np.testing.assert_allclose(G[:, -1], 0, atol=1e-12 * np.max(np.abs(W)) + 1e-13)


def test_no_other_weights_of_the_same_size_do_better():
    """Random layers of the same ‖U‖²⋯‖W_{k+1}‖² lie above the reduced loss, with noise."""
    X, y = rows(mean_y=0.7)
    p = problem(X, y, (3, 2), noise=(0.4, 0.9), weight_decay=0.2)
    chain, rng = chain_of(p), np.random.default_rng(3)
    for _ in range(200):
        weights = [rng.standard_normal(shape) for shape in p.shapes]
        sizes = [np.sum(W[:, :-1] ** 2) for W in weights]
        V = np.array([sizes[2] * sizes[1], sizes[2]])
        bound = chain.state((chain.decays / V)[:, None]).gain[0]
        at_zero = p.moments.covariance_y + chain.pull * p.moments.mean_y**2
        assert p.loss(weights) >= at_zero - bound - 1e-12


def test_noise_to_earth_sums_to_the_excess_of_the_inflation():
    network = ls.Network((3, 2, 5), noise=(0.3, 1.0, 2.0))
    assert noise_to_earth(network).sum() == pytest.approx(network.inflation - 1, rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_polished_ridges_are_critical(seed):
    known = known_point(np.random.default_rng(seed), 2 + seed % 2)
    chain = chain_of(known.problem)
    rng = np.random.default_rng(seed)
    start = known.ridges * np.exp(0.1 * rng.standard_normal(len(known.ridges)))
    polished = chain.polished(start)
    np.testing.assert_allclose(polished, known.ridges, rtol=1e-9)

    def gain(parts):
        return float(chain.state(np.exp(parts[0])[:, None]).gain[0])

    slope = finite_difference_gradient(gain, [np.log(polished)], 1e-3, levels=2)[0]
    np.testing.assert_allclose(slope, 0, atol=1e-9 * chain.reach)  # rounding over the step


# ---- Sweeps and the search


def around(ridges, rng, width):
    """One box around given ridge parameters, now and then without an upper end."""
    boxes = []
    for ridge in ridges:
        lower = ridge * np.exp(-width * rng.uniform(0.2, 1))
        upper = np.inf if rng.random() < 0.2 else ridge * np.exp(width * rng.uniform(0.2, 1))
        boxes.append(Range(np.array([lower]), np.array([upper])))
    return boxes


@pytest.mark.parametrize("seed", range(30))
def test_no_sweep_loses_a_critical_point(seed):
    depth, noise = 1 + seed % 4, [0, 0.5, 2][seed % 3]
    rng = np.random.default_rng(seed)
    known = known_point(rng, depth, noise=noise, mean_x=[0, 1, 3][seed % 3])
    found = setting(known.problem, spectra(changed(known.problem, bias="free"))[0])
    chain = found.chain
    gain = known.gain / 4.0**found.exponent
    free = ls.global_minimum(changed(known.problem, bias="free")).gain_upper / 4.0**found.exponent
    limits = Limits(
        (chain.reach - gain) * (1 + 1e-12), (free + chain.bias_reach - gain) * (1 + 1e-12)
    )
    # the known point is rounded, so that the true one is known to 1e-10 only
    for width in (1e-9, 1e-6, 1e-3, 0.1, 3.0):
        boxes = around(known.ridges, rng, width)
        for _ in range(5):
            with np.errstate(all="ignore"):
                boxes, largest, dead = sweep(chain, boxes, limits)
            assert not dead[0]
            assert largest[0] >= gain * (1 - 1e-12)
            for box, ridge in zip(boxes, known.ridges, strict=True):
                assert box.lower[0] <= ridge * (1 + 1e-10)
                assert box.upper[0] >= ridge * (1 - 1e-10)


def test_boxes_without_a_critical_point_die():
    known = known_point(np.random.default_rng(0), 2)
    chain = chain_of(known.problem)
    limits = Limits(2 * chain.reach, 2 * chain.reach)
    boxes = [Range(np.array([5.0 * z]), np.array([5.01 * z])) for z in known.ridges]
    with np.errstate(all="ignore"):
        _, _, dead = sweep(chain, boxes, limits)
    assert dead[0]


@pytest.mark.parametrize("seed", range(8))
def test_the_search_finds_at_least_what_a_grid_finds(seed):
    known = known_point(np.random.default_rng(seed), 2, noise=[0, 1][seed % 2])
    chain = chain_of(known.problem)
    free = chain.data_reach  # the crudest bound on what free biases gain
    found = largest_gain(chain, free, 0.0, None)
    logs = np.linspace(-12, 8, 300)
    grid = np.exp(np.stack(np.meshgrid(logs, logs)).reshape(2, -1))
    best = float(np.max(chain.state(grid).gain))
    assert found.closed
    assert best <= found.upper
    assert found.upper - found.lower <= 2e-12 * chain.reach
    assert best == pytest.approx(found.lower, abs=2e-3 * chain.reach)  # the grid's own step


def test_a_start_does_not_change_the_answer():
    known = known_point(np.random.default_rng(1), 3, noise=1.0)
    chain = chain_of(known.problem)
    with_start, without = (
        largest_gain(chain, chain.data_reach, 0.0, start) for start in (known.ridges, None)
    )
    assert with_start.lower == pytest.approx(without.lower, rel=1e-12)
    np.testing.assert_allclose(with_start.ridges, without.ridges, rtol=1e-9)


def test_a_chain_with_nothing_to_gain_is_closed_at_once():
    none = np.zeros(0)
    chain = Chain(none, none, none, np.ones(2), 1.0, np.zeros(2), 0.0)
    found = largest_gain(chain, 0.0, 0.0, None)
    assert found.closed
    assert found.ridges is None
    assert found.boxes == 0
