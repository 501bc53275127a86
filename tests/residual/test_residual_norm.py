"""Bounds on the norm of the layers, against a search over all factorisations."""

import json
import math

import numpy as np
import pytest
from maps import least_norm_found, normal_map, random_map, rotation, spectral_norms, turn

from linscape.residual import residual_factors, residual_norm_bound
from linscape.residual.polar import polar
from linscape.residual.shares import best_shares


@pytest.mark.parametrize(("size", "layers"), [(1, 2), (1, 3), (2, 2), (2, 3), (3, 2)])
def test_no_search_gets_below_the_lower_bound(size, layers):
    rng = np.random.default_rng(10 * size + layers)
    for _ in range(2):
        R = random_map(size, layers / 4, rng)
        bound = residual_norm_bound(R, layers)
        near = [best_shares(polar(R), layers).layers(polar(R))]
        found = least_norm_found(R, layers, rng, 3, near)
        assert bound.lower <= found * (1 + 1e-10)
        assert found <= bound.upper * (1 + 1e-10)  # the search starts there


@pytest.mark.parametrize(("size", "layers"), [(1, 2), (1, 3), (2, 2), (3, 2)])
def test_no_search_gets_below_one_if_the_determinant_is_negative(size, layers):
    rng = np.random.default_rng(size + layers)
    R = random_map(size, layers / 4, rng, sign=-1)
    bound = residual_norm_bound(R, layers)
    assert bound.lower >= 1
    assert bound.upper is None
    assert least_norm_found(R, layers, rng, 6) >= 1


def test_a_reflection_that_stretches_needs_more():
    np.testing.assert_allclose(residual_norm_bound(np.diag([100.0, -1.0]), 2).lower, 9, rtol=1e-12)
    # −100 is a stretch by 10 and a quarter turn for each of two layers, |10i − 1|
    np.testing.assert_allclose(residual_norm_bound([[-100.0]], 2).lower, math.sqrt(101), rtol=1e-12)


def test_minus_one_in_two_layers_needs_the_root_of_two():
    # (1 + a)(1 + b) = −1, and the bound is attained
    a = np.linspace(-3, 3, 600_000)  # −1 is not among them
    needed = np.maximum(np.abs(a), np.abs(-1 / (1 + a) - 1)).min()
    np.testing.assert_allclose(needed, math.sqrt(2), rtol=1e-5)  # the grid's spacing
    np.testing.assert_allclose(residual_norm_bound([[-1.0]], 2).lower, math.sqrt(2), rtol=1e-12)
    # in three, (t − 1)(1 + t)² = 1 decides: between the bound 1 and √2
    assert residual_norm_bound([[-1.0]], 3).lower == pytest.approx(1, rel=1e-12)


def test_random_layers_never_fall_below_the_lower_bound():
    # the bounds are on max ‖A_i‖ of any layers with the product R: draw the layers first
    rng = np.random.default_rng(4)
    tightest = np.inf
    for _ in range(1000):
        size, layers = int(rng.integers(1, 5)), int(rng.integers(2, 7))
        factors = rng.standard_normal((layers, size, size))
        factors *= (
            rng.choice([0.1, 0.5, 1, 2, 10])
            * rng.uniform(0.5, 1)
            / spectral_norms(factors)[:, None, None]
        )
        R = np.eye(size)
        for A in factors:
            R = (np.eye(size) + A) @ R
        reached = spectral_norms(factors).max()
        bound = residual_norm_bound(R, layers)
        assert bound.lower <= reached * (1 + 1e-10)
        tightest = min(tightest, reached / bound.lower)
    assert tightest < 1.05  # so the bound is no trifle


@pytest.mark.parametrize("layers", [2, 3, 8, 50])
def test_normal_maps_are_settled(layers):
    rng = np.random.default_rng(layers)
    for _ in range(10):
        moduli = np.exp(rng.uniform(-3, 3, 3))  # norms below and above 1
        angles = rng.uniform(-math.pi, math.pi, 3)
        bound = residual_norm_bound(normal_map(moduli, angles, rng), layers)
        expected = np.abs((moduli * np.exp(1j * angles)) ** (1 / layers) - 1).max()
        np.testing.assert_allclose(bound.lower, expected, rtol=1e-10)
        np.testing.assert_allclose(bound.upper, expected, rtol=1e-10)


def test_repeated_eigenvalues_are_settled_too():
    rng = np.random.default_rng(0)
    bound = residual_norm_bound(normal_map([2, 2, 2], [1.0, 1.0, -1.0], rng), 5)
    expected = abs((2 * np.exp(1j)) ** 0.2 - 1)
    np.testing.assert_allclose([bound.lower, bound.upper], expected, rtol=1e-10)


def test_negative_eigenvalues_that_come_in_pairs_are_settled():
    # the half turns must be in the planes of −½ and of −3, not across them
    rng = np.random.default_rng(2)
    Q = rotation(5, rng)
    bound = residual_norm_bound(Q @ np.diag([-3.0, -0.5, 2.0, -3.0, -0.5]) @ Q.T, 6)
    expected = max(abs((-value + 0j) ** (1 / 6) - 1) for value in (3.0, 0.5))
    np.testing.assert_allclose([bound.lower, bound.upper], expected, rtol=1e-10)


