"""Where descent ends: a case solved by hand, a plain integration, and scales."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import linscape as ls
from linscape.torch.ending import ending


def unit_chain(decay, depth=2, **network):
    moments = ls.Moments([[1.0]], [1.0], 1.0)
    return ls.Problem(moments, ls.Network((1,) * depth, weight_decay=decay, **network))


@pytest.mark.parametrize("start", [0.02, 0.7])
def test_equal_units_turn_where_the_cubic_does(start):
    # w = (t, t, t): ṫ ∝ t²(1 − t³) − γt, so the ends meet at t − t⁴ = γ
    t = start * ending(unit_chain(0.1), [np.full((1, 1), start)] * 3).critical_gain
    roots = np.roots([-1, 0, 0, 1, -0.1])
    barrier = min(root.real for root in roots if abs(root.imag) < 1e-12 and root.real > 0)
    assert t == pytest.approx(barrier, rel=0.02)  # the bisection's own width


def flows_to_zero(problem, start):
    def right(_, w):
        return -problem.flatten(problem.gradient(problem.unflatten(w)))

    end = solve_ivp(right, (0, 400), problem.flatten(start), method="LSODA", rtol=1e-8, atol=1e-12)
    return np.linalg.norm(end.y[:, -1]) < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_end_of_an_integrated_flow(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 3))
    y = X @ rng.standard_normal(3) + 0.2 * rng.standard_normal(30)
    network = ls.Network((3, 4), noise=0.3, weight_decay=(0.1, 0.2, 0.15))
    problem = ls.Problem(ls.Moments.from_arrays(X, y), network)
    start = [0.5 * rng.standard_normal(shape) for shape in problem.shapes]
    found = ending(problem, start)
    assert flows_to_zero(problem, start) == (found.end == "collapsed")
    gain = found.critical_gain
    assert 0 < gain < math.inf
    assert flows_to_zero(problem, [0.95 * gain * W for W in start])
    assert not flows_to_zero(problem, [1.05 * gain * W for W in start])


@pytest.mark.parametrize("exponent", [-8, 8])
def test_units_of_the_data_do_not_matter(exponent):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    y = X[:, 0] + 0.1 * rng.standard_normal(30)
    shapes = ((2, 2), (2, 2), (1, 2))
    start = [0.5 * rng.standard_normal(shape) for shape in shapes]
    gains = []
    for s in (1.0, 10.0**exponent):
        # y → s³y with W → sW and γ → s⁴γ: the same net in other units
        network = ls.Network((2, 2), weight_decay=0.1 * s**4)
        problem = ls.Problem(ls.Moments.from_arrays(X, s**3 * y), network)
        gains.append(ending(problem, [s * W for W in start]).critical_gain)
    assert gains[0] == pytest.approx(gains[1], rel=0.02)  # the bisection's own width


@pytest.mark.parametrize(
    ("problem", "end", "gain"),
    [
        (unit_chain(0.1, depth=1), "learning", 0.0),
        (unit_chain(1.5, depth=1), "collapsed", math.inf),
        (unit_chain(0.6), "collapsed", math.inf),
        (unit_chain((0.1, 0.0, 0.1)), "learning", 0.0),
        (unit_chain(0.0), "learning", 0.0),
    ],
)
def test_where_the_phase_settles_it_nothing_is_run(problem, end, gain):
    found = ending(problem, [np.ones(shape) for shape in problem.shapes])
    assert (found.end, found.critical_gain, found.numerical) == (end, gain, False)
    assert found.to_dict()["critical_gain"] == ("inf" if gain == math.inf else gain)


@pytest.mark.parametrize("bias", ["free", "decayed"])
def test_biases_at_zero_of_centred_data_change_nothing(bias):
    # ZLM Theorem 6: with E[x] = 0 and E[y] = 0 biases that start at zero stay there
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 2))
    y = X[:, 0] + 0.1 * rng.standard_normal(30)
    moments = ls.Moments.from_arrays(X, y).centered()
    gains = []
    start = [0.6 * rng.standard_normal(shape) for shape in ((2, 2), (2, 2), (1, 2))]
    for kind in (False, bias):
        problem = ls.Problem(moments, ls.Network((2, 2), weight_decay=0.1, bias=kind))
        weights = [W if kind is False else np.column_stack([W, np.zeros(len(W))]) for W in start]
        gains.append(ending(problem, weights).critical_gain)
    assert gains[0] == pytest.approx(gains[1], rel=0.03)  # two bisections of 2 %
