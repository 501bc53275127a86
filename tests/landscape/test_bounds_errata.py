"""Where Ziyin, Li & Meng (2022) is misprinted: a counterexample to each print, computed.

Numbers are those of the longer text. Each test shows that the printed statement fails, and that the
corrected one holds, on the loss itself (`problem.loss` and its derivatives, or brute force over all
weights), not on formulas of linscape.landscape alone.
"""

import math

import numpy as np
import pytest
from mpmath import mp

import linscape as ls
from cases import isotropic, scaled_decays
from linscape.landscape import bounds
from oracles import averaged_loss_and_gradient, minimum_by_multistart


def best_weights(X, y, hidden, *, starts=4, **problem):
    """(loss, weights) of the best of many descents over all weights."""
    shapes = ls.Network(hidden).shapes(np.shape(X)[1], 1)
    loss_and_gradient = averaged_loss_and_gradient(X, y, **problem)
    best, _, weights = minimum_by_multistart(
        loss_and_gradient, shapes, np.random.default_rng(30), starts=starts
    )
    return best, weights


# ---- Proposition 3: (14), (15), (16)


def test_16_upper_bound_needs_the_least_eigenvalue():
    """D = 2, d_0 = 1, σ² = 1, γ = .05, A = diag(100, 1), c = (0, 1): b = .6123, printed .1357."""
    X, y = np.array([[10.0, 1.0], [-10.0, 1.0]]), np.array([1.0, 1.0])
    _, weights = best_weights(X, y, (1, 1), noise=1.0, weight_decay=0.05)
    b = abs(float(weights[1][0, 0]))
    network = ls.Network((1, 1), noise=1.0, weight_decay=0.05)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network)
    lower, upper = bounds.deep_energy(problem)
    low, high, printed = (math.sqrt(K / 0.05) for K in (lower.value, upper.value, upper.as_printed))
    assert printed < b
    assert low < b < high
    assert (round(b, 4), round(printed, 4)) == (0.6123, 0.1357)  # published


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_16_printed_fails_at_every_depth_and_corrected_does_not(depth):
    """Signal along the weak direction: solutions grow as a_min falls, the print does not."""
    for condition in (1.0, 10.0, 1e3, 1e6):
        A = np.diag([condition, 1.0])
        problem = ls.Problem(
            ls.Moments(A, [0.0, 1.0], 1.0), ls.Network((2,) * depth, weight_decay=0.01)
        )
        _, upper = bounds.deep_energy(problem)
        largest = ls.solutions(problem)[-1].energy
        assert largest <= upper.value
        assert (largest > upper.as_printed) == (condition > 1)


def test_15_is_not_necessary():
    """A = diag(100, 1), c = (0, 1), D = 2: (15) fails, and the network learns all the same."""
    X, y = np.array([[10.0, 1.0], [-10.0, 1.0]]), np.array([1.0, 1.0])
    problem = ls.Problem(ls.Moments.from_arrays(X, y), ls.Network((2, 2), weight_decay=0.3))
    assert bounds.existence_sufficient(problem).value < 0.3
    best, _ = best_weights(X, y, (2, 2), weight_decay=0.3)
    assert best < 0.8  # and 1 at zero


def test_15_18_and_19_must_be_strict_for_one_hidden_layer():
    """A = c = E[y²] = 1 and γ = 1 = ‖c‖: L = 1 + (u − w)² + u²w², so zero alone is the minimum."""
    problem = isotropic(1, decay=1.0, width=1)
    assert bounds.existence_sufficient(problem).value == pytest.approx(1.0, rel=1e-15)
    assert bounds.learning_sufficient(problem).value == pytest.approx(1.0, rel=1e-15)
    rng = np.random.default_rng(31)
    w, u = rng.standard_normal((2, 500, 1, 1))
    expected = 2 + (u - w) ** 2 + (u * w) ** 2  # E[y²] = 2 in this case
    np.testing.assert_allclose(problem.loss([w, u]), expected[:, 0, 0], rtol=1e-12)


def test_66_and_67_must_be_strict():
    """D = 2, A = 1, c = 4, γ = 3: equality in (66) and, at b = 1, in (67); b = 1 is critical."""
    D, norm, decay = 2, 4.0, 3.0
    left = (D + 1) / (2 * D) * norm * ((D - 1) * norm / (2 * D)) ** ((D - 1) / (D + 1))
    assert left == decay
    assert norm / (1 + decay) == 1
    problem = ls.Problem(ls.Moments([[1.0]], [4.0], 16.0), ls.Network((1, 1), weight_decay=3.0))
    ones = [np.ones((1, 1))] * 3
    assert all(not part.any() for part in problem.gradient(ones))
    assert bounds.existence_necessary(problem).value == pytest.approx(3.0, rel=1e-14)
    assert bounds.existence_necessary(problem).condition == "weight decay <= value"


