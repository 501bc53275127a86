"""Figure 1, left: its edges against one-dimensional maxima and the paper's own letters."""

import io

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from linscape.figures import draw, reproduce
from linscape.figures.exact_solutions import regimes


@pytest.fixture(scope="module")
def found():
    return reproduce("regimes", quick=True)


def inflation(depth):
    return (1 + regimes.NOISE / regimes.WIDTH) ** depth


def largest(function):
    """The largest value over t > 0: a grid in log t, then a bounded search around its best."""
    grid = np.linspace(-30, 30, 20_001)
    best = grid[np.argmax([function(np.exp(x)) for x in grid])]
    inside = minimize_scalar(
        lambda x: -function(np.exp(x)), bounds=(best - 0.01, best + 0.01), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip
    return -inside.fun


def test_verdicts(found):
    assert [claim.verdict for claim in found.claims] == [
        "PASS", "PASS", "PASS", "FAIL", "FAIL", "FAIL", "PASS", "PASS",
    ]  # fmt: skip


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_edges_are_maxima_of_one_function(found, depth):
    a, tau = np.array(regimes.VARIANCES), inflation(depth)
    c2 = np.square(regimes.moments().C)

    def G(t):
        return np.sum(c2 * t ** (depth - 1) / (1 + a * t**depth))

    def H(t):
        return np.sum(c2 * t ** (depth - 1) / (1 + a * t**depth) ** 2)

    learning = tau ** (1 - depth) * (largest(G) / depth) ** depth
    existence = tau ** (1 - depth) * largest(H) ** depth
    # at D = 1 both are limits as t → 0, where the grid ends at e^−30
    row = depth - 1
    np.testing.assert_allclose(
        found.arrays["learning"][row], learning ** (1 / (depth + 1)), rtol=1e-10
    )
    np.testing.assert_allclose(
        found.arrays["existence"][row], existence ** (1 / (depth + 1)), rtol=1e-10
    )


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_bounds_are_the_printed_ones(found, depth):
    c, d, s = regimes.signal(), regimes.WIDTH, regimes.NOISE
    low, high = min(regimes.VARIANCES), max(regimes.VARIANCES)

    def proposition_3(a):
        inner = (depth - 1) * c / (2 * depth * d * (s + d) ** depth * a)
        return (
            (depth + 1) / (2 * depth) * c * d ** (depth - 1) * inner ** ((depth - 1) / (depth + 1))
        )

    # (18) solved for γ
    theorem_3 = (
        c**2 * d ** (depth - 1) * (depth - 1) ** ((depth - 1) / depth)
        / (depth**2 * (s + d) ** (depth - 1) * high ** ((depth - 1) / depth))
    ) ** (depth / (depth + 1))  # fmt: skip
    arrays, row = found.arrays, depth - 1
    np.testing.assert_allclose(arrays["existence_necessary"][row], proposition_3(low), rtol=1e-10)
    np.testing.assert_allclose(arrays["existence_sufficient"][row], proposition_3(high), rtol=1e-10)
    np.testing.assert_allclose(arrays["learning_sufficient"][row], theorem_3, rtol=1e-10)


def test_bounds_are_exact_for_inputs_of_one_variance(monkeypatch):
    monkeypatch.setattr(regimes, "VARIANCES", (0.5, 0.5, 0.5))
    arrays = reproduce("regimes", quick=True).arrays
    for bound in ("existence_sufficient", "existence_necessary"):
        np.testing.assert_allclose(arrays[bound], arrays["existence"], rtol=1e-9)


def test_phases_change_at_the_edges(found):
    arrays = found.arrays
    for row, phases in enumerate(arrays["phase"]):
        decay = arrays["weight_decay"]
        expected = np.where(decay < arrays["learning"][row], 2, 0)
        between = (decay >= arrays["learning"][row]) & (decay <= arrays["existence"][row])
        expected[between & (row > 0)] = 1
        np.testing.assert_array_equal(phases, expected)


def test_draws(found):
    figure = draw(found)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert len(figure.axes) == 1
