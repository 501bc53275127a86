"""One unit's largest pull: bounds against a sweep, cases by hand, and nets that are trained."""

import itertools
import math

import numpy as np
import pytest

from linscape.errors import InvalidData, InvalidOption
from linscape.landscape.convex_trap_units import unit_signal


def swept(x, g, slope=0.0, count=20_000):
    """The same supremum for two inputs, over a circle of directions."""
    angles = np.linspace(0, 2 * np.pi, count)
    z = x @ np.stack([np.cos(angles), np.sin(angles)])
    pulls = g.T @ np.where(z > 0, z, slope * z) / len(x)
    return np.linalg.norm(pulls, axis=0).max()


@pytest.mark.parametrize("slope", [0.0, 0.2, -0.5, 1.0])
@pytest.mark.parametrize("outputs", [1, 3])
def test_it_encloses_what_a_sweep_finds(outputs, slope):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((25, 2)) @ rng.standard_normal((2, 2))
        g = rng.standard_normal((25, outputs))
        low, high = unit_signal(x, g, negative_slope=slope)
        found = swept(x, g, slope)
        assert found <= high * (1 + 1e-12)
        # the sweep's step is 3e-4, at a smooth maximum or at a kink
        assert low == pytest.approx(found, rel=1e-3)


def test_a_linear_unit_pulls_with_the_norm_of_the_moment():
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((30, 4)), rng.standard_normal((30, 3))
    low, high = unit_signal(x, g, negative_slope=1.0)
    assert high == pytest.approx(np.linalg.norm(g.T @ x / 30, 2), rel=1e-10)
    assert low == pytest.approx(high, rel=1e-3)  # what climbing reaches


def test_symmetric_rows_of_a_linear_target_have_half_the_linear_signal():
    rng = np.random.default_rng(0)
    half = rng.standard_normal((40, 3))
    x = np.concatenate([half, -half])
    g = -2 * x @ rng.standard_normal((3, 1))
    low, high = unit_signal(x, g)
    linear = np.linalg.norm(g.T @ x / 80, 2)
    assert low == pytest.approx(linear / 2, rel=1e-6)  # what climbing reaches
    assert low <= high


def test_rows_on_a_ray_are_exact():
    x = np.outer([1.0, 2.0, 0.5], [3.0, 4.0])
    g = np.array([[1.0], [2.0], [-1.0]])
    low, high = unit_signal(x, g)
    assert low == pytest.approx(5 * (1 + 4 - 0.5) / 3, rel=1e-10)
    assert high >= low


@pytest.mark.parametrize("exponent", [-8, 8])
def test_units_of_rows_and_gradients_do_not_matter(exponent):
    rng = np.random.default_rng(1)
    x, g = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    one = np.array(unit_signal(x, g))
    scale = 10.0**exponent
    np.testing.assert_allclose(unit_signal(scale * x, g), scale * one, rtol=1e-10)
    np.testing.assert_allclose(unit_signal(x, scale**2 * g), scale**2 * one, rtol=1e-10)


def trained(x, y, decay, seed, steps=4000, rate=0.05):
    """Gradient descent of a ReLU net of four units on the square loss; return its largest norm."""
    rng = np.random.default_rng(seed)
    W, u = rng.standard_normal((4, x.shape[1])), rng.standard_normal(4)
    for _ in range(steps):
        z = x @ W.T
        error = 2 * (np.maximum(z, 0) @ u - y) / len(x)
        back = error[:, None] * u * (z > 0)
        gradient = back.T @ x + 2 * decay * W, np.maximum(z, 0).T @ error + 2 * decay * u
        W, u = W - rate * gradient[0], u - rate * gradient[1]
    return max(np.linalg.norm(W), np.linalg.norm(u))


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_relu_nets_learn_below_the_threshold_only(factor):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, 2))
    y = x[:, 0] + np.abs(x[:, 1])
    signal = swept(x, -2 * y[:, None])
    decay = factor * signal / 2  # S = 2γ at the transition
    low, _ = unit_signal(x, -2 * y[:, None])
    assert (low > 2 * decay) == (factor < 1)
    ends = [trained(x, y, decay, seed) for seed in range(4)]
    assert (max(ends) > 0.1) == (factor < 1)


def test_zero_is_best_on_a_grid_above_and_not_below():
    # one unit, two inputs: the whole loss on a grid of directions and sizes
    rng = np.random.default_rng(3)
    x = rng.standard_normal((15, 2))
    y = rng.standard_normal(15)
    signal = swept(x, -2 * y[:, None])
    for factor, best in ((1.02, True), (0.98, False)):
        decay, least = factor * signal / 2, math.inf
        for angle, size, sign in itertools.product(
            np.linspace(0, 2 * np.pi, 721), np.geomspace(1e-3, 3, 40), (-1, 1)
        ):
            f = sign * size * np.maximum(x @ [np.cos(angle), np.sin(angle)], 0)
            least = min(least, np.mean((f - y) ** 2) + 2 * decay * size)
        assert (least >= np.mean(y**2)) == best


@pytest.mark.parametrize(
    ("x", "g", "options", "error"),
    [
        ([[1.0]], [[1.0], [2.0]], {}, InvalidData),
        ([1.0], [[1.0]], {}, InvalidData),
        ([[np.nan]], [[1.0]], {}, InvalidData),
        ("rows", [[1.0]], {}, InvalidData),
        (np.empty((0, 2)), np.empty((0, 1)), {}, InvalidData),
        ([[1.0]], [[1.0]], {"negative_slope": 1.5}, InvalidOption),
        ([[1.0]], [[1.0]], {"starts": 0}, InvalidOption),
    ],
)
def test_bad_input_is_refused(x, g, options, error):
    with pytest.raises(error):
        unit_signal(x, g, **options)


def test_zeros_have_no_signal():
    assert unit_signal([[0.0, 0.0]], [[1.0]]) == (0.0, 0.0)
    assert unit_signal([[1.0, 0.0]], [[0.0]]) == (0.0, 0.0)
