"""The corrected bounds under changes of units, at their edges, and as results."""

import json
import math

import numpy as np
import pytest
from mpmath import mp

import linscape as ls
from cases import isotropic, symmetric, truth
from linscape.errors import NoExactSolution, OutOfRange
from linscape.landscape import bounds

DECAYS = (
    bounds.existence_necessary,
    bounds.existence_sufficient,
    bounds.learning_necessary,
    bounds.learning_sufficient,
)
SIGNALS = (bounds.signal_necessary, bounds.signal_sufficient)


# ---- Scales and reductions


def scaled_problem(problem, sx, sy):
    """Inputs times sx, target times sy, decays so that nothing else changes: P ∝ sy^{2D} sx²."""
    moments, network, D = problem.moments, problem.network, problem.network.depth
    scaled = ls.Moments(sx**2 * moments.A, sx * sy * moments.C, sy**2 * moments.yy)
    factor = math.exp((2 * D * math.log(sy) + 2 * math.log(sx)) / (D + 1))
    arguments = network.to_dict()
    arguments["weight_decay"] = [factor * decay for decay in network.weight_decay]
    return ls.Problem(scaled, ls.Network(**arguments)), factor


@pytest.mark.parametrize("sx", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("sy", [1e-8, 1e8])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_bounds_scale_with_inputs_and_target(sx, sy, depth):
    rng = np.random.default_rng(26)
    A, p = symmetric([4.0, 1.0, 0.3], rng), np.array([1.0, -0.5, 2.0])
    network = ls.Network((3,) * depth, noise=0.3, weight_decay=0.2)
    problem = ls.Problem(ls.Moments(A, A @ p, 2 * p @ A @ p), network)
    scaled, factor = scaled_problem(problem, sx, sy)
    for bound in DECAYS:
        assert bound(scaled).value == pytest.approx(bound(problem).value * factor, rel=1e-10)
    for bound in SIGNALS:
        expected = bound(problem).value * (sx * sy) ** 2
        assert bound(scaled).value == pytest.approx(expected, rel=1e-10)
    for before, after in zip(bounds.deep_energy(problem), bounds.deep_energy(scaled), strict=True):
        assert after.value == pytest.approx(before.value * sy**2, rel=1e-10)


@pytest.mark.parametrize("depth", [1, 3])
def test_the_reduction_scales_the_data_term(depth):
    """f·E‖·‖² with decays f·γ is f times the mean's loss: energies and decays times f."""
    moments = ls.Moments(np.diag([3.0, 1.0]), [1.0, 2.0], 9.0, mean_x=[0, 0], mean_y=0.0, n=10)
    widths = (2,) * depth
    mean = ls.Problem(moments, ls.Network(widths, weight_decay=0.3))
    half_sum = ls.Problem(moments, ls.Network(widths, weight_decay=1.5), reduction="half_sum")
    for bound in DECAYS:
        assert bound(half_sum).value == pytest.approx(5 * bound(mean).value, rel=1e-12)
    for bound in SIGNALS:
        assert bound(half_sum).value == pytest.approx(bound(mean).value, rel=1e-12)
    printed = bounds.signal_sufficient(half_sum).as_printed
    assert printed == pytest.approx(bounds.signal_sufficient(mean).as_printed, rel=1e-12)
    for before, after in zip(bounds.deep_energy(mean), bounds.deep_energy(half_sum), strict=True):
        assert after.value == pytest.approx(5 * before.value, rel=1e-12)


def test_free_biases_and_input_noise_change_the_moments_only():
    rng = np.random.default_rng(27)
    X = rng.standard_normal((30, 2)) + np.array([3.0, -1.0])
    y = X @ [1.0, 2.0] + rng.standard_normal(30) + 5
    moments = ls.Moments.from_arrays(X, y)
    network = ls.Network((3, 3), weight_decay=0.1, bias="free", input_noise=0.25)
    found = bounds.deep_energy(ls.Problem(moments, network))
    centred = moments.centered()
    A = np.asarray(centred.A) + 0.25 * np.diag(np.diagonal(moments.A))
    plain = ls.Moments(A, centred.C, centred.yy)
    expected = bounds.deep_energy(ls.Problem(plain, ls.Network((3, 3), weight_decay=0.1)))
    for one, other in zip(found, expected, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-10)


# ---- Edges


def test_without_signal_nothing_exists():
    moments = ls.Moments(np.eye(2), [0.0, 0.0], 1.0)
    problem = ls.Problem(moments, ls.Network((2, 2), weight_decay=0.1))
    assert [bound(problem).value for bound in DECAYS] == [0.0] * 4
    lower, upper = bounds.deep_energy(problem)
    assert (lower.value, upper.value) == (math.inf, 0.0)
    assert lower.to_dict()["value"] == "inf"
    one = ls.Problem(moments, ls.Network((2,), weight_decay=0.1))
    assert all(bound.value < 0 for bound in bounds.two_layer_energy(one))


def test_inputs_that_vanish_have_no_signal():
    problem = ls.Problem(ls.Moments([[0.0]], [0.0], 1.0), ls.Network((2, 2), weight_decay=0.1))
    assert [bound(problem).value for bound in DECAYS] == [0.0] * 4


def two_layer_root(problem):
    """The K > 0 with Σ P c_i²/(P + τ a_i K)² = 1 by bisection at 50 digits; None without one."""
    network, moments = problem.network, problem.moments
    with mp.workdps(50):
        P = mp.fprod(map(mp.mpf, network.weight_decay))
        tau = 1 + mp.mpf(network.noise[0]) / network.hidden[0]
        pairs = list(zip(map(mp.mpf, np.diagonal(moments.A)), map(mp.mpf, moments.C), strict=True))

        def excess(K):
            return mp.fsum(P * c**2 / (P + tau * a * K) ** 2 for a, c in pairs) - 1

        low, high = mp.mpf(0), mp.mpf(100)
        if excess(low) <= 0:
            return None
        for _ in range(160):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) > 0 else (low, middle)
        return float(low)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-12, 0.0, -1e-12, -1e-3])
