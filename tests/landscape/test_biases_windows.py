"""One hidden layer with decayed biases: the decays that learn, exactly, and the gap among them."""

import json
import math

import numpy as np
import pytest
from biased import changed, descended, problem, rows
from hypothesis import assume, given
from hypothesis import strategies as st

import linscape as ls
from linscape.errors import NoExactSolution, OutOfRange
from linscape.landscape.biases import trivial_state


def moments(c, mean_x, mean_y):
    """Moments with Cov(x) = 1, Cov(x, y) = c, Var(y) = ‖c‖² + 1."""
    c, mean_x = np.atleast_1d(c).astype(float), np.atleast_1d(mean_x).astype(float)
    A = np.eye(len(c)) + np.outer(mean_x, mean_x)
    yy = c @ c + 1 + mean_y**2
    return ls.Moments(A, c + mean_y * mean_x, yy, mean_x=mean_x, mean_y=mean_y, n=4)


def network(*decays, hidden=(2,), **arguments):
    return ls.Network(hidden, weight_decay=decays, bias="decayed", **arguments)


def gap(factor=1.0, **arguments):
    """c = 0.1 and E[x]E[y] = −5: what the output bias leaves of the mean cancels the signal."""
    m = moments(0.1, -5.0, 1.0)
    return ls.Problem(m, network(factor, factor), **arguments)


def excess(p):
    """‖c̃‖² − γ_uγ_w from raw moments."""
    m, alpha = p.moments, p.data_factor
    first, last = p.network.weight_decay
    mean = np.append(m.mean_x, 1.0)
    c = np.append(m.C, m.mean_y) - m.mean_y * mean / (1 + last / alpha)
    return c @ c - first * last / alpha**2


# ---- Two windows


def test_the_decays_that_learn_need_not_be_an_interval():
    p = gap()
    critical = ls.critical_weight_decay(p)
    (zero, first), (second, last) = critical.windows
    assert zero == 0
    assert critical.learning == critical.existence == last
    for decay in np.geomspace(1e-3, 10, 40):
        at = gap(decay)
        inside = any(begin < decay < end for begin, end in critical.windows)
        assert ls.phase(at).name == ("learning" if inside else "collapsed")
        assert bool(excess(at) > 0) is inside
    # in the gap no descent leaves the trivial state, on either side all of them do
    X = np.array([[-6.0], [-4.0], [-6.0], [-4.0]])
    y = 1 + 0.1 * (X[:, 0] + 5) + np.array([1.0, 1.0, -1.0, -1.0])
    for decay, learns in ((0.5 * first, True), (0.5 * (first + second), False), (2 * second, True)):
        at = problem(X, y, (2,), weight_decay=decay)
        best, _, _ = descended(at, X, y, starts=4)
        state = trivial_state(at)
        assert state.is_minimum is not learns
        assert bool(best < state.loss * (1 - 1e-9)) is learns


@pytest.mark.parametrize("reduction", ["mean", "sum", "half_mean"])
@pytest.mark.parametrize("side", [1e-9, -1e-9])
def test_every_edge_is_seen_from_both_sides_by_the_global_minimum(reduction, side):
    critical = ls.critical_weight_decay(gap(reduction=reduction))
    edges = [edge for window in critical.windows for edge in window if edge]
    assert len(edges) == 3
    for edge, below in zip(edges, (True, False, True), strict=True):
        at = gap(edge * (1 - side), reduction=reduction)
        learns = below is (side > 0)
        assert ls.global_minimum(at).is_trivial is not learns
        assert ls.phase(at).name == ("learning" if learns else "collapsed")
        assert ls.phase(at).zero_is_minimum is not learns


@given(
    st.lists(st.floats(-3, 3), min_size=2, max_size=2),
    st.lists(st.floats(-20, 20), min_size=2, max_size=2),
    st.floats(-20, 20),
    st.floats(0.05, 20),
)
def test_windows_are_where_the_threshold_is_exceeded(c, mean_x, mean_y, ratio):
    assume(any(c) or any(mean_x))  # else the inputs play no part
    m = moments(c, mean_x, mean_y)
    p = ls.Problem(m, network(ratio, 1.0))
    windows = ls.critical_weight_decay(p).factor_windows
    for decay in np.geomspace(1e-4, 1e4, 33):
        at = ls.Problem(m, network(ratio * decay, decay))
        value, first, last = excess(at), *at.network.weight_decay
        size = m.C @ m.C + m.mean_y**2 * (1 + m.mean_x @ m.mean_x) + first * last
        if abs(value) > 1e-12 * size:  # rounding of the plain formula
            assert any(begin < decay < end for begin, end in windows) is bool(value > 0)


# ---- One window


