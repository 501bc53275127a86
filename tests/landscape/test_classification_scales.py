"""classify where floats bite: scales, deficient and repeated data, nearly critical points."""

import itertools

import numpy as np
import pytest
from critical_cases import conditioned, critical_weights, modes_of

import linscape as ls
from linscape.errors import InvalidWeights, NoExactSolution
from linscape.landscape.classify import classify

HIDDEN = (4, 3, 4)
KINDS = {  # zeros of the four layers → kind at the two largest of three modes that fit
    (1, 2, 4): "non-strict saddle",
    (1, 2, 3, 4): "non-strict saddle",
    (1, 3): "strict saddle",
    (2, 4): "strict saddle",
}


def problem_and_weights(zeros, modes=(0, 1), *, x=1.0, y=1.0, outputs=4, values=None, seed=0):
    """A net 5-4-3-4-outputs on data with λ = 9, 4, 1, ¼ (in units of y), x and y rescaled."""
    rng = np.random.default_rng(seed)
    values = np.array([9.0, 4.0, 1.0, 0.25])[:outputs] if values is None else np.array(values)
    root = conditioned(5, 1.5, rng)
    left, _ = np.linalg.qr(rng.standard_normal((outputs, outputs)))
    right, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    T = (left[:, : len(values)] * np.sqrt(values)) @ right[: len(values)]
    A, C = x**2 * root @ root.T, x * y * root @ T.T
    problem = ls.Problem(
        ls.Moments((A + A.T) / 2, C, y**2 * (T @ T.T + np.eye(outputs))), ls.Network(HIDDEN)
    )
    # built in units of one, then W_1 takes the scale of x and the last layer that of y
    weights = critical_weights(A / x**2, C / x / y, HIDDEN, list(modes), zeros, rng)
    return problem, [weights[0] / x, *weights[1:-1], weights[-1] * y]


# ---- Units


@pytest.mark.parametrize("zeros", KINDS)
@pytest.mark.parametrize(("x", "y"), [*itertools.product((1e-8, 1.0, 1e8), repeat=2)])
def test_units_of_the_data_change_nothing(zeros, x, y):
    found = classify(*problem_and_weights(zeros, x=x, y=y))
    assert (found.kind, found.modes) == (KINDS[zeros], (0, 1))


@pytest.mark.parametrize("zeros", KINDS)
@pytest.mark.parametrize("pair", [(0, 1), (1, 3), (2, 0)])
def test_units_of_the_layers_change_nothing(zeros, pair):
    problem, weights = problem_and_weights(zeros)
    before = classify(problem, weights)
    weights[pair[0]] = weights[pair[0]] * 1e6
    weights[pair[1]] = weights[pair[1]] * 1e-6
    after = classify(problem, weights)
    assert (after.kind, after.inertia) == (before.kind, before.inertia)
    # a gradient at rounding level in either case
    assert after.gradient_norm < 1e-12


@pytest.mark.parametrize("zeros", KINDS)
def test_columns_of_different_units(zeros):
    problem, weights = problem_and_weights(zeros)
    units = np.array([1e-6, 1e-3, 1.0, 1e3, 1e6])
    moments = problem.moments
    scaled = ls.Moments(moments.A * np.outer(units, units), moments.C * units[:, None], moments.yy)
    weights[0] = weights[0] / units
    assert classify(ls.Problem(scaled, problem.network), weights).kind == KINDS[zeros]


@pytest.mark.parametrize("reduction", ["mean", "sum", "half_sum", "half_mean"])
def test_the_reduction_scales_escapes_only(reduction):
    problem, weights = problem_and_weights((1, 3))
    moments = problem.moments
    counted = ls.Moments(moments.A, moments.C, moments.yy, n=40)
    found = classify(ls.Problem(counted, problem.network, reduction=reduction), weights)
    plain = classify(problem, weights)
    factor = {"mean": 1, "sum": 40, "half_sum": 20, "half_mean": 0.5}[reduction]
    assert found.kind == "strict saddle"
    assert found.escape.curvature == pytest.approx(factor * plain.escape.curvature, rel=1e-10)


