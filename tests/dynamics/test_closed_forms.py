"""Closed forms of gradient flow: against the integrated flow, 60 digits, limits and symmetries."""

import json
import math

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import linscape as ls
from linscape.dynamics.closed_forms import aligned_flow, two_layer_flow
from linscape.dynamics.flow import flow
from linscape.errors import InvalidWeights, NoExactSolution
from linscape.initialisation import balanced_weights, random_weights
from oracles import averaged_loss_and_gradient, flatten, unflatten

FLOW = 1e-9  # what the integrated flow, at a tolerance of 1e-12 a step, is good for


def whitened(inputs, outputs, *, variance=1.0, rank=None, seed=0):
    rng = np.random.default_rng(seed)
    C = rng.standard_normal((inputs, outputs))
    if rank is not None:
        U, s, V = np.linalg.svd(C, full_matrices=False)
        C = (U[:, :rank] * s[:rank]) @ V[:rank]
    return ls.Moments(variance * np.eye(inputs), C, C.T @ C / variance + np.eye(outputs))


def integrated(problem, weights, times):
    """Products, Gram matrices and losses of the integrated flow."""
    path = flow(problem, weights, times, record=("loss", "weights"), rtol=1e-12)
    W, U = problem.unflatten(path["weights"])
    return U @ W, W.mT @ W, U @ U.mT, path["loss"]


# ---- Two layers


@pytest.mark.parametrize(
    ("inputs", "hidden", "outputs", "imbalance"),
    [(3, 2, 4, 0.0), (4, 3, 2, -0.7), (2, 3, 5, 1.3), (3, 6, 2, 0.0), (1, 1, 1, -0.5)],
)
@pytest.mark.parametrize(("scale", "variance"), [(1e-4, 1.0), (1.0, 2.5)])
def test_two_layers_are_the_integrated_flow(inputs, hidden, outputs, imbalance, scale, variance):
    problem = ls.Problem(whitened(inputs, outputs, variance=variance), ls.Network((hidden,)))
    weights = balanced_weights(problem, scale=scale, imbalance=imbalance, rng=1)
    times = [0.0, 0.3, 1.5, 4.0]
    exact = two_layer_flow(problem, weights, times)
    numerical = integrated(problem, weights, times)
    size = 1 + abs(imbalance)
    fields = (exact.product, exact.input_gram, exact.output_gram, exact.loss)
    for field, truth in zip(fields, numerical, strict=True):
        np.testing.assert_allclose(field, truth, rtol=FLOW, atol=FLOW * size)
    assert exact.imbalance == pytest.approx(imbalance, rel=1e-10, abs=1e-10)


def test_two_layers_with_equal_decay_and_other_reductions_are_the_integrated_flow():
    moments = whitened(3, 4, variance=1.3)
    plain = ls.Moments(moments.A, moments.C, moments.yy, n=7)
    for reduction, decay in (("mean", 0.2), ("half_sum", 0.9), ("sum", 0.0)):
        network = ls.Network((2,), weight_decay=decay, input_noise=0.4)
        problem = ls.Problem(plain, network, reduction=reduction)
        weights = balanced_weights(problem, scale=0.1, rng=1)
        times = np.array([0.2, 1.0]) / problem.data_factor
        exact, numerical = (
            two_layer_flow(problem, weights, times),
            integrated(problem, weights, times),
        )
        fields = (exact.product, exact.input_gram, exact.output_gram, exact.loss)
        for field, truth in zip(fields, numerical, strict=True):
            np.testing.assert_allclose(field, truth, rtol=FLOW, atol=FLOW)