def footnote_limit(ratio):
    """lim η→0+ lim D→1+ [(γ + η)/‖c‖]^{1/(D − 1)} for γ/‖c‖ = ratio, far out on both limits."""
    with mp.workdps(30):
        return ((mp.mpf(ratio) + mp.mpf("1e-6")) ** mp.mpf(10) ** 9).real


def test_footnote_5_and_75_have_their_cases_wrong():
    """The lower bound of D = 1 is 0 for ‖c‖ > γ and ∞ for ‖c‖ ≤ γ: nothing exists there."""
    assert footnote_limit("0.5") < 1e-100  # (75) prints ∞ here
    assert footnote_limit("1") > 1e100  # the footnote prints 0 here
    assert footnote_limit("2") > 1e100  # (75) prints 0 here
    rng = np.random.default_rng(33)
    points = rng.standard_normal((2, 500, 1, 1))
    for ratio in (1.0, 2.0):  # A = c = 1: L grows along every ray, so zero alone is critical
        slopes = isotropic(1, decay=ratio, width=1).gradient(points)
        assert np.all(np.sum(np.array(slopes) * points, axis=0) > 0)
    half = [np.full((1, 1), math.sqrt(0.5))] * 2
    slopes = isotropic(1, decay=0.5, width=1).gradient(half)
    np.testing.assert_allclose(slopes, np.zeros((2, 1, 1)), atol=1e-15)


# ---- (20): depth and width


def equal_layers(depth, width, *, noise=1.0, decay=0.1):
    return isotropic(depth, noise=noise, width=width, decay=decay)


@pytest.mark.parametrize(("width", "noise"), [(1, 1.0), (3, 0.5), (10, 1.0)])
def test_20_has_the_wrong_leading_term(width, noise):
    """(15) solved for the signal over 4aγρ^{D−1} tends to 1 as 1/D, and (20)'s over it to d_0²ρ."""
    rho = 1 + noise / width
    errors = []
    for depth in (50, 100, 200, 400):
        bound = bounds.signal_sufficient(equal_layers(depth, width, noise=noise))
        leading = 4 * 0.1 * rho ** (depth - 1)
        assert bound.as_printed == pytest.approx(leading * width**2 * rho, rel=1e-10)
        errors.append(depth * abs(bound.value / leading - 1))
    # O(1/D): D times the error converges, its steps halving
    steps = np.abs(np.diff(errors))
    assert np.all(steps[1:] < 0.7 * steps[:-1])
    assert bound.as_printed / bound.value == pytest.approx(width**2 * rho, rel=0.02)  # 1/D left
    assert bound.as_printed - bound.value > 1e3  # no O(1) makes up for it


def test_20_networks_that_fail_it_learn():
    """D = 2, width 10, σ² = 1, γ = .05, A = c = 1: (20) asks for ‖c‖² ≥ 24."""
    problem = equal_layers(2, 10, decay=0.05)
    assert bounds.signal_sufficient(problem).as_printed > 24
    assert bounds.signal_sufficient(problem).value < 1
    assert ls.phase(problem).name == "learning"
    best, weights = best_weights([[1.0]], [1.0], (3, 3), noise=0.3, weight_decay=0.05)
    same_inflation = ls.Network((3, 3), noise=0.3, weight_decay=0.05)
    assert same_inflation.inflation == pytest.approx(problem.network.inflation, rel=1e-12)
    assert best < 0.5  # and 1 at zero: widths enter through τ only
    assert abs(float(problem_predictor(weights))) > 0.5


def problem_predictor(weights):
    return np.linalg.multi_dot(weights[::-1])[0, 0]


@pytest.mark.parametrize("depth", [2, 3, 6])
def test_20_asks_for_more_as_the_network_widens_and_should_ask_for_less(depth):
    found = [bounds.signal_sufficient(equal_layers(depth, width)) for width in (1, 2, 4, 8, 64)]
    values, printed = (
        np.array([getattr(bound, name) for bound in found]) for name in ("value", "as_printed")
    )
    assert np.all(np.diff(values) < 0)
    # σ² = 1: d²(1 + 1/d)^D rises from d = D/2 − 1 on
    assert np.all(np.diff(printed[2:]) > 0)
    exact = [ls.critical_weight_decay(equal_layers(depth, width)).existence for width in (1, 2, 4)]
    assert np.all(np.diff(exact) > 0)


