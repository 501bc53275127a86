"""Edges: nothing to learn, no decay, many layers, biases, and what no theorem covers."""

import numpy as np
import pytest

import linscape as ls
from cases import isotropic, known_minimum, scaled_decays, truth
from linscape.errors import InvalidData, NoExactSolution, OutOfRange
from oracles import averaged_loss_and_gradient, flatten

depths = pytest.mark.parametrize("depth", [0, 1, 2, 3])

NOTHING_TO_LEARN = {
    "no signal": ls.Moments(np.diag([1.0, 2.0]), [0.0, 0.0], 1.5),
    "no signal, mixed inputs": ls.Moments([[2.0, 1.0], [1.0, 2.0]], [0.0, 0.0], 1.5),
    "targets zero": ls.Moments([[1.0]], [0.0], 0.0),
    "inputs zero": ls.Moments(np.zeros((2, 2)), [0.0, 0.0], 1.5),
    "everything zero": ls.Moments([[0.0]], [0.0], 0.0),
    "one row, centred": ls.Moments.from_arrays([[1.0, 2.0]], [3.0]).centered(),
}


def rows(n=12, d=3, seed=0, mean=2.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + mean
    return X, X @ np.linspace(1, -1, d) + 5 + 0.3 * rng.standard_normal(n)


# ---- Nothing to learn


@pytest.mark.parametrize("name", NOTHING_TO_LEARN)
@depths
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_without_a_signal_zero_is_the_minimum(name, depth, decay):
    moments = NOTHING_TO_LEARN[name]
    network = ls.Network((2,) * depth, noise=0.3, weight_decay=decay)
    problem = ls.Problem(moments, network)
    minimum = ls.global_minimum(problem)
    assert minimum.loss == moments.yy
    assert (minimum.gain, minimum.energy, minimum.is_trivial) == (0.0, 0.0, True)
    assert not np.any(minimum.predictor)
    assert problem.loss(minimum.weights()) == moments.yy
    assert minimum.lower <= moments.yy <= minimum.upper
    assert ls.phase(problem).name == "collapsed"
    critical = ls.critical_weight_decay(problem)
    assert (critical.learning, critical.existence) == (0.0, 0.0)


@pytest.mark.parametrize("name", NOTHING_TO_LEARN)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_without_a_signal_zero_is_the_only_solution_and_the_curve_rises(name, depth):
    problem = ls.Problem(NOTHING_TO_LEARN[name], ls.Network((2,) * depth, weight_decay=0.1))
    (only,) = ls.solutions(problem)
    assert (only.energy, only.kind) == (0.0, "minimum")
    energies = np.array([0.0, 0.1, 2.0])
    expected = problem.moments.yy + depth * energies
    np.testing.assert_allclose(ls.energy_curve(problem, energies), expected, rtol=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("decay", [1e2, 1e10, 1e100, 1e300])
def test_a_huge_decay_collapses_the_network(depth, decay):
    problem = scaled_decays(known_minimum(np.random.default_rng(0), depth).problem, decay)
    minimum = ls.global_minimum(problem)
    assert minimum.is_trivial is True
    assert minimum.loss == problem.moments.yy
    assert not np.any(minimum.predictor)
    assert ls.phase(problem).name == "collapsed"
    assert problem.loss(minimum.weights()) == problem.moments.yy


# ---- No decay, singular inputs, many layers


@pytest.mark.parametrize("depth", [1, 2])
def test_a_repeated_column_shares_its_weight(depth):
    X, y = rows()
    twice = np.hstack([X, X[:, :1]])
    for decay in (0.0, 0.01):
        network = ls.Network((2,) * depth, weight_decay=decay, noise=0.4)
        problem = ls.Problem(ls.Moments.from_arrays(twice, y), network)
        minimum = ls.global_minimum(problem)
        p = minimum.predictor
        assert p[0] == pytest.approx(p[3], rel=1e-10)
        # in the rotated columns √2·x, 0 the second has no variance
        merged = X * [np.sqrt(2), 1, 1]
        other = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(merged, y), network))
        assert minimum.loss == pytest.approx(other.loss, rel=1e-10)
        np.testing.assert_allclose(
            p[:3] * [np.sqrt(2), 1, 1], other.predictor, rtol=1e-9
        )  # cond 1e2
        assert minimum.certificate.null_directions == 1
        assert problem.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)


@pytest.mark.parametrize("depth", [20, 80])
def test_many_layers_with_small_decays(depth):
    problem = isotropic(depth, c=[0.6, 0.8], square=0.1, noise=0.01, decay=1e-4)
    minimum, best = ls.global_minimum(problem), truth(problem)
    assert minimum.is_trivial is False
    assert minimum.lower <= best["loss"] <= minimum.upper
    assert minimum.loss == pytest.approx(float(best["loss"]), rel=1e-10)
    assert minimum.gain == pytest.approx(float(problem.moments.yy - best["loss"]), rel=1e-10)
    assert minimum.energy == pytest.approx(float(best["energy"]), rel=1e-10)
    assert problem.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)


def test_weights_that_do_not_fit_are_refused():
    moments = ls.Moments([[1e-300]], [1e-150], 1.0)
    network = ls.Network((2,), weight_decay=(1e-300, 1e300))
    problem = ls.Problem(moments, network)
    try:
        weights = ls.global_minimum(problem).weights()
    except OutOfRange:
        return
    assert problem.loss(weights) == pytest.approx(ls.global_minimum(problem).loss, rel=1e-10)


# ---- Biases