def mp_two_layers(C, weights, tau):
    """The product by power series of e^{Fτ} in mpmath: the formula itself, without overflow."""
    digits = 100 + int(3 * tau)
    with mp.workdps(digits):
        W, U = (mp.matrix(matrix.tolist()) for matrix in weights)
        d, m = C.shape
        delta = U.T * U - W * W.T
        half = sum(delta[i, i] for i in range(delta.rows)) / delta.rows / 2
        F = mp.zeros(d + m)
        for i in range(d):
            F[i, i] = -half
            for j in range(m):
                F[i, d + j] = F[d + j, i] = mp.mpf(float(C[i, j]))
        for j in range(m):
            F[d + j, d + j] = half
        Q = mp.zeros(d + m, W.rows)
        for j in range(W.rows):
            for i in range(d):
                Q[i, j] = W[j, i]
            for i in range(m):
                Q[d + i, j] = U[i, j]
        values, vectors = mp.eigsy(F)
        start = vectors.T * Q
        growth = [
            (mp.exp(2 * r * tau) - 1) / (2 * r)
            if abs(r) > mp.mpf(10) ** (50 - digits)
            else mp.mpf(tau)
            for r in values
        ]
        G = start.T * mp.diag(growth) * start + mp.eye(W.rows)
        E = vectors * mp.diag([mp.exp(r * tau) for r in values]) * start
        full = E * mp.inverse(G) * E.T
        return np.array(full[d:, :d].tolist(), dtype=float).reshape(m, d)


@pytest.mark.parametrize("tau", [1e-9, 0.5, 40.0, 400.0])
@pytest.mark.parametrize(("scale", "imbalance"), [(1e-16, 0.0), (1.0, 0.9), (1e-3, -2.0)])
def test_two_layers_are_the_formula_at_any_time_beyond_overflow(tau, scale, imbalance):
    problem = ls.Problem(whitened(3, 3, rank=2), ls.Network((2,)))
    weights = balanced_weights(problem, scale=scale, imbalance=imbalance, rng=2)
    exact = two_layer_flow(problem, weights, [tau / 2])
    truth = mp_two_layers(problem.moments.C, weights, tau)
    # the exponents, up to 800, carry the rounding of the singular values and of λ
    bound = 1e-10 if tau > 100 else 1e-12
    np.testing.assert_allclose(exact.product[0], truth, atol=bound * (1e-300 + np.abs(truth).max()))


def test_from_small_starts_the_modes_come_one_after_another_to_the_best_of_low_rank():
    moments = ls.Moments(np.eye(3), np.diag([3.0, 2.0, 1.0]), np.diag([9.0, 4.0, 1.0]))
    problem = ls.Problem(moments, ls.Network((2,)))
    weights = balanced_weights(problem, scale=1e-30, rng=0)
    times = np.array([0.0, 14.0, 300.0])
    exact = two_layer_flow(problem, weights, times)
    # s_1 appears by log(1e30)/(4·3), s_2 by about log(1e30)/(4·2) + …; width 2 leaves s_3 out
    np.testing.assert_allclose(exact.loss, [14, 5 - 4, 1], atol=1e-10)
    np.testing.assert_allclose(exact.product[-1], np.diag([3.0, 2.0, 0.0]), atol=1e-10)
    early = two_layer_flow(problem, weights, [7.5]).product[0]
    assert np.linalg.matrix_rank(early, tol=1e-2) == 1
    np.testing.assert_allclose(early[0, 0], 3, rtol=1e-4)  # its distance falls as e^{−12t}


def test_rotations_and_time_shifts_commute_with_the_closed_form():
    rng = np.random.default_rng(3)
    problem = ls.Problem(whitened(3, 2), ls.Network((2,)))
    weights = balanced_weights(problem, imbalance=0.4, rng=3)
    V, L = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (3, 2))
    moments = problem.moments
    turned = ls.Problem(
        ls.Moments(np.eye(3), V @ moments.C @ L.T, L @ moments.yy @ L.T), problem.network
    )
    W, U = weights
    exact = two_layer_flow(problem, weights, [0.2, 0.7])
    other = two_layer_flow(turned, [W @ V.T, L @ U], [0.2, 0.7])
    np.testing.assert_allclose(other.product, L @ exact.product @ V.T, atol=1e-12)
    later = two_layer_flow(problem, [matrix[0] for matrix in exact.weights], [0.5])
    np.testing.assert_allclose(later.product[0], exact.product[1], atol=1e-12)


@pytest.mark.parametrize("power", [-8, 8])
def test_two_layers_scale(power):
    unit = ls.Problem(whitened(3, 2), ls.Network((2,)))
    moments, size = unit.moments, 10.0**power
    # y → size² y with every layer times size, and time over size²
    scaled = ls.Problem(
        ls.Moments(moments.A, size**2 * moments.C, size**4 * np.asarray(moments.yy)), unit.network
    )
    weights = balanced_weights(unit, imbalance=0.4, rng=3)
    exact = two_layer_flow(unit, weights, [0.0, 0.4])
    other = two_layer_flow(scaled, [size * W for W in weights], [0.0, 0.4 / size**2])
    np.testing.assert_allclose(other.product, size**2 * exact.product, rtol=1e-10)
    np.testing.assert_allclose(other.loss, size**4 * exact.loss, rtol=1e-10)


