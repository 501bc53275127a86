"""Columns both collinear and badly scaled: what cannot be resolved widens the interval."""

import numpy as np
import pytest

import linscape as ls
import oracles


def truth(X, y, depth, decay):
    """Return the minimum for the data themselves, in exact arithmetic."""
    A, C, yy = oracles.mp_moments(X, y)
    found = oracles.mp_minimum(
        A, C, yy, depth=depth, weight_decay=decay, hidden=3, rank_tolerance=1e-50
    )
    return float(found["loss"])


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("seed", range(8))
def test_the_interval_holds_the_minimum_of_the_data(depth, seed):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(3, 6))
    X = rng.standard_normal((rows, 8)) * 10.0 ** rng.uniform(-9, 9, 8)
    y = rng.standard_normal(rows)
    decay = 10.0 ** rng.uniform(-12, -1)
    problem = ls.Problem(ls.Moments.from_arrays(X, y), ls.Network((3,) * depth, weight_decay=decay))
    minimum = ls.global_minimum(problem)
    true = truth(X, y, depth, decay)
    # the moments are those of the data up to rounding, which collinear columns may amplify
    slack = 1e-6 * float(problem.moments.yy)
    assert minimum.lower - slack <= true <= minimum.upper + slack
    assert minimum.is_trivial is not True


def test_a_collinear_column_in_other_units_is_no_reason_for_a_wide_interval():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 2))
    X = np.column_stack([x, x @ [1.0, 1.0]])
    y = x @ [1.0, -1.0] + rng.standard_normal(30)
    minimum = ls.global_minimum(
        ls.Problem(ls.Moments.from_arrays(X, y), ls.Network((4,), weight_decay=0.1))
    )
    assert minimum.certificate.null_directions == 1
    assert minimum.upper - minimum.lower <= 1e-12 * float(np.mean(y**2))
