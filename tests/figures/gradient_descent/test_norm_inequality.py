"""How far layers outgrow their product: known nets, invariances, and what is proven."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linscape.figures import reproduce
from linscape.figures.gradient_descent import norm_inequality


def by_layer(weights):
    """‖W_j‖² − ‖W_N ⋯ W_1‖^{2/N} for each layer, and δ, matrix by matrix."""
    product = np.linalg.multi_dot(weights[::-1]) if len(weights) > 1 else weights[0]
    size = np.linalg.svd(product, compute_uv=False)[0] ** (2 / len(weights))
    norms = np.array([np.linalg.svd(W, compute_uv=False)[0] ** 2 for W in weights])
    differences = [
        weights[j + 1].T @ weights[j + 1] - weights[j] @ weights[j].T
        for j in range(len(weights) - 1)
    ]
    return norms - size, max(np.abs(np.linalg.eigvalsh(D)).max() for D in differences)


@pytest.mark.parametrize("layers", norm_inequality.LAYERS)
def test_single_units_attain_one_less_than_the_layers(layers):
    assert norm_inequality.excesses(norm_inequality.chain(layers))[0] == pytest.approx(
        layers - 1, rel=1e-12
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_the_search_finds_at_least_what_is_known(seed):
    found = reproduce("norm-inequality", quick=True, seed=seed)
    layers = found.arrays["layers"]
    assert np.all(found.arrays["found"] >= (layers - 1) * (1 - 1e-12))
    assert np.all(found.arrays["found"] <= found.arrays["proven"] * (1 + 1e-12))
    for claim in found.claims:
        for n in layers:
            # "N = 5: 4.00"
            _, named, excess = (claim.computed + ",").partition(f"N = {n}: ")
            assert not named or float(excess.partition(",")[0]) >= n - 1


def test_fail_is_said_of_the_paper_alone():
    found = reproduce("norm-inequality", quick=True)
    ours = [claim for claim in found.claims if "Nguegnang" not in claim.source]
    assert [(claim.source, claim.verdict) for claim in ours] == [("our addition", "PASS")]
    assert [c.source for c in found.claims if c.verdict == "FAIL"] == [
        norm_inequality.SOURCE + ", with (28) and (32)"
    ]


@given(st.integers(2, 8), st.integers(1, 4), st.integers(0, 10_000))
def test_the_proven_constants_hold(layers, size, seed):
    rng = np.random.default_rng(seed)
    weights = list(10.0 ** rng.uniform(-1, 1, (layers, 1, 1)) * rng.standard_normal(
        (layers, size, size)))  # fmt: skip
    gaps, delta = by_layer(weights)
    assert norm_inequality.excesses(np.array(weights)[None])[0] == pytest.approx(
        gaps.max() / delta, rel=1e-9
    )
    j = np.arange(layers)
    constants = layers - 1 + np.minimum(j, layers - 1 - j)
    assert np.all(gaps <= constants * delta * (1 + 1e-12))
    assert constants.max() == norm_inequality.proven(layers)


@given(st.integers(2, 6), st.integers(-8, 8), st.integers(0, 1000))
def test_scales_and_rotations_change_nothing(layers, power, seed):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((3, layers, 3, 3))
    turns = np.linalg.qr(rng.standard_normal((layers + 1, 3, 3)))[0]
    turned = turns[1:] @ weights @ turns[:-1].mT
    expected = norm_inequality.excesses(weights)
    np.testing.assert_allclose(norm_inequality.excesses(turned), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        norm_inequality.excesses(10.0**power * weights), expected, rtol=1e-9, atol=1e-12
    )


def test_the_counterexample_by_hand():
    assert norm_inequality.reversed_example() == pytest.approx((1.0, 0.0, 0.0, 1.0), abs=1e-15)
