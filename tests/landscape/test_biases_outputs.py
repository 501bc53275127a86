"""Decayed biases with several outputs: where all means are zero they vanish, else it is refused."""

import numpy as np
import pytest
from scipy.optimize import minimize

import linscape as ls
from linscape.errors import NoExactSolution


def data(centred, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 3)) + 1
    Y = X @ rng.standard_normal((3, 2)) + 0.3 * rng.standard_normal((60, 2))
    moments = ls.Moments.from_arrays(X, Y)
    return moments.standardized() if centred else moments


def problem(hidden, bias, *, centred=True, weight_decay=0.15):
    return ls.Problem(data(centred), ls.Network(hidden, weight_decay=weight_decay, bias=bias))


def searched(p, starts=10):
    """Return the least loss that BFGS finds over all weights and biases."""
    shapes = p.shapes
    sizes = [rows * columns for rows, columns in shapes]

    def split(flat):
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def gradient(flat):
        return np.concatenate([part.ravel() for part in p.gradient(split(flat))])

    rng = np.random.default_rng(1)
    runs = (
        minimize(lambda flat: p.loss(split(flat)), rng.standard_normal(sum(sizes)), jac=gradient)
        for _ in range(starts)
    )
    return min(run.fun for run in runs)


@pytest.mark.parametrize("hidden", [(2,), (3, 2)])
def test_the_minimum_is_what_a_search_finds(hidden):
    p = problem(hidden, "decayed")
    found = ls.global_minimum(p)
    assert found.loss == pytest.approx(searched(p), rel=1e-7)  # BFGS stops at gradients of 1e-5
    assert p.loss(found.weights()) == pytest.approx(found.loss, rel=1e-12)
    assert "decayed biases vanish" in found.source


@pytest.mark.parametrize("hidden", [(2,), (3, 2)])
def test_thresholds_and_minimum_are_those_without_biases(hidden):
    decayed, plain = problem(hidden, "decayed"), problem(hidden, False)
    assert ls.global_minimum(decayed).loss == pytest.approx(
        ls.global_minimum(plain).loss, rel=1e-12
    )
    assert ls.phase(decayed) == ls.phase(plain)
    thresholds = [ls.critical_weight_decay(p).learning for p in (decayed, plain)]
    assert thresholds[0] == pytest.approx(thresholds[1], rel=1e-12)


@pytest.mark.parametrize("ask", [ls.global_minimum, ls.critical_weight_decay])
def test_means_that_are_not_zero_are_refused_with_the_remedy(ask):
    with pytest.raises(NoExactSolution, match="all means are zero: standardise the data"):
        ask(problem((2,), "decayed", centred=False))


def test_without_decay_it_makes_no_difference():
    found = ls.global_minimum(problem((2,), "decayed", centred=False, weight_decay=0.0))
    free = ls.global_minimum(problem((2,), "free", centred=False, weight_decay=0.0))
    assert found.loss == pytest.approx(free.loss, rel=1e-12)