@pytest.mark.parametrize("zeros", KINDS)
def test_rotations_of_outputs_and_units_change_nothing(zeros):
    rng = np.random.default_rng(1)
    problem, weights = problem_and_weights(zeros)
    V, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    moments = problem.moments
    turned = ls.Problem(
        ls.Moments(moments.A, moments.C @ V.T, V @ moments.yy @ V.T), problem.network
    )
    mixed = [*weights[:-1], V @ weights[-1]]
    D = conditioned(3, 2.0, rng)
    mixed[1], mixed[2] = D @ mixed[1], mixed[2] @ np.linalg.inv(D)
    one, other = classify(problem, weights), classify(turned, mixed)
    assert (one.kind, one.rank, one.modes, one.tightened, one.inertia) == (
        (other.kind, other.rank, other.modes, other.tightened, other.inertia)
    )


# ---- Hypotheses that fail


@pytest.mark.parametrize("zeros", KINDS)
def test_more_outputs_than_inputs(zeros):
    found = classify(*problem_and_weights(zeros, outputs=7, values=[9.0, 4.0, 1.0, 0.25, 0.1]))
    assert found.kind == KINDS[zeros]


@pytest.mark.parametrize("zeros", KINDS)
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_directions_without_variance(zeros, size):
    problem, weights = problem_and_weights(zeros)
    # two columns more, sums of the others; W_1 spread over all seven, and free where x is not
    rng = np.random.default_rng(2)
    mix = np.vstack([np.eye(5), rng.standard_normal((2, 5))])
    moments = problem.moments
    wide = ls.Problem(
        ls.Moments(mix @ moments.A @ mix.T, mix @ moments.C, moments.yy), problem.network
    )
    null = np.linalg.svd(mix)[0][:, 5:]
    W = weights[0] @ np.linalg.pinv(mix) + size * rng.standard_normal((4, 2)) @ null.T
    found, plain = classify(wide, [W, *weights[1:]]), classify(problem, weights)
    assert (found.kind, found.rank, found.modes) == (plain.kind, plain.rank, plain.modes)
    n, z, p = plain.inertia
    assert found.inertia == (n, z + 8, p)


@pytest.mark.parametrize(
    ("modes", "kind"),
    [((0, 1), "strict saddle"), ((0, 2), "strict saddle"), ((1, 2), "strict saddle"), ((0,), None)],
)
def test_repeated_values_split_by_the_modes(modes, kind):
    # λ = 4, 4, 4, 1 with E[xxᵀ] = I, exact in binary: any two of the first three are the largest
    C = np.diag([2.0, 2.0, 2.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(4), C, C @ C), ls.Network((3, 3)))
    for zeros, expected in (((1, 2, 3), "non-strict saddle"), ((1, 3), kind or "strict saddle")):
        weights = [np.zeros((3, 4)), np.zeros((3, 3)), np.zeros((4, 3))]
        for k, mode in enumerate(modes):
            weights[0][k, mode], weights[1][k, k], weights[2][mode, k] = 2.0, 1.0, 1.0
        if zeros == (1, 3):
            weights[1][2, 2] = 1.0
        found = classify(problem, weights)
        assert found.kind == expected
        assert found.rank == len(modes)
        assert found.modes is None  # the three directions are any basis
        np.testing.assert_allclose(found.values, [4.0] * len(modes), rtol=1e-12)


def test_repeated_values_that_all_fit_are_named():
    C = np.diag([2.0, 2.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(3), C, C @ C), ls.Network((2,)))
    rotation = conditioned(2, 1.0, np.random.default_rng(0))
    W = np.zeros((2, 3))
    W[:, :2] = 2 * rotation
    found = classify(problem, [W, np.vstack([rotation.T, np.zeros((1, 2))])])
    assert (found.kind, found.modes) == ("global minimum", (0, 1))


# ---- Nearly critical, nearly something else


@pytest.mark.parametrize("zeros", KINDS)
def test_weights_off_by_rounding(zeros):
    rng = np.random.default_rng(3)
    problem, weights = problem_and_weights(zeros)
    noise = [1e-12 * rng.standard_normal(weight.shape) for weight in weights]
    found = classify(problem, [W + e for W, e in zip(weights, noise, strict=True)])
    assert found.kind == KINDS[zeros]
    assert 0 < found.gradient_norm < 1e-10


