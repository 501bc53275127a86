"""Decayed biases at any depth and with any means: the minimum against descent in all weights."""

import functools
import json

import numpy as np
import pytest
from biased import changed, descended, known_point, problem, rows, unequal, weights_of

import linscape as ls
from linscape.errors import InvalidMoments, InvalidNetwork, NoExactSolution
from linscape.landscape.biases import decayed_bias_minimum, deep, search, trivial_state
from oracles import enumerated_loss, mp_loss

CASES = {
    "two layers": ((2, 3), {"weight_decay": 0.05}, {}),
    "noise, unequal": ((3, 1), {"weight_decay": unequal(3), "noise": (0.7, 0.3)}, {}),
    "large mean of y": ((2, 2), {"weight_decay": 0.2, "noise": 0.2}, {"mean_y": 20.0}),
    "large means of x": ((2, 2), {"weight_decay": 0.1}, {"mean_x": 6.0, "mean_y": -2.0}),
    "E[x] = 0": ((2, 2), {"weight_decay": 0.05, "noise": 0.4}, {"mean_x": 0.0, "mean_y": 2.0}),
    "E[y] = 0": ((2, 2), {"weight_decay": 0.05, "noise": 0.4}, {"mean_y": 0.0}),
    "input noise": ((2, 2), {"weight_decay": 0.05, "noise": 0.3, "input_noise": 0.4}, {}),
    "three layers": ((2, 3, 2), {"weight_decay": unequal(4), "noise": (0.2, 0.0, 0.5)}, {}),
    "negative mean": ((2, 2, 2), {"weight_decay": unequal(4, 1)}, {"mean_y": -4.0}),
    "four layers": ((2, 2, 1, 2), {"weight_decay": 0.02, "noise": 0.3}, {"mean_y": 3.0}),
    "collapsed": ((2, 2), {"weight_decay": 2.0}, {}),
    "biases alone": ((2, 2), {"weight_decay": (3.0, 0.3, 0.3)}, {"mean_y": 5.0}),
    "biases alone, three": ((2, 2, 2), {"weight_decay": (9.0, 2.0, 0.3, 0.3)}, {"mean_y": 6.0}),
    "sum": ((2, 2), {"weight_decay": 0.5, "noise": 0.3, "reduction": "sum"}, {}),
    "half mean": ((2, 2), {"weight_decay": 0.03, "noise": 0.3, "reduction": "half_mean"}, {}),
}
every_case = pytest.mark.parametrize("case", CASES)


def make(case):
    hidden, network, data = CASES[case]
    X, y = rows(**data)
    return problem(X, y, hidden, **network), X, y


@functools.cache
def solved(case):
    """The problem of a case and its minimum."""
    p, _, _ = make(case)
    return p, decayed_bias_minimum(p)


def trivial_loss(minimum):
    return minimum.loss + minimum.gain


# ---- Against everything that descent can find


@every_case
def test_no_descent_in_the_full_weight_space_finds_less(case):
    _, X, y = make(case)
    p, minimum = solved(case)
    best, _, _ = descended(p, X, y, starts=6)
    assert best == pytest.approx(minimum.loss, abs=1e-10 * trivial_loss(minimum))
    assert minimum.lower - 1e-12 * best <= best  # the descent's own rounding
    assert minimum.certificate.gap <= 1e-10 * trivial_loss(minimum)
    assert minimum.source == deep.CHAIN


@every_case
def test_the_weights_realise_it_and_are_critical(case):
    _, X, y = make(case)
    p, minimum = solved(case)
    for weights in (minimum.weights(), minimum.weights(np.random.default_rng(1))):
        assert p.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
        for gradient in p.gradient(weights):
            np.testing.assert_allclose(gradient, 0, atol=1e-10 * trivial_loss(minimum))
        np.testing.assert_allclose(p.predictor(weights), minimum.predictor, rtol=1e-10, atol=1e-14)
        assert p.intercept(weights) == pytest.approx(minimum.intercept, rel=1e-10)
    network = p.network
    options = {"noise": network.noise, "input_noise": network.input_noise}
    options |= {"weight_decay": network.weight_decay, "bias": "decayed", "factor": p.data_factor}
    exact = mp_loss(X, y, minimum.weights(), **options)
    assert float(exact) == pytest.approx(minimum.loss, rel=1e-10)


