"""Every result that gives weights takes a seed as well as a generator, and means the same by it."""

import numpy as np
import pytest

import linscape as ls

MOMENTS = ls.Moments(
    np.diag([2.0, 1.0]),
    np.array([1.0, 0.5]),
    2.0,
    mean_x=np.array([0.1, 0.2]),
    mean_y=np.array(0.3),
)


def problem(**options):
    settings = {"hidden": (3, 4), "weight_decay": 0.01, **options}
    return ls.Problem(MOMENTS, ls.Network(**settings))


PLAIN = ls.Moments(np.diag([2.0, 1.0]), np.diag([1.0, 0.5]), np.eye(2))
GIVERS = {
    "minimum": lambda: ls.global_minimum(problem(noise=0.1)),
    "solution": lambda: ls.solutions(problem())[-1],
    "decayed biases": lambda: ls.global_minimum(problem(hidden=(3,), bias="decayed")),
    "sub-network": lambda: ls.critical_points(problem())[-1],
    "modes": lambda: ls.critical_points(ls.Problem(PLAIN, ls.Network((2, 2), weight_decay=0.0)))[0],
    "several outputs": lambda: ls.global_minimum(
        ls.Problem(PLAIN, ls.Network((2,), weight_decay=0.1))
    ),
}


@pytest.mark.parametrize("giver", GIVERS.values(), ids=GIVERS)
def test_a_seed_is_the_generator_with_that_seed(giver):
    found = giver()
    seeded, generated = found.weights(3), found.weights(np.random.default_rng(3))
    assert all(np.array_equal(a, b) for a, b in zip(seeded, generated, strict=True))


def test_seeds_give_other_weights_of_the_same_loss():
    p = problem(noise=0.1)
    found = ls.global_minimum(p)
    first, second = found.weights(rng=0), found.weights(rng=1)
    assert any(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert p.loss(first) == pytest.approx(p.loss(second), rel=1e-12)
