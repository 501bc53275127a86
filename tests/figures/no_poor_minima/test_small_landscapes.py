"""The small net, single layers and deficient data, against hand-made formulas."""

import itertools

import numpy as np
import pytest

import linscape as ls
from linscape.figures import reproduce
from linscape.figures.no_poor_minima import deficient_data, one_layer_convexity, small_net


def hessian_by_hand(a, b):
    """L = (5/2)(a·b − 2)²: the gradient of the square, and the product of its error."""
    g = np.concatenate([b, a])
    cross = np.block([[np.zeros((2, 2)), np.eye(2)], [np.eye(2), np.zeros((2, 2))]])
    return 5 * np.outer(g, g) + 5 * (a @ b - 2) * cross


def test_the_curvatures_are_those_of_the_square():
    found = reproduce("small-net", quick=True)
    for point, values in zip(found.arrays["points"], found.arrays["curvatures"], strict=True):
        H = hessian_by_hand(point[:2], point[2:])
        np.testing.assert_allclose(np.linalg.eigvalsh(H), values, atol=1e-10 * np.abs(H).max())
        assert small_net.problem().loss(small_net._weights(point)) == pytest.approx(
            2.5 * (point[:2] @ point[2:] - 2) ** 2, rel=1e-10, abs=1e-12
        )
    for family in ("first", "second"):
        points = found.arrays[family]
        np.testing.assert_allclose(np.vecdot(points[:, :2], points[:, 2:]), 2, rtol=1e-10)
        np.testing.assert_allclose(
            found.arrays[f"{family}_curvature"], 5 * np.sum(points**2, axis=1), rtol=1e-10
        )


def test_the_curvature_in_one_layer_is_a_product_of_two_forms():
    rng = np.random.default_rng(4)
    problem = one_layer_convexity._problem((2, 3), rng)
    weights = [rng.standard_normal(shape) for shape in problem.shapes]
    W1, W2, W3 = weights
    A = problem.moments.A
    # L = E‖B V C x‖² + …: 2(BᵀB ⊗ CACᵀ) in rows of V
    blocks = [
        2 * np.kron((W3 @ W2).T @ (W3 @ W2), A),
        2 * np.kron(W3.T @ W3, W1 @ A @ W1.T),
        2 * np.kron(np.eye(3), W2 @ W1 @ A @ W1.T @ W2.T),
    ]
    values = [np.linalg.eigvalsh(block) for block in blocks]
    least, (low, high) = one_layer_convexity.curvatures(problem, weights)
    assert least == pytest.approx(min(v[0] / v[-1] for v in values), rel=1e-8, abs=1e-13)
    whole = np.linalg.eigvalsh(problem.hessian(weights))
    assert (low, high) == pytest.approx((whole[0] / whole[-1], 1.0), rel=1e-10)


def test_the_lines_through_the_minimum():
    found = reproduce("one-layer-convexity", quick=True)
    line, losses = found.arrays["line"], found.arrays["losses"]
    at = {place: int(np.argmin(np.abs(line - place))) for place in (-1, 0, 1)}
    # one layer: a parabola, with its least value where the line meets the minimum
    for loss in losses[:3]:
        np.testing.assert_allclose(np.diff(loss, 3), 0, atol=1e-9 * loss.max())
        assert loss.argmin() == at[1]
    # two layers: even in t, with minima at both ends and a hill between
    np.testing.assert_allclose(losses[3], losses[3][::-1], rtol=1e-9)
    assert losses[3][at[1]] == pytest.approx(losses[0][at[1]], rel=1e-10)
    assert losses[3][at[0]] > losses[3][at[1]] * (1 + 1e-3)


@pytest.mark.parametrize("case", deficient_data.CASES)
def test_undisturbed_moments_have_the_values_of_the_signals(case):
    signals, width, _ = deficient_data.CASES[case]
    problem = ls.Problem(deficient_data.data(signals), ls.Network((width,)))
    total = np.sum(np.square(signals)) + 0.75
    kept = [s for s in signals if s]
    expected = {
        round(total - sum(np.square(chosen)), 9)
        for size in range(width + 1)
        for chosen in itertools.combinations(kept, size)
    }
    found = {round(float(loss), 9) for loss in ls.critical_values(problem).losses}
    assert found == expected


def test_disturbed_moments_are_those_of_disturbed_rows():
    rng = np.random.default_rng(0)
    G = 0.1 * rng.standard_normal((2, 3, 3))
    moments = deficient_data.data((2.0, 1.0, 0.0), G)
    z, noise = rng.standard_normal((2, 400_000, 3))
    x = z @ (np.eye(3) + G[1]).T
    y = x @ (np.diag([2.0, 1.0, 0.0]) + G[0]).T + 0.5 * noise
    # sample moments of 4e5 rows: standard errors below 8/√(4e5)
    for sample, exact in ((x.T @ x, moments.A), (x.T @ y, moments.C), (y.T @ y, moments.yy)):
        np.testing.assert_allclose(sample / len(z), exact, atol=4 * 8 / np.sqrt(len(z)))


def test_the_curvature_is_twice_the_signal_that_the_disturbance_makes():
    # hidden width 3 with a unit at zero: its Hessian [[2a, −2s], [−2s, 2u²]] has −2s to first
    # order, s the third singular value of the disturbed signal
    rng = np.random.default_rng(5)
    curvatures, _ = deficient_data._disturbed((2.0, 1.0, 0.0), 3, (0, 1), rng)
    G = np.random.default_rng(5).standard_normal((2, 3, 3))
    size = deficient_data.SIZES[5]
    M, B = np.diag([2.0, 1.0, 0.0]) + size * G[0], np.eye(3) + size * G[1]
    third = np.linalg.svd(M @ B, compute_uv=False)[2]
    assert curvatures[5] == pytest.approx(-2 * third, rel=1e-3)  # to first order