def test_representative_weights_have_the_products():
    problem = ls.Problem(whitened(2, 2), ls.Network((6,)))
    exact = two_layer_flow(problem, balanced_weights(problem, rng=0), [0.0, 1.0])
    W, U = exact.weights
    assert W.shape == (2, 6, 2)
    assert U.shape == (2, 2, 6)
    np.testing.assert_allclose(U @ W, exact.product, atol=1e-14)
    np.testing.assert_allclose(problem.loss(exact.weights), exact.loss, atol=1e-14)
    json.dumps(exact.to_dict(), allow_nan=False)


def _broken(problem):
    W, U = balanced_weights(problem, rng=0)
    return [W, U + 0.1 * np.ones_like(U)]


@pytest.mark.parametrize(
    ("network", "moments", "start", "message"),
    [
        ({"hidden": (2,)}, None, _broken, r"λ-balanced .* misses λ = .* by 0\.\d+"),
        ({"hidden": (2, 2)}, None, None, "one hidden layer, this network has 2"),
        ({"hidden": (2,), "noise": 0.1}, None, None, "noise on hidden units"),
        ({"hidden": (2,), "bias": "free"}, None, None, "biases"),
        ({"hidden": (2,), "weight_decay": (0.1, 0.2)}, None, None, "unequal weight decays"),
        ({"hidden": (2,)}, np.diag([1.0, 2.0, 1.0]), None, "whitened inputs"),
    ],
)
def test_two_layers_refuse_what_they_do_not_cover(network, moments, start, message):
    rng = np.random.default_rng(0)
    C = 0.3 * rng.standard_normal((3, 2))
    A = np.eye(3) if moments is None else moments
    problem = ls.Problem(
        ls.Moments(A, C, np.eye(2), np.zeros(3), np.zeros(2)), ls.Network(**network)
    )
    weights = balanced_weights(problem, rng=0) if start is None else start(problem)
    with pytest.raises(NoExactSolution, match=message):
        two_layer_flow(problem, weights, [1.0])


def test_decay_with_an_imbalance_is_refused_and_rightly():
    problem = ls.Problem(whitened(3, 3), ls.Network((2,), weight_decay=0.1))
    weights = balanced_weights(problem, imbalance=0.5, rng=0)
    with pytest.raises(NoExactSolution, match=r"this one has λ = 0\.5"):
        two_layer_flow(problem, weights, [1.0])
    with pytest.raises(InvalidWeights, match="one net"):
        two_layer_flow(problem, balanced_weights(problem, rng=0, batch=2), [1.0])
    with pytest.raises(ValueError, match="ascending"):
        two_layer_flow(problem, weights, [1.0, 0.5])


# ---- Aligned nets


def aligned(hidden, inputs, outputs, *, strengths, signals, seed=0, **network):
    """A problem with given modes, and a balanced start along them."""
    rng = np.random.default_rng(seed)
    V, L = (np.linalg.qr(rng.standard_normal((k, k)))[0] for k in (inputs, outputs))
    k = len(strengths)
    curvatures = rng.uniform(0.5, 2, inputs)
    A = (V * curvatures) @ V.T
    B = (L[:, :k] * signals) @ V[:, :k].T
    moments = ls.Moments(A, B.T, B @ np.linalg.inv(A) @ B.T + np.eye(outputs), n=3)
    problem = ls.Problem(moments, ls.Network(hidden, **network))
    product = (L[:, :k] * strengths) @ V[:, :k].T
    return problem, balanced_weights(problem, product=product, rng=seed), curvatures[:k]


