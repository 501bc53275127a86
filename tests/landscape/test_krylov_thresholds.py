"""Phases and critical decays by Gauss quadrature: the dense ones, honest when stopped."""

import mpmath as mp
import pytest
import scipy.sparse as sp
from krylov_cases import HARD, NETWORKS, both, rows, with_bias

import linscape as ls
from cases import scaled_decays, true_thresholds
from linscape.landscape.krylov import (
    krylov_critical_weight_decay,
    krylov_minimum,
    krylov_phase,
)


@pytest.mark.parametrize("name", ["humps", "humps, three layers", "three minima"])
def test_thresholds_hold_the_true_ones_however_early_it_stops(name):
    problem = HARD[name]
    layers = problem.network.depth + 1
    learning, existence = (float(mp.root(P, layers)) for P in true_thresholds(problem))
    for steps in range(1, problem.moments.inputs + 1):
        found = krylov_critical_weight_decay(problem, steps=steps)
        assert found.learning_interval[0] <= learning <= found.learning_interval[1]
        assert found.existence_interval[0] <= existence <= found.existence_interval[1]
    assert found.learning == pytest.approx(learning, rel=1e-10)
    assert found.existence == pytest.approx(existence, rel=1e-10)


@pytest.mark.parametrize("name", ["ridge", "one layer", "two layers", "four layers"])
@pytest.mark.parametrize("bias", [False, "free"])
def test_thresholds_are_those_of_the_dense_solver(name, bias):
    dense, free = both(with_bias(NETWORKS[name], bias), count=300, inputs=100)
    mine, theirs = krylov_critical_weight_decay(free), ls.critical_weight_decay(dense)
    for part in ("learning", "existence", "learning_factor", "existence_factor"):
        assert getattr(mine, part) == pytest.approx(getattr(theirs, part), rel=1e-10)
    for part in ("learning_interval", "existence_interval"):
        (low, high), (left, right) = getattr(mine, part), getattr(theirs, part)
        assert low <= right
        assert left <= high
    assert mine.order == theirs.order


@pytest.mark.parametrize("name", ["one layer", "two layers", "four layers"])
def test_phases_are_those_of_the_dense_solver(name):
    dense, free = both(NETWORKS[name], count=300, inputs=100)
    critical = ls.critical_weight_decay(dense)
    edges = critical.learning_factor, critical.existence_factor
    factors = [f * edge for edge in edges for f in (0.3, 1 - 1e-7, 1 + 1e-7, 3)]
    for factor in [*factors, sum(edges) / 2]:
        there, here = (scaled_decays(problem, factor) for problem in (dense, free))
        assert krylov_phase(here) == ls.phase(there)
        trivial = krylov_minimum(here).is_trivial
        assert trivial == ls.global_minimum(there).is_trivial


def test_a_phase_takes_no_more_steps_than_decide_it():
    calls = []
    X, y = rows(300, 100)
    operator = sp.linalg.LinearOperator(
        X.shape, matvec=lambda v: (calls.append(1), X @ v)[1], rmatvec=lambda u: X.T @ u
    )
    moments = ls.Moments.from_operator(operator, y)
    calls.clear()
    network = ls.Network((3, 3), weight_decay=0.01)
    assert krylov_phase(ls.Problem(moments, network)).name == "learning"
    assert len(calls) <= 8


def test_too_few_steps_leave_a_phase_undecided():
    dense, free = both(ls.Network((3, 3), weight_decay=0.05), count=300, inputs=100)
    edge = ls.critical_weight_decay(dense).learning_factor
    near = scaled_decays(free, edge * (1 - 1e-6))
    assert krylov_phase(near, steps=2).name == "undecided"
    assert krylov_phase(near).name == "learning"
    critical = krylov_critical_weight_decay(near, steps=2)
    low, high = critical.learning_interval
    assert low < critical.learning < high
    assert high - low > 1e-4 * low
    assert critical.existence is None
    assert krylov_minimum(near, gap=10.0, steps=2).is_trivial is None
    assert krylov_minimum(near, gap=10.0).is_trivial is False