def test_the_singular_values_alone_give_the_weaker_bound():
    rng = np.random.default_rng(8)
    for _ in range(50):
        layers = int(rng.integers(2, 9))
        R = random_map(3, layers / 4, rng)
        values = np.linalg.svd(R)[1]
        weaker = max(values[0] ** (1 / layers) - 1, 1 - values[-1] ** (1 / layers))
        assert residual_norm_bound(R, layers).lower >= weaker * (1 - 1e-12)


def test_one_layer_is_known_for_every_map():
    rng = np.random.default_rng(9)
    for sign in (1, -1):
        R = random_map(3, 2.0, rng, sign)
        bound = residual_norm_bound(R, 1)
        exact = np.linalg.norm(R - np.eye(3), 2)
        np.testing.assert_allclose([bound.lower, bound.upper], exact, rtol=1e-12)
        assert exact <= bound.a_priori
        np.testing.assert_allclose(bound.a_priori, math.exp(bound.log_stretch) + 1, rtol=1e-12)


def test_the_bound_for_one_layer_is_attained():
    # γ = 1/3: e^{1/3} + 1 = 2.3956, where 1.91 is printed
    bound = residual_norm_bound(-math.exp(1 / 3) * np.eye(2), 1)
    np.testing.assert_allclose(bound.upper, 2.395612425086, rtol=1e-12)
    np.testing.assert_allclose(bound.a_priori, bound.upper, rtol=1e-12)
    np.testing.assert_allclose(bound.theorem, 4 * math.pi + 1, rtol=1e-12)


def test_many_layers_approach_the_logarithm():
    # a turn by θ scaled by s: l·norm → |log s + iθ|
    bound = residual_norm_bound(3 * turn(2.0), 10**6)
    # the next term is |log|²/2l
    np.testing.assert_allclose(bound.upper * 10**6, abs(math.log(3) + 2j), rtol=1e-5)


def test_the_bounds_need_no_room_for_the_layers():
    bound = residual_norm_bound(random_map(3, 1.0, np.random.default_rng(1)), 10**12)
    assert 0 < bound.lower <= bound.upper <= bound.a_priori * (1 + 1e-12)


def test_scales():
    rng = np.random.default_rng(12)
    Q = rotation(3, rng)
    for scale in (1e-8, 1e8, 1e-100, 1e100):
        bound = residual_norm_bound(scale * Q, 2000)
        assert bound.determinant == "positive"
        np.testing.assert_allclose(bound.log_stretch, abs(math.log(scale)), rtol=1e-10)
        np.testing.assert_allclose(bound.lower, bound.upper, rtol=1e-10)  # normal


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_singular_maps_are_undecided(layers):
    for R in (np.zeros((2, 2)), np.ones((2, 2)), np.diag([3.0, 1e-18])):
        bound = residual_norm_bound(R, layers)
        assert bound.determinant == "undecided"
        assert bound.theorem is None
        # where det R = 0 a layer must have norm 1, and rounding hides how near that is
        assert bound.lower >= 1 - 1e-13 ** (1 / layers)
        json.dumps(bound.to_dict(), allow_nan=False)
    assert residual_norm_bound(np.zeros((2, 2)), 3).to_dict()["log_stretch"] == "inf"


def test_the_theorem_is_given_where_its_hypotheses_hold_only():
    R = np.diag([math.e, 1.0])
    few, enough = residual_norm_bound(R, 2), residual_norm_bound(R, 3)
    assert few.theorem is None
    assert few.failing == ("layers >= 3γ: 2 < 3",)
    np.testing.assert_allclose(few.upper, math.sqrt(math.e) - 1, rtol=1e-12)
    np.testing.assert_allclose(enough.theorem, (4 * math.pi + 3) / 3, rtol=1e-12)
    assert enough.failing == ()


def test_the_construction_needs_no_condition_on_the_number_of_layers():
    rng = np.random.default_rng(6)
    for _ in range(100):
        layers = int(rng.integers(1, 6))
        R = random_map(3, rng.uniform(0, 5), rng)
        bound = residual_norm_bound(R, layers)
        form = polar(R)
        factors = best_shares(form, layers).layers(form)
        np.testing.assert_allclose(spectral_norms(factors).max(), bound.upper, rtol=1e-10)
        assert bound.upper <= bound.a_priori * (1 + 1e-12)


def test_a_shear_is_between_the_bounds():
    # not normal: σ = golden ratio squared and its inverse for [[1, 1], [0, 1]]... by hand
    R = np.array([[1.0, 1.0], [0.0, 1.0]])
    bound = residual_norm_bound(R, 10)
    golden = (1 + math.sqrt(5)) / 2
    np.testing.assert_allclose(bound.log_stretch, math.log(golden), rtol=1e-12)
    assert bound.lower < bound.upper
    # ten shears by 1/10 are a factorisation as well
    assert bound.lower <= 0.1
    assert residual_factors(R, 10).norm == bound.upper