def test_signs_of_units_do_change_the_weights():
    _, minimum = solved("two layers")
    one, other = (minimum.weights(np.random.default_rng(seed)) for seed in (0, 1))
    assert any(np.any(W != V) for W, V in zip(one, other, strict=True))


@every_case
def test_layers_are_balanced_with_their_biases(case):
    """γ_k(‖W_k‖² + ‖β_k‖²) = γ_{k+1}‖W_{k+1}‖²."""
    p, minimum = solved(case)
    weights = minimum.weights()
    whole = p.energies(weights)
    without = [
        decay * np.sum(W[:, :-1] ** 2)
        for decay, W in zip(p.network.weight_decay, weights, strict=True)
    ]
    for energy, above in zip(whole, without[1:], strict=False):
        assert energy == pytest.approx(above, rel=1e-9, abs=1e-15)
    assert minimum.energy == pytest.approx(without[-1], rel=1e-10)


@every_case
def test_it_lies_between_free_biases_and_none(case):
    p, minimum = solved(case)
    free = ls.global_minimum(changed(p, bias="free"))
    none = ls.global_minimum(changed(p, bias=False))
    assert free.lower <= minimum.upper
    assert minimum.lower <= none.upper
    assert minimum.lower <= trivial_state(p).loss * (1 + 1e-14)


# ---- Built backwards


@pytest.mark.parametrize("seed", range(12))
def test_a_critical_point_built_backwards_is_never_better(seed):
    depth, noise, mean = 2 + seed % 2, [0, 0.5, 2][seed % 3], [0, 1, 3][seed % 3]
    rng = np.random.default_rng(seed)
    known = known_point(rng, depth, noise=noise, mean_x=mean, ridge=[0.05, 0.2][seed % 2])
    weights = weights_of(known)
    assert known.problem.loss(weights) == pytest.approx(known.loss, rel=1e-10)
    for gradient in known.problem.gradient(weights):
        np.testing.assert_allclose(gradient, 0, atol=1e-10 * known.loss)
    minimum = decayed_bias_minimum(known.problem)
    assert known.gain <= minimum.gain_upper
    assert minimum.lower <= known.loss * (1 + 1e-14)


@pytest.mark.parametrize(("ridge", "is_minimum"), [(0.05, True), (10.0, False)])
def test_points_of_large_weights_are_the_minimum_and_those_next_to_zero_are_saddles(
    ridge, is_minimum
):
    for seed in range(4):
        known = known_point(np.random.default_rng(seed), 2, ridge=ridge, current=0.1)
        minimum = decayed_bias_minimum(known.problem)
        if is_minimum:
            assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
            np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=1e-8, atol=1e-12)
        else:
            assert minimum.loss < known.loss * (1 - 1e-3)


# ---- Theorem 6


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("noise", [0.0, 0.6])
def test_with_centred_data_the_biases_vanish(depth, noise):
    X, y = rows(mean_y=0.0)
    X = X - X.mean(axis=0)
    moments = ls.Moments.from_arrays(X, y).centered()
    network = ls.Network((2,) * depth, noise=noise, weight_decay=unequal(depth + 1), bias="decayed")
    p = ls.Problem(moments, network)
    minimum = decayed_bias_minimum(p)
    without = ls.global_minimum(changed(p, bias=False))
    assert minimum.loss == pytest.approx(without.loss, rel=1e-12)
    assert minimum.is_trivial is without.is_trivial
    assert "Theorem 6" in minimum.source
    assert all(np.all(W[:, -1] == 0) for W in minimum.weights())
    best, _, weights = descended(p, X, y, starts=6)
    assert best == pytest.approx(minimum.loss, rel=1e-10)
    for W in weights:
        np.testing.assert_allclose(W[:, -1], 0, atol=1e-5)  # the loss is flat to second order