@pytest.mark.parametrize("zeros", KINDS)
def test_weights_as_descent_delivers_them(zeros):
    rng = np.random.default_rng(4)
    problem, weights = problem_and_weights(zeros)
    near = [W + 1e-6 * rng.standard_normal(W.shape) for W in weights]
    # what is off by 1e-6 is within a tolerance of 1e-3, and beyond one of 1e-9
    assert classify(problem, near, tolerance=1e-3).kind in {KINDS[zeros], "undecided"}
    assert classify(problem, near, tolerance=1e-9).kind == "not critical"
    far = [W + 1e-2 * rng.standard_normal(W.shape) for W in weights]
    found = classify(problem, far)
    assert found.kind == "not critical"
    assert found.gradient_norm > found.tolerance
    assert found.escape is None


def test_what_gradient_descent_ends_at():
    problem, _ = problem_and_weights((1, 3))
    rng = np.random.default_rng(8)
    weights = [0.3 * rng.standard_normal(shape) for shape in problem.shapes]
    assert classify(problem, weights).kind == "not critical"
    for _ in range(3000):
        gradient = problem.gradient(weights)
        weights = [W - 0.01 * G for W, G in zip(weights, gradient, strict=True)]
    found = classify(problem, weights)
    assert (found.kind, found.modes) == ("global minimum", (0, 1, 2))


def test_a_global_minimum_off_by_a_millionth():
    rng = np.random.default_rng(5)
    problem, weights = problem_and_weights((1, 2), modes=(0, 1, 2))
    near = [W + 1e-6 * rng.standard_normal(W.shape) for W in weights]
    assert classify(problem, near, tolerance=1e-4).kind == "global minimum"


def two_close_values(gap):
    """λ = (1 + gap)², 1, ¼ and a net of one unit that contains the second."""
    C = np.diag([1 + gap, 1.0, 0.5])
    problem = ls.Problem(ls.Moments(np.eye(3), C, C @ C), ls.Network((1,)))
    return problem, [np.eye(3)[[1]], np.eye(3)[:, [1]]]


@pytest.mark.parametrize("gap", [1e-15, 1e-14])
def test_values_too_close_to_order(gap):
    found = classify(*two_close_values(gap))
    assert found.kind == "undecided"
    assert "too close for their error" in found.reason
    assert found.inertia is None


@pytest.mark.parametrize("gap", [1e-12, 1e-10, 1e-6])
def test_values_close_and_still_ordered(gap):
    found = classify(*two_close_values(gap))
    assert found.kind == "strict saddle"
    # both layers moving alike: λ_s − λ_q = −2·gap, known to 1e-15 in λ
    assert found.escape.curvature == pytest.approx(-2 * gap, rel=gap + 1e-15 / gap, abs=0)


@pytest.mark.parametrize(
    ("size", "kind"),
    [(1e-14, "non-strict saddle"), (1e-8, "undecided"), (1e-3, "strict saddle")],
)
def test_a_block_that_is_nearly_zero(size, kind):
    # three inputs, T = diag(3, 1): modes {0}, Z_1 = Z_3 = 0, and Z_2 of the given size
    C = np.diag([3.0, 1.0])
    problem = ls.Problem(ls.Moments(np.eye(2), C, C @ C), ls.Network((2, 2)))
    weights = [np.diag([3.0, 0.0]), np.diag([1.0, size]), np.diag([1.0, 0.0])]
    found = classify(problem, weights)
    assert found.kind == kind
    exact = classify(problem, weights, tolerance=1e-12)
    assert exact.kind == ("non-strict saddle" if size == 1e-14 else "strict saddle")


# ---- Biases and large nets


