"""Theorem 4: the variance against sampled networks, and the paper's letters against both."""

import io
import math

import numpy as np
import pytest

from linscape.figures import draw, reproduce
from linscape.figures.exact_solutions import prediction_variance as variance


@pytest.fixture(scope="module")
def found():
    return reproduce("prediction-variance", quick=True)


def test_verdicts(found):
    assert [claim.verdict for claim in found.claims] == [
        "PASS", "PASS", "FAIL", "FAIL", "PASS", "PASS", "FAIL", "PASS",
    ]  # fmt: skip


def test_variance_is_that_of_sampled_networks():
    depth, width, noise = 2, 3, 0.5
    minimum = variance.solve(depth, width, noise)
    W1, W2, U = minimum.weights(rng=np.random.default_rng(0))
    x = np.full(variance.INPUTS, variance.INPUTS**-0.5)
    rng, samples = np.random.default_rng(1), 200_000
    mask = 1 + math.sqrt(noise) * rng.choice([-1.0, 1.0], size=(2, samples, width))
    f = ((mask[0] * (W1 @ x)) @ W2.T * mask[1]) @ U[0]
    expected = variance.at_x(depth, width, noise)
    deviations = np.square(f - f.mean())
    error = deviations.std() / math.sqrt(samples)
    assert abs(deviations.mean() - expected) < 5 * error  # five standard errors, seeds fixed


@pytest.mark.parametrize(("depth", "width", "noise"), [(1, 4, 1.0), (2, 8, 3.0), (3, 32, 0.1)])
def test_variance_nears_least_squares_without_decay(monkeypatch, depth, width, noise):
    monkeypatch.setattr(variance, "DECAY", 0.0)
    monkeypatch.setattr(variance.solve, "__defaults__", (0.0,))
    tau = (1 + noise / width) ** depth
    # p = c/(τ s²), and Var f = (τ − 1)(p·x)²
    expected = (tau - 1) / (tau * variance.SCALE) ** 2
    assert variance.at_x(depth, width, noise) == pytest.approx(expected, rel=1e-10)


def test_trivial_from_the_critical_noise_on():
    end = variance.largest_noise(3)
    assert variance.at_x(3, variance.WIDTH, 1.001 * end) == 0
    assert variance.at_x(3, variance.WIDTH, 0.999 * end) > 0
    # P = γ⁴ against P* = 2²/(3⁶ (τs²)²), closed form for A = s²I and ‖c‖ = 1
    tau = math.sqrt(4 / 729) / (variance.DECAY**2 * variance.SCALE)
    assert (1 + end / variance.WIDTH) ** 3 == pytest.approx(tau, rel=1e-9)


def test_printed_rate_is_twice_the_one_found(found):
    claim = found.claims[3]
    printed, computed = (
        np.array([float(x) for x in text.split(",")]) for text in (claim.printed, claim.computed)
    )
    # halfway through the depths that learn: ρ^D is not infinite yet
    np.testing.assert_allclose(computed, printed / 2, rtol=0.02)


def test_draws(found):
    figure = draw(found)
    figure.savefig(io.BytesIO(), format="png", dpi=20)
    assert len(figure.axes) == 3
