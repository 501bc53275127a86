"""Phases and critical decays: closed forms, both sides of every edge, 40-digit thresholds."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mp

import linscape as ls
from cases import (
    humps,
    isotropic,
    isotropic_thresholds,
    known_minimum,
    scaled_decays,
    true_thresholds,
    truth,
)

HERE = Path(__file__).parent

deep = pytest.mark.parametrize("depth", range(2, 10))
every_depth = pytest.mark.parametrize("depth", range(1, 10))


def common(product, depth):
    """The common decay with this decay product."""
    with mp.workdps(40):
        return mp.root(product, depth + 1)


def check_against(problem, learning, existence):
    """Compare with (P*, P_e): the middle at 1e-10, the intervals exactly."""
    critical, depth = ls.critical_weight_decay(problem), problem.network.depth
    for name, product in (("learning", learning), ("existence", existence)):
        expected = common(product, depth)
        assert getattr(critical, name) == pytest.approx(float(expected), rel=1e-10)
        lower, upper = getattr(critical, f"{name}_interval")
        assert lower <= expected <= upper
        assert upper / lower - 1 <= 1e-10
    return critical


# ---- White inputs: closed forms


@every_depth
@pytest.mark.parametrize("square", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_white_inputs_have_their_closed_thresholds(depth, square, noise):
    c, tau = [0.6, -0.8, 2.4], (1 + mp.mpf(noise) / 2) ** depth
    problem = isotropic(depth, square=square, c=c, noise=noise)
    norm = mp.sqrt(mp.fsum(mp.mpf(x) ** 2 for x in c))
    check_against(problem, *isotropic_thresholds(depth, norm, tau, square))


def test_the_critical_decay_is_not_monotone_in_the_depth():
    # A = 0.01·I, ‖c‖ = 1; printed to three digits: half a unit of the last
    found = {D: ls.critical_weight_decay(isotropic(D, square=0.01)).learning for D in range(1, 10)}
    for depth, printed in ((1, 1.0), (2, 1.84), (8, 4.05), (9, 4.03)):
        assert abs(found[depth] - printed) <= 0.005
    assert max(found, key=found.get) == 8
    for depth, learning in found.items():
        expected = common(isotropic_thresholds(depth, 1, 1, mp.mpf(0.01))[0], depth)
        assert learning == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
@pytest.mark.parametrize("side", [1e-9, -1e-9])
def test_the_phase_changes_at_both_edges_and_nowhere_else(depth, side):
    learning, existence = isotropic_thresholds(depth, 1, mp.mpf(1.25) ** depth, 1)
    below, above = ("learning", "metastable") if depth > 1 else ("learning", "collapsed")
    for product, names in ((learning, (below, above)), (existence, (above, "collapsed"))):
        if depth == 1 and product is existence:
            continue  # the two edges are one
        decay = float(common(product * (1 - mp.mpf(side)), depth))
        name = names[0] if side > 0 else names[1]
        found = ls.phase(isotropic(depth, noise=0.5, decay=decay))
        assert found.name == name
        assert found.undecided is False
        assert found.zero_is_minimum is (depth > 1 or name != "learning")


@deep
def test_the_global_minimum_ceases_before_the_last_solution(depth):
    critical = ls.critical_weight_decay(isotropic(depth))
    assert critical.learning < critical.existence
    learning, existence = isotropic_thresholds(depth, 1, 1, 1)
    ratio = float(common(existence / learning, depth))
    assert critical.existence / critical.learning == pytest.approx(ratio, rel=1e-10)


def test_one_hidden_layer_has_one_threshold_and_no_metastable_phase():
    problem = known_minimum(np.random.default_rng(0), 1).problem
    critical = ls.critical_weight_decay(problem)
    norm = float(np.linalg.norm(problem.moments.C))
    assert critical.learning == critical.existence == pytest.approx(norm, rel=1e-12)
    for factor in (0.5, 0.999, 1.001, 2.0):
        moved = scaled_decays(problem, factor * critical.learning_factor)
        assert ls.phase(moved).name == ("learning" if factor < 1 else "collapsed")


# ---- Any inputs


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
@pytest.mark.parametrize("seed", range(4))
def test_the_thresholds_are_those_of_forty_digits(depth, seed):
    problem = known_minimum(np.random.default_rng(seed), depth, input_noise=0.2).problem
    critical = check_against(problem, *true_thresholds(problem))
    with mp.workdps(30):
        own = mp.fprod(mp.mpf(g) for g in problem.network.weight_decay)
    ratio = critical.learning / float(common(own, depth))
    assert critical.learning_factor == pytest.approx(ratio, rel=1e-10)
    assert critical.learning_factor > 1  # it was built to learn


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("count", [2, 3])
def test_the_thresholds_of_several_humps(depth, count):
    problem = humps(depth, count, ratio=100.0)
    check_against(problem, *true_thresholds(problem))


@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(-3, 3))
def test_the_phase_is_that_of_the_sixty_digit_solutions(seed, depth, power):
    rng = np.random.default_rng(seed)
    problem = known_minimum(rng, depth).problem
    factor = ls.critical_weight_decay(problem).learning_factor * 2.0**power
    problem = scaled_decays(problem, factor)
    own = mp.fprod(mp.mpf(g) for g in problem.network.weight_decay)
    # nearer to an edge the search for all roots at 60 digits takes long
    assume(all(abs(own / edge - 1) > 1e-3 for edge in true_thresholds(problem)))
    best = truth(problem)
    if best["energy"] > 0:
        expected = "learning"
    else:
        expected = "metastable" if best["stationary"] else "collapsed"
    assert ls.phase(problem).name == expected
    found = ls.critical_weight_decay(problem)
    assert (found.learning_factor > 1) is (expected == "learning")


def test_multiplying_by_the_factor_lands_on_the_edge():
    problem = known_minimum(np.random.default_rng(3), 3).problem
    critical = ls.critical_weight_decay(problem)
    for name in ("learning", "existence"):
        factor, level = getattr(critical, f"{name}_factor"), getattr(critical, name)
        moved = scaled_decays(problem, factor)
        again = ls.critical_weight_decay(moved)
        assert getattr(again, f"{name}_factor") == pytest.approx(1, rel=1e-10)
        assert getattr(again, name) == pytest.approx(level, rel=1e-10)
        mean = math.exp(moved.network.log_decay_product / 4)
        assert mean == pytest.approx(level, rel=1e-10)


def test_decays_of_zero_do_not_enter_the_thresholds():
    some = isotropic(3, decay=0.2)
    none = isotropic(3, decay=0.0)
    one, other = ls.critical_weight_decay(some), ls.critical_weight_decay(none)
    assert (one.learning, one.existence) == (other.learning, other.existence)
    assert other.learning_factor == math.inf


def test_free_biases_have_the_thresholds_of_the_centred_data():
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((15, 3)) + 5, rng.standard_normal(15)
    y = y + X[:, 0]
    moments = ls.Moments.from_arrays(X, y)
    free = ls.Problem(moments, ls.Network((2, 2), weight_decay=0.1, bias="free"))
    centred = ls.Problem(moments.centered(), ls.Network((2, 2), weight_decay=0.1))
    one, other = ls.critical_weight_decay(free), ls.critical_weight_decay(centred)
    assert one.learning == pytest.approx(other.learning, rel=1e-10)
    assert one.existence == pytest.approx(other.existence, rel=1e-10)
    check_against(free, *true_thresholds(free))


# ---- The order of the transition


def energy_below(problem, distance):
    """Energy of the global minimum where all decays are this much below the threshold."""
    factor = ls.critical_weight_decay(problem).learning_factor * (1 - distance)
    return ls.global_minimum(scaled_decays(problem, factor)).energy


@every_depth
def test_the_energy_leaves_zero_continuously_with_one_hidden_layer_and_jumps_with_more(depth):
    problem = known_minimum(np.random.default_rng(depth), depth).problem
    energies = [energy_below(problem, distance) for distance in (1e-3, 1e-4, 1e-5)]
    assert energy_below(problem, -1e-5) == 0
    if depth == 1:
        assert ls.critical_weight_decay(problem).order == 2
        assert energies[0] / energies[1] == pytest.approx(10, rel=0.05)  # to first order
        assert energies[1] / energies[2] == pytest.approx(10, rel=0.005)
    else:
        assert ls.critical_weight_decay(problem).order == 1
        assert energies[1] == pytest.approx(energies[0], rel=0.1)  # a root of the distance at most
        assert energies[2] == pytest.approx(energies[1], rel=0.01)


def test_where_nothing_changes_there_is_no_order():
    assert ls.critical_weight_decay(isotropic(0)).order is None
    for depth in (1, 3):
        assert ls.critical_weight_decay(isotropic(depth, c=[0.0, 0.0, 0.0])).order is None


# ---- Ends of the range


def test_without_a_hidden_layer_no_decay_is_too_large():
    for decay in (0.0, 1.0, 1e300):
        problem = isotropic(0, decay=decay)
        critical = ls.critical_weight_decay(problem)
        assert critical.learning == critical.existence == math.inf
        found = ls.phase(problem)
        assert (found.name, found.zero_is_minimum) == ("learning", False)


def test_without_decay_every_network_learns():
    for depth in (0, 1, 3):
        found = ls.phase(isotropic(depth, decay=0.0))
        assert found.name == "learning"


@pytest.mark.parametrize("scale", [1e-100, 1e100])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_thresholds_scale_with_the_data(scale, depth):
    problem = known_minimum(np.random.default_rng(5), depth).problem
    moments, network = problem.moments, problem.network
    one = ls.critical_weight_decay(problem)
    # P* ∝ ‖c‖^{2D}/a^{D−1}: y → t y gives γ* → t^{2D/(D+1)} γ*, x → s x gives s^{2/(D+1)}
    for x, y in ((scale, 1.0), (1.0, scale)):
        other = ls.Moments(moments.A * x * x, moments.C * x * y, moments.yy * y * y)
        critical = ls.critical_weight_decay(ls.Problem(other, network))
        factor = x ** (2 / (depth + 1)) * y ** (2 * depth / (depth + 1))
        assert critical.learning == pytest.approx(one.learning * factor, rel=1e-10)
        assert critical.existence == pytest.approx(one.existence * factor, rel=1e-10)


def test_results_are_ready_for_json():
    for problem in (isotropic(2), isotropic(0), isotropic(2, decay=0.0)):
        again = json.loads(json.dumps(ls.critical_weight_decay(problem).to_dict(), allow_nan=False))
        assert set(again) >= {"learning", "existence", "learning_interval", "order"}
        assert json.loads(json.dumps(ls.phase(problem).to_dict()))["name"] == "learning"


ILL_CONDITIONED = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
import linscape as ls
from test_phases import ill_conditioned
critical = ls.critical_weight_decay(ill_conditioned())
print(*critical.learning_interval, *critical.existence_interval)
"""


def ill_conditioned():
    """Condition 1e12, and the signal where it hurts."""
    Q = np.array([[0.6, 0.8], [-0.8, 0.6]])
    A = (Q * [1, 1e-12]) @ Q.T
    A, p = (A + A.T) / 2, Q @ [1, 1e9]
    return ls.Problem(ls.Moments(A, A @ p, p @ A @ p + 1), ls.Network((2, 2)))


def test_the_thresholds_of_ill_conditioned_inputs_hold_and_need_no_gigabyte():
    # in a process of its own, which may not take more
    command = [sys.executable, "-c", ILL_CONDITIONED]
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": paths}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    low, high, lowest, highest = map(float, run.stdout.split())
    learning, existence = true_thresholds(ill_conditioned())
    assert low <= common(learning, 2) <= high
    assert lowest <= common(existence, 2) <= highest
