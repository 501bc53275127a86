"""The loss and its derivatives at any scale: exact, or refused, never silently wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp

import linscape as ls
from cases import tiny_net
from linscape.errors import OutOfRange


@pytest.mark.parametrize("scale", [1e-150, 1e-75, 1e75, 1e150])
@pytest.mark.parametrize("bias", [False, "free"])
def test_the_loss_scales_with_the_targets(scale, bias):
    rng = np.random.default_rng(9)
    X, y = rng.standard_normal((6, 2)), rng.standard_normal(6)
    network = ls.Network((2, 2), noise=0.5, bias=bias)
    one = ls.Problem(ls.Moments.from_arrays(X, y), network)
    other = ls.Problem(ls.Moments.from_arrays(X, scale * y), network)
    weights = [rng.standard_normal(shape) for shape in one.shapes]
    *hidden, U = weights
    scaled = [*hidden, scale * U]
    assert other.loss(scaled) == pytest.approx(scale * (scale * one.loss(weights)), rel=1e-10)
    *_, G = one.gradient(weights)
    np.testing.assert_allclose(other.gradient(scaled)[-1], scale * G, rtol=1e-10)
    np.testing.assert_allclose(other.predictor(scaled), scale * one.predictor(weights), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-150, 1e-75, 1e75, 1e150])
def test_the_loss_does_not_know_the_unit_of_the_inputs(scale):
    rng = np.random.default_rng(10)
    X, y = rng.standard_normal((6, 2)), rng.standard_normal(6)
    network = ls.Network((2, 2), noise=0.5)
    one = ls.Problem(ls.Moments.from_arrays(X, y), network)
    other = ls.Problem(ls.Moments.from_arrays(scale * X, y), network)
    W, *rest = (rng.standard_normal(shape) for shape in one.shapes)
    assert other.loss([W / scale, *rest]) == pytest.approx(one.loss([W, *rest]), rel=1e-10)
    got, expected = other.gradient([W / scale, *rest]), one.gradient([W, *rest])
    np.testing.assert_allclose(got[0] / scale, expected[0], rtol=1e-10)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-10)


@pytest.mark.parametrize(
    "factors", [(1e-200, 1e200, 1), (1e300, 1e-150, 1e-150), (1, 1e-290, 1e290)]
)
def test_tiny_layers_beside_huge_ones_lose_nothing(factors):
    problem, weights, _, _ = tiny_net(1, "hidden", decayed=False, hidden=(2, 2))
    scaled = [s * W for s, W in zip(factors, weights, strict=True)]
    assert problem.loss(scaled) == pytest.approx(problem.loss(weights), rel=1e-10)
    np.testing.assert_allclose(problem.predictor(scaled), problem.predictor(weights), rtol=1e-10)
    for s, got, G in zip(factors, problem.gradient(scaled), problem.gradient(weights), strict=True):
        np.testing.assert_allclose(got * s, G, rtol=1e-10)


@pytest.mark.parametrize(("decay", "size"), [(1e-150, 1e75), (1e-300, 1e150), (1e300, 1e-150)])
def test_the_penalty_of_tiny_decays_and_huge_weights_is_exact(decay, size):
    moments = ls.Moments([[0.0]], [0.0], 1.0)
    problem = ls.Problem(moments, ls.Network((3,), weight_decay=decay))
    weights = [np.full(shape, size) for shape in problem.shapes]
    np.testing.assert_allclose(problem.energies(weights), 3 * decay * size * size, rtol=1e-12)
    assert problem.loss(weights) == pytest.approx(1 + 6 * (decay * size * size), rel=1e-10)


exponent = st.floats(-150, 150)


@settings(max_examples=300)
@given(exponent, exponent, st.floats(-300, 300), st.floats(-300, 300), exponent, exponent)
def test_one_unit_at_any_scale_is_right_or_refused(x, y, w, u, g, h):
    # the sizes, as powers of ten: L = 1.5 u²w²A − 2uwC + yy + g w² + h u²
    x, y, w, u, g, h = 10.0**x, 10.0**y, 10.0**w, -(10.0**u), 10.0**g, 10.0**h
    moments = ls.Moments.from_arrays([[x]], [y])
    problem = ls.Problem(moments, ls.Network((1,), noise=0.5, weight_decay=(g, h)))
    A, C, yy = (mp.mpf(float(part)) for part in (moments.A[0, 0], moments.C[0], moments.yy))
    W, U, G, H = map(mp.mpf, (w, u, g, h))
    weights = [[[w]], [[u]]]
    terms = {
        "loss": [[1.5 * U * U * W * W * A, -2 * U * W * C, yy, G * W * W, H * U * U]],
        "gradient": [
            [3 * U * U * W * A, -2 * U * C, 2 * G * W],
            [3 * U * W * W * A, -2 * W * C, 2 * H * U],
        ],
        "hessian": [
            [3 * U * U * A, 2 * G],
            [6 * U * W * A, -2 * C],
            [6 * U * W * A, -2 * C],
            [3 * W * W * A, 2 * H],
        ],
        "predictor": [[U * W]],
        "energies": [[G * W * W], [H * U * U]],
    }
    for name, expected in terms.items():
        too_large = max(abs(mp.fsum(parts)) for parts in expected) > 1.7e308
        try:
            got = getattr(problem, name)(weights)
        except OutOfRange:
            continue
        assert not too_large, name
        for value, parts in zip(np.ravel(np.array(got)), expected, strict=True):
            size = mp.fsum(map(abs, parts))
            assert abs(value - mp.fsum(parts)) <= 1e-10 * size + 1e-307, name


@pytest.mark.parametrize("w", [1e-100, 1e-156, 1e-170, 1e-300, 0.0])
def test_the_curvature_along_a_vanishing_weight_does_not_vanish(w):
    # L = 1.5 u²w² − 2uw + 1 at u = 1
    problem = ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((1,), noise=0.5))
    expected = [[3, 6 * w - 2], [6 * w - 2, 3 * w * w]]
    np.testing.assert_allclose(problem.hessian([[[w]], [[1.0]]]), expected, rtol=1e-10)


METHODS = {
    "loss": lambda problem, w: problem.loss(w),
    "gradient": lambda problem, w: problem.gradient(w),
    "hessian": lambda problem, w: problem.hessian(w),
    "hessian_product": lambda problem, w: problem.hessian_product(w, w),
    "predictor": lambda problem, w: problem.predictor(w),
    "energies": lambda problem, w: problem.energies(w),
    "intercept": lambda problem, w: problem.intercept(w),
}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_too_large_is_never_silently_infinite(method):
    problem, weights, _, _ = tiny_net(1, "hidden", "free")
    with pytest.raises(OutOfRange, match="64-bit float"):
        METHODS[method](problem, [1e200 * W for W in weights])