@pytest.mark.parametrize(
    ("hidden", "inputs", "outputs"),
    [((5,), 3, 4), ((3, 5), 4, 3), ((3, 3, 6), 3, 3), ((4,) * 5, 2, 5), ((2, 7), 6, 3)],
)
@pytest.mark.parametrize("equal", [False, True])
def test_aligned_modes_are_the_integrated_flow(hidden, inputs, outputs, equal):
    k = min(inputs, outputs, *hidden)
    rng = np.random.default_rng(7)
    strengths = np.full(k, 0.4) if equal else rng.uniform(0.1, 1.5, k)
    problem, weights, _ = aligned(
        hidden, inputs, outputs, strengths=strengths, signals=rng.uniform(0.5, 2, k)
    )
    times = [0.0, 0.1, 0.5, 3.0]
    exact = aligned_flow(problem, weights, times)
    path = flow(problem, weights, times, record=("loss", "weights"), rtol=1e-12)
    first, *later = problem.unflatten(path["weights"])
    for W in later:
        first = W @ first
    np.testing.assert_allclose(exact.product, first, atol=FLOW)
    np.testing.assert_allclose(exact.loss, path["loss"], rtol=FLOW)
    json.dumps(exact.to_dict(), allow_nan=False)


@pytest.mark.parametrize(("decay", "reduction"), [(0.15, "mean"), (0.6, "half_sum")])
def test_aligned_modes_of_two_layers_with_decay_are_the_integrated_flow(decay, reduction):
    # a wrong sign, a mode the decay kills, and one it does not
    problem, weights, _ = aligned(
        (3,), 3, 3, strengths=[0.3, 0.5, 0.8], signals=[-0.4, 0.1, 1.5], weight_decay=decay
    )
    problem = ls.Problem(problem.moments, problem.network, reduction=reduction)
    exact = aligned_flow(problem, weights, [0.0, 0.2, 1.0])
    path = flow(problem, weights, [0.0, 0.2, 1.0], record=("loss", "weights"), rtol=1e-12)
    W, U = problem.unflatten(path["weights"])
    np.testing.assert_allclose(exact.product, U @ W, atol=FLOW)
    np.testing.assert_allclose(exact.loss, path["loss"], rtol=FLOW)


def test_modes_pointing_the_wrong_way_die():
    problem, weights, _ = aligned((3, 3), 3, 3, strengths=[0.5, 0.7], signals=[-1.0, 1.0])
    exact = aligned_flow(problem, weights, [0.0, 0.5, 1e9])
    path = flow(problem, weights, [0.0, 0.5], rtol=1e-12)
    np.testing.assert_allclose(exact.loss[:2], path["loss"], rtol=FLOW)
    assert sorted(np.round(exact.strengths[0], 10)) == [0.5, 0.7]
    wrong = int(np.argmin(exact.signals))
    assert 0 < exact.strengths[-1, wrong] < 1e-10
    limit = exact.signals[1 - wrong] / exact.curvatures[1 - wrong]
    assert exact.strengths[-1, 1 - wrong] == pytest.approx(limit, rel=1e-12)


def test_outside_its_modes_the_data_may_be_anything():
    # A and C mix the other two directions as they like
    A = np.array([[2.0, 0, 0], [0, 1.0, 0.4], [0, 0.4, 3.0]])
    B = np.array([[1.5, 0, 0], [0, 0.2, -0.9], [0, 0.5, 0.1]])
    problem = ls.Problem(ls.Moments(A, B.T, B @ np.linalg.inv(A) @ B.T), ls.Network((4, 4)))
    weights = balanced_weights(problem, product=np.diag([0.3, 0, 0]), rng=0)
    exact = aligned_flow(problem, weights, [0.0, 0.4])
    path = flow(problem, weights, [0.0, 0.4], rtol=1e-12)
    assert exact.strengths.shape == (2, 1)
    np.testing.assert_allclose(exact.loss, path["loss"], rtol=FLOW)


def test_repeated_modes_are_turned_to_those_of_the_data():
    # all start at the same strength, and only A tells the directions apart
    problem, weights, curvatures = aligned(
        (4, 4), 4, 4, strengths=np.full(4, 0.2), signals=np.full(4, 0.9)
    )
    exact = aligned_flow(problem, weights, [0.0, 1e6])
    np.testing.assert_allclose(np.sort(exact.curvatures), np.sort(curvatures), rtol=1e-10)
    np.testing.assert_allclose(exact.strengths[1], 0.9 / exact.curvatures, rtol=1e-10)


