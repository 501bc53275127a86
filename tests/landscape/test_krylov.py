"""Bounds by Gauss quadrature: around the dense answer, around 60 digits, honest when stopped."""

import itertools
import json
import math

import mpmath as mp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from krylov_cases import HARD, NETWORKS, both, diagonal, rows, small, with_bias

import linscape as ls
from cases import isotropic, known_minimum, three_minima, truth
from linscape.errors import InvalidMoments, NeedsDenseMoments, NoExactSolution
from linscape.lanczos import Lanczos
from linscape.landscape.krylov import (
    krylov_critical_weight_decay,
    krylov_minimum,
    krylov_phase,
)
from linscape.landscape.krylov.quadrature import Quadrature


def assert_agrees(minimum, dense, rtol=1e-10):
    """Intervals that meet, and values equal to a tolerance."""
    assert minimum.lower <= dense.upper
    assert dense.lower <= minimum.upper
    assert minimum.gain_lower <= dense.gain_upper
    assert dense.gain_lower <= minimum.gain_upper
    scale = dense.loss + dense.gain
    assert minimum.loss == pytest.approx(dense.loss, rel=rtol, abs=rtol * scale)
    assert minimum.gain == pytest.approx(dense.gain, rel=rtol, abs=rtol * scale)
    assert minimum.is_trivial == dense.is_trivial
    # the minimum is flat: its place is known to half the digits of its value
    np.testing.assert_allclose(
        minimum.predictor, dense.predictor, atol=3e-5 * np.linalg.norm(dense.predictor)
    )
    assert minimum.energy == pytest.approx(dense.energy, rel=1e-5)
    assert minimum.intercept == pytest.approx(dense.intercept, abs=1e-4)


# ---- Against the dense solver


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bias", [False, "free"])
@pytest.mark.parametrize("shape", [(80, 20), (20, 40)])
def test_the_minimum_is_that_of_the_dense_solver(name, bias, shape):
    count, inputs = shape
    dense, free = both(with_bias(NETWORKS[name], bias), count=count, inputs=inputs)
    minimum = krylov_minimum(free, gap=1e-12)
    assert_agrees(minimum, ls.global_minimum(dense))
    assert "rounding estimated, not proven" in minimum.source
    assert minimum.certificate.gap <= 1e-9 * (minimum.loss + minimum.gain)


@pytest.mark.parametrize("reduction", ["mean", "sum", "half_sum", "half_mean"])
@pytest.mark.parametrize("weighted", [False, True])
def test_reductions_and_weights(reduction, weighted):
    network = ls.Network((3, 3), weight_decay=0.1, noise=0.2, bias="free")
    dense, free = both(network, reduction=reduction, weighted=weighted)
    assert_agrees(krylov_minimum(free, gap=1e-12), ls.global_minimum(dense))


