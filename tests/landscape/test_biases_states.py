"""The trivial state, the state that biases alone make, and when each stops being a minimum."""

import json
import math

import numpy as np
import pytest
from biased import changed, descended, problem, rows, unequal

import linscape as ls
from linscape.errors import InvalidNetwork, NoExactSolution
from linscape.landscape.biases import bias_only_states, decayed_bias_minimum, trivial_state

NETWORKS = {
    "ridge": ((), {"weight_decay": 0.3}),
    "one layer": ((2,), {"weight_decay": (0.4, 0.1), "noise": 0.5}),
    "two layers": ((2, 3), {"weight_decay": unequal(3), "noise": (0.5, 0.2)}),
    "three layers": ((2, 1, 2), {"weight_decay": unequal(4), "input_noise": 0.3}),
    "sum": ((2, 2), {"weight_decay": 0.7, "reduction": "sum"}),
    "half mean": ((2, 2), {"weight_decay": 0.05, "noise": 0.3, "reduction": "half_mean"}),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def make(name, **data):
    hidden, network = NETWORKS[name]
    X, y = rows(**data)
    return problem(X, y, hidden, **network), X, y


def critical(p, weights):
    """Largest entry of the gradient, relative to the loss."""
    return max(np.max(np.abs(G), initial=0) for G in p.gradient(weights)) / p.loss(weights)


def bias_only_state(p):
    """The state in which the last hidden layer alone lives, or None."""
    found = [s for s in bias_only_states(p) if s.dead_layers == p.network.depth - 1]
    assert len(found) <= 1
    return found[0] if found else None


def negative(p, state):
    """Number of negative eigenvalues of the dense Hessian, flat ones to rounding left out."""
    eigenvalues = np.linalg.eigvalsh(p.hessian(state.weights()))
    return np.count_nonzero(eigenvalues < -1e-10 * eigenvalues[-1])


# ---- The trivial state


@every_network
def test_it_is_critical_but_for_the_first_layer_that_sees_the_data(name):
    p, _, y = make(name, mean_y=2.0)
    state = trivial_state(p)
    assert p.loss(state.weights()) == pytest.approx(state.loss, rel=1e-10)
    assert all(np.all(W[:, :-1] == 0) for W in state.weights())
    assert p.intercept(state.weights()) == pytest.approx(state.output, rel=1e-12)
    decay = p.network.weight_decay[-1] / p.data_factor
    assert state.output == pytest.approx(y.mean() / (1 + decay), rel=1e-10)
    by_hand = p.data_factor * (np.mean(y**2) - y.mean() ** 2 / (1 + decay))
    assert state.loss == pytest.approx(by_hand, rel=1e-10)
    gradient = p.gradient(state.weights())
    if p.network.depth:
        assert critical(p, state.weights()) < 1e-14
    else:
        assert abs(gradient[0][0, -1]) < 1e-14
        assert np.linalg.norm(gradient[0][0, :-1]) == pytest.approx(2 * state.force, rel=1e-10)


@pytest.mark.parametrize("name", ["one layer", "two layers", "three layers", "sum", "half mean"])
@pytest.mark.parametrize("side", [-1, 1])
def test_it_is_a_minimum_exactly_up_to_its_threshold(name, side):
    """The decay of the last hidden layer is put a millionth beside force²/γ_u."""
    p, _, _ = make(name, mean_y=2.0)
    decays = list(p.network.weight_decay)
    decays[-2] = trivial_state(p).force ** 2 / decays[-1] * (1 + side * 1e-6)
    p = changed(p, weight_decay=decays)
    state = trivial_state(p)
    assert state.is_minimum is (side > 0)
    assert state.threshold == pytest.approx(math.sqrt(decays[-1] * decays[-2]), rel=1e-14)
    assert state.index == negative(p, state) == (0 if side > 0 else p.network.hidden[-1])
    smallest = np.linalg.eigvalsh(p.hessian(state.weights()))[0]
    # γ_u + γ_D − √((γ_u − γ_D)² + 4 force²), to first order at the threshold
    expected = side * 1e-6 * decays[-1] * decays[-2] * 2 / (decays[-1] + decays[-2])
    assert smallest == pytest.approx(expected, rel=1e-4)
    if p.network.depth > 1:
        assert (bias_only_state(p) is None) is (side > 0)


def test_at_the_threshold_it_does_not_guess():
    p, _, _ = make("two layers", mean_y=2.0)
    decays = list(p.network.weight_decay)
    decays[-2] = trivial_state(p).force ** 2 / decays[-1]
    assert trivial_state(changed(p, weight_decay=decays)).is_minimum is None


def test_its_smallest_curvature_in_general():
    for name in ("one layer", "two layers", "three layers"):
        p, _, _ = make(name, mean_y=2.0)
        state = trivial_state(p)
        *_, last, own = p.network.weight_decay
        block = last + own - math.hypot(last - own, 2 * state.force)
        smallest = np.linalg.eigvalsh(p.hessian(state.weights()))[0]
        assert smallest == pytest.approx(min(block, *(2 * g for g in p.network.weight_decay)))


def test_without_a_mean_of_y_it_is_always_a_minimum_of_deep_nets():
    for name in ("two layers", "three layers"):
        p, _, _ = make(name, mean_y=0.0)
        p = ls.Problem(p.moments.centered(), p.network)
        assert trivial_state(p).is_minimum
        assert trivial_state(p).force == 0
        assert bias_only_state(p) is None


def test_a_minimum_there_need_not_be_the_global_one():
    X, y = rows(mean_y=0.1)
    p = problem(X, y, (2, 2), weight_decay=0.02)
    state, minimum = trivial_state(p), decayed_bias_minimum(p)
    assert state.is_minimum
    assert minimum.is_trivial is False
    assert minimum.loss < state.loss * 0.5
    # and a descent from next to it stays
    _, losses, _ = descended(p, X, y, starts=2, scales=(1e-3,))
    np.testing.assert_allclose(losses, state.loss, rtol=1e-10)


# ---- The state that biases alone make


def alone(depth, *, first=3.0, mean_y=5.0, **data):
    """A problem that has one: the last decays are small beside κȳ, the others are `first`."""
    X, y = rows(mean_y=mean_y, **data)
    decays = [first] * (depth - 1) + [0.3, 0.3]
    noise = np.linspace(0, 0.4, depth)
    return problem(X, y, (2,) * depth, noise=noise, weight_decay=decays), X, y


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("mean_y", [5.0, -5.0])
def test_it_is_critical_and_uses_no_input(depth, mean_y):
    p, _, _ = alone(depth, mean_y=mean_y)
    state = bias_only_state(p)
    weights = state.weights()
    assert p.loss(weights) == pytest.approx(state.loss, rel=1e-10)
    assert critical(p, weights) < 1e-13
    np.testing.assert_array_equal(p.predictor(weights), 0)
    assert p.intercept(weights) == pytest.approx(state.output, rel=1e-12)
    assert state.loss < trivial_state(p).loss
    assert abs(trivial_state(p).output) < abs(state.output) < abs(mean_y)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("side", [-1, 1])
def test_the_layer_below_decides_whether_it_is_a_minimum(depth, side):
    """γ_{D−1} is put a thousandth beside what makes force and threshold equal."""
    p, _, _ = alone(depth)
    state, decays = bias_only_state(p), list(p.network.weight_decay)
    decays[-3] *= (state.force / state.threshold) ** 2 * (1 + side * 1e-3)
    p = changed(p, weight_decay=decays)
    state = bias_only_state(p)
    assert state.is_minimum is (side > 0)
    assert state.index == negative(p, state) == (0 if side > 0 else 2)
    eigenvalues = np.linalg.eigvalsh(p.hessian(state.weights()))
    # the symmetries of the units leave it flat in some directions, to rounding
    assert bool(eigenvalues[0] > -1e-12 * eigenvalues[-1]) is (side > 0)
    if side < 0:
        assert eigenvalues[0] < -1e-6


def test_it_can_be_the_global_minimum():
    for depth in (2, 3):
        p, X, y = alone(depth, first=30.0)
        minimum, state = decayed_bias_minimum(p), bias_only_state(p)
        assert state.is_minimum
        assert minimum.loss == pytest.approx(state.loss, rel=1e-10)
        assert minimum.is_trivial is False
        np.testing.assert_array_equal(minimum.predictor, 0)
        assert all(np.all(W == 0) for W in minimum.weights()[:-2])
        best, _, _ = descended(p, X, y, starts=6)
        assert best == pytest.approx(state.loss, rel=1e-10)


def test_it_appears_where_the_trivial_state_turns_into_a_saddle():
    p, _, _ = alone(2)
    own = p.network.weight_decay[-1]
    edge = trivial_state(p).force ** 2 / own
    levels = []
    for distance in (1e-1, 1e-2, 1e-3):
        at = changed(p, weight_decay=(3.0, edge * (1 - distance), own))
        levels.append(trivial_state(at).loss - bias_only_state(at).loss)
    # a continuous transition: the gain begins as the square of the distance
    assert levels[0] / levels[1] == pytest.approx(100, rel=0.1)
    assert levels[1] / levels[2] == pytest.approx(100, rel=0.01)
    assert bias_only_state(changed(p, weight_decay=(3.0, edge * 1.001, own))) is None


# ---- The states in which more layers live

DEEPER = {
    "two of three": ((2, 1, 2), (0.5, 0.05, 0.05, 0.1), 0.0, 4.0),
    "noise": ((2, 3, 2), (0.4, 0.03, 0.06, 0.08), 0.3, -5.0),
    "large decay below": ((1, 2, 2), (9.0, 0.05, 0.05, 0.1), 0.2, 4.0),
    "three of four": ((1, 2, 2, 1), (3.0, 0.04, 0.03, 0.05, 0.08), 0.1, 6.0),
}


def deeper(name):
    hidden, decays, noise, mean_y = DEEPER[name]
    X, y = rows(5, mean_y=mean_y)
    return problem(X, y, hidden, weight_decay=decays, noise=noise), X, y


@pytest.mark.parametrize("name", DEEPER)
def test_all_of_them_are_critical_and_have_the_stated_index(name):
    p, _, _ = deeper(name)
    states = bias_only_states(p)
    assert len({state.dead_layers for state in states}) >= 2
    assert [state.loss for state in states] == sorted(state.loss for state in states)
    for state in states:
        weights = state.weights()
        assert p.loss(weights) == pytest.approx(state.loss, rel=1e-10)
        assert critical(p, weights) < 1e-10
        np.testing.assert_array_equal(p.predictor(weights), 0)
        assert p.intercept(weights) == pytest.approx(state.output, rel=1e-10)
        assert all(np.all(W == 0) for W in weights[: state.dead_layers])
        assert all(np.any(W[:, -1]) for W in weights[state.dead_layers :])
        assert state.index == negative(p, state)
        assert state.is_minimum is (state.index == 0)


@pytest.mark.parametrize("name", DEEPER)
def test_descents_that_see_no_input_end_at_one_of_them(name):
    """With x = 0 in every row only the biases are left, of the first layer too."""
    p, X, y = deeper(name)
    blind = problem(
        0 * X, y, p.network.hidden, weight_decay=p.network.weight_decay, noise=p.network.noise
    )
    states = [trivial_state(blind), *bias_only_states(blind)]
    minima = np.array([state.loss for state in states if state.is_minimum])
    best, losses, _ = descended(blind, 0 * X, y, starts=8)
    assert best == pytest.approx(minima.min(), rel=1e-10)
    for loss in losses:  # slow near flat directions
        assert np.min(np.abs(minima - loss)) <= 1e-7 * loss
    # the first layer's bias is pushed as the inputs are; the states without it are those of p
    above = [state.loss for state in bias_only_states(blind) if state.dead_layers]
    np.testing.assert_allclose(above, [state.loss for state in bias_only_states(p)], rtol=1e-10)


def test_inputs_that_nothing_feeds_leave_the_biases_alone():
    """E[x] = 0 and Cov(x, y) = 0: the first layer's bias lives, its weights do not."""
    X = np.array([[-1.0], [1.0], [-1.0], [1.0]])
    y = np.array([3.0, 3.0, 4.0, 4.0])
    for hidden in ((2,), (2, 2)):
        p = problem(X, y, hidden, weight_decay=0.2)
        best = bias_only_states(p)[0]
        assert best.dead_layers == 0
        assert best.loss == pytest.approx(decayed_bias_minimum(p).loss, rel=1e-10)
        assert best.is_minimum
        assert best.index == negative(p, best) == 0
        assert ls.phase(p).name == "collapsed"
        assert ls.phase(p).zero_is_minimum is False


# ---- What is said of them


def test_states_are_strict_json():
    p, _, _ = alone(2)
    for state in (trivial_state(p), bias_only_state(p)):
        assert json.loads(json.dumps(state.to_dict(), allow_nan=False))["loss"] == state.loss


@pytest.mark.parametrize("hidden", [(), (2,), (2, 2)])
def test_a_decay_of_which_no_product_is_a_float(hidden):
    moments = ls.Moments([[2.0]], [2e20], 5e40, mean_x=[1.0], mean_y=1e20, n=4)
    network = ls.Network(hidden, weight_decay=1e300, bias="decayed")
    state = trivial_state(ls.Problem(moments, network))
    # the bias is nothing beside such a decay: what is left is E[y²]
    assert state.loss == pytest.approx(5e40, rel=1e-12)
    assert state.output == pytest.approx(1e20 / 1e300, rel=1e-12)
    assert math.isfinite(state.force)
    assert state.is_minimum == bool(hidden)  # without hidden layers any signal pulls


def test_what_has_no_such_state_is_refused():
    X, y = rows()
    with pytest.raises(InvalidNetwork, match="bias='decayed'"):
        trivial_state(problem(X, y, (2,), weight_decay=0.1, bias="free"))
    with pytest.raises(InvalidNetwork, match="positive decays"):
        trivial_state(problem(X, y, (2,), weight_decay=(0.1, 0)))
    with pytest.raises(InvalidNetwork, match="bias='decayed'"):
        bias_only_states(problem(X, y, (2, 2), weight_decay=0.1, bias=False))
    assert bias_only_states(problem(X, y, (2,), weight_decay=0.1)) == []
    assert bias_only_states(problem(X, y, (), weight_decay=0.1)) == []
    with pytest.raises(NoExactSolution, match="2 outputs"):
        trivial_state(problem(X, np.column_stack([y, y]), (2,), weight_decay=0.1))