def test_the_chain_finds_theorem_6_by_itself():
    """As the means shrink, the minimum found by search goes to the one without biases."""
    X, y = rows(mean_y=0.0)
    X = X - X.mean(axis=0)
    none = ls.global_minimum(problem(X, y, (2, 2), bias=False, noise=0.3, weight_decay=0.05))
    losses = []
    for size in (1e-1, 1e-3, 1e-5):
        p = problem(X + size, y + size, (2, 2), noise=0.3, weight_decay=0.05)
        minimum = decayed_bias_minimum(p)
        assert minimum.source == deep.CHAIN
        losses.append(abs(minimum.loss - none.loss) / none.loss)
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] <= 1e-9  # the means enter by their squares


# ---- What is said of it


@pytest.mark.parametrize("mean_y", [0.2, 1.0], ids=["discontinuous", "continuous"])
def test_triviality_is_proven_on_both_sides_of_the_transition(mean_y):
    """The decays are multiplied by q; the transition is bracketed by the answers themselves."""
    X, y = rows(mean_y=mean_y)
    decays = np.array(unequal(3))
    p = problem(X, y, (3, 1), noise=(0.7, 0.3), weight_decay=decays)
    below, above = 1.0, 20.0
    for _ in range(14):
        middle = (below + above) / 2
        trivial = decayed_bias_minimum(changed(p, weight_decay=middle * decays)).is_trivial
        assert trivial is not None
        below, above = (below, middle) if trivial else (middle, above)
    for factor, trivial in ((below, False), (above, True)):
        at = changed(p, weight_decay=factor * decays)
        minimum = decayed_bias_minimum(at)
        assert minimum.is_trivial is trivial
        best, _, _ = descended(at, X, y, starts=9, scales=(0.5, 1, 1.5, 2))
        state = trivial_state(at)
        assert best == pytest.approx(minimum.loss, abs=1e-10 * state.loss)
        assert bool(best < state.loss * (1 - 1e-12)) is not trivial
        # with a small mean the trivial state stays a minimum: another one overtakes it
        assert state.is_minimum is (trivial or mean_y < 0.5)
    assert above / below - 1 < 2e-3


def test_where_the_gain_is_too_small_to_be_seen_the_saddle_decides():
    X, y = rows(mean_y=1.0)
    decays = np.array([1.0, 0.2, 0.1])
    p = problem(X, y, (3, 1), weight_decay=decays)
    state = trivial_state(p)
    at = changed(p, weight_decay=(1.0, (1 - 1e-9) * state.force**2 / 0.1, 0.1))
    minimum = decayed_bias_minimum(at)
    assert minimum.gain < 1e-15
    assert minimum.is_trivial is False


def test_a_search_that_stops_says_so_and_its_interval_holds(monkeypatch):
    p, proven = solved("four layers")
    monkeypatch.setattr(search, "_EFFORT", 500)
    minimum = decayed_bias_minimum(p)
    assert "numerical" in minimum.source
    assert "numerical" not in proven.source
    assert minimum.is_trivial is not True
    assert minimum.certificate.gap > proven.certificate.gap
    assert minimum.lower <= proven.lower <= proven.upper <= minimum.upper * (1 + 1e-12)
    free = ls.global_minimum(changed(p, bias="free"))
    assert minimum.lower >= free.lower * (1 - 1e-12)  # never worse than the cheap bound


def test_depth_is_no_limit():
    X, y = rows(mean_y=2.0)
    for depth in (6, 15):
        p = problem(X, y, (3,) * depth, noise=0.1, weight_decay=0.003)
        minimum = decayed_bias_minimum(p)
        assert minimum.source == deep.CHAIN
        assert minimum.is_trivial is False
        weights = minimum.weights()
        assert p.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
        for gradient in p.gradient(weights):
            np.testing.assert_allclose(gradient, 0, atol=1e-10)
        assert minimum.certificate.gap <= 1e-10 * trivial_loss(minimum)


def test_without_decay_biases_are_free():
    X, y = rows()
    p = problem(X, y, (2, 2), noise=0.3)
    minimum, free = decayed_bias_minimum(p), ls.global_minimum(changed(p, bias="free"))
    assert minimum.loss == free.loss
    assert minimum.intercept == free.intercept
    assert p.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)