@pytest.mark.parametrize("scale_x", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("scale_y", [1e-8, 1.0, 1e8])
def test_scales(scale_x, scale_y):
    X, y = rows()
    X, y = scale_x * X, scale_y * y
    decay = 0.05 * scale_y ** (4 / 3) * scale_x ** (2 / 3)  # P scales as y⁴x² with two layers
    network = ls.Network((3, 3), weight_decay=float(decay), noise=0.2)
    dense = ls.Problem(ls.Moments.from_arrays(X, y), network)
    free = ls.Problem(ls.Moments.from_operator(sp.csr_array(X), y), network)
    assert_agrees(krylov_minimum(free, gap=1e-12), ls.global_minimum(dense))
    mine, theirs = krylov_critical_weight_decay(free), ls.critical_weight_decay(dense)
    assert mine.learning == pytest.approx(theirs.learning, rel=1e-10)
    assert mine.existence == pytest.approx(theirs.existence, rel=1e-10)
    assert krylov_phase(free) == ls.phase(dense)


def test_standardised_moments():
    X, y = rows()
    network = ls.Network((3, 3), weight_decay=0.1)
    dense = ls.Problem(ls.Moments.from_arrays(X, y).standardized(), network)
    free = ls.Problem(ls.Moments.from_operator(sp.csr_array(X), y).standardized(), network)
    minimum, expected = krylov_minimum(free, gap=1e-12), ls.global_minimum(dense)
    assert_agrees(minimum, expected)
    np.testing.assert_allclose(minimum.predict(X), expected.predict(X), rtol=1e-4, atol=1e-4)


# ---- Against 60 digits


@pytest.mark.parametrize("name", HARD)
def test_the_interval_holds_the_true_minimum_however_early_it_stops(name):
    problem = HARD[name]
    loss = truth(problem)["loss"]
    gain = problem.data_factor * mp.mpf(float(problem.moments.yy)) - loss
    for steps in range(1, problem.moments.inputs + 1):
        minimum = krylov_minimum(problem, gap=1e-15, steps=steps)
        assert minimum.lower <= loss <= minimum.upper
        assert minimum.gain_lower <= gain <= minimum.gain_upper
        assert minimum.certificate.steps <= steps
        assert minimum.lower <= minimum.loss <= minimum.upper


@pytest.mark.parametrize("depth", range(4))
def test_problems_built_from_their_answer(depth):
    known = known_minimum(np.random.default_rng(7), depth, inputs=6, input_noise=0.2)
    minimum = krylov_minimum(known.problem, gap=1e-14)
    assert minimum.loss == pytest.approx(known.loss, rel=1e-10)
    assert minimum.gain == pytest.approx(known.gain, rel=1e-10)
    assert minimum.energy == pytest.approx(known.energy, rel=1e-8)  # flat to second order
    np.testing.assert_allclose(minimum.predictor, known.predictor, rtol=1e-7, atol=1e-8)


@pytest.mark.slow
def test_random_problems_at_60_digits_however_early_it_stops():
    """Random spectra, signals, residuals, depths, decays: every interval holds the truth."""
    rng = np.random.default_rng(10)
    intervals = 0
    for _ in range(400):
        depth, inputs = int(rng.integers(0, 5)), int(rng.integers(1, 15))
        condition = 10 ** rng.uniform(0, 13)
        problem = diagonal(
            condition,
            small(depth, float(10 ** rng.uniform(-6, 0.5))),
            seed=int(rng.integers(2**31)),
            inputs=inputs,
            residual=float(10 ** rng.uniform(-8, 1)),
            rotate=bool(rng.integers(2)),
        )
        loss = truth(problem)["loss"]
        for steps in range(1, inputs + 1):
            minimum = krylov_minimum(problem, gap=1e-15, steps=steps)
            assert minimum.lower <= loss <= minimum.upper
            intervals += 1
    print(f"{intervals} intervals of 400 problems hold the minimum")


# ---- The rules themselves


def sums(values, squares, ridge, power):
    with mp.workdps(40):
        pairs = zip(values, squares, strict=True)
        return mp.fsum(mp.mpf(c) / (mp.mpf(a) + mp.mpf(ridge)) ** power for a, c in pairs)


@given(
    seed=st.integers(0, 10**6),
    size=st.integers(2, 12),
    steps=st.integers(1, 8),
    spread=st.floats(0, 4),
    residual=st.floats(1e-6, 10),
)
def test_gauss_lies_below_and_radau_above(seed, size, steps, spread, residual):
    rng = np.random.default_rng(seed)
    a = np.exp(-math.log(10) * rng.uniform(0, spread, size))
    c = rng.standard_normal(size)
    yy = float(c @ (c / a)) * (1 + residual)
    process = Lanczos(np.diag(a).__matmul__, c)
    process.extend(steps)
    rule = Quadrature.of(process, yy)
    unit, size_c = 2.0 ** (2 * rule.below.input_exponent), 2.0**process.norm_exponent
    for ridge in (1e-3, 0.1, 10.0):
        for power in (1, 2):
            exact = sums(a / unit, (c / size_c) ** 2, ridge, power)
            slack = 1e-9  # rounding of a and c, over the least a + μ
            squares = [(s.coefficients**2, s.values) for s in (rule.below, rule.above)]
            below, above = (sums(v, w, ridge, power) for w, v in squares)
            assert below <= exact * (1 + slack)
            assert exact <= sums(rule.nodes, rule.weights, ridge, power) * (1 + slack)
            if power == 1:
                assert exact <= above * (1 + slack)


def test_the_node_that_the_second_moment_of_y_places_is_the_better_one():
    rng = np.random.default_rng(8)
    a, c = rng.uniform(0.01, 1, 40), rng.standard_normal(40)
    process = Lanczos(np.diag(a).__matmul__, c)
    process.extend(6)
    rule = Quadrature.of(process, 1.5 * float(c @ (c / a)))
    for ridge in np.geomspace(1e-6, 1e-2, 5):  # further up the two agree to rounding
        placed = sums(rule.above.values, rule.above.coefficients**2, ridge, 1)
        zero = sums(rule.nodes, rule.weights, ridge, 1)
        assert placed < zero
    # its data are data, with the same E[y²]
    np.testing.assert_allclose(
        (rule.above.coefficients**2 / rule.above.values).sum(), rule.above.second_moment_y
    )


# ---- Stopping


def test_it_stops_where_the_gap_is_met():
    _, free = both(ls.Network((3, 3), weight_decay=0.02), count=400, inputs=200)
    taken = []
    for gap in (1e-1, 1e-3, 1e-6, 1e-9):
        minimum = krylov_minimum(free, gap=gap)
        assert minimum.certificate.gap <= gap * minimum.loss * 1.001
        taken.append(minimum.certificate.steps)
    assert taken == sorted(set(taken))
    assert taken[-1] < 200


def test_bounds_only_improve():
    _, free = both(ls.Network((3, 3), weight_decay=0.02), count=400, inputs=100)
    minima = [krylov_minimum(free, gap=1e-15, steps=steps) for steps in range(1, 40, 2)]
    noise = 1e-11 * minima[0].gain_upper
    for before, after in itertools.pairwise(minima):
        assert after.gain_lower >= before.gain_lower - noise
        assert after.gain_upper <= before.gain_upper + noise


def test_one_step_is_enough_for_an_eigenvector():
    problem = isotropic(2, c=(0.6, 0.0, 0.8), decay=0.1, noise=0.3)
    minimum = krylov_minimum(problem)
    assert minimum.certificate.steps == 1
    assert minimum.certificate.residual == 0
    assert_agrees(minimum, ls.global_minimum(problem), rtol=1e-13)


def test_few_distinct_eigenvalues_take_as_many_steps():
    a = np.repeat([1.0, 1.0 + 1e-9, 5.0, 9.0], 10)  # the first two count as one at this gap
    c = np.random.default_rng(9).standard_normal(40)
    moments = ls.Moments(np.diag(a), c, 2 * float(c @ (c / a)))
    problem = ls.Problem(moments, ls.Network((3, 3), weight_decay=0.3))
    minimum = krylov_minimum(problem)
    assert minimum.certificate.steps <= 4
    assert_agrees(minimum, ls.global_minimum(problem))


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("y", [np.zeros(4), np.array([1.0, 1.0, -1.0, -1.0])])
def test_without_a_signal_no_step_is_taken(depth, decay, y):
    X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    problem = ls.Problem(
        ls.Moments.from_operator(X, y), ls.Network((2,) * depth, weight_decay=decay)
    )
    minimum = krylov_minimum(problem)
    assert (minimum.loss, minimum.gain, minimum.energy) == (problem.moments.yy, 0.0, 0.0)
    assert (minimum.is_trivial, minimum.certificate.steps) == (True, 0)
    assert not np.any(minimum.predictor)
    dense = ls.Problem(ls.Moments.from_arrays(X, y), problem.network)
    assert krylov_phase(problem) == ls.phase(dense)
    assert krylov_critical_weight_decay(problem) == ls.critical_weight_decay(dense)


def test_singular_data():
    X, y = rows(10, 40)
    X[:, 30:] = X[:, :10]
    for network in NETWORKS.values():
        dense = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(X, y), network))
        free = ls.Problem(ls.Moments.from_operator(sp.csr_array(X), y), network)
        assert_agrees(krylov_minimum(free, gap=1e-13), dense)