def test_the_signal_cannot_be_learned_below_14_not_below_20():
    """c along the weak direction, between the two thresholds: it exists, and learns."""
    A = np.diag([100.0, 1.0])
    problem = ls.Problem(
        ls.Moments(A, [0.0, 1.0], 1.0), ls.Network((4, 4), noise=1.0, weight_decay=0.1)
    )
    necessary, sufficient = bounds.signal_necessary(problem), bounds.signal_sufficient(problem)
    signal = (necessary.value * sufficient.value) ** 0.5
    norm = math.sqrt(signal)
    for direction, exists in (([0.0, norm], True), ([norm, 0.0], False)):
        moments = ls.Moments(A, direction, 2 * signal)
        found = ls.solutions(ls.Problem(moments, problem.network))
        assert (len(found) > 1) == exists


# ---- The trivial solution


def test_proposition_2_the_hessian_at_zero_is_twice_the_decays():
    decays = (0.3, 0.2, 0.7)
    problem = ls.Problem(
        ls.Moments(np.diag([2.0, 1.0]), [1.0, 0.3], 3.0),
        ls.Network((2, 3), noise=0.4, weight_decay=decays),
    )
    zero = [np.zeros(shape) for shape in problem.shapes]
    sizes = [math.prod(shape) for shape in problem.shapes]
    expected = np.diag(2 * np.repeat(decays, sizes))
    np.testing.assert_allclose(problem.hessian(zero), expected, rtol=1e-14)


def test_53_to_55_have_terms_that_do_not_exist():
    """Decay adds 2 diag(γ) to the Hessian everywhere; nothing off the diagonal."""
    moments = ls.Moments(np.diag([2.0, 1.0]), [1.0, 0.3], 3.0)
    with_decay = ls.Problem(moments, ls.Network((2, 3), noise=0.4, weight_decay=0.3))
    without = ls.Problem(moments, ls.Network((2, 3), noise=0.4))
    rng = np.random.default_rng(32)
    weights = [rng.standard_normal(shape) for shape in without.shapes]
    change = with_decay.hessian(weights) - without.hessian(weights)
    np.testing.assert_allclose(change, 0.6 * np.eye(len(change)), atol=1e-13)


def test_zero_is_a_bad_minimum_only_where_the_network_learns():
    """For D ≥ 2 zero is always a local minimum; above γ* it is the global one, hence not bad."""
    bare = isotropic(2, decay=1.0)
    critical = ls.critical_weight_decay(bare).learning
    for factor, bad in ((0.9, True), (1.1, False)):
        problem = scaled_decays(bare, factor * critical)
        zero = [np.zeros(shape) for shape in problem.shapes]
        assert np.linalg.eigvalsh(problem.hessian(zero))[0] > 0
        decay = factor * critical
        best, _ = best_weights([[1.0], [1.0]], [0.0, 2.0], (2, 2), starts=12, weight_decay=decay)
        assert (best < problem.loss(zero) - 1e-6) == bad


@pytest.mark.parametrize("decay", [0.5, 2.0])
def test_37_has_the_wrong_sign(decay):
    """The second derivative along b, at best v, is −2d_1‖c‖²/γ_w + 2γ_u d_1, printed with +."""
    width, noise, w = 3, 0.4, decay
    u = 0.7
    a, c = np.array([2.0, 0.5]), np.array([1.0, 0.3])
    problem = ls.Problem(
        ls.Moments(np.diag(a), c, 3.0), ls.Network((width,), noise=noise, weight_decay=(w, u))
    )

    def loss(b):
        v = b * c / (b**2 * (noise + width) * a + w)
        return problem.loss([np.tile(v, (width, 1)), np.full((1, width), b)])

    slopes = [2 * (loss(h) - loss(0.0)) / h**2 for h in (2e-3, 1e-3)]
    second = slopes[1] + (slopes[1] - slopes[0]) / 3  # L is even in b
    expected = -2 * width * (c @ c) / w + 2 * u * width
    assert second == pytest.approx(expected, rel=1e-6)  # rounding of L over h²
    assert (expected < 0) == (c @ c > u * w)
    assert 2 * width * (c @ c) / w + 2 * u * width > 0  # the print never turns negative