def test_both_closed_forms_agree_where_both_hold():
    problem, weights, _ = aligned((3,), 3, 4, strengths=[0.01, 0.3, 2], signals=[1, 0.5, 0.2])
    plain = ls.Problem(
        ls.Moments(np.eye(3), problem.moments.C, np.asarray(problem.moments.yy) * 4),
        ls.Network((3,)),
    )
    times = [0.0, 0.7, 5.0, 300.0]
    one, other = aligned_flow(plain, weights, times), two_layer_flow(plain, weights, times)
    np.testing.assert_allclose(one.product, other.product, atol=1e-11)
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-10)


def test_nothing_starts_from_zero():
    problem, weights, _ = aligned((3,), 3, 4, strengths=[0.1], signals=[1.0])
    still = aligned_flow(problem, [0 * W for W in weights], [0.0, 5.0])
    assert still.strengths.shape == (2, 0)
    np.testing.assert_allclose(still.loss, problem.loss([0 * W for W in weights]), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "network", "message"),
    [
        ("start", {}, r"balanced starts.* misses it by \d"),
        ("A", {}, r"E\[xxᵀ\] mixes the modes"),
        ("C", {}, r"E\[yxᵀ\] mixes the modes"),
        (None, {"noise": 0.1}, "noise on hidden units"),
        (None, {"weight_decay": 0.1}, "one hidden layer only, this network has 2"),
        (None, {"hidden": ()}, "needs a hidden layer"),
    ],
)
def test_starts_that_are_not_balanced_or_aligned_are_refused(change, network, message):
    problem, weights, _ = aligned((3, 3), 3, 3, strengths=[0.5, 0.7, 1], signals=[1, 0.4, 2.0])
    moments = problem.moments
    A, C = np.array(moments.A), np.array(moments.C)
    v = np.random.default_rng(1).standard_normal(3)
    if change == "A":
        A += 0.01 * np.outer(v, v)
    if change == "C":
        C += 0.01 * np.outer(v, v[::-1])
    if change == "start":
        weights[1] = 1.1 * weights[1]
    other = ls.Problem(
        ls.Moments(A, C, 9 * np.asarray(moments.yy)), ls.Network(**({"hidden": (3, 3)} | network))
    )
    if network.get("hidden") == ():
        weights = [np.eye(3)]
    with pytest.raises(NoExactSolution, match=message):
        aligned_flow(other, weights, [1.0])


def test_random_starts_are_not_balanced():
    problem, _, _ = aligned((3, 3), 3, 3, strengths=[0.5], signals=[1.0])
    with pytest.raises(NoExactSolution, match="balanced"):
        aligned_flow(problem, random_weights(problem, rng=0), [1.0])


# ---- The oracle's own flow


def test_the_gradient_of_rows_flows_the_same_way():
    rng = np.random.default_rng(11)
    X = np.linalg.qr(rng.standard_normal((20, 3)))[0] * math.sqrt(20)  # E[xxᵀ] = I
    Y = X @ rng.standard_normal((3, 2)) + 0.3 * rng.standard_normal((20, 2))
    problem = ls.Problem(ls.Moments.from_arrays(X, Y), ls.Network((2,)))
    weights = balanced_weights(problem, scale=0.1, imbalance=-0.2, rng=4)
    loss_and_gradient = averaged_loss_and_gradient(X, Y)

    def field(_, w):
        return -flatten(loss_and_gradient(unflatten(w, problem.shapes))[1])

    solution = solve_ivp(field, (0, 1.2), flatten(weights), method="DOP853", rtol=1e-12, atol=1e-13)
    W, U = unflatten(solution.y[:, -1], problem.shapes)
    exact = two_layer_flow(problem, weights, [1.2])
    np.testing.assert_allclose(exact.product[0], U @ W, atol=FLOW)
    assert exact.loss[0] == pytest.approx(loss_and_gradient([W, U])[0], rel=FLOW)


@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e-160, 1e-300])
def test_a_start_that_is_not_balanced_is_refused_at_every_scale(scale):
    rng = np.random.default_rng(0)
    problem = ls.Problem(ls.Moments(np.eye(2), [1.0, 0.0], 1.0), ls.Network((4, 4)))
    weights = [scale * rng.standard_normal(shape) for shape in problem.shapes]
    with pytest.raises(NoExactSolution, match="balanced starts"):
        ls.aligned_flow(problem, weights, [0.0, 1.0])