def test_rounding_of_the_products_widens_the_interval():
    """Products in single precision: the gap cannot be met, and the true minimum stays inside."""
    X, y = rows(200, 60, spread=10.0)
    network = ls.Network((3, 3), weight_decay=0.05)
    single = X.astype(np.float32)
    operator = sp.linalg.LinearOperator(
        X.shape,
        matvec=lambda v: single @ v.astype(np.float32),
        rmatvec=lambda u: single.T @ u.astype(np.float32),
        dtype=np.float32,
    )
    exact = ls.global_minimum(ls.Problem(ls.Moments.from_arrays(single, y), network))
    moments = ls.Moments.from_operator(operator, y)
    minimum = krylov_minimum(ls.Problem(moments, network), gap=1e-12)
    assert 1e-7 * minimum.loss < minimum.certificate.gap < 1e-3 * minimum.loss
    # E[xy] and E[y²] carry the rounding of their own products, which no interval speaks of
    slack = 1e-6 * exact.loss
    assert minimum.lower - slack <= exact.loss <= minimum.upper + slack


# ---- What comes with it


def test_the_predictor_attains_the_gain_and_has_the_residual():
    for network in (NETWORKS["two layers"], NETWORKS["four layers"]):
        dense, free = both(network, count=300, inputs=100)
        minimum = krylov_minimum(free, gap=1e-4)
        assert dense.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)
        p, K, A, c = minimum.predictor, minimum.energy, dense.moments.A, dense.moments.C
        for layer_energy in dense.energies(minimum.weights()):
            assert layer_energy == pytest.approx(K, rel=1e-10)
        ridge = network.decay_product * K**-network.depth
        rest = c - network.inflation * (A @ p) - ridge * p
        residual = np.linalg.norm(rest) / np.linalg.norm(c)
        assert minimum.certificate.residual == pytest.approx(residual, rel=1e-6)
        exact = ls.global_minimum(dense)
        assert minimum.upper >= exact.loss