# ---- Where the minima are, and the equations for them


def test_38_the_ball_has_radius_the_root():
    """x = 1, y = .1, γ = .05, D = 1: ‖w‖ = .316 at the minimum, outside of r = E[y²]/γ = .2."""
    _, weights = best_weights([[1.0]], [0.1], (1,), weight_decay=0.05)
    norm = math.sqrt(sum((W**2).sum() for W in weights))
    assert norm > 0.1**2 / 0.05
    assert norm <= math.sqrt(0.1**2 / 0.05)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("side", [0.99, 1.01])
def test_45_threshold_of_the_first_two_layers(depth, side):
    """With the later layers fixed at b, zero is their minimum iff

    ‖c‖² ≤ γ_1γ_2/(b_3²⋯b_u² d_2 Π_{i≥3} d_i²); the print lacks d_2 and two squares.
    """
    widths, decays = (2, 3, 2)[:depth], (0.3, 0.2, 0.5, 0.4)[: depth + 1]
    b = 0.7
    after = [np.full((widths[k], widths[k - 1]), b) for k in range(2, depth)]
    after.append(np.full((1, widths[-1]), b))
    d3 = math.prod(widths[2:])
    threshold = decays[0] * decays[1] / (b ** (2 * (depth - 1)) * widths[1] * d3**2)
    printed = decays[0] * decays[1] / (b ** (2 * (depth - 1)) * d3)
    assert printed > 2 * threshold
    c = np.array([0.6, 0.8]) * math.sqrt(side * threshold)
    problem = ls.Problem(
        ls.Moments(np.eye(2), c, 3.0), ls.Network(widths, noise=0.4, weight_decay=decays)
    )
    first = problem.shapes[:2]
    hessian = problem.hessian([*(np.zeros(shape) for shape in first), *after])
    size = sum(math.prod(shape) for shape in first)
    assert (np.linalg.eigvalsh(hessian[:size, :size])[0] < 0) == (side > 1)


def test_12_and_13_at_a_solution_with_unequal_decays():
    """c_0 has the root over γ only, and (13) has γ_2/γ_1 beside d_2b²."""
    widths, noises, decays = (2, 3, 4), (0.3, 0.6, 0.2), (0.04, 0.09, 0.02, 0.05)
    a, c = np.array([2.0, 0.5]), np.array([1.0, 0.6])
    problem = ls.Problem(
        ls.Moments(np.diag(a), c, 3.0), ls.Network(widths, noise=noises, weight_decay=decays)
    )
    minimum = ls.global_minimum(problem)
    assert not minimum.is_trivial
    weights = minimum.weights()
    # rounding of a flat minimum: the gradient vanishes to the root of it
    assert max(np.abs(part).max() for part in problem.gradient(weights)) < 1e-7
    D, b, last = 3, weights[1][0, 0], weights[3][0, 0]
    product = last * b * weights[2][0, 0]
    roots = math.sqrt(math.prod(decays[1:]))
    later = math.prod(widths[1:])
    head = (decays[1] * widths[1] * widths[0]) ** (D / 2)
    corrected = head / (roots * later * math.sqrt(widths[0]))
    nested = head / math.sqrt(math.prod(decays[1:]) * later * math.sqrt(widths[0]))
    assert product == pytest.approx(corrected * b**D, rel=1e-10)
    assert product != pytest.approx(nested * b**D, rel=0.1)
    s2 = math.prod(k * (s + k) for k, s in zip(widths[1:], noises[1:], strict=True))
    ridge = product**2 * s2 * (noises[0] + widths[0]) * a + decays[0]
    left = float(np.sum((c * product * later / ridge) ** 2))
    assert left == pytest.approx(decays[1] / decays[0] * widths[1] * b**2, rel=1e-7)  # as above
    assert left != pytest.approx(widths[1] * b**2, rel=0.1)


def test_lemma_2_needs_noise():
    """Without noise units need not be equal: the same loss with all weight on one unit."""
    problem = isotropic(1, decay=0.2, width=2)
    minimum = ls.global_minimum(problem)
    root = math.sqrt(abs(float(minimum.predictor[0])))
    one_unit = [np.array([[root], [0.0]]), np.array([[root, 0.0]])]
    assert problem.loss(one_unit) == pytest.approx(minimum.loss, rel=1e-12)
    noisy = isotropic(1, decay=0.2, width=2, noise=0.5)
    assert noisy.loss(one_unit) > ls.global_minimum(noisy).upper
