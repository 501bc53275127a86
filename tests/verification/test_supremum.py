"""The largest gain: no point lies above it, and the best points reach it."""

import numpy as np
import pytest
from flint import arb, ctx
from test_resolvent import resolvent

from cases import symmetric
from linscape.verification.supremum import Curve, largest_gain


def curve(a, c, depth, product):
    return Curve(resolvent(np.diag(a), c), depth, arb(product))


def check(found, drawn, tolerance=2.0**-60):
    """No point of a dense grid lies above, one comes near, and the interval is narrow."""
    grid = [arb(2) ** (arb(k) / 8) for k in range(-800, 801)]
    points = [drawn.at(s.mid()) for s in grid]
    heights = [drawn.height(point) for point in points]
    assert not any(height > found.upper for height in heights)
    best = max(float(height) for height in heights)
    assert float(found.lower) >= max(best, 0.0) * (1 - 1e-15)
    scale = max(float(point.g) for point in points)
    assert float(found.upper - found.lower) <= tolerance * scale


@pytest.mark.parametrize("depth", [1, 2, 3, 7])
@pytest.mark.parametrize("product", [1e-12, 1e-4, 1e-1, 1.0, 1e3])
def test_no_point_lies_above_it(depth, product):
    with ctx.workprec(256):
        drawn = curve([400.0, 1.0, 1e-4], [4.472, 1.0, 0.01], depth, product)
        check(largest_gain(drawn, arb(1)), drawn)


def test_the_search_may_begin_anywhere():
    with ctx.workprec(256):
        drawn = curve([400.0, 1.0], [4.472, 1.0], 2, 0.3275**3)
        found = [largest_gain(drawn, arb(2) ** k) for k in (-500, -3, 0, 40, 900)]
        for one in found:
            assert one.lower <= found[0].upper
            assert found[0].lower <= one.upper
            check(one, drawn)


def test_random_functions_have_no_point_above():
    rng = np.random.default_rng(0)
    with ctx.workprec(256):
        for depth in (1, 2, 3, 4, 10):
            a, c = 10 ** rng.uniform(-6, 2, 5), rng.standard_normal(5)
            drawn = Curve(resolvent(symmetric(a, rng), c), depth, arb(10 ** rng.uniform(-8, 1)))
            check(largest_gain(drawn, arb(1)), drawn)


def test_one_layer_has_its_closed_form():
    # A = 1, c = 1: s/(1 + s) − Ps is largest at s = 1/√P − 1, where it is (1 − √P)²
    with ctx.workprec(256):
        found = largest_gain(curve([1.0], [1.0], 1, 0.25), arb(1))
        assert found.lower <= 0.25 <= found.upper
        assert found.upper - found.lower <= arb(2) ** -63


def test_one_layer_at_its_transition_gains_exactly_nothing():
    with ctx.workprec(256):
        found = largest_gain(curve([1.0], [1.0], 1, 1.0), arb(1))
        assert (found.lower, found.upper) == (0, 0)


def test_two_layers_at_their_transition_gain_nothing_to_sixty_four_bits():
    # A = c = 1: s/(1 + s) − 2√(Ps) touches zero at s = 1 where P = 1/16
    with ctx.workprec(256):
        found = largest_gain(curve([1.0], [1.0], 2, 0.0625), arb(3))
        assert found.lower == 0
        assert found.upper <= arb(2) ** -60
        above = largest_gain(curve([1.0], [1.0], 2, 0.0625 * (1 - 1e-12)), arb(3))
        assert above.lower > 0
        below = largest_gain(curve([1.0], [1.0], 2, 0.0625 * (1 + 1e-12)), arb(3))
        assert below.upper == 0


def test_too_little_precision_does_not_end():
    with ctx.workprec(20):
        assert largest_gain(curve([1.0], [1.0], 2, 0.01), arb(1)) is None