@pytest.mark.parametrize("zeros", KINDS)
def test_free_biases_centre_the_problem(zeros):
    rng = np.random.default_rng(6)
    problem, weights = problem_and_weights(zeros)
    centred, m = problem.moments, 4
    mx, my = 3 * rng.standard_normal(5), 100 * rng.standard_normal(m)
    moments = ls.Moments(
        centred.A + np.outer(mx, mx),
        centred.C + np.outer(mx, my),
        centred.yy + np.outer(my, my),
        mean_x=mx,
        mean_y=my,
    )
    biased, mean = [], mx
    for W in weights:
        b = rng.standard_normal(len(W))
        mean = W @ mean + b
        biased.append(np.hstack([W, b[:, None]]))
    biased[-1][:, -1] += my - mean
    whole = ls.Problem(moments, ls.Network(HIDDEN, bias="free"))
    found, plain = classify(whole, biased), classify(problem, weights)
    assert (found.kind, found.modes) == (plain.kind, plain.modes)
    n, z, p = plain.inertia
    assert found.inertia == (n, z + sum(HIDDEN), p + m)
    if found.escape is not None:
        assert whole.loss(found.escape.weights(found.escape.step)) < whole.loss(biased)
    biased[-1][0, -1] += 1.0
    assert classify(whole, biased).kind == "not critical"


def test_a_large_net_without_its_hessian(monkeypatch):
    rng = np.random.default_rng(7)
    width, outputs = 96, 6
    A, C = np.eye(width), rng.standard_normal((width, outputs))
    problem = ls.Problem(ls.Moments(A, C, C.T @ C), ls.Network((width, width)))
    monkeypatch.setattr(ls.Problem, "hessian", None)
    for modes, zeros, kind in (
        ([0, 1], (1, 2, 3), "non-strict saddle"),
        ([0, 1], (1, 3), "strict saddle"),
        ([1], (1, 3), "strict saddle"),
        (list(range(outputs)), (1, 3), "global minimum"),
    ):
        weights = critical_weights(A, C, (width, width), modes, zeros, rng)
        found = classify(problem, weights)
        assert (found.kind, found.modes, found.inertia) == (kind, tuple(modes), None)


# ---- Bad input


def test_bad_input_is_refused():
    problem, weights = problem_and_weights((1, 3))
    with pytest.raises(InvalidWeights, match="expected 4 weight matrices"):
        classify(problem, weights[:-1])
    with pytest.raises(InvalidWeights, match="NaN"):
        classify(problem, [weights[0] * np.nan, *weights[1:]])
    with pytest.raises(InvalidWeights, match="batch axes"):
        classify(problem, [np.stack([weight, weight]) for weight in weights])
    for tolerance in (0.0, -1.0, 0.5, np.nan):
        with pytest.raises(ValueError, match="tolerance"):
            classify(problem, weights, tolerance=tolerance)
    decayed = ls.Network(HIDDEN, bias="decayed")
    moments = ls.Moments(np.eye(1), [[0.0]], [[1.0]], mean_x=[0.0], mean_y=[0.0])
    biased = [np.zeros((4, 2)), np.zeros((3, 5)), np.zeros((4, 4)), np.zeros((1, 5))]
    with pytest.raises(NoExactSolution, match="free"):
        classify(ls.Problem(moments, decayed), biased)


def test_the_oracle_of_modes():
    values, U, R = modes_of(np.eye(2), np.diag([1.0, 3.0]))
    np.testing.assert_allclose(values, [9.0, 1.0])
    np.testing.assert_allclose(np.abs(U), [[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(R, np.diag([1.0, 3.0]))


@pytest.mark.parametrize("more", [{}, {"input_noise": 0.3}, {"input_noise": 0.3, "bias": "free"}])
def test_one_flat_output_and_noise_on_the_inputs(more):
    rng = np.random.default_rng(9)
    X = rng.standard_normal((30, 3)) + 2
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(30)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), ls.Network((2, 2), **more))
    minimum = ls.global_minimum(problem)
    assert classify(problem, minimum.weights()).kind == "global minimum"
    zero = [np.zeros(shape) for shape in problem.shapes]
    if "bias" in more:
        zero[-1][:, -1] = y.mean()
    found = classify(problem, zero)
    values = np.linalg.eigvalsh(problem.hessian(zero))
    assert found.kind == "non-strict saddle"
    assert found.inertia == (0, np.sum(np.abs(values) < 1e-9), np.sum(values > 1e-9))
    assert problem.loss(found.escape.weights(found.escape.step)) < problem.loss(zero)
