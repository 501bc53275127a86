"""Layers of least norm with a given product."""

import itertools

import numpy as np
import pytest

from linscape.errors import InvalidNetwork
from linscape.landscape.factors import balanced_factors


def product_of(factors):
    total = factors[0]
    for factor in factors[1:]:
        total = factor @ total
    return total


@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1.0, 1e8, 1e150])
@pytest.mark.parametrize("hidden", [(), (2,), (5, 2), (3, 4, 2, 6)])
def test_the_product_is_what_was_asked_for(hidden, scale):
    rng = np.random.default_rng(1)
    product = scale * rng.standard_normal((3, 2)) @ rng.standard_normal((2, 4))
    for source in (None, rng):
        factors = balanced_factors(product, hidden, rng=source)
        assert product_of(factors) / scale == pytest.approx(product / scale, rel=1e-10, abs=1e-13)


@pytest.mark.parametrize("decays", [(1.0, 1.0, 1.0), (0.1, 5.0, 2.0), (1e-8, 1e8, 1.0)])
def test_every_layer_carries_the_least_energy(decays):
    rng = np.random.default_rng(2)
    product = rng.standard_normal((3, 4))
    factors = balanced_factors(product, (3, 5), weight_decay=decays, rng=rng)
    singular = np.linalg.svd(product, compute_uv=False)
    mean = np.prod(decays) ** (1 / 3)
    energies = [g * np.sum(W**2) for g, W in zip(decays, factors, strict=True)]
    assert energies == pytest.approx([mean * np.sum(singular ** (2 / 3))] * 3, rel=1e-10)
    assert product_of(factors) == pytest.approx(product, rel=1e-10, abs=1e-12)


def test_any_other_factors_carry_more():
    rng = np.random.default_rng(3)
    product = rng.standard_normal((3, 4))
    least = sum(np.sum(W**2) for W in balanced_factors(product, (3, 3)))
    for _ in range(50):
        first, second = (np.eye(3) + 0.3 * rng.standard_normal((3, 3)) for _ in range(2))
        W, V, U = balanced_factors(product, (3, 3))
        moved = [first @ W, second @ V @ np.linalg.inv(first), U @ np.linalg.inv(second)]
        assert sum(np.sum(W**2) for W in moved) >= least * (1 - 1e-12)


def test_without_decay_neighbours_are_balanced():
    rng = np.random.default_rng(4)
    factors = balanced_factors(rng.standard_normal((3, 4)), (4, 6, 3), rng=rng)
    for before, after in itertools.pairwise(factors):
        assert after.T @ after == pytest.approx(before @ before.T, abs=1e-12)


def test_columns_of_different_scale_are_kept():
    rng = np.random.default_rng(5)
    deviations = np.array([1e-8, 1.0, 1e8])
    product = rng.standard_normal((3, 3)) / deviations
    factors = balanced_factors(product, (3, 3), column_scale=deviations)
    ratio = product_of(factors) / product
    # a column of size 1e-8 beside one of 1e8 keeps the digits that the left singular vectors have
    assert ratio == pytest.approx(np.ones((3, 3)), rel=1e-10)


def test_zero_is_zero():
    assert not any(factor.any() for factor in balanced_factors(np.zeros((2, 3)), (4, 1)))


def test_what_cannot_be_is_refused():
    product = np.diag([2.0, 1.0])
    with pytest.raises(InvalidNetwork, match="rank 2 needs hidden widths"):
        balanced_factors(product, (3, 1))
    with pytest.raises(InvalidNetwork, match="3 positive values"):
        balanced_factors(product, (3, 2), weight_decay=(0.1, 0.1))
    with pytest.raises(InvalidNetwork, match="positive"):
        balanced_factors(product, (3,), weight_decay=(0.1, 0.0))
