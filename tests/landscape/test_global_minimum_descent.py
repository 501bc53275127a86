"""The global minimum against descent in the space of all weights, from many starts."""

from collections import Counter

import numpy as np
import pytest

import linscape as ls
from oracles import averaged_loss_and_gradient, flatten, minimum_by_multistart

MARGIN = 1e-13  # of E[y²]: the rounding of the oracle's own loss


class Near:
    """Starts at given weights, each entry off by 20 % or so, signs drawn anew."""

    def __init__(self, minimum, rng):
        self.minimum, self.rng = minimum, rng

    def standard_normal(self, size):
        vector = flatten(self.minimum.weights(self.rng))
        return vector * (1 + 0.2 * self.rng.standard_normal(size))


def nets(count, seed):
    """Random data and nets of depth 1 to 3, in every phase, some with noisy inputs or biases."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        depth, d = 1 + k % 3, int(rng.integers(1, 4))
        X = rng.standard_normal((8, d)) * np.logspace(0, -rng.uniform(0, 1), d) + rng.uniform(0, 1)
        y = X @ rng.standard_normal(d) * 2 + 0.3 * rng.standard_normal(8)
        options = {
            "noise": list(rng.uniform(0, 1, depth)),
            "input_noise": float(rng.choice([0.0, 0.2])),
            "bias": (False, False, False, "free")[k % 4],
        }
        hidden = tuple(int(n) for n in rng.integers(1, 4, depth))
        moments = ls.Moments.from_arrays(X, y)
        probe = ls.Problem(moments, ls.Network(hidden, weight_decay=1.0, **options))
        critical = ls.critical_weight_decay(probe)
        between = rng.uniform(critical.learning, critical.existence)
        level = between if depth > 1 and k % 5 == 0 else critical.learning * rng.uniform(0.05, 0.9)
        decays = level * np.exp((u := 0.5 * rng.standard_normal(depth + 1)) - u.mean())
        options["weight_decay"] = [float(g) for g in decays]
        yield ls.Problem(moments, ls.Network(hidden, **options)), X, y, options


def check(count, seed, starts):
    phases = []
    for problem, X, y, options in nets(count, seed):
        minimum = ls.global_minimum(problem)
        function = averaged_loss_and_gradient(X, y, **options)
        rng = np.random.default_rng(seed + 1)
        scales = (0.3, 1, 2, 4)
        _, ends, _ = minimum_by_multistart(
            function, problem.shapes, rng, starts=starts, scales=scales
        )
        _, near, _ = minimum_by_multistart(
            function, problem.shapes, Near(minimum, rng), starts=2, scales=(1,)
        )
        scale = problem.moments.yy
        ends = np.append(ends, near)
        assert ends.min() >= minimum.lower - MARGIN * scale, problem
        assert ends.min() <= minimum.upper + 1e-8 * scale, problem  # descent stops in a flat bottom
        phases.append(ls.phase(problem).name)
    print(f"\n{count} nets, {count * (starts + 2)} starts: {dict(Counter(phases))}")
    return phases


def test_descent_reaches_the_minimum_and_never_less():
    phases = check(20, seed=0, starts=4)
    assert {"learning", "metastable"} <= set(phases)


@pytest.mark.slow
def test_descent_reaches_the_minimum_of_fifty_nets_and_never_less():
    check(50, seed=10, starts=16)


def test_descent_ends_at_zero_where_the_network_collapses():
    for problem, X, y, options in nets(3, seed=20):
        decay = 1.2 * ls.critical_weight_decay(problem).existence
        network = problem.network.to_dict() | {"weight_decay": decay}
        options = options | {"weight_decay": decay}
        collapsed = ls.Problem(problem.moments, ls.Network(**network))
        minimum = ls.global_minimum(collapsed)
        assert minimum.is_trivial is True
        function = averaged_loss_and_gradient(X, y, **options)
        rng = np.random.default_rng(0)
        _, ends, _ = minimum_by_multistart(function, collapsed.shapes, rng, starts=4)
        np.testing.assert_allclose(ends, minimum.loss, rtol=1e-9)  # descent stops short of zero


def test_the_trap_of_deep_nets_is_real():
    # learning, yet descent from small weights ends at zero: two hidden layers and more
    for problem, X, y, options in nets(3, seed=30):
        minimum = ls.global_minimum(problem)
        function = averaged_loss_and_gradient(X, y, **options)
        rng = np.random.default_rng(0)
        _, ends, _ = minimum_by_multistart(function, problem.shapes, rng, starts=3, scales=(0.01,))
        at_zero = minimum.loss + minimum.gain
        if problem.network.depth == 1:
            np.testing.assert_allclose(ends, minimum.loss, rtol=1e-8)
        else:
            np.testing.assert_allclose(ends, at_zero, rtol=1e-8)
        assert ls.phase(problem).zero_is_minimum is (problem.network.depth > 1)
