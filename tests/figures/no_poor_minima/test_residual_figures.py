"""Norms of residual layers and descents from the identity, against products and closed forms."""

import math

import numpy as np
import pytest

import linscape as ls
from linscape.figures import reproduce
from linscape.figures.no_poor_minima import residual_counterexamples, residual_descents
from linscape.figures.no_poor_minima.random_maps import random_maps
from linscape.residual import residual_descend, residual_factors


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("log_stretch", [0.0, 0.3, 4.0])
@pytest.mark.parametrize("sign", [1, -1, None])
def test_random_maps_have_the_stretch_and_the_sign(size, log_stretch, sign):
    maps = random_maps(50, size, log_stretch, np.random.default_rng(size), sign=sign)
    logs = np.log(np.linalg.svd(maps, compute_uv=False))
    np.testing.assert_allclose(np.abs(logs).max(axis=1), log_stretch, rtol=1e-10, atol=1e-12)
    signs = np.sign(np.linalg.det(maps))
    assert set(signs) == ({sign} if sign else {1, -1})


def test_the_paths_are_those_of_the_library():
    maps = random_maps(3, 3, 0.6, np.random.default_rng(1))
    step = residual_descents.step_size(0.6, 4)
    tau, left = residual_descents.path(maps, 4, step, 200)
    for R, norm, share in zip(maps, tau, left, strict=True):
        moments = ls.Moments(np.eye(3), R.T, R @ R.T)
        # E‖·‖² has no ½
        path = residual_descend(moments, 4, step_size=step / 2, steps=200)
        assert norm == pytest.approx(path.norms[::10].max(), rel=1e-9)
        assert share == pytest.approx(path.losses[-1] / path.losses[0], rel=1e-6, abs=1e-12)


def test_a_stretch_is_learned_as_its_scalar_recursion():
    # R = 2I: every layer is wI with w ← w − η w^{l−1}(w^l − 2)
    step, w = 0.02, 1.0
    for _ in range(100):
        w -= step * w**2 * (w**3 - 2)
    tau, left = residual_descents.path(2 * np.eye(2)[None], 3, step, 100)
    assert tau[0] == pytest.approx(w - 1, rel=1e-10)
    assert left[0] == pytest.approx((w**3 - 2) ** 2, rel=1e-6, abs=1e-14)


def test_a_half_turn_is_never_learned_and_never_leaves_the_ball():
    tau, left = residual_descents.path(-np.eye(2)[None], 4, 0.02, 2000)
    assert tau[0] < 1
    assert left[0] > 0.2  # the excess falls from 4 to 1 and no further


def test_norms_over_layers_are_those_of_the_factors():
    found = reproduce("residual-norms", quick=True)
    rng = np.random.default_rng(0)
    R = random_maps(3, 5, 0.5, rng)[0]
    for j, layers in enumerate(found.arrays["layers"]):
        if layers >= 3 * 0.5:
            factors = residual_factors(R, int(layers)).factors
            product = np.eye(5)
            for A in factors:
                product = (np.eye(5) + A) @ product
            np.testing.assert_allclose(product, R, atol=1e-10)
            norm = max(np.linalg.norm(A, 2) for A in factors)
            assert found.arrays["upper"][0, 0, j] == pytest.approx(norm, rel=1e-9)
    assert found.arrays["upper"][0, 0, 0] == pytest.approx(np.linalg.norm(R - np.eye(5), 2))
    assert np.all(found.arrays["lower"] <= found.arrays["upper"] * (1 + 1e-12))


def test_the_counterexamples_by_hand():
    found = reproduce("residual-counterexamples", quick=True)
    for name, R in residual_counterexamples.MAPS.items():
        assert np.linalg.eigvalsh(np.subtract(R, np.eye(2)))[0] == pytest.approx(-41, rel=1e-12)
        assert found.arrays[f"{name}_lower"][0] == pytest.approx(41, rel=1e-12)
    assert found.arrays["formula"][0] == pytest.approx(4 * math.pi + 3 * math.log(40), rel=1e-12)
    layers = found.arrays["layers"]
    # −R is positive definite, a half turn commutes with it: |40^{1/l} e^{iπ/l} − 1| is attained
    expected = np.abs(40.0 ** (1 / layers) * np.exp(1j * math.pi / layers) - 1)
    for bound in ("upper", "lower"):
        values = found.arrays[f"first_{bound}"]
        assert np.all(values <= expected * (1 + 1e-9)) or bound == "upper"
        assert values[-1] == pytest.approx(expected[-1], rel=0.1)


def test_one_layer_is_the_distance_from_the_identity():
    found = reproduce("residual-one-layer", quick=True)
    gammas, norms = found.arrays["gammas"], found.arrays["norms"]
    # Weyl: |σ − 1| ≤ ‖R − I‖ ≤ e^γ + 1
    assert np.all(norms <= np.exp(gammas) + 1 + 1e-12)
    assert np.all(norms >= 1 - np.exp(-gammas) - 1e-12)
    # det R < 0 has a real eigenvalue below zero, which is at most −e^{−γ}
    assert np.all(norms[found.arrays["signs"] < 0] >= 1 + np.exp(-gammas.max()) - 1e-12)