@pytest.mark.parametrize("case", ["noise, unequal", "input noise", "biases alone", "collapsed"])
@pytest.mark.parametrize("law", ["symmetric", "dropout"])
def test_the_variance_of_the_prediction_is_that_over_every_pattern_of_noise(case, law):
    _, X, _ = make(case)
    p, minimum = solved(case)
    network = p.network
    for point in X[:2]:
        mean = minimum.predictor @ point + minimum.intercept
        variance = enumerated_loss(
            point[None],
            [mean],
            minimum.weights(),
            noise=network.noise,
            input_noise=network.input_noise,
            bias="decayed",
            law=law,
        )
        got = float(minimum.prediction_variance(point[None])[0])
        assert got == pytest.approx(variance, rel=1e-10, abs=1e-14)


def test_predictions_are_in_the_units_of_the_rows():
    X, y = rows()
    moments = ls.Moments.from_arrays(X, y).standardized()
    moments = ls.Moments(moments.A, moments.C, moments.yy, moments.mean_x, moments.mean_y)
    network = ls.Network((2, 2), weight_decay=0.01, bias="decayed")
    minimum = decayed_bias_minimum(problem(X, y, (2, 2), weight_decay=0.01))
    np.testing.assert_allclose(
        minimum.predict(X), X @ minimum.predictor + minimum.intercept, rtol=1e-12
    )
    assert decayed_bias_minimum(ls.Problem(moments, network)).loss < 1


def test_the_result_is_strict_json_and_names_its_theorem():
    _, minimum = solved("two layers")
    text = json.dumps(minimum.to_dict(), allow_nan=False)
    assert json.loads(text)["loss"] == minimum.loss
    assert "Appendix D" in repr(minimum)


def test_what_no_theorem_covers_is_refused():
    X, y = rows()
    Y = np.column_stack([y, y])
    with pytest.raises(InvalidNetwork, match="bias='decayed'"):
        decayed_bias_minimum(problem(X, y, (2,), weight_decay=0.1, bias="free"))
    with pytest.raises(NoExactSolution, match="2 outputs"):
        decayed_bias_minimum(problem(X, Y, (2,), weight_decay=0.1))
    with pytest.raises(NoExactSolution, match=r"weight_decay\[1\] is zero"):
        decayed_bias_minimum(problem(X, y, (2,), weight_decay=(0.1, 0.0)))
    with pytest.raises(InvalidMoments, match="means"):
        ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,), bias="decayed"))


# ---- Many


@pytest.mark.slow
def test_many_random_problems_against_descent(capsys):
    rng, searched, alone, collapsed = np.random.default_rng(0), 0, 0, 0
    for seed in range(200):
        depth = 1 + seed % 4
        X, y = rows(seed, mean_x=rng.choice([0, 1, 4]), mean_y=rng.choice([0.1, 1, -5, 20]))
        hidden = tuple(int(k) for k in rng.integers(1, 4, depth))
        noise = rng.uniform(0, 1, depth) * rng.choice([0, 1])
        decays = unequal(depth + 1, seed, rng.choice([0.01, 0.1, 1]))
        p = problem(X, y, hidden, noise=noise, weight_decay=decays)
        minimum = decayed_bias_minimum(p)
        best, _, _ = descended(p, X, y, seed=seed, starts=9)
        assert best >= minimum.lower - 1e-11 * trivial_loss(minimum), seed
        assert p.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10), seed
        searched += "numerical" in minimum.source
        collapsed += minimum.is_trivial is True
        alone += minimum.is_trivial is False and not np.any(minimum.predictor)
    with capsys.disabled():
        print(f"\n200 problems: {searched} not closed, {collapsed} trivial, {alone} biases alone")


@pytest.mark.slow
def test_many_critical_points_built_backwards(capsys):
    equal, points = 0, 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        known = known_point(
            rng,
            1 + seed % 3,
            noise=[0, 0.5, 2][seed % 3],
            mean_x=[0, 1, 3][seed % 3],
            current=[0.1, 0.5][seed % 2],
            ridge=[0.03, 0.3, 1, 5][seed % 4],
        )
        minimum = decayed_bias_minimum(known.problem)
        assert known.gain <= minimum.gain_upper, seed
        points += 1
        equal += abs(minimum.loss - known.loss) <= 1e-9 * known.loss
    with capsys.disabled():
        print(f"\n{points} critical points, {equal} of them the minimum")