def test_the_edge_is_exact():
    """x = ±1, y = 2x + 3: at γ_u = γ_w = γ, 4 + 9κ² = γ² has κ = γ/(1 + γ)."""
    m = ls.Moments.from_arrays([[-1.0], [1.0]], [1.0, 5.0])
    critical = ls.critical_weight_decay(ls.Problem(m, network(2.0, 2.0)))
    gamma = critical.learning
    assert 4 + 9 * (gamma / (1 + gamma)) ** 2 == pytest.approx(gamma**2, rel=1e-14)
    low, high = critical.learning_interval
    assert high == np.nextafter(low, np.inf)
    assert critical.learning_factor == pytest.approx(gamma / 2, rel=1e-15)
    # a rational edge: κ = ½, c̃ = (2, 1½), γ_uγ_w = 6¼ is not learned, and all that is less is
    at = ls.critical_weight_decay(ls.Problem(m, network(6.25, 1.0)))
    assert at.learning_factor == 1.0
    assert ls.phase(ls.Problem(m, network(6.25, 1.0))).name == "collapsed"
    assert ls.phase(ls.Problem(m, network(np.nextafter(6.25, 0), 1.0))).name == "learning"


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("which", ["x", "y"])
@pytest.mark.parametrize("side", [1e-9, -1e-9])
def test_scales(scale, which, side):
    X, y = rows(2)
    X, y = (scale * X, y) if which == "x" else (X, scale * y)
    p = problem(X, y, (3,), noise=0.4, weight_decay=(1.0, 0.5))
    factor = ls.critical_weight_decay(p).learning_factor
    at = changed(p, weight_decay=factor * (1 - side) * np.array([1.0, 0.5]))
    assert ls.phase(at).name == ("learning" if side > 0 else "collapsed")
    assert trivial_state(at).is_minimum is (side < 0)
    learns = ls.global_minimum(at).is_trivial
    assert learns is (side < 0) or learns is None  # Ã of columns 1e8 apart: the interval is wider


def test_neither_noise_nor_the_spread_of_x_enters():
    X, y = rows(1)
    p = problem(X, y, (3,), weight_decay=0.1)
    other = changed(p, noise=2.0, input_noise=0.5, hidden=(7,))
    assert ls.critical_weight_decay(p) == ls.critical_weight_decay(other)


def test_small_means_give_the_threshold_without_biases():
    X, y = rows(1, mean_y=0.0)
    X, y = X - X.mean(axis=0), y - y.mean()
    free = ls.critical_weight_decay(problem(X, y, (3,), weight_decay=0.1, bias="free"))
    p = problem(X + 1e-7, y + 1e-7, (3,), weight_decay=0.1)
    assert ls.critical_weight_decay(p).learning == pytest.approx(free.learning, rel=1e-10)


# ---- Ends of the range


def test_without_a_hidden_layer_no_decay_is_too_large():
    m = moments(0.5, 1.0, 2.0)
    p = ls.Problem(m, network(0.3, hidden=()))
    critical = ls.critical_weight_decay(p)
    assert critical.learning == critical.learning_factor == math.inf
    assert critical.order is None
    assert ls.phase(p).name == "learning"
    text = json.dumps(critical.to_dict(), allow_nan=False)
    assert json.loads(text)["windows"] == [[0.0, "inf"]]


@pytest.mark.parametrize("hidden", [(), (2,)])
def test_where_nothing_feeds_the_inputs_no_decay_learns(hidden):
    p = ls.Problem(moments(0.0, 0.0, 3.0), network(*[0.01] * (1 + len(hidden)), hidden=hidden))
    critical = ls.critical_weight_decay(p)
    assert critical.learning == critical.learning_factor == 0
    assert critical.windows == critical.factor_windows == ()
    assert critical.order is None
    assert ls.phase(p).name == "collapsed"
    assert ls.phase(p).zero_is_minimum is (not hidden)


def test_decays_of_zero_enter_the_factor_only():
    m = moments(0.5, 1.0, 2.0)
    common = ls.critical_weight_decay(ls.Problem(m, network(1.0, 1.0))).learning
    for decays in ((0.0, 1.0), (1.0, 0.0), (0.0, 0.0)):
        critical = ls.critical_weight_decay(ls.Problem(m, network(*decays)))
        assert critical.learning == common
        assert critical.learning_factor == math.inf


def test_where_decay_does_not_matter_biases_are_free():
    m = moments(0.5, 1.0, 2.0)
    assert ls.phase(ls.Problem(m, network(0.0, 0.0))).name == "learning"
    with pytest.raises(NoExactSolution, match=r"weight_decay\[0\] is zero"):
        ls.phase(ls.Problem(m, network(0.0, 0.1)))


def test_deeper_networks_and_several_outputs_are_refused():
    X, y = rows()
    with pytest.raises(NoExactSolution, match="no threshold is known"):
        ls.critical_weight_decay(problem(X, y, (2, 2), weight_decay=0.1))
    Y = np.column_stack([y, y])
    for ask in (ls.critical_weight_decay, ls.phase, ls.solutions):
        with pytest.raises(NoExactSolution, match="2 outputs"):
            ask(problem(X, Y, (2,), weight_decay=0.1))


# ---- The order of the transition


def test_the_minimum_leaves_zero_continuously():
    p = gap()
    critical = ls.critical_weight_decay(p)
    assert critical.order == 2
    energies = [
        ls.global_minimum(gap(critical.learning * (1 - distance))).energy
        for distance in (1e-3, 1e-4, 1e-5)
    ]
    assert energies[0] / energies[1] == pytest.approx(10, rel=0.05)
    assert energies[1] / energies[2] == pytest.approx(10, rel=0.005)


def test_a_window_that_no_float_can_hold_is_refused():
    tiny = ls.Problem(moments(0.1, 0.0, 0.0), network(5e-324, 5e-324))
    with pytest.raises(OutOfRange, match="multiples"):
        ls.critical_weight_decay(tiny)
    small = ls.Problem(moments(0.1, 0.0, 0.0), network(1e-300, 1e-300))
    assert ls.critical_weight_decay(small).learning_factor == pytest.approx(1e299, rel=1e-12)