@depths
@pytest.mark.parametrize("reduction", ["mean", "half_sum"])
def test_free_biases_solve_the_centred_problem(depth, reduction):
    X, y = rows()
    moments = ls.Moments.from_arrays(X, y)
    options = {"noise": 0.4, "weight_decay": 0.01}
    network = ls.Network((3,) * depth, bias="free", **options)
    problem = ls.Problem(moments, network, reduction=reduction)
    plain = ls.Network((3,) * depth, **options)
    centred = ls.Problem(moments.centered(), plain, reduction=reduction)
    minimum, other = ls.global_minimum(problem), ls.global_minimum(centred)
    for name in ("loss", "gain", "energy"):
        assert getattr(minimum, name) == pytest.approx(getattr(other, name), rel=1e-10)
    np.testing.assert_allclose(minimum.predictor, other.predictor, rtol=1e-10)
    expected = y.mean() - X.mean(axis=0) @ minimum.predictor
    assert minimum.intercept == pytest.approx(expected, rel=1e-10)
    assert minimum.is_trivial is other.is_trivial
    np.testing.assert_allclose(minimum.predict(X), other.predict(X), rtol=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("input_noise", [0.0, 0.2])
def test_weights_with_free_biases_realise_the_minimum(depth, input_noise):
    X, y = rows()
    options = {"noise": [0.4] * depth, "weight_decay": 0.01, "input_noise": input_noise}
    network = ls.Network((3,) * depth, bias="free", **options)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network)
    minimum = ls.global_minimum(problem)
    for rng in (None, np.random.default_rng(0)):
        weights = minimum.weights(rng)
        assert problem.loss(weights) == pytest.approx(minimum.loss, rel=1e-10)
        assert problem.intercept(weights) == pytest.approx(minimum.intercept, rel=1e-10)
        np.testing.assert_allclose(problem.predictor(weights), minimum.predictor, rtol=1e-10)
        np.testing.assert_allclose(problem.energies(weights), minimum.energy, rtol=1e-10)
        loss, gradient = averaged_loss_and_gradient(X, y, bias="free", **options)(weights)
        assert loss == pytest.approx(minimum.loss, rel=1e-10)
        assert np.abs(flatten(gradient)).max() <= 1e-10 * np.mean(y**2)
    assert minimum.lower <= truth(problem)["loss"] <= minimum.upper


@pytest.mark.parametrize("outputs", [1, 2])
def test_free_biases_do_not_feel_a_shift_of_the_data(outputs):
    X, _ = rows()
    Y = np.column_stack([X @ [1.0, 2.0, 3.0], X[:, 0]])[:, :outputs]
    Y = Y + 0.1 * np.random.default_rng(1).standard_normal(Y.shape)
    network = ls.Network((), weight_decay=0.1, bias="free")
    one, other = (
        ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X + shift, Y - shift), network))
        for shift in (0.0, 1e3)
    )
    assert other.loss == pytest.approx(one.loss, rel=1e-10)
    np.testing.assert_allclose(other.predictor, one.predictor, rtol=1e-10)


# ---- What no theorem covers


@pytest.mark.parametrize("decays", [(0.0, 0.1, 0.1), (0.1, 0.0, 0.0), (0.1, 0.1, 0.0)])
def test_some_decays_zero_are_refused_by_the_theorem_and_the_layer(decays):
    network = ls.Network((2, 2), weight_decay=decays)
    problem = ls.Problem(ls.Moments([[1.0]], [0.5], 1.0), network)
    layer = decays.index(0.0)
    for question in (ls.global_minimum, ls.phase, ls.solutions):
        with pytest.raises(NoExactSolution, match=rf"weight_decay\[{layer}\].*Theorem 2"):
            question(problem)


def test_and_rightly_so_because_the_infimum_is_not_attained():
    # with γ_2 = 0 least squares is approached: W_1 small, W_2 large
    network = ls.Network((1,), weight_decay=(0.1, 0.0))
    problem = ls.Problem(ls.Moments([[1.0]], [0.5], 1.0), network)
    losses = [problem.loss([[[10.0**-k]], [[0.5 * 10.0**k]]]) for k in range(6)]
    assert all(np.diff(losses) < 0)
    assert losses[-1] == pytest.approx(0.75, rel=1e-10)


def test_questions_of_one_output_refuse_several():
    moments = ls.Moments(np.eye(2), np.eye(2) / 2, np.eye(2))
    problem = ls.Problem(moments, ls.Network((2,), weight_decay=0.1))
    for question in (ls.solutions, ls.critical_signal, ls.critical_dropout, ls.critical_depth):
        with pytest.raises(NoExactSolution, match=r"2 outputs.*Theorem 2"):
            question(problem)


@depths
def test_the_knobs_refuse_biases_that_decay(depth):
    moments = ls.Moments.from_arrays(*rows())
    problem = ls.Problem(moments, ls.Network((2,) * depth, weight_decay=0.1, bias="decayed"))
    for question in (ls.critical_signal, ls.critical_dropout, ls.critical_depth):
        with pytest.raises(NoExactSolution, match="biases that decay"):
            question(problem)


@pytest.mark.parametrize("X", [[[1.0]], [1.0, 2.0, 3.0], [[1.0, np.nan, 2.0]], [["a", "b", "c"]]])
def test_rows_that_do_not_fit_are_not_predicted(X):
    problem = ls.Problem(ls.Moments.from_arrays(*rows()), ls.Network((2,), weight_decay=0.1))
    minimum = ls.global_minimum(problem)
    for method in (minimum.predict, minimum.prediction_variance):
        with pytest.raises(InvalidData, match="rows to predict from"):
            method(X)