def test_predictions_are_those_of_the_dense_solver():
    X, _ = rows()
    network = ls.Network((3, 3), weight_decay=0.05, noise=0.2, bias="free")
    dense, free = both(network)
    minimum, expected = krylov_minimum(free, gap=1e-12), ls.global_minimum(dense)
    np.testing.assert_allclose(minimum.predict(X), expected.predict(X), rtol=1e-4, atol=1e-4)
    assert dense.loss(minimum.weights()) == pytest.approx(minimum.loss, rel=1e-10)


def test_the_result_is_strict_json():
    _, free = both(NETWORKS["two layers"])
    document = json.loads(json.dumps(krylov_minimum(free).to_dict(), allow_nan=False))
    assert document["certificate"]["steps"] > 0
    assert document["certificate"]["residual"] >= 0
    assert document["certificate"]["gap"] == document["upper"] - document["lower"]
    json.dumps(krylov_critical_weight_decay(free).to_dict(), allow_nan=False)


def test_a_matrix_of_one_target_keeps_its_shape():
    X, y = rows()
    moments = ls.Moments.from_arrays(X, y[:, None])
    problem = ls.Problem(moments, ls.Network((3, 3), weight_decay=0.05, bias="free"))
    minimum, expected = krylov_minimum(problem), ls.global_minimum(problem)
    assert minimum.predictor.shape == expected.predictor.shape == (1, 20)
    np.testing.assert_allclose(minimum.intercept, expected.intercept, atol=1e-4)


# ---- What it refuses


def test_problems_no_theorem_covers():
    _, free = both(ls.Network((3, 3), weight_decay=(0.1, 0.0, 0.1)))
    for ask in (krylov_minimum, krylov_phase):
        with pytest.raises(NoExactSolution, match=r"weight_decay\[1\]"):
            ask(free)
    X, y = rows()
    several = ls.Moments.from_arrays(X, np.column_stack([y, -y]))
    for ask in (krylov_minimum, krylov_phase, krylov_critical_weight_decay):
        with pytest.raises(NoExactSolution, match="2 outputs"):
            ask(ls.Problem(several, ls.Network((3,), weight_decay=0.1)))
    _, decayed = both(ls.Network((3, 3), weight_decay=0.1, bias="decayed"))
    for ask in (krylov_minimum, krylov_phase, krylov_critical_weight_decay):
        with pytest.raises(NeedsDenseMoments, match="biases that decay"):
            ask(decayed)


def test_noise_on_the_inputs_of_an_operator_needs_variances():
    X, y = rows()
    moments = ls.Moments.from_operator(sp.linalg.aslinearoperator(X), y)
    problem = ls.Problem(moments, ls.Network((3,), weight_decay=0.1, input_noise=0.1))
    with pytest.raises(NeedsDenseMoments, match="LinearOperator"):
        krylov_minimum(problem)


@pytest.mark.parametrize("gap", [0.0, -1.0, math.nan, math.inf, "small", True])
def test_bad_gaps_are_refused(gap):
    with pytest.raises(ValueError, match="gap"):
        krylov_minimum(three_minima(), gap=gap)


@pytest.mark.parametrize("steps", [0, -3, 2.5, "many", True])
def test_bad_numbers_of_steps_are_refused(steps):
    for ask in (krylov_minimum, krylov_phase, krylov_critical_weight_decay):
        with pytest.raises(ValueError, match="steps"):
            ask(three_minima(), steps=steps)


def test_products_that_are_no_numbers_are_refused():
    X, y = rows()
    fine = [True]
    operator = sp.linalg.LinearOperator(
        X.shape, matvec=lambda v: X @ v if fine else np.nan * (X @ v), rmatvec=lambda u: X.T @ u
    )
    moments = ls.Moments.from_operator(operator, y)
    fine.clear()
    with pytest.raises(InvalidMoments, match="finite"):
        krylov_minimum(ls.Problem(moments, ls.Network((3, 3), weight_decay=0.05)))