def test_two_layer_range_holds_next_to_the_transition(gap):
    moments = ls.Moments(np.diag([3.0, 0.2]), [0.3, 0.7], 3.0)
    decay = float(np.linalg.norm([0.3, 0.7])) * (1 - gap)
    problem = ls.Problem(moments, ls.Network((3,), noise=0.3, weight_decay=decay))
    lower, upper = (bound.value for bound in bounds.two_layer_energy(problem))
    assert lower <= upper or upper < 0
    energy = two_layer_root(problem)
    assert energy is None or lower <= energy <= upper
    assert (energy is not None) == (gap > 0) or gap == 0


def test_singular_data_use_the_least_eigenvalue_that_is_not_zero():
    rng = np.random.default_rng(28)
    A, p = symmetric([2.0, 0.5, 0.0, 0.0], rng), rng.standard_normal(4)
    network = ls.Network((2, 2), noise=0.2, weight_decay=0.05)
    found = bounds.deep_energy(ls.Problem(ls.Moments(A, A @ p, 2 * p @ A @ p), network))
    norm = float(np.linalg.norm(A @ p))
    small = ls.Moments(np.diag([2.0, 0.5]), [norm, 0.0], norm**2)
    expected = bounds.deep_energy(ls.Problem(small, network))
    for one, other in zip(found, expected, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-12)


def test_depth_where_the_decay_product_underflows():
    problem = isotropic(80, decay=1e-5)
    assert problem.network.log_decay_product < -900
    lower, upper = bounds.deep_energy(problem)
    assert 0 < lower.value < upper.value
    energies = [float(energy) for energy in truth(problem)["stationary"]]
    assert all(lower.value <= energy <= upper.value for energy in energies)
    assert len(energies) == 2


def test_numbers_outside_the_range_of_floats_are_refused():
    moments = ls.Moments([[1e-300]], [1e-150], 1.0)
    problem = ls.Problem(moments, ls.Network((1,) * 200, noise=1e4, weight_decay=1e-2))
    with pytest.raises(OutOfRange, match="signal"):
        bounds.signal_sufficient(problem)


def test_what_the_bounds_do_not_cover_is_refused():
    moments = ls.Moments([[1.0]], [1.0], 1.0)
    several = ls.Moments([[1.0]], [[1.0, 0.5]], 2 * np.eye(2))
    every = (*DECAYS, *SIGNALS, bounds.deep_energy, bounds.two_layer_energy)
    for bound in (*every, bounds.isotropic_energy):
        with pytest.raises(NoExactSolution, match="hidden layer"):
            bound(ls.Problem(moments, ls.Network((), weight_decay=0.1)))
        with pytest.raises(NoExactSolution, match="2 outputs"):
            bound(ls.Problem(several, ls.Network((2,), weight_decay=0.1)))
    for bound in every[4:]:
        with pytest.raises(NoExactSolution, match="every weight decay positive"):
            bound(ls.Problem(moments, ls.Network((2,))))
    for bound in (bounds.two_layer_energy, bounds.isotropic_energy):
        with pytest.raises(NoExactSolution, match="one hidden layer, got 2"):
            bound(ls.Problem(moments, ls.Network((2, 2), weight_decay=0.1)))


def test_a_bound_says_what_it_is():
    problem = isotropic(2, noise=1.0, decay=0.05)
    one = isotropic(1, decay=0.05)
    every = [bound(problem) for bound in (*DECAYS, *SIGNALS)]
    every += [*bounds.deep_energy(problem), *bounds.two_layer_energy(one)]
    for bound in (*every, bounds.isotropic_energy(one)):
        plain = json.loads(json.dumps(bound.to_dict(), allow_nan=False))
        assert plain["value"] == bound.value
        assert plain["kind"] in ("sufficient", "necessary", "both")
        assert "Ziyin, Li & Meng (2022)" in plain["equation"]
        assert plain["assumptions"]
        assert bound.claim in repr(bound)
    assert [bound(problem).kind for bound in DECAYS] == ["necessary", "sufficient"] * 2
    assert [bound(one).condition for bound in DECAYS] == ["weight decay < value"] * 4
    assert [bound(problem).condition for bound in DECAYS] == ["weight decay <= value"] * 4
    assert "printed value" in repr(bounds.deep_energy(problem)[1])
    unequal = ls.Problem(problem.moments, ls.Network((2, 3), weight_decay=0.05))
    assert bounds.deep_energy(unequal)[1].as_printed is None
    assert bounds.signal_sufficient(unequal).as_printed is None
