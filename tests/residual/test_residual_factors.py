"""The factors: their product, their norms, and what is refused."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from maps import (
    blocks,
    mp_product_error,
    normal_map,
    product,
    random_map,
    rotation,
    spectral_norms,
    turn,
)

from linscape.errors import InvalidData, InvalidNetwork, NoExactSolution
from linscape.residual import residual_factors
from linscape.residual.polar import polar
from linscape.residual.shares import best_shares, best_split, split_norm


def degenerate_maps():
    rng = np.random.default_rng(7)
    Q = rotation(6, rng)
    return {
        "identity": np.eye(4),
        "one by one": np.array([[0.3]]),
        "minus identity": -np.eye(4),
        "reflections in pairs": Q @ np.diag([1.0, -1, -1, 1, -1, -1]) @ Q.T,
        "rotation": rotation(5, rng),
        "near a half turn": blocks(turn(math.pi - 1e-9), turn(math.pi), turn(1e-9)),
        "repeated angles": normal_map([1, 2, 1], [2.0, 2.0, 2.0], rng),
        "repeated singular values": rotation(5, rng)
        @ np.diag([2.0, 2, 2, 0.5, 0.5])
        @ rotation(5, rng),
        "negative, unequal": np.diag([-1.0, -4.0, 2.0]),
        "shear": np.array([[1.0, 3.0], [0.0, 1.0]]),
        "permutation": np.roll(np.eye(5), 1, axis=0),
        "large": 1e8 * rotation(3, rng),
        "small": 1e-8 * rotation(3, rng),
        "condition 1e8": random_map(4, 9.3, rng),
    }


@pytest.mark.parametrize("name", degenerate_maps())
def test_product_and_norm_of_degenerate_maps(name):
    R = degenerate_maps()[name]
    gamma = np.abs(np.log(np.linalg.svd(R)[1])).max()
    for layers in {max(1, math.ceil(3 * gamma) + extra) for extra in (0, 1, 7)}:
        result = residual_factors(R, layers)
        scale = np.linalg.norm(R, 2)
        assert np.linalg.norm(product(result.factors) - R, 2) <= 1e-12 * scale * layers
        assert result.error <= 1e-12 * layers
        np.testing.assert_allclose(
            spectral_norms(result).max(), result.norm, rtol=1e-10, atol=1e-14
        )
        assert result.norm <= (4 * math.pi + 3 * gamma) / layers
        assert result.bound.lower <= result.norm * (1 + 1e-10)


@given(
    st.integers(1, 7),
    st.integers(1, 40),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_product_and_norm_of_random_maps(size, layers, part, seed):
    R = random_map(size, part * layers / 3, np.random.default_rng(seed))
    result = residual_factors(R, layers)
    assert result.factors.shape == (layers, size, size)
    assert np.linalg.norm(product(result.factors) - R, 2) <= 1e-10 * np.linalg.norm(R, 2)
    np.testing.assert_allclose(spectral_norms(result).max(), result.norm, rtol=1e-10, atol=1e-14)
    bound = result.bound
    assert bound.lower <= bound.upper
    assert bound.upper == pytest.approx(result.norm, rel=1e-10, abs=1e-14)
    assert bound.upper <= bound.a_priori * (1 + 1e-12)
    assert bound.a_priori <= bound.theorem


def test_the_product_at_fifty_digits():
    rng = np.random.default_rng(11)
    for size, gamma, layers in ((2, 0.3, 1), (3, 9.2, 28), (4, 1.0, 200)):
        R = random_map(size, gamma, rng)
        # each stored layer is within some roundings of its norm, and the layers multiply
        assert mp_product_error(residual_factors(R, layers).factors, R) <= 20 * layers * 2.2e-16


def test_small_layers_keep_their_digits():
    # a million layers would lose six digits if I were added and taken away again
    form = polar(np.array([[1.0 + 1e-3, 0.0], [0.0, 1.0]]) @ turn(1e-3))
    A = form.share(1e-6, 1e-6)
    # to first order A is 1e-6 times the logarithm, symmetric plus skew; the rest is 1e-18
    np.testing.assert_allclose((A[1, 0] - A[0, 1]) / 2, 1e-9, rtol=1e-8)
    np.testing.assert_allclose(A[0, 0], 1e-6 * math.log1p(1e-3), rtol=1e-8)


@pytest.mark.parametrize("layers", [3, 4, 5, 12])
def test_never_above_the_papers_split_nor_any_other(layers):
    rng = np.random.default_rng(layers)
    for _ in range(40):
        R = random_map(int(rng.integers(2, 5)), layers / 3, rng)
        norm, form = residual_factors(R, layers).norm, polar(R)
        splits = [split_norm(form, k, layers - k) for k in range(1, layers)]
        assert norm <= min(splits) * (1 + 1e-11)


def test_a_map_for_which_the_split_is_better():
    # layers of stretch e^{-1/3·l}, turned by 69° before: found by a search over such maps
    u = turn(-1.3193)
    R = u @ np.diag(np.exp([-1.0, 0.48988])) @ u.T @ turn(-1.28629)
    result = residual_factors(R, 3)
    form = polar(R)
    assert result.construction == "split"
    assert result.norm < np.linalg.norm(form.share(1 / 3, 1 / 3), 2)
    np.testing.assert_allclose(result.norm, 1 - math.exp(-1), rtol=1e-10)  # one layer stretches
    assert np.linalg.norm(product(result) - R, 2) <= 1e-13
    np.testing.assert_allclose(spectral_norms(result).max(), result.norm, rtol=1e-10)


def test_equal_shares_have_equal_norms():
    result = residual_factors(random_map(4, 1.0, np.random.default_rng(2)), 9)
    assert result.construction == "equal shares"
    np.testing.assert_allclose(spectral_norms(result), result.norm, rtol=1e-10)


def test_the_best_split_is_the_best_of_all():
    rng = np.random.default_rng(5)
    for layers in (2, 3, 10, 31):
        for _ in range(20):
            form = polar(random_map(3, rng.uniform(0, 3), rng))
            best = min(split_norm(form, k, layers - k) for k in range(1, layers))
            assert best_split(form, layers).norm == best
            chosen = best_shares(form, layers)
            assert chosen.norm <= best * (1 + 1e-11)
            for powers in (*chosen.powers(), *best_split(form, layers).powers()):
                assert powers.sum() == pytest.approx(1, rel=1e-12)


def test_one_layer_is_the_map_less_the_identity():
    R = random_map(4, 0.33, np.random.default_rng(1))
    np.testing.assert_allclose(residual_factors(R, 1).factors[0], R - np.eye(4), atol=1e-13)


def test_scaling_in_one_dimension_shares_the_logarithm():
    result = residual_factors([[16.0]], 9)
    np.testing.assert_allclose(result.factors.ravel(), 16 ** (1 / 9) - 1, rtol=1e-12)


def test_half_turns():
    # −I: two half turns in l layers, each 2 sin(π/2l) from I, and no way to do with less
    for layers in (2, 3, 10):
        result = residual_factors(-np.eye(4), layers)
        np.testing.assert_allclose(result.norm, 2 * math.sin(math.pi / 2 / layers), rtol=1e-12)


def test_conjugation_invariance():
    rng = np.random.default_rng(3)
    R, Q = random_map(4, 1.5, rng), rotation(4, rng)
    one, other = residual_factors(R, 6), residual_factors(Q @ R @ Q.T, 6)
    np.testing.assert_allclose(one.norm, other.norm, rtol=1e-10)
    inverse = np.linalg.inv(R)
    np.testing.assert_allclose(
        residual_factors(inverse, 6).bound.log_stretch, one.bound.log_stretch, rtol=1e-10
    )


# ---- Refusals


def test_a_reflection_is_refused_with_the_bound():
    R = np.diag([1.0, 1.0, -1.0])
    with pytest.raises(NoExactSolution, match=r"det R > 0: it is negative.*at least 1; no number"):
        residual_factors(R, 100)


def test_a_singular_map_is_refused():
    for R in (np.zeros((2, 2)), np.ones((2, 2)), np.diag([1.0, 1e-16])):
        with pytest.raises(NoExactSolution, match="cannot be told from zero"):
            residual_factors(R, 1000)


def test_too_few_layers_are_refused_with_the_number_that_do():
    R = np.diag([math.e, 1.0])
    with pytest.raises(NoExactSolution, match=r"layers >= 3γ: 2 < 3;.*0\.648721; use at least 3"):
        residual_factors(R, 2)
    assert len(residual_factors(R, 3)) == 3  # the edge itself is inside


@pytest.mark.parametrize(
    "R",
    [
        np.zeros((2, 3)),
        np.zeros((0, 0)),
        [1.0, 2.0],
        [[math.nan]],
        [[math.inf]],
        [["a"]],
        [[1j]],
        3.0,
        None,
        np.zeros((2, 2, 2)),
    ],
)
def test_bad_maps(R):
    with pytest.raises(InvalidData, match="R "):
        residual_factors(R, 3)


@pytest.mark.parametrize("layers", [0, -1, 2.0, True, None, "3"])
def test_bad_numbers_of_layers(layers):
    with pytest.raises(InvalidNetwork, match="layers must be a whole number"):
        residual_factors(np.eye(2), layers)


def test_the_result_is_json_and_read_only():
    result = residual_factors(np.eye(2), 2)
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert json.loads(text)["bound"]["layers"] == 2
    with pytest.raises(ValueError, match="read-only"):
        result.factors[0, 0, 0] = 1.0
    assert np.array_equal(np.array(list(result)), result.factors)
    assert np.array_equal(result[1], result.factors[1])


@pytest.mark.slow
def test_many_maps():
    rng = np.random.default_rng(0)
    count = splits = 0
    for _ in range(20_000):
        layers = int(rng.integers(1, 30))
        R = random_map(int(rng.integers(1, 9)), rng.uniform(0, layers / 3), rng)
        result = residual_factors(R, layers)
        assert result.error <= 1e-10
        assert abs(spectral_norms(result).max() - result.norm) <= 1e-10 * result.norm + 1e-14
        assert result.norm <= result.bound.theorem
        count, splits = count + 1, splits + (result.construction == "split")
    print(f"{count} maps, {splits} of them split")
